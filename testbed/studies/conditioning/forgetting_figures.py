"""Forgetting against progress on the second task, by arm, and by rate."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.conditioning.claims import COMPARED, STUDY
from testbed.studies.conditioning.config import SHARES, Arm
from testbed.studies.conditioning.data import Data
from testbed.studies.conditioning.evidence import difference
from testbed.studies.conditioning.notes import PAIRS as SHOWN
from testbed.studies.conditioning.notes import interval
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

TITLES: dict[Arm, str] = {
    "low": "lowest kappa",
    "high": "highest kappa",
    "random": "random",
    "sham": "random again",
    "all": "all matrices",
    "low_in_kind": "lowest of each kind",
    "high_in_kind": "highest of each kind",
    "flat": "flattest",
    "uneven": "least flat",
    "planted_low": "drawn pairs, as they were",
    "planted_norm": "drawn pairs, norm raised",
    "planted_high": "drawn pairs, kappa raised",
}
PANELS: tuple[tuple[Arm, ...], ...] = (
    ("low", "high", "random", "sham", "all"),
    ("low_in_kind", "high_in_kind", "flat", "uneven"),
    ("planted_low", "planted_norm", "planted_high"),
)
EVERY = 3


def path_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """KL_A gained against KL_B left, three panels with all arms, with the exact frontier."""
    import matplotlib.pyplot as plt

    shares = np.array(SHARES)
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.6), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, arms in zip(axes, PANELS, strict=True):
        for look, arm in enumerate(arms):
            table = data.forgotten[arm]
            reached = [k for k in range(len(shares)) if np.isfinite(table[:, k]).all()]
            found = np.array([interval(table[:, k]) for k in reached]).reshape(-1, 3)
            x = shares[reached]
            axis.plot(x, found[:, 0], markersize=3, linewidth=1, markevery=EVERY, label=TITLES[arm], **style(look))
            axis.fill_between(x, found[:, 1], found[:, 2], color=style(look)["color"], alpha=0.15, linewidth=0)
            rows += [
                {"arm": arm, "level": s, "forgetting": m, "lower": lo, "upper": hi, "n": len(table)}
                for s, (m, lo, hi) in zip(x.tolist(), found.tolist(), strict=True)
            ]
        axis.plot(shares, data.floor.mean(axis=0), color="0.4", linestyle=":", marker="", label="exact least")
        axis.set_xlim(1.0, 0.0)
        axis.set_ylim(bottom=0.0)
        axis.set_xlabel("$KL_B$ left, share of its first")
        axis.legend(fontsize=6.5, loc="upper left")
        for level in study.bounds.levels:
            axis.axvline(level, color="0.85", linewidth=0.6, marker="", zorder=0)
    rows += [
        {"arm": "exact least", "level": s, "forgetting": float(f)}
        for s, f in zip(SHARES, data.floor.mean(axis=0), strict=True)
    ]
    axes[0].set_ylabel("forgetting, share of KL(A || B)")
    for axis, title in zip(axes, ("by kappa", "within kinds; by flatness", "kappa planted"), strict=True):
        axis.set_title(title)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Forgetting at equal progress",
        claims=tuple(f"{STUDY}.{one}" for one in COMPARED),
        caption=(
            f"KL from chain A gained while chain B is learnt, over KL(A || B), mean over {len(data.known)} replicates"
            f" with {LEVEL:.0%} intervals (bands), each point alone; levels that some replicate did not reach are"
            " left out."
            " Dotted: the least that any law forgets at this KL_B, exact. Grey lines: levels that are judged, each."
            f" Every arm trains a third of the matrices but `all`; rate {data.rates['forgetting']:g}."
        ),
    )


def arms_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """The compared pairs: differences within replicates, at each level."""
    import matplotlib.pyplot as plt

    levels = study.bounds.levels
    figure, axis = plt.subplots(figsize=(7.0, 4.2))
    rows: list[dict[str, Any]] = []
    pairs: list[tuple[Arm, Arm]] = [("sham", "random"), *SHOWN]
    for place, (first, second) in enumerate(pairs):
        for look, level in enumerate(levels):
            values = difference(data, first, second, [level])
            finite = values[np.isfinite(values)]
            if len(finite) < 2:
                continue
            y = place + 0.6 * (look + 0.5) / len(levels) - 0.3
            middle, low, high = interval(finite)
            bars = {**style(look), "linestyle": ""}
            label = f"{level:g} of its first" if place == 0 else None
            axis.errorbar(
                middle, y, xerr=[[middle - low], [high - middle]], capsize=3, markersize=4, label=label, **bars
            )
            axis.plot(finite, np.full(len(finite), y + 0.13), "|", color="0.6", markersize=4)
            rows.append({"first": first, "second": second, "level": level, "difference": middle, "lower": low,
                         "upper": high, "n": len(finite)})  # fmt: skip
    axis.axvline(0.0, color="0.6", linewidth=0.8, marker="")
    for margin in (-study.bounds.less, study.bounds.less):
        axis.axvline(margin, color="0.6", linewidth=0.8, linestyle=":", marker="")
    fewest = {place: min((row["n"] for row in rows if (row["first"], row["second"]) == pair), default=0)
              for place, pair in enumerate(pairs)}  # fmt: skip
    axis.set_yticks(
        range(len(pairs)), [f"{TITLES[a]}\nless {TITLES[b]} (n = {fewest[k]})" for k, (a, b) in enumerate(pairs)]
    )
    axis.tick_params(axis="y", labelsize=7)
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    axis.set_xlabel("difference of forgetting, share of KL(A || B)")
    if rows:
        axis.legend(title="$KL_B$ left", fontsize=7, title_fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Who forgets less",
        claims=tuple(f"{STUDY}.{one}" for one in COMPARED),
        caption=(
            f"Differences within replicates of forgetting, at each judged level of KL_B; mean and {LEVEL:.0%} interval,"
            " each alone (ticks: replicates; n: of those who reached the level, the fewest). Left of the left dotted"
            " line the first arm forgets less by the claims' margin, between the two they are alike within it. First"
            " row: two random choices, alike by construction."
        ),
    )


def rates_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """Forgetting by rate on the tuning replicates."""
    import matplotlib.pyplot as plt

    rates = np.array(study.rates.learning_rates)
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.8), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, arms in zip(axes, PANELS, strict=True):
        for look, arm in enumerate(arms):
            table = data.tried[arm]
            kept = np.isfinite(table).all(axis=0)
            middle = table.mean(axis=0)[kept]
            spread = [middle - table.min(axis=0)[kept], table.max(axis=0)[kept] - middle]
            x, look_of = rates[kept] * 1.05 ** (look - (len(arms) - 1) / 2), {**style(look), "linestyle": ""}
            axis.errorbar(x, middle, yerr=spread, capsize=2, markersize=4, label=TITLES[arm], **look_of)
            rows += [
                {"arm": arm, "rate": float(r), "forgetting": float(m), "least": float(t.min()),
                 "largest": float(t.max())}
                for r, m, t in zip(rates[kept], middle, table.T[kept], strict=True)
            ]  # fmt: skip
        axis.axvline(data.rates["forgetting"], color="0.6", linestyle=":", marker="")
        axis.set_xscale("log")
        axis.set_xlim(rates[0] / 1.3, rates[-1] * 1.3)
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates], fontsize=7)
        axis.set_xticks([], minor=True)
        axis.set_xlabel("learning rate on the second task")
        axis.legend(fontsize=6.5, loc="upper left")
    axes[0].set_ylabel("forgetting, share of KL(A || B)")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Forgetting by learning rate",
        caption=(
            "Forgetting of all arms, mean over the judged levels, on the replicates that only choose the rate"
            f" ({study.rates.n_seeds} of them; bars reach from the least to the largest: no interval). A rate at which"
            " a replicate did not come down to every level is left out. Dotted: the rate of all arms, the smallest"
            " at which all of them learn B in half of the steps."
        ),
    )
