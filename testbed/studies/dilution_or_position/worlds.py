"""Planted worlds: corners of known means in place of trained models, judged as those of a study are.

A row's excess is M e at the base, M (e + a) with many keys, M (e + b) far out and M (e + a + b + I) with both, M a
factor of the replicate (lognormal, 30 %); each corner of an arm has one of its own (5 %), under every change the same.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.dilution_or_position.claims import claim_name, claim_rows, claims, evidence, pairs, scalings_of
from testbed.studies.dilution_or_position.config import NONE
from testbed.studies.dilution_or_position.grid import changes_of
from testbed.studies.dilution_or_position.places import CORNERS
from testbed.studies.dilution_or_position.results import Measured, Row
from testbed.studies.judge import Claim, Evidence, World

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition

NO_CONTEXT, START, LARGE, SMALL = 0.4, 0.002, 0.3, 0.03
"""KL without context, excess at n = m, a large and a small effect, in nats."""

WORLDS: Mapping[str, Mapping[str, str | None]] = {
    "dilution": {"c7": "holds", "far_few": "fails"},
    "position": {"c7": "fails", "far_few": "holds"},
    "interacting": {"c7": "undecided", "far_few": "fails"},
    "averaging_suffers": {"averaging": "fails"},
    "begin_reads": {"begin": "fails", "c7": None, "scaling_removes": None},
    "scaling_useless": {"scaling_removes": "fails"},
    "scaling_repairs": {"scaling_only": "fails", "c7": None, "far_few": "holds"},
    "insensitive": {"averaging": "undecided"},
}
"""World -> what is expected of claims other than in the world `dilution`; None where a world is not about a claim."""


def worlds(study: "DilutionOrPosition") -> list[World]:
    """Where dilution is all and C7 holds, where position is, where they cannot be told apart, and one for each control.

    A claim that this config has no rows for has no expected verdict.
    """
    numbers = evidence(study, planted(study, "dilution", np.random.default_rng(0), 8))
    decidable = {name for name, one in numbers.items() if isinstance(one, Evidence)}
    c7 = {claim_name(study, row) for row in claim_rows(study)}

    def expected(world: str) -> dict[str, str | None]:
        said = {**WORLDS["dilution"], **WORLDS[world]}
        names = {claim.id: claim.id.rpartition(".")[2] for claim in claims(study)}
        words = {key: said.get("c7" if name in c7 else name, "holds") for key, name in names.items()}
        return {key: word if key in decidable else None for key, word in words.items()}

    return [_world(study, name, expected(name)) for name in WORLDS]


def _world(study: "DilutionOrPosition", name: str, expected: Mapping[str, str | None]) -> World:
    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        return pairs(study, evidence(study, planted(study, name, rng, n_replicates)))

    return World(name, expected, draw)  # type: ignore[arg-type]


def planted(study: "DilutionOrPosition", world: str, rng: np.random.Generator, n: int) -> Measured:
    """The measurements of a study in this world, all members having learnt."""
    data = Measured(tuple(range(n)), study.gate)
    for task in study.tasks:
        data.no_context[task.name] = np.full(n, NO_CONTEXT)
        if task.role == "averaging":
            injected = 0.0 if world == "insensitive" else 5 * study.margin
            data.injected[task.name] = injected * np.exp(0.05 * rng.standard_normal(n))
        for arm in study.arms_of(task):
            data.rates[task.name, arm.name] = study.tuning.learning_rates[0]
            member = np.exp(0.3 * rng.standard_normal(n))
            # one factor a corner, the same under every change: it is the same member on the same tokens
            factors = np.exp(0.05 * rng.standard_normal((len(study.ratios), len(CORNERS), n)))
            for change, _ in changes_of(study, arm):
                row = Row(task.name, arm.name, change)
                for ratio, factor in zip(study.ratios, factors, strict=True):
                    a, b, interaction = (0.0, 0.0, 0.0) if ratio == 1 else planted_effects(study, world, row)
                    means = dict(zip(CORNERS, (0.0, b, a, a + b + interaction), strict=True))
                    data.excess[row, ratio] = {
                        corner: member * (START + mean * one)
                        for (corner, mean), one in zip(means.items(), factor, strict=True)
                    }
    return data


def planted_effects(study: "DilutionOrPosition", world: str, row: Row) -> tuple[float, float, float]:
    """a, b and I of a row at every ratio above 1, in the mean."""
    if row.task in {task.name for task in study.of_role("averaging")}:
        return (5 * study.margin, 0.0, 0.0) if world == "averaging_suffers" else (0.0, 5 * study.margin, 0.0)
    a, b, interaction = LARGE, SMALL, 0.0
    if world == "position" or (world == "scaling_repairs" and row.arm in study.out_of_range):
        a, b = SMALL, LARGE
    elif world == "interacting":
        a, b, interaction = SMALL, SMALL, LARGE
    elif world == "begin_reads" and row.arm == study.begin_hidden:
        a = 0.0
    if row.change != NONE and row.change in scalings_of(study, row.arm):
        a = a if world == "scaling_useless" else a / 10
        interaction = -0.9 * b if world == "scaling_repairs" else interaction  # b itself is out of their reach
    return a, b, interaction
