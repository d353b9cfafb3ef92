"""Planted worlds: runs do what the constructions say, but for some that stall; at higher orders most of them stall; the
other way round; and runs get there without waiting anywhere.

The curves go through the same readings and the same judge as those of a study.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.depth_and_order.claims import AS_BUILT, SELDOM, SMOOTH, STUCK, STUDY, claims
from testbed.studies.depth_and_order.data import Arm, Data, Level, Path
from testbed.studies.depth_and_order.evidence import evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

POINTS, SLOW, LAST = 160, 3.0, 1000.0
NOISE = 0.01
SPREAD = 0.5
"""Of the ends of runs that learn: standard deviation of their log."""
STALLED = {AS_BUILT: (0.0, 0.2), SELDOM: (0.0, 0.2, 0.6, 0.9), SMOOTH: (0.0, 0.05), STUCK: (0.0,)}
"""Share of runs that stall although a construction is known, by order; the last is that of all orders above. On runs
300 to 307 it was 2 and 1 of 8 at k = 1 with two layers, 6, 5 and 1 of 8 at k = 2 and 7 of 8 at k = 3: `SELDOM` is
near."""


def worlds(study: "DepthAndOrder") -> list[World]:
    """Four of them: each claim holds in the first and fails in one of the others."""
    return [_world(study, name) for name in (AS_BUILT, SELDOM, STUCK, SMOOTH)]


def _world(study: "DepthAndOrder", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {claim.id: _expected(claim, name) for claim in named}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def _expected(claim: Claim, world: str) -> Word | None:
    waits = claim.id.startswith((f"{STUDY}.plateau", f"{STUDY}.later"))
    if world == AS_BUILT:
        return "holds"
    if world == SELDOM:  # of few runs that get there little is known; that is said, and not planted
        if waits or _stalled(world, order_of(claim)) < 0.5 or ".attention_short" in claim.id or "one_layer" in claim.id:
            return "holds"
        return "fails"
    if world == STUCK:  # there is nothing to wait for
        return None if waits else "fails"
    return "fails" if waits else "holds"


def order_of(claim: Claim) -> int:
    """The last part of its name; 0 where it has none."""
    last = claim.id.rpartition("_")[2]
    return int(last) if last.isdigit() else 0


def _stalled(world: str, k: int) -> float:
    shares = STALLED[world]
    return shares[min(k, len(shares) - 1)]


def planted(study: "DepthAndOrder", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    levels = {one.order: _level(one.order) for one in study.orders}
    arms: dict[Arm, Path] = {}
    for shape, k in study.arms():
        learns = shape.enough(k) != (name == STUCK)
        arms[shape.name, k] = _path(levels[k], k, learns, _stalled(name, k), name != SMOOTH, rng, n)
    return Data(tuple(range(n)), arms, levels, {}, np.zeros(1))


def _level(k: int) -> Level:
    """Even steps from the uniform law down."""
    steps = 0.04 * np.arange(k + 1, 0, -1)[: k + 1]
    return Level(float(steps[0]), tuple(float(one) for one in steps[1:]), 0.03 if k else None, 1e-4)


def _path(level: Level, k: int, learns: bool, stalled: float, waits: bool, rng: np.random.Generator, n: int) -> Path:
    """A fall from the uniform law, slower around every level where it waits; the more orders, the later. Without
    waiting it is as fast at each level, and the higher orders are learnt first. Of runs that learn, ends are spread
    and a share is stalled where others stay."""
    steps = np.geomspace(LAST / 64, LAST, POINTS)
    finish = 0.35 + 0.1 * k if waits else 0.75 - 0.1 * k
    ends = np.where(
        learns & (rng.random(n) >= stalled),
        0.1 * np.exp(SPREAD * rng.standard_normal(n)),
        0.9 + 0.05 * rng.random(n),
    )
    falls = np.empty((n, POINTS))
    for row, end in enumerate(ends):
        times, values = _fall(level, float(min(end, 0.95)) * level.gap, waits)
        share = np.linspace(0.0, 1.0, POINTS) * (1 + NOISE * rng.standard_normal())
        falls[row] = np.interp(share / finish * times[-1], times, values)
    return Path(steps, falls * (1 + NOISE * rng.standard_normal((n, 1))))


def _fall(level: Level, end: float, waits: bool) -> tuple[list[float], list[float]]:
    """Times and values between which the loss falls evenly."""
    times, values = [0.0], [level.uniform]
    half = 0.05 * level.uniform
    for at in level.steps[1:]:
        for edge, slow in ((at + half, 1.0), (at - half, SLOW if waits else 1.0)):
            if edge > end:
                times.append(times[-1] + slow * (values[-1] - edge))
                values.append(edge)
    times.append(times[-1] + values[-1] - end)
    values.append(end)
    return times, values
