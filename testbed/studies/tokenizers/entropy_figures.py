"""Figures of H(token | 3 before it): exact, estimated, and what lies between."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure
from testbed.studies.tokenizers.data import Data
from testbed.studies.tokenizers.drawing import INTERVALS, intervals, level, points
from testbed.studies.tokenizers.measure import ESTIMATORS, ORDER

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

NAMES = {"plug_in": "plug-in", "miller_madow": "Miller-Madow", "nsb": "NSB", "chao_wang_jost": "Chao-Wang-Jost"}


def drop_figure(study: "Tokenizers", data: Data) -> StudyFigure:
    """H(token | 3) a symbol against the number of byte pairs: the fall of the exact one, and the rest."""
    import matplotlib.pyplot as plt

    arms = (study.coin, *study.lag_arms)
    figure, axes = plt.subplots(1, len(arms), figsize=(2.2 * len(arms), 3.1), squeeze=False, sharey=True)
    rows: list[dict[str, Any]] = []
    for arm, axis in zip(arms, axes[0], strict=True):
        texts = data.texts[arm.name]
        length = texts["size_mean_length"][:, 0]
        true = texts["size_true"][:, 0, :, ORDER] / length
        estimates = texts["size_estimates"][:, 0, :, :, ORDER] / length[..., None]
        plug_in = estimates[..., 0].mean(axis=0)
        start, exact = np.full(len(arm.sizes), true[:, 0].mean()), true.mean(axis=0)
        axis.fill_between(arm.sizes, exact, start, color="C2", alpha=0.25, linewidth=0, label="absorbed (exact)")
        axis.fill_between(
            arm.sizes,
            plug_in,
            exact,
            facecolor="none",
            edgecolor="0.6",
            hatch="////",
            linewidth=0,
            label="bias of plug-in",
        )
        drawn = [("exact", true, style(2) | {"linestyle": "-"})]
        drawn += [
            (NAMES[name], estimates[..., i], style((0, 1, 3, 4)[i]) | {"linestyle": "none" if i else "--"})
            for i, name in enumerate(ESTIMATORS)
        ]
        for label, values, look in drawn:
            middle, low, high = intervals(values)
            points(axis, arm.sizes, np.array([middle, low, high]), look, label)
            rows += [
                {"arm": arm.name, "what": label, "tokens": size, "nats_per_symbol": m, "lower": a, "upper": b}
                for size, m, a, b in zip(arm.sizes, middle, low, high, strict=True)
            ]
        level(axis, float(texts["entropy_rate"][0]), "h")
        axis.set_xscale("log", base=2)
        axis.set_title(arm.name)
        axis.set_xlabel("tokens (byte pairs)")
    axes[0][0].set_ylabel(f"H(token | {ORDER} before) / E[length]\n(nats a symbol)")
    axes[0][0].set_ylim(bottom=0)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What tokens absorb, and what the estimate misses",
        caption=(
            f"H(token | {ORDER} before it) per symbol against the number of byte pairs, {study.texts.training_length}"
            f" symbols of training, {study.texts.test_length} of text. Filled: fall of the exact entropy, the structure"
            " that tokens absorbed; hatched: what the plug-in estimate misses. Dashed line: h, below which no exact"
            f" value can lie. Coins have nothing to absorb. Mean and {INTERVALS} ({study.replicates})."
        ),
        claims=("tokenizers.fall_is_absorbed",),
    )


def training_figure(study: "Tokenizers", data: Data) -> StudyFigure:
    """Entropies a token against the tokenizer's training data, at a fixed number of tokens."""
    import matplotlib.pyplot as plt

    arms = (study.coin, *study.lag_arms)
    lengths = study.texts.training_lengths
    figure, axes = plt.subplots(1, len(arms), figsize=(2.2 * len(arms), 3.0), squeeze=False, sharey=True)
    rows: list[dict[str, Any]] = []
    for arm, axis in zip(arms, axes[0], strict=True):
        texts = data.texts[arm.name]
        estimates = texts["training_estimates"][..., ORDER]
        drawn = [
            ("H(token), exact", texts["training_true"][..., 0], style(5) | {"linestyle": ":"}),
            (f"H(token | {ORDER}), exact", texts["training_true"][..., ORDER], style(2) | {"linestyle": "-"}),
            (
                f"H(token | {ORDER}), plug-in",
                estimates[..., ESTIMATORS.index("plug_in")],
                style(0) | {"linestyle": "--"},
            ),
            (f"H(token | {ORDER}), NSB", estimates[..., ESTIMATORS.index("nsb")], style(3) | {"linestyle": "-."}),
        ]
        for label, values, look in drawn:
            middle, low, high = intervals(values)
            points(axis, lengths, np.array([middle, low, high]), look, label)
            rows += [
                {"arm": arm.name, "what": label, "training_symbols": n, "nats_per_token": m, "lower": a, "upper": b}
                for n, m, a, b in zip(lengths, middle, low, high, strict=True)
            ]
        axis.set_xscale("log")
        axis.minorticks_off()  # within a decade their labels would run into each other
        axis.set_title(arm.name)
        axis.set_xlabel("training symbols")
    axes[0][0].set_ylabel("nats a token")
    axes[0][0].set_ylim(bottom=0)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="More training data of the tokenizer",
        caption=(
            f"Entropies of {study.texts.fixed_size} byte pairs against the symbols that they were trained on;"
            f" estimates from {study.texts.test_length} symbols of fresh text. What falls is the estimate: the exact"
            f" entropy is h E[length] at the least, and tokens get longer. Mean and {INTERVALS} ({study.replicates})."
        ),
        claims=tuple(
            f"tokenizers.{name}"
            for name in ("more_diverse", "predictable_plug_in", "predictable_true", "null_plug_in", "corrected")
        ),
    )
