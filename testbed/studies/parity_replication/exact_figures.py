"""Figures of what is exact: Table 1 again, and shown entropy against state entropy."""

from typing import Literal

from testbed.studies.drawing import style
from testbed.studies.parity_replication.claims import PREFIX
from testbed.studies.parity_replication.exact import TABLE_1, linear_fit, recovered_risks, variant_risks
from testbed.studies.study import StudyFigure

NAMES: dict[Literal["A", "B"], str] = {"A": "variant A (public code)", "B": "variant B (Table 1)"}


def table_figure() -> StudyFigure:
    """The published minima and model losses on the exact risk of variant B, and their distances from it."""
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(
        2, 1, figsize=(4.6, 4.2), sharex=True, gridspec_kw={"height_ratios": [2.2, 1.0]}
    )
    risks, lengths = variant_risks("B", 60), range(10, 61)
    above.plot(
        lengths,
        [float(risks[length]) for length in lengths],
        label="exact $R(l)$, recovered",
        **style(0) | {"marker": ""},
    )
    found, table = recovered_risks(), []
    for number, (name, column, fill) in enumerate((("published minimum", 1, "none"), ("published model", 0, None))):
        look = style(number + 1) | {"linestyle": ""}
        published = [values[column] for values in TABLE_1.values()]
        if fill is not None:
            look["markerfacecolor"] = fill
        above.plot(list(TABLE_1), published, label=name, **look)
        gap = [1e4 * (value - found[length]) for length, value in zip(TABLE_1, published, strict=True)]
        below.plot(list(TABLE_1), gap, **look)
    for length, (model, least) in TABLE_1.items():
        table.append({"context_length": length, "recovered": found[length], "minimum": least, "model": model})
    below.axhline(0.0, color="black", linewidth=0.6)
    below.axhspan(-0.5, 0.5, color="#BBBBBB", alpha=0.5, linewidth=0, label="rounding of the table")
    below.set_ylabel("published less\nexact ($10^{-4}$ nats)")
    below.set_xlabel("context length $l$ (bits)")
    above.set_ylabel("loss (nats)")
    above.legend()
    below.legend()
    return StudyFigure(
        figure=figure,
        rows=table,
        title="Table 1 again",
        caption=(
            "Least possible and model cross-entropies as published (nine context lengths), on the exact risk of the"
            " source with recovered task frequencies, two numbers fitted to the nine minima. Below: their distances;"
            " grey: half a unit of the last published digit. Nothing is sampled, so there are no intervals."
        ),
        shows=("2502.01481 F8",),
        claims=(),
    )


def linear_figure() -> StudyFigure:
    """Shown entropy against state entropy in both variants, with the best line over the lengths of Table 1."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9))
    table = []
    for axis, (name, title) in zip(axes, NAMES.items(), strict=True):
        fit = linear_fit(name)
        ends = fit.state[[0, -1]]
        axis.plot(ends, fit.slope * ends + fit.intercept, color="#777777", linewidth=1, marker="", label="best line")
        look = style(0) | {"linestyle": ""}
        axis.plot(fit.state, fit.shown, label="exact", **look)
        axis.set_title(f"{title}\n$r$ = {fit.pearson:.3f}, off by up to {fit.residual:.1%}")
        axis.set_xlabel("entropy of the Bayes state $S(l)$ (nats)")
        for length, state, shown in zip(fit.lengths, fit.state, fit.shown, strict=True):
            table.append({"variant": name, "context_length": length, "state": float(state), "shown": float(shown)})
    axes[0].set_ylabel("shown, $h_0 - h_l$ (nats)")
    axes[0].legend()
    return StudyFigure(
        figure=figure,
        rows=table,
        title="What is shown against what is known",
        caption=(
            "Assumption A3 on the published parities: what the next token shows of the Bayes state, against the entropy"
            " of that state, at the nine context lengths of Table 1. Exact, so there are no intervals. In variant B the"
            " frequencies are recovered and the nearer bits drawn by this package's rule; the correlation hardly sees"
            " the bend."
        ),
        claims=(PREFIX + "a3",),
    )
