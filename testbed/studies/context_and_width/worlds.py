"""Planted worlds: exact laws plus known perturbations in place of trained models (`optimal_context.worlds`).

the wide hold more       every width has a part of a table's excess; the narrowest more, the longer the context
width changes nothing    every width has that part
the wide overfit         the widest has an excess that grows with the context, whatever the data
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.context_and_width.claims import STUDY, claims, evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.optimal_context.worlds import LARGEST_EXCESS, planted_rankings

if TYPE_CHECKING:
    from testbed.studies.context_and_width.study import ContextAndWidth

SHARE = 0.1
"""Of a table's excess, so that the best context is clear in every world."""
MORE, SAME, OVERFIT = "the wide hold more", "width changes nothing", "the wide overfit"
EXPECTED: dict[str, dict[str, Word]] = {
    MORE: {"grows": "holds", "never_falls": "holds", "better": "holds"},
    SAME: {"grows": "fails", "never_falls": "holds", "better": "holds"},
    OVERFIT: {"grows": "fails", "never_falls": "fails", "better": "fails"},
}


def worlds(study: "ContextAndWidth") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in EXPECTED]


def _world(study: "ContextAndWidth", name: str) -> World:
    named = claims(study.widths, study.delta, study.decided_at)
    arm = study.arm

    def excess_of(width: int, length: int, size: int) -> float:
        table = SHARE * arm.source.vocab_size**length * (arm.source.vocab_size - 1) / (2 * arm.sizes[-1])
        if name == MORE and width == study.widths[0]:
            table += 0.03 * length
        if name == OVERFIT and width == study.widths[-1]:
            table = 0.03 * (1 + length)
        return float(min(table, LARGEST_EXCESS))

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        rankings = {
            width: planted_rankings(arm, partial(excess_of, width), rng, n_replicates) for width in study.widths
        }
        numbers = evidence(study.delta, rankings)
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: EXPECTED[name][one.id.removeprefix(f"{STUDY}.")] for one in named}, draw)
