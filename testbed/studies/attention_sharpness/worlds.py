"""Planted worlds: numbers as the claims say, and numbers as their rivals would have them."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_sharpness.claims import CLAIMED, OTHERWISE, REVERSED, claims
from testbed.studies.attention_sharpness.evidence import evidence
from testbed.studies.attention_sharpness.judgement import NOTHING
from testbed.studies.attention_sharpness.laws import failing_length
from testbed.studies.attention_sharpness.results import Bools, Case, Floats, Measured
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

LOG_LENGTH, ENTROPY, STEPS = 0.05, 0.02, 4.0
"""Spread between replicates: of ln T*, of shares of ln n, and of a lead."""


def worlds(study: "AttentionSharpness") -> list[World]:
    """One in which the claims hold, one in which their rivals do."""
    return [_world(study, name) for name in (CLAIMED, OTHERWISE)]


def _world(study: "AttentionSharpness", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {}
    for claim in named:
        turned = claim.id.rpartition(".")[2] in REVERSED
        expected[claim.id] = "fails" if turned == (name == CLAIMED) else "holds"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == CLAIMED, rng, n_replicates))
        return [(claim, numbers[claim.id] or NOTHING) for claim in named]

    return World(name, expected, draw)


def planted(study: "AttentionSharpness", claimed: bool, rng: np.random.Generator, n: int) -> Measured:
    """Numbers as of a study with n seeds."""
    copies, sweep = study.copies, study.sweep
    places: list[str] = [one.name for one in sweep.places]
    arms = [one.name for one in sweep.arms]
    predicted = np.log([failing_length(gap, copies.noise) for gap in copies.gaps])
    gaps, far = np.array(copies.gaps), np.array(copies.carried_gaps)

    def around(values: Floats, spread: float = LOG_LENGTH) -> Floats:
        return np.asarray(values + spread * rng.standard_normal((n, len(values))))

    def working(upto: int) -> Bools:
        """The rates below the first `upto`."""
        return np.broadcast_to(np.arange(len(sweep.rates)) < upto, (n, len(sweep.rates)))

    few, many = 2, len(sweep.rates)
    works = {(p, a): working(many if claimed and a != arms[0] else few) for p in places for a in arms}
    entropy: dict[Case, Floats] = {}
    collapsed: dict[Case, Bools] = {}
    for case, mine in works.items():
        place, arm = case
        low = 0.05 if arm == arms[0] or not claimed else 0.9
        level = np.where(mine, 0.05 if place == places[0] else 0.95, low)
        if not claimed:  # entropy tells nothing: high on the copy, low wherever the coin works
            level = np.where(mine, 0.95 if place == places[0] else 0.05, 0.95)
        entropy[case] = np.clip(level + ENTROPY * rng.standard_normal(level.shape), 0.0, 1.0)
        collapsed[case] = entropy[case] < study.bounds.collapsed
    interval = sweep.steps / sweep.ramp_points
    ahead = (6.0 if claimed else -6.0) * interval + STEPS * rng.standard_normal(n)
    shape = (n, len(sweep.rates))
    near, promised = (0.03, 0.5) if claimed else (0.5, 0.0)
    return Measured(
        tuple(range(n)),
        around(predicted if claimed else predicted[0] + 1.0 + gaps),
        predicted,
        around((1.0 if claimed else 2.0) * far + 1.0),
        works,
        collapsed,
        entropy,
        dict.fromkeys(works, ahead),
        {p: near + ENTROPY * rng.random(shape) for p in places},
        {p: promised + ENTROPY * rng.random(shape) for p in places},
        0.0,
    )
