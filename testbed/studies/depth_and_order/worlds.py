"""Planted worlds: runs do what the constructions say; the other way round; and get there without waiting anywhere.

The curves go through the same readings and the same judge as those of a study.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.depth_and_order.claims import AS_BUILT, SMOOTH, STUCK, STUDY, claims
from testbed.studies.depth_and_order.data import Arm, Built, Data, Level, Path
from testbed.studies.depth_and_order.evidence import evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

POINTS, SLOW, LAST = 160, 3.0, 1000.0
NOISE = 0.01
SPREAD, STALLED = 0.5, 0.05
"""Of the ends of runs that learn: standard deviation of their log, and the share that is stalled."""


def worlds(study: "DepthAndOrder") -> list[World]:
    """Three of them: each claim holds in the first and fails in one of the others."""
    return [_world(study, name) for name in (AS_BUILT, STUCK, SMOOTH)]


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
    if world == STUCK:  # there is nothing to wait for
        return None if waits else "fails"
    return "fails" if waits else "holds"


def planted(study: "DepthAndOrder", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    levels = {one.order: _level(one.order) for one in study.orders}
    arms: dict[Arm, Path] = {}
    for shape, k in study.arms():
        learns = shape.enough(k) != (name == STUCK)
        arms[shape.name, k] = _path(levels[k], k, learns, name != SMOOTH, rng, n)
    turned = name == STUCK
    built = {
        (shape.name, k, on): _built(0.04 if (on == k) != turned else 1.1, rng)
        for shape, k in study.built()
        for on in (k, k + 1)
    }
    return Data(tuple(range(n)), arms, levels, built, np.zeros(1))


def _level(k: int) -> Level:
    """Even steps from the uniform law down."""
    steps = 0.04 * np.arange(k + 1, 0, -1)[: k + 1]
    return Level(float(steps[0]), tuple(float(one) for one in steps[1:]), 0.03 if k else None, 1e-4)


def _path(level: Level, k: int, learns: bool, waits: bool, rng: np.random.Generator, n: int) -> Path:
    """A fall from the uniform law, slower around every level where it waits; the more orders, the later. Without
    waiting it is as fast at each level, and the higher orders are learnt first. Of runs that learn, ends are spread
    and a few are stalled where others stay, but for k = 0."""
    steps = np.geomspace(LAST / 64, LAST, POINTS)
    finish = 0.35 + 0.1 * k if waits else 0.75 - 0.1 * k
    ends = np.where(
        learns & (rng.random(n) >= (STALLED if k else 0.0)),
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


def _built(ratio: float, rng: np.random.Generator) -> Built:
    short = 0.04 * (1 + 0.3 * rng.standard_normal(200))
    return Built(ratio * short + 0.002 * rng.standard_normal(200), short)
