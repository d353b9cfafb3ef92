"""What `testbed source` draws: h_l against l, or where there is none the loss at each judged position, in letters."""

import math
from dataclasses import dataclass

import numpy as np

from testbed.commands.sources import Known
from testbed.core import Truth
from testbed.sources import Source

PLOT_WIDTH = 60


@dataclass(frozen=True)
class Series:
    """A truth (n,) in nats against context lengths, or against positions of a sequence."""

    quantity: str
    places: tuple[int, ...]
    truth: Truth
    length: int | None = None
    """Of the sequence, where the places are positions."""

    @property
    def symbol(self) -> str:
        return "l" if self.length is None else "t"

    def name(self, place: int) -> str:
        """One entry, in a table."""
        return f"h_{place}" if self.length is None else f"loss at {place} of {self.length}"


def series_of(source: Source, known: Known, length: int | None) -> Series | None:
    """h_l; where it is refused the Bayes losses of the judged positions of the first sequence of this length."""
    if "conditional_entropies" in known.truths:
        h = known.truths["conditional_entropies"]
        return Series("conditional_entropies", tuple(range(len(h))), h)
    if "position_losses" not in known.truths or length is None:
        return None
    judged = np.flatnonzero(source.batch(1, length).judged[0])
    return Series("position_losses", tuple(judged.tolist()), known.truths["position_losses"][judged], length)


def written(truth: Truth, unit: float = 1.0) -> str:
    """A scalar divided by a unit: the value, with its standard error or half the width of a narrow bracket, or both
    ends of a wide one.

    >>> written(Truth.exact(math.inf)), written(Truth.bracket(0.25, 0.5)), written(Truth.bracket(0.5, 0.5 + 2e-8))
    ('inf', '0.250000 .. 0.500000', '0.500000 ± 1e-08')
    """
    lower, upper, error = (float(part) / unit for part in (truth.lower, truth.upper, truth.standard_error))
    if truth.kind == "exact":
        return f"{lower:.6f}"
    if truth.kind == "sampled":
        return f"{lower:.6f} ± {error:.2g}"
    if upper - lower > 1e-5:
        return f"{lower:.6f} .. {upper:.6f}"
    return f"{(lower + upper) / 2:.6f} ± {(upper - lower) / 2:.1g}"


def text_plot(series: Series, rate: Truth | None, width: int = PLOT_WIDTH) -> list[str]:
    """Values to the right, places downwards: o the value, [-] its bracket or two standard errors each way, : the rate.

    The axis starts at 0 unless that would leave all values within a tenth of it; then it says that it does not.
    """
    truth = series.truth
    below, above = truth.lower - 2 * truth.standard_error, truth.upper + 2 * truth.standard_error
    level = None if rate is None or not math.isfinite(float(rate.value)) else float(rate.value)
    shown = [x for x in (*below, *above, *([] if level is None else [level])) if math.isfinite(x)]
    lowest, highest = min(shown, default=0.0), max(shown, default=1.0)
    start = 0.0 if highest - lowest > 0.1 * highest or highest == lowest else lowest
    span = highest - start if highest > start else 1.0

    def column(x: float) -> int:
        return round(min(max((x - start) / span, 0.0), 1.0) * (width - 1))

    left, right = f"{start:.6g}", f"{start + span:.6g} nats"
    note = "" if start == 0 else "   (does not start at 0)"
    lines = [f"{'':>6} {left}{right.rjust(width - len(left))}{note}", f"{series.symbol:>6} +{'-' * (width - 2)}+"]
    for i, place in enumerate(series.places):
        row = [" "] * width
        if level is not None:
            row[column(level)] = ":"
        first, last = column(below[i]), column(above[i])
        if last > first:
            row[first : last + 1] = ["[", *"-" * (last - first - 1), "]"]
        if math.isfinite(float(truth[i].value)):
            row[column(float(truth[i].value))] = "o"
        lines.append(f"{place:>6} {''.join(row)}".rstrip())
    bars = {"exact": "", "sampled": "   [-] two standard errors each way", "bracket": "   [-] bracket"}[truth.kind]
    lines.append(f"{'':>6} o {'h_l' if series.length is None else 'loss at position t'}{bars}")
    if level is not None:
        lines[-1] += "   : entropy rate"
    return lines
