"""The number of each claim: shares of runs or of pairs of runs, with exact binomial bounds.

What is claimed of a corner whose networks have not learnt is left open: a network that does nothing has no phases. Runs
that end before it is known whether they have phases count against whatever is said (`pairing.Between`).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.studies.gate import largest, least
from testbed.studies.judge import Evidence
from testbed.studies.judge.undecided import Open, unknown
from testbed.studies.representation_phases.claims import STUDY
from testbed.studies.representation_phases.config import SKEWED, UNIFORM, Bounds, Corner, FamilyName, Reading
from testbed.studies.representation_phases.data import Bools, Data, Floats, Followed, Legs, Runs, Streams
from testbed.studies.representation_phases.pairing import discordant, re_paired_sign, share
from testbed.studies.representation_phases.phases import pending

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases

UNIGRAM, BIGRAM = 0, 1
THREE: Legs = "fall, rise, fall"
FEWEST_WITH_PHASES = 16
"""Runs with phases, under which nothing is decided on what happens at their peak."""
NOT_LEARNT = "the networks that it speaks of have not learnt their source"


def evidence(study: "RepresentationPhases", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    reading, bounds = study.reading, study.bounds
    tight: Corner = "skewed, tight"

    def ready(name: FamilyName, corner: Corner) -> bool:
        return learnt(data.runs[name, corner], bounds)

    def ends(name: FamilyName, corner: Corner) -> tuple[Bools, Bools]:
        runs = data.runs[name, corner]
        return has(runs, reading, "covariance"), is_open(runs, reading, bounds)

    def three(name: FamilyName, corner: Corner) -> Evidence | None:
        return share(*ends(name, corner)) if ready(name, corner) else None

    def dip(name: FamilyName, corner: Corner) -> Evidence | None:
        return share(has(data.runs[name, corner], reading, "rank", "fall, rise")) if ready(name, corner) else None

    def at_trough(name: FamilyName, corner: Corner) -> Evidence | None:
        return share(says_unigrams(data.runs[name, corner], bounds)) if ready(name, corner) else None

    def against(name: FamilyName, other: Corner) -> Evidence:
        if not (ready(name, tight) and ready(name, other)):
            return unknown(NOT_LEARNT, 0.5)
        (a, open_a), (b, open_b) = ends(name, tight), ends(name, other)
        return discordant(a, b, open_a, open_b)

    found: dict[str, Evidence] = {}
    for name in study.families:
        found[f"phases_{name}"] = known(three(name, tight))
        found[f"uniform_{name}"] = known(largest([three(name, corner) for corner in UNIFORM]))
        found[f"skew_{name}"] = against(name, "uniform, tight")
        found[f"bottleneck_{name}"] = against(name, "skewed, wide")
    skewed = [(name, corner) for name in study.families for corner in SKEWED]
    found["dip_skewed"] = known(least([dip(*one) for one in skewed]))
    found["dip_uniform"] = known(largest([dip(name, corner) for name in study.families for corner in UNIFORM]))
    found["dip_unigrams"] = known(least([at_trough(*one) for one in skewed]))
    if "hidden" in study.families:
        runs = data.runs["hidden", tight]
        number = memorises(runs, has(runs, reading, "covariance"))
        beyond = bool((runs.divergence[:, 3, -1] < runs.level[:, BIGRAM]).mean() > 0.5)
        said = "most of these networks are not better than the exact bigrams' law at the end"
        found["memorises"] = number if beyond else Open(number, said)
        if study.decided_at == "laptop":
            for claim in ("phases_hidden", "uniform_hidden", "skew_hidden", "bottleneck_hidden", "memorises"):
                found[claim] = Open(found[claim], "RankMe still rises there when such short training ends")
    parts: dict[str, list[Evidence | None]] = {
        one: [] for one in ("layer_exact", "layer_paired", "layer_untrained", "layer_belief")
    }
    for streams in data.streams.values():
        i, j = streams_blocks(streams)
        bare = collapse_block(streams.entropy_untrained), belief_block(streams.belief_untrained)
        numbers = {
            "layer_exact": share(coincide(i, j)),
            "layer_paired": re_paired_sign((i[:, None] == j[None, :]) & (i[:, None] > 0)),
            "layer_untrained": share(coincide(*bare)),
            "layer_belief": share(believes(streams)),
        }
        for claim, number in numbers.items():
            parts[claim].append(number if streams.left.mean() < bounds.layer_gate else None)
    for claim, of_arms in parts.items():
        found[claim] = known(largest(of_arms) if claim == "layer_untrained" else least(of_arms))
    return {f"{STUDY}.{name}": one for name, one in found.items()}


def known(found: Evidence | None) -> Evidence:
    """The number, or that there is none."""
    return unknown(NOT_LEARNT) if found is None else found


def learnt(runs: Runs, bounds: Bounds) -> bool:
    """Means over runs: little is left to learn, and the last doubling of steps brought little."""
    return bool(runs.left.mean() < bounds.gate and runs.late_gain.mean() < bounds.levelled)


def has(runs: Runs, reading: Reading, what: Followed, kind: Legs = THREE) -> Bools:
    """(R,) runs that have these legs."""
    return np.array([one.found(reading.leg, reading.jitter) for one in runs.legs(what, kind)])


def is_open(runs: Runs, reading: Reading, bounds: Bounds) -> Bools:
    """(R,) runs that end before it is known whether they have phases, by the covariance's RankMe."""
    paths = runs.paths("covariance")
    settings = reading.leg, reading.jitter, bounds.rising
    return np.array([pending(path, runs.half, runs.warm, *settings) for path in paths])


def says_unigrams(runs: Runs, bounds: Bounds) -> Bools:
    """(R,) runs that are at the unigrams' law at the trough of RankMe, as they were not before training."""
    troughs = [one.trough for one in runs.legs("rank", "fall, rise")]
    kl = runs.divergence[:, UNIGRAM]
    return np.asarray(kl[np.arange(len(kl)), troughs] < bounds.at_unigrams * kl[:, 0])


def timing(runs: Runs, kept: Bools) -> Floats:
    """(K, K) of the runs kept, minus the distance in ln step of run i's peak of RankMe from the step at which run j is
    nearest to the exact bigrams."""
    step = np.log(np.maximum(runs.step, 0.5))
    peaks = step[[one.peak for one in runs.legs("covariance", THREE)]][kept]
    nearest = step[runs.divergence[:, BIGRAM].argmin(axis=1)][kept]
    return -np.abs(peaks[:, None] - nearest[None, :])


def memorises(runs: Runs, phased: Bools) -> Evidence:
    """Of pairs of runs with phases, those whose peaks lie nearer to their own moment of bigrams than to the other's."""
    number = re_paired_sign(timing(runs, phased)) if phased.any() else unknown("no run has phases", 0.5)
    if phased.sum() < FEWEST_WITH_PHASES and not isinstance(number, Open):
        return Open(number, f"fewer than {FEWEST_WITH_PHASES} of the runs have phases")
    return number


def collapse_block(entropy: Floats) -> NDArray[np.int64]:
    """(R,) block over which S(Z) drops most, 1 the first; 0 where it drops over none."""
    change = np.diff(entropy, axis=1)
    return np.where(change.min(axis=1) < 0, change.argmin(axis=1) + 1, 0)


def belief_block(belief: Floats) -> NDArray[np.int64]:
    """(R,) block over which R^2 of the belief rises most; -9 where it rises over none."""
    change = np.diff(belief, axis=1)
    return np.where(change.max(axis=1) > 0, change.argmax(axis=1) + 1, -9)


def believes(streams: Streams) -> Bools:
    """(R,) runs whose best layer has learnt of the belief: R^2 above the untrained one's by more than the null's."""
    gained = streams.belief.max(axis=1) - streams.belief_untrained.max(axis=1)
    return np.asarray(gained > np.maximum(streams.null.max(axis=1), 0.0))


def coincide(first: ArrayLike, second: ArrayLike) -> Bools:
    """(R,) both are found, and are the same."""
    i, j = np.asarray(first), np.asarray(second)
    return np.asarray((i > 0) & (i == j))


def re_paired(first: ArrayLike, second: ArrayLike) -> float:
    """Share of pairs of different runs, one's collapse with the other's belief, that coincide."""
    i, j = np.asarray(first), np.asarray(second)
    equal = (i[:, None] == j[None, :]) & (i[:, None] > 0)
    n = len(i)
    return float((equal.sum() - np.trace(equal)) / (n * (n - 1)))


def streams_blocks(streams: Streams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(R,) each: blocks of collapse and of belief of trained networks."""
    return collapse_block(streams.entropy), belief_block(streams.belief)
