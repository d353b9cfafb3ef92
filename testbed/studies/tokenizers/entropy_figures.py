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
UNIGRAM = "H(token), exact"


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
    """Entropies a token, and the same a symbol, against the tokenizer's training data at a fixed number of tokens."""
    import matplotlib.pyplot as plt

    arms = (study.coin, *study.lag_arms)
    lengths = study.texts.training_lengths
    figure, axes = plt.subplots(2, len(arms), figsize=(2.2 * len(arms), 5.0), squeeze=False, sharey="row", sharex=True)
    rows: list[dict[str, Any]] = []
    for arm, top, bottom in zip(arms, axes[0], axes[1], strict=True):
        texts = data.texts[arm.name]
        for axis, unit, divisor in (
            (top, "token", np.ones_like(texts["training_mean_length"])),
            (bottom, "symbol", texts["training_mean_length"]),
        ):
            for label, values, look in _of_training(texts):
                if unit == "symbol" and label == UNIGRAM:
                    continue
                middle, low, high = intervals(values / divisor)
                points(axis, lengths, np.array([middle, low, high]), look, label)
                rows += [
                    {"arm": arm.name, "what": label, "unit": f"nats a {unit}", "training_symbols": n}
                    | {"value": m, "lower": a, "upper": b}
                    for n, m, a, b in zip(lengths, middle, low, high, strict=True)
                ]
            axis.set_xscale("log")
            axis.minorticks_off()  # within a decade their labels would run into each other
            axis.set_ylim(bottom=0)
        level(bottom, float(texts["entropy_rate"][0]), "h")
        top.set_title(arm.name)
        bottom.set_xlabel("training symbols")
    axes[0][0].set_ylabel("nats a token")
    axes[1][0].set_ylabel("nats a symbol")
    handles: dict[str, Any] = {}
    for axis in axes[:, 0]:
        handles |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="More training data of the tokenizer",
        caption=(
            f"Entropies of {study.texts.fixed_size} byte pairs against the symbols that they were trained on;"
            f" estimates from {study.texts.test_length} symbols of fresh text. Top, a token: what falls is the plug-in"
            " estimate; the exact entropy rises, because tokens get longer. Bottom, the same divided by E[length]: the"
            " exact one stays, and a fall of an estimate is its bias. Dashed: h a symbol. Mean and"
            f" {INTERVALS} ({study.replicates})."
        ),
        claims=tuple(
            f"tokenizers.{name}"
            for name in (
                "more_diverse",
                "predictable_plug_in",
                "predictable_true",
                "predictable_per_symbol",
                "null_plug_in",
                "corrected",
            )
        ),
    )


def _of_training(texts: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Name, (R, training lengths) nats a token, and look of each line."""
    estimates = texts["training_estimates"][..., ORDER]
    looks = {"plug_in": style(0) | {"linestyle": "--"}, "nsb": style(3) | {"linestyle": "-."}}
    looks["chao_wang_jost"] = style(4) | {"linestyle": (0, (3, 1, 1, 1, 1, 1))}
    return [
        (UNIGRAM, texts["training_true"][..., 0], style(5) | {"linestyle": ":"}),
        (f"H(token | {ORDER}), exact", texts["training_true"][..., ORDER], style(2) | {"linestyle": "-"}),
        *(
            (f"H(token | {ORDER}), {NAMES[name]}", estimates[..., ESTIMATORS.index(name)], look)
            for name, look in looks.items()
        ),
    ]
