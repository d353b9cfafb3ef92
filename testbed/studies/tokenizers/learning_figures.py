"""Figures of how transformers learn, with and without tokens."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure
from testbed.studies.tokenizers.data import TOKENS, Data, Numbers
from testbed.studies.tokenizers.drawing import INTERVALS, RANGES, intervals, level, ranges
from testbed.studies.tokenizers.unigram_figure import LABELS

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers


def learning_figure(study: "Tokenizers", data: Data) -> StudyFigure:
    """Loss a symbol along training, one panel for each k."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(study.lag_arms), figsize=(2.8 * len(study.lag_arms), 3.2), squeeze=False, sharey=True
    )
    rows: list[dict[str, Any]] = []
    for i, (arm, axis) in enumerate(zip(study.lag_arms, axes[0], strict=True)):
        for number, (coder, context) in enumerate(study.learners.settings):
            member = data.members[coder, context]
            steps, losses = member["step"], member["path"][:, i]
            label = f"{'symbols' if coder == 'symbols' else LABELS[coder]}, T = {context}"
            look = style(number) | {"linestyle": "-" if coder == "symbols" else "--"}
            middle, low, high = ranges(losses)
            axis.plot(steps, middle, markersize=3, linewidth=1.0, label=label, **look)
            axis.fill_between(steps, low, high, color=look["color"], alpha=0.15, linewidth=0)
            rows += [
                {"arm": arm.name, "reads": label, "step": s, "nats_per_symbol": m, "least": a, "largest": b}
                for s, m, a, b in zip(steps, middle, low, high, strict=True)
            ]
        level(axis, float(data.texts[arm.name]["entropy_rate"][0]), "h")
        level(axis, float(data.texts[arm.name]["symbol_entropy"][0]), "H(symbol), unigram", (1, 1))
        axis.set_xscale("log")
        axis.set_title(arm.name)
        axis.set_xlabel("training step")
    texts = [data.texts[arm.name] for arm in study.lag_arms]
    lowest, highest = min(one["entropy_rate"][0] for one in texts), max(one["symbol_entropy"][0] for one in texts)
    axes[0][0].set_ylim(lowest - 0.1 * (highest - lowest), highest + 0.6 * (highest - lowest))
    axes[0][0].set_ylabel("loss (nats a symbol)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Learning with and without tokens",
        caption=(
            "Exact loss per symbol of the source at the end of a window of T symbols or tokens, along training:"
            f" Bayes loss plus mean divergence over {study.learners.evaluation.n_contexts} windows."
            f" {study.learners.token_size} tokens. Symbols and tokens have learning rates of their own; values above"
            f" the panels are left out. Median and {RANGES} ({len(study.member_numbers)})."
        ),
        claims=("tokenizers.tokens_near_optimal", "tokenizers.plateau_stays"),
    )


def plateau_figure(study: "Tokenizers", found: Numbers) -> StudyFigure:
    """Steps until halfway from the unigram loss to h, against T, for each k; every run is a mark."""
    import matplotlib.pyplot as plt

    learners = study.learners
    n_steps, contexts = learners.optimiser.steps, np.array(learners.contexts, dtype=np.float64)
    figure, axes = plt.subplots(
        1, len(study.lag_arms), figsize=(2.6 * len(study.lag_arms), 3.1), squeeze=False, sharey=True
    )
    rows: list[dict[str, Any]] = []
    for i, (arm, axis) in enumerate(zip(study.lag_arms, axes[0], strict=True)):
        drawn = [("symbols", contexts, found.steps[..., i])]
        drawn += [
            (coder, np.array([learners.token_context * (1.12, 1.25)[j]]), found.token_steps[:, j, i][:, None])
            for j, coder in enumerate(TOKENS)
        ]
        for place, (coder, x, steps) in enumerate(drawn):
            capped = np.minimum(steps, n_steps)
            look = style((0, 1, 3)[place])
            label = "symbols" if coder == "symbols" else LABELS[coder]
            each = {"color": look["color"], "marker": look.get("marker", "o"), "linestyle": "none", "alpha": 0.35}
            axis.plot(np.broadcast_to(x, capped.shape).ravel(), capped.ravel(), markersize=2.5, **each)
            middle, low, high = 2.0 ** intervals(np.log2(capped))
            bars = np.clip([middle - low, high - middle], 0, None)
            linestyle = "-" if coder == "symbols" else "none"
            options = {"markersize": 5, "capsize": 2, "linewidth": 1.0}
            axis.errorbar(x, middle, yerr=bars, label=label, **options, **(look | {"linestyle": linestyle}))
            rows += [
                {
                    "arm": arm.name,
                    "reads": coder,
                    "context": int(learners.token_context if coder != "symbols" else at),
                    "steps": m,
                    "lower": a,
                    "upper": b,
                    "never": int(np.isinf(steps[:, n]).sum()),
                }
                for n, (at, m, a, b) in enumerate(zip(x, middle, low, high, strict=True))
            ]
        axis.axhline(n_steps, color="0.35", linewidth=0.8, linestyle=(0, (1, 1)), marker="", label="end of schedule")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(contexts, [str(int(one)) for one in contexts])
        axis.set_title(arm.name)
        axis.set_xlabel("context length T")
    axes[0][0].set_ylabel("steps to halfway\nfrom H(symbol) to h")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The length of the unigram plateau",
        caption=(
            "The step at which the loss is halfway from H(symbol) to h, interpolated between log-spaced evaluations; at"
            f" the first of them (step {max(1, round(n_steps / 64))}) also runs that were there before, at the end of"
            " the schedule those that never were. Small marks: runs; large: geometric mean with"
            f" {INTERVALS} ({len(study.member_numbers)}). Tokens at T = {learners.token_context}, drawn to its right."
        ),
        claims=tuple(
            f"tokenizers.{name}"
            for name in (
                "plateau_stays",
                "tokens_break_it",
                "no_plateau_at_one",
                "plateau_with_order",
                "plateau_with_context",
            )
        ),
    )
