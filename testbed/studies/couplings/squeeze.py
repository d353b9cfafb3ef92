"""Maps of bounded entropy of random laws, and merges of the alphabets of random chains."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.couplings.bottleneck import (
    best_maps,
    cell_laws,
    merge_into_commonest,
    merge_rarest,
    random_map_information,
    set_partitions,
)
from testbed.measures.couplings.laws import entropies, entropy, mutual_information
from testbed.measures.couplings.merges import (
    adjacent_merges,
    best_kept,
    entropy_kept,
    kept_information,
    predictive_merges,
)
from testbed.sources import MarkovSource
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.config import Maps, Merges

CRITERIA = ("entropy", "predictive", "adjacent")


def map_arrays(settings: "Maps", rng: np.random.Generator) -> dict[str, Floats]:
    """Of a random law and rate: rate (), bound () = h(p_2), and I(X; T) of three maps T = g(X), nats."""
    p = rng.dirichlet(np.ones(settings.n_symbols))
    rate = float(rng.uniform(0.0, entropy(p)))
    second = np.sort(p)[-2]
    maps = {
        "commonest": merge_into_commonest(p, rate),
        "rarest": merge_rarest(p, rate),
        "best": best_maps(p, rate)[0],
    }
    told = {name: np.array(entropy(cell_laws(p, one))) for name, one in maps.items()}
    return {"rate": np.array(rate), "bound": np.array(entropy([second, 1.0 - second])), **told}


def random_map_arrays(settings: "Maps", rng: np.random.Generator) -> dict[str, Floats]:
    """Of a random law of three symbols and a rate midway between two levels H(g(X)): rate, best I of maps T = g(X),
    best found of random maps, nats."""
    p = rng.dirichlet(np.ones(3))
    known = np.unique(entropies(cell_laws(p, set_partitions(3))))
    place = int(rng.integers(len(known) - 1))
    rate = float(known[place] + known[place + 1]) / 2.0
    told = random_map_information(p, rate, rng, settings.laws_tried, settings.rounds)
    return {"rate": np.array(rate), "deterministic": np.array(known[place]), "random": np.array(told)}


def curve_arrays(settings: "Maps", rng: np.random.Generator) -> dict[str, Floats]:
    """Of one law: rates (P,) up to H(X), and the best I of maps T = g(X) and of random ones, (P,), nats."""
    p = np.array(settings.curve_law)
    known = entropies(cell_laws(p, set_partitions(len(p))))
    rates = np.linspace(0.0, entropy(p), settings.curve_points)
    told = [random_map_information(p, float(rate), rng, settings.laws_tried, settings.rounds) for rate in rates]
    best = [float(known[known <= rate + 1e-12].max()) for rate in rates]
    return {"rate": rates, "deterministic": np.array(best), "random": np.array(told)}


def chain(settings: "Merges", kind: str, rng: np.random.Generator) -> MarkovSource:
    """A random order-1 chain.

    sticky    repeats its symbol with probability `stay`, else draws a new one from a law: what tells of the next symbol
              is which symbol it is, no more
    twins     every symbol is equally likely, and symbols 2i and 2i + 1 have one future
    random    Dirichlet rows
    """
    n = settings.n_symbols
    if kind == "sticky":
        return MarkovSource(settings.stay * np.eye(n) + (1.0 - settings.stay) * rng.dirichlet(np.ones(n)))
    if kind == "twins":
        return MarkovSource(np.repeat(np.repeat(doubly_stochastic(n // 2, rng), 2, axis=0), 2, axis=1) / 2.0)
    return MarkovSource(rng.dirichlet(np.full(n, 0.5), n))


def doubly_stochastic(n: int, rng: np.random.Generator) -> Floats:
    """(n, n) a mixture of n permutations with Dirichlet weights; one is the cycle, so that all are reached."""
    weights = rng.dirichlet(np.full(n, 0.5))
    orders = [np.roll(np.arange(n), 1), *(rng.permutation(n) for _ in range(n - 1))]
    return np.asarray(sum(weight * np.eye(n)[order] for weight, order in zip(weights, orders, strict=True)))


def merge_arrays(settings: "Merges", kind: str, rng: np.random.Generator) -> dict[str, Floats]:
    """Of one chain: information () = I(X; X'), best (R,) = the most that a merge keeps at each rate, nats;

    kept (R, 3)   of that, by the criteria in CRITERIA; the entropy criterion's is the mean over maps that tie
    ties (R,), tie_low, tie_high (R,)    how many tie, and what the worst and the best of them keep
    """
    while True:
        source = chain(settings, kind, rng)
        joint = source.stationary_law[:, None] * source.kernel
        joint = joint / joint.sum()
        if mutual_information(joint) > 0.01:
            break
    found: dict[str, list[Floats | float]] = {name: [] for name in ("best", "kept", "ties", "tie_low", "tie_high")}
    for share in settings.rates:
        rate = share * entropy(joint.sum(axis=1))
        best = best_kept(joint, rate)
        tied = entropy_kept(joint, rate)
        greedy = (predictive_merges(joint, rate), adjacent_merges(joint, rate))
        kept = [float(tied.mean()), *(float(kept_information(joint, one)) for one in greedy)]
        scale = best if best > 0 else 1.0
        found["best"].append(best)
        found["kept"].append(np.array(kept) / scale)
        found["ties"].append(float(len(tied)))
        found["tie_low"].append(float(tied.min()) / scale)
        found["tie_high"].append(float(tied.max()) / scale)
    return {"information": np.array(mutual_information(joint)), **{name: np.array(one) for name, one in found.items()}}
