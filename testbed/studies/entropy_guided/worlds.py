"""Planted worlds: KL, overload and entropies with about the spread of real runs, through the same numbers and judge.

overload is waste                   the paper's: everywhere, across cells and runs, more overload means more KL;
                                    softmax-only models break; the penalty lowers overload and KL, on the coin too
overload is what the source asks for  overload is independent of KL on chains, and on copies, where most runs have none
                                    at all, so that nothing is decided; on the coin it is good; the penalty with ln T
                                    lowers it, harms on coin and chains and not on copies; ln i harms nowhere
any penalty harms                   both forms, and the smallest c as well, raise the KL everywhere, ln i more than
                                    ln T, and change no overload; more overload means less KL everywhere

Overload with Hmax = ln T and with ln i is drawn apart.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.entropy_guided.claims import ASKED, HARM, STUDY, WASTE, claims
from testbed.studies.entropy_guided.config import DEPTHS, HMAX, PLACES, Arm, Place
from testbed.studies.entropy_guided.data import Data, Floats, Runs
from testbed.studies.entropy_guided.evidence import evidence
from testbed.studies.entropy_guided.exact import early, late
from testbed.studies.entropy_guided.grid import dose_arms, main_arms, seeds_of
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

KL = {"copy": 3e-4, "coin": 1.5e-3, "markov": 3e-3}
TOLD = {"copy": 0.32, "coin": 0.24, "markov": 0.24}
HARMED = 15e-3
"""Nats by which a penalty that harms does."""
LEVEL = {"copy": 0.1, "coin": 0.55, "markov": 0.4}
"""Overload without a penalty."""
CELLS, RUNS_ = 1.0, 0.3
"""Spread of log KL across cells, and across runs of one."""
NOISE = 0.05
"""Of the relation, as a share of the spread across runs."""
NONE_AT_ALL = 0.7
"""Share of runs without overload, where most have none: half of all pairs are then tied, as on real copies."""
SLOPE: dict[str, dict[Place, float]] = {
    WASTE: {"copy": 1.0, "coin": 1.0, "markov": 1.0},
    ASKED: {"copy": 0.0, "coin": -1.0, "markov": 0.0},
    HARM: {"copy": -1.0, "coin": -1.0, "markov": -1.0},
}
"""Of overload on log KL; 0: independent."""
OPEN_IN: dict[str, frozenset[str]] = {ASKED: frozenset({"lattice_copy", "same_copy"})}
"""Where neither word would be right."""

FAILS_IN: dict[str, frozenset[str]] = {
    WASTE: frozenset({"lattice_coin", "same_coin", "raised", "defect_early", "defect_late", "heads", "theta"}),
    ASKED: frozenset({"lattice_markov", "same_markov", "broken", "helped_copy", "helped_markov", "unharmed_markov"}),
    HARM: frozenset(
        {"lattice_copy", "lattice_markov", "same_copy", "same_markov", "mitigated", "helped_copy", "helped_markov"}
        | {"unharmed_copy", "unharmed_markov", "row_spared", "defect_early", "defect_late", "heads", "theta"}
        | {"small_dose"}
    ),
}


def worlds(study: "EntropyGuidedStudy") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in (WASTE, ASKED, HARM)]


def expected(study: "EntropyGuidedStudy", world: str) -> dict[str, Word | None]:
    """The right verdicts."""
    fails, idle = FAILS_IN[world], OPEN_IN.get(world, frozenset())

    def word(name: str) -> Word:
        return "undecided" if name in idle else "fails" if name in fails else "holds"

    return {one.id: word(one.id.removeprefix(f"{STUDY}.")) for one in claims(study)}


def _world(study: "EntropyGuidedStudy", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def planted(study: "EntropyGuidedStudy", world: str, rng: np.random.Generator, n: int) -> Data:
    """The numbers of one draw of a world."""
    length, tolerance = study.sources.length, study.penalty.tolerance
    cells = study.lattice.cells
    place_of = {cell: float(number) for number, cell in enumerate(cells)}
    centre = float(np.mean(list(place_of.values())))
    runs: dict[Arm, Runs] = {}
    for arm in main_arms(study):
        if arm.form == "none":
            shift = CELLS * (place_of[arm.cell] - centre)
            deviation = RUNS_ * rng.standard_normal(n)
            kl = KL[arm.place] * np.exp(shift + deviation)
            over = {hmax: _overload(world, arm.place, shift + deviation, rng) for hmax in HMAX}
            runs[arm] = _runs(study, arm, rng, kl, over, world)
    for arm in [one for one in main_arms(study) if one.form != "none"] + dose_arms(study):
        twin, m = runs[Arm(arm.place, arm.cell)], max(2, round(n * len(seeds_of(study, arm)) / study.n_seeds))
        kl = twin.kl[:m] * _effect(world, arm, study.penalty.paper) * np.exp(0.03 * rng.standard_normal(m))
        if _harms(world, arm, study.penalty.paper):
            worse = 1.0 if arm.form == "window" else 1.6
            kl = kl + worse * HARMED * np.exp(0.1 * rng.standard_normal(m))
        lowered = world != HARM and arm.form == "window" and arm.coefficient != study.penalty.paper
        fall = 0.3 if lowered else 0.0
        over = {
            hmax: np.clip(one[:m] - fall + 0.01 * rng.standard_normal(m), 0.0, 1.0) for hmax, one in twin.over.items()
        }
        runs[arm] = _runs(study, arm, rng, kl, over, world)
    told = {place: np.full((n, length), TOLD[place]) for place in PLACES}
    return Data(runs, told, np.zeros(1), early(length, tolerance), late(length, tolerance))


def _overload(world: str, place: Place, log_kl: Floats, rng: np.random.Generator) -> Floats:
    """(R,) overload with one Hmax, of what log KL is above its centre."""
    n, slope = len(log_kl), SLOPE[world][place]
    told = slope * log_kl + NOISE * RUNS_ * rng.standard_normal(n) if slope else rng.standard_normal(n)
    over = np.clip(LEVEL[place] + 0.02 * told, 0.0, 1.0)
    if world == ASKED and place == "copy":
        over[rng.random(n) < NONE_AT_ALL] = 0.0
    return np.asarray(over)


def _harms(world: str, arm: Arm, paper: float) -> bool:
    if world == HARM:
        return True
    return world == ASKED and arm.form == "window" and arm.place != "copy" and arm.coefficient != paper


def _effect(world: str, arm: Arm, paper: float) -> float:
    """Factor on the twin's KL, where nothing harms."""
    return 0.6 if world == WASTE and arm.form == "window" and arm.coefficient != paper else 1.0


def _runs(
    study: "EntropyGuidedStudy", arm: Arm, rng: np.random.Generator, kl: Floats, over: dict[str, Floats], world: str
) -> Runs:
    n, length = len(kl), study.sources.length
    layers, heads = DEPTHS[arm.place], study.network.heads
    largest = np.log(np.arange(1, length + 1))
    share = 0.4 if world == ASKED and arm.form == "window" and arm.place == "coin" else 0.95
    entropy = np.broadcast_to(share * largest, (n, layers, heads, length)).copy()
    theta = {"none": np.nan, "row": 0.8, "window": 0.3 if world == ASKED else 0.8}[arm.form]
    odds = 0.97 if world != ASKED else 0.02
    return Runs(
        curve=np.repeat(kl[:, None], length, axis=1),
        entropy=entropy,
        over=over,
        under={hmax: np.full(n, 0.1) for hmax in HMAX},
        theta=theta + 0.03 * rng.standard_normal((n, layers, heads)),
        broken=rng.random(n) < odds,
        halves=np.repeat(kl[:, None], 2, axis=1),
        path=np.repeat(kl[:, None], 2, axis=1),
        rate=study.tuning.learning_rates[0],
    )
