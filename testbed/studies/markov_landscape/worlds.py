"""Planted worlds: runs are caught where it is claimed, or the other way round, or nothing is learnt anywhere."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.markov_landscape.claims import LANDSCAPE, NOTHING, PAIRED, REVERSED, STUDY, claims
from testbed.studies.markov_landscape.config import MIRRORED, PANELS, VARIANTS, VARIED, Panel, Variant
from testbed.studies.markov_landscape.data import Data, Ends, sides
from testbed.studies.markov_landscape.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

OFTEN, SELDOM = 0.93, 0.02
"""Chances of being caught."""
CATCHING: frozenset[Variant] = frozenset({"plain", "memory_1", "memory_2", "long", "quiet"})


def worlds(study: "MarkovLandscape") -> list[World]:
    """The landscape that is claimed, its opposite, and networks that learn how often symbols come and nothing else."""
    return [_world(study, name) for name in (LANDSCAPE, REVERSED, NOTHING)]


def _world(study: "MarkovLandscape", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {claim.id: "holds" if name == LANDSCAPE else "fails" for claim in named}
    if name == NOTHING:
        expected |= {f"{STUDY}.{one}": "undecided" for one in PAIRED}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "MarkovLandscape", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    side = sides(study.grid.values)
    chances = {(LANDSCAPE, True): OFTEN, (LANDSCAPE, False): SELDOM, (REVERSED, True): SELDOM, (REVERSED, False): OFTEN}

    def drawn(claimed: bool, *size: int) -> Ends:
        """`claimed`: whether the claims have these runs at the unigrams."""
        flags = rng.random(size) < chances.get((name, claimed), 1.0)
        units = np.where(flags, 1.0, 0.01) + 0.01 * rng.standard_normal(size)
        return Ends(units, np.where(flags, 0.01, 1.0) * rng.random(size))

    maps = {}
    for panel in PANELS:
        maps[panel] = Ends.empty(*side.shape, n)
        for where in (1, -1):
            chains = side == where
            one = drawn(_at_unigrams(panel, where), int(chains.sum()), n)
            maps[panel].units[chains], maps[panel].away[chains] = one.units, one.away
    size, mirrored = (max(1, round(count * n / study.n_seeds)) for count in (study.n_spot, study.n_mirror))
    spots = {
        (panel, variant): drawn(variant in CATCHING and (panel, variant) != ("one_tied", "long"), size)
        for panel in VARIED
        for variant in VARIANTS
    }
    return Data(side, {}, maps, spots, {one: drawn(False, mirrored) for one in MIRRORED})


def _at_unigrams(panel: Panel, where: int) -> bool:
    """Whether the claims have the runs of a panel there, on this side of the line."""
    return panel in ("one_tied", "bare_one_tied", "bare_two_tied") and where == 1
