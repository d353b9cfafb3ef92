"""Planted worlds: gaps, shares and rates with known means, through the same numbers and judge."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.couplings.coupling import GREEDY_OVER_LEAST, LEAST_OVER_MEET
from testbed.studies.couplings.claims import claims
from testbed.studies.couplings.config import MERGED_KINDS
from testbed.studies.couplings.data import Data
from testbed.studies.couplings.evidence import evidence
from testbed.studies.couplings.statements import BROKEN, PREDICTED, PREDICTED_TO_FAIL, REVERSED, THEOREMS
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

SEARCHED = {"half_bit", "tightened", "from_meet", "least_from_meet", "one_bit"}


def worlds(study: "Couplings") -> list[World]:
    """One in which the predictions come true, one in which they are wrong, one in which couplings break every bound."""
    return [_world(study, name) for name in (PREDICTED, REVERSED, BROKEN)]


def fails(claim: str, world: str) -> bool:
    """Whether the claim of this name is false in the world."""
    if world == BROKEN and claim in SEARCHED:
        return True
    return (claim in PREDICTED_TO_FAIL) == (world == PREDICTED) and claim not in THEOREMS


def _world(study: "Couplings", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "fails" if fails(one.id.rpartition(".")[2], name) else "holds" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "Couplings", world: str, rng: np.random.Generator, n_chains: int) -> Data:
    """The arrays of one draw; numbers of pairs, searches, laws and streams are those of the study."""
    predicted = world == PREDICTED
    arms = {
        "pairs": {"levels": _levels(study.pairs.n, predicted, rng)},
        "searches": {"found": _searches(study, world, rng)},
        "maps": _maps(study, predicted, rng),
        "random maps": _random_maps(study, predicted, rng),
    }
    for kind in MERGED_KINDS:
        arms[kind] = {"kept": _kept(study, kind, predicted, rng, n_chains)}
    for kind in ("driven", "feedback", "common cause"):
        arms[kind] = _streams(study, kind, predicted, rng)
    return Data(arms)


def _levels(n: int, predicted: bool, rng: np.random.Generator) -> Floats:
    """Rising where the prediction is true, with greedy above least in half of the pairs; else out of order in half."""
    levels = np.cumsum(rng.uniform(0.0, 0.2, (n, 4)), axis=1)
    half = rng.random(n) < 0.5
    if predicted:
        levels[half, 3] = levels[half, 2]
        return levels
    levels[:, 3] = levels[:, 2]
    levels[half, 1] = levels[half, 0] - 0.1
    return levels


def _searches(study: "Couplings", world: str, rng: np.random.Generator) -> Floats:
    """Ends (N, 3), nats: beyond what is false alone, beyond no bound, beyond all."""
    n, tight = study.searches.n, study.bounds.tightened
    if world == BROKEN:
        return LEAST_OVER_MEET * rng.uniform(1.1, 1.5, (n, 3))
    if world == PREDICTED:
        over_least = GREEDY_OVER_LEAST * rng.uniform(0.9 * tight, min(1.0, 2.0 * tight), n)
        return np.stack([over_least, *(rng.uniform(1.02, 1.25, (2, n)) * GREEDY_OVER_LEAST)], axis=1)
    return np.stack([GREEDY_OVER_LEAST * rng.uniform(0.0, 0.9 * tight, n), *rng.uniform(0.0, 0.3, (2, n))], axis=1)


def _maps(study: "Couplings", predicted: bool, rng: np.random.Generator) -> dict[str, Floats]:
    """Predicted: greedy maps fall far short, one of them beyond h(p_2) in a fifth of cases. Reversed: they fall
    short by little, the other one beyond an h(p_2) that is smaller still."""
    n = study.maps.n
    rate, bound = rng.uniform(0.5, 1.5, n), np.full(n, 0.4 if predicted else 0.002)
    careful = rate - rng.uniform(0.3, 0.9, n) * bound
    careless = rate - np.where(rng.random(n) < 0.2, 1.2, 0.5) * bound if predicted else 0.98 * rate
    commonest, rarest = (careful, careless) if predicted else (careless, careful)
    return {"rate": rate, "bound": bound, "commonest": commonest, "rarest": rarest}


def _random_maps(study: "Couplings", predicted: bool, rng: np.random.Generator) -> dict[str, Floats]:
    n, gain = study.maps.n_random, study.bounds.gain
    told = rng.uniform(2.0, 6.0, n) * gain if predicted else rng.uniform(0.0, 0.5, n) * gain
    return {"deterministic": np.ones(n), "random": 1.0 + told}


def _kept(study: "Couplings", kind: str, predicted: bool, rng: np.random.Generator, n: int) -> Floats:
    """(n, R, 3): high and low shares, as each claim says or not."""
    high = rng.uniform(0.975, 1.0, (n, len(study.merges.rates), 3))
    low = rng.uniform(0.5, 0.8, high.shape)
    finds = np.array([kind == "sticky", kind == "twins", False])
    return np.where(finds == predicted, high, low)


def _streams(study: "Couplings", kind: str, predicted: bool, rng: np.random.Generator) -> dict[str, Floats]:
    s, b = study.streams, study.bounds
    shape = (s.n, len(s.couplings))
    much = rng.uniform(3.0, 6.0, (4, *shape))
    little = rng.uniform(-0.2, 0.2, (4, *shape))
    acts = {
        "forward": predicted,
        "backward": (kind == "feedback") == predicted,
        "lagged": predicted,
    }
    found = {
        name: much[place] * b.driven if acts[name] else little[place] * b.none
        for place, name in enumerate(("forward", "backward", "lagged"))
    }
    gap = much[3] if predicted else little[3]
    found["transfer"] = np.stack([found["forward"] + gap * b.estimate, found["backward"]], axis=-1)
    noise = rng.uniform(-0.2, 0.2, (2, s.n, len(s.lengths), 2)) * b.estimate
    place = s.couplings.index(s.judged_coupling)
    truth = found["transfer"][:, None, place]
    long, short = np.zeros(len(s.lengths)), np.zeros(len(s.lengths))
    (short if predicted else long)[0 if predicted else -1] = 3.0 * b.estimate
    bias = (long + short)[:, None]
    off = 0.0 if predicted else 3.0 * b.estimate
    return found | {"raw": truth + bias + noise[0], "corrected": truth + off + noise[1]}
