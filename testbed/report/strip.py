"""A number line for one claim: the region as a band, the interval as a bar, the estimate as a dot. Inline SVG.

Where the bar lies decides: wholly on the band the claim holds, wholly off it fails, across an end it is undecided.
"""

import math

from testbed.report.wording import estimate_and_interval, number, region_text
from testbed.studies.judge import Verdict

WIDTH, HEIGHT = 640, 58
MARGIN = 12
LINE = 24


def strip(verdict: Verdict) -> str:
    """The SVG element, colours left to the page's stylesheet; an open end runs to the edge and ends in an arrow."""
    region = verdict.claim.region
    ends = (region.lower, region.upper, verdict.lower, verdict.upper, verdict.estimate)
    finite = [value for value in ends if math.isfinite(value)]
    low, high = min(finite), max(finite)
    pad = 0.16 * (high - low) or 0.5 * max(abs(high), 1e-3)
    low, high = low - pad, high + pad

    def x(value: float) -> float:
        clipped = min(max(value, low), high)
        return MARGIN + (WIDTH - 2 * MARGIN) * (clipped - low) / (high - low)

    left, right = x(region.lower), x(region.upper)
    parts = [
        f'<line class="axis" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{LINE}" y2="{LINE}"/>',
        f'<rect class="region" x="{left:.2f}" width="{right - left:.2f}" y="6" height="{2 * (LINE - 6)}"/>',
    ]
    for value, anchor, shift in ((region.lower, "end", 4), (region.upper, "start", -4)):
        if math.isfinite(value):
            at = x(value)
            parts.append(f'<line class="end" x1="{at:.2f}" x2="{at:.2f}" y1="2" y2="{2 * LINE - 2}"/>')
            # the label stands outside the band where there is room, or it is turned inward
            room = at - MARGIN if anchor == "end" else WIDTH - MARGIN - at
            if room < 70:
                anchor = "start" if anchor == "end" else "end"
                shift = -shift
            parts.append(f'<text x="{at - shift:.2f}" y="{HEIGHT - 4}" text-anchor="{anchor}">{number(value)}</text>')
    start, stop = x(verdict.lower), x(verdict.upper)
    parts.append(f'<line class="interval" x1="{start:.2f}" x2="{stop:.2f}" y1="{LINE}" y2="{LINE}"/>')
    for value, at, way in ((verdict.lower, start, -1), (verdict.upper, stop, 1)):
        if math.isfinite(value):
            parts.append(f'<line class="interval" x1="{at:.2f}" x2="{at:.2f}" y1="{LINE - 6}" y2="{LINE + 6}"/>')
        elif value * way > 0:
            parts.append(
                f'<path class="arrow" d="M{at:.2f} {LINE} l{-8 * way} -5 v10 z"/>'  # no end: the bar goes on
            )
    if math.isfinite(verdict.estimate):
        parts.append(f'<circle class="estimate" cx="{x(verdict.estimate):.2f}" cy="{LINE}" r="5"/>')
    estimate, interval = estimate_and_interval(verdict)
    told = f"Estimate {estimate}, interval {interval}, region {region_text(region)}: {verdict.verdict}."
    return f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">{"".join(parts)}</svg>'
