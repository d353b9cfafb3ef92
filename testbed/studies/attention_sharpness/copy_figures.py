"""Where a clamped copy fails: the share of the information lost, and the length at which half of it is."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_sharpness.claims import PREFIX
from testbed.studies.attention_sharpness.grid import lengths
from testbed.studies.attention_sharpness.laws import failing_length, lost_share
from testbed.studies.attention_sharpness.results import Floats, Measured, lost
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Mean
from testbed.studies.judge.share import Share
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness


def interval(values: Floats, top: float | None = None) -> tuple[float, float, float]:
    """Mean, and the ends of its interval over replicates; nan where there are fewer than two.

    top    values lie between 0 and this by what they are
    """
    kept = values[np.isfinite(values)]
    if len(kept) < 2:
        return (float(kept.mean()) if len(kept) else np.nan), np.nan, np.nan
    number = Mean(kept / (top or 1.0), {"seed": tuple(range(len(kept)))}, seed=0)
    level = (1.0 - LEVEL) / 2
    if top is None:
        return (number.estimate, *number.interval(level))
    low, high = Share(number).interval(level)
    return number.estimate * top, low * top, high * top


def length_figure(study: "AttentionSharpness", data: Measured) -> StudyFigure:
    """Left: the share lost against T, by g, with the law. Right: T* against g, with both laws."""
    import matplotlib.pyplot as plt

    copies = study.copies
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.3))
    rows: list[dict[str, Any]] = []
    for i, gap in enumerate(copies.gaps):
        at = lengths(study, gap)
        dense = np.geomspace(at[0] / 1.4, at[-1] * 1.4, 60)
        law = [lost_share(gap, max(one, 2.001), copies.noise) for one in dense]
        left.plot(dense, law, **style(i) | {"marker": ""})
        points = []
        for length in at:
            found = [data.records["length", gap, length, seed] for seed in data.seeds]
            points.append(interval(np.array([lost(one, study.bounds) for one in found])))
            rows.append(
                {
                    "panel": "lost",
                    "gap": gap,
                    "length": length,
                    "mean": points[-1][0],
                    "lower": points[-1][1],
                    "upper": points[-1][2],
                    "law": lost_share(gap, length, copies.noise),
                }
            )
        _bars(left, at, points, i, f"g = {gap:g}")
        left.plot(np.exp(gap), 0.02, marker="|", markersize=9, color=style(i)["color"], linestyle="none")
    left.axhline(0.5, color="0.6", linewidth=0.7)
    left.set(xscale="log", ylim=(0, 1), xlabel="keys T", ylabel="share of the information lost")
    left.set_title("lost against length")
    left.legend(loc="upper left", fontsize=6.5)
    trained = [interval(data.failed[:, i]) for i in range(len(copies.gaps))]
    carried = [interval(data.carried[:, i]) for i in range(len(copies.carried_gaps))]
    _bars(right, copies.gaps, [tuple(np.exp(one)) for one in trained], 0, "trained at each T")
    _bars(right, copies.carried_gaps, [tuple(np.exp(one)) for one in carried], 1, "readout carried to T")
    span = np.linspace(0.8 * copies.gaps[0], 1.05 * copies.carried_gaps[-1], 50)
    law = [failing_length(one, copies.noise) for one in span]
    right.plot(span, law, color="0.35", linestyle="-", marker="", linewidth=1.0, label="information law, ~ $e^{2g}$")
    right.plot(span, np.exp(span), color="0.35", linestyle="--", marker="", linewidth=1.0, label="mass 1/2, $e^{g}$")
    right.set(yscale="log", xlabel="clamp g: largest difference of two logits", ylabel="T* (half lost)")
    right.set_title("where it fails")
    right.legend(loc="upper left", fontsize=6.5)
    for name, gaps, ends in (("trained", copies.gaps, trained), ("carried", copies.carried_gaps, carried)):
        rows += [
            {"panel": name, "gap": gap, "mean": np.exp(m), "lower": np.exp(low), "upper": np.exp(high)}
            for gap, (m, low, high) in zip(gaps, ends, strict=True)
        ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How long a copy survives a clamp on its logits",
        caption=(
            "Left: what one head loses of a lag copy over T keys whose logits differ by g at most, trained at each T"
            f" (points; {LEVEL:.0%} intervals over {len(data.seeds)} seeds), and the information law, which has no free"
            " constant (lines). Ticks at the bottom: e^g, where the mass on the target is halved. Right: the length at"
            " which half is lost, for models trained at each T and for readouts trained on"
            f" {copies.readout_length} keys at g = {copies.readout_gap:g} and"
            " carried on with attention at the clamp's best. If mass were what counts"
            " the trained points would run along the dashed line."
        ),
        claims=tuple(PREFIX + name for name in ("slope_trained", "mass_trained", "place_trained", "slope_carried")),
    )


def _bars(axis: Any, x: Any, points: list[Any], place: int, label: str) -> None:
    """Points with their intervals, no line between."""
    mean, low, high = (np.array([one[i] for one in points]) for i in range(3))
    errors = np.nan_to_num(np.maximum(np.array([mean - low, high - mean]), 0.0))
    drawn = {name: value for name, value in style(place).items() if name != "linestyle"}
    axis.errorbar(np.array(x), mean, yerr=errors, linestyle="none", capsize=2, markersize=4, label=label, **drawn)
