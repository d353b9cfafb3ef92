"""Random pairs of laws and their couplings; searches for pairs that break a bound."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.couplings.coupling import greedy_coupling, greedy_entropies, least_entropies
from testbed.measures.couplings.laws import entropies, entropy, meet, meets
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.config import Pairs, Searches

Gap = Callable[[Floats, Floats], Floats]
LEVELS = ("largest marginal", "meet", "least", "greedy")
OBJECTIVES = ("greedy over least", "least over meet", "greedy over meet")
ENDS = {
    "greedy over least": ("greedy", "least"),
    "least over meet": ("least", "meet"),
    "greedy over meet": ("greedy", "meet"),
}


def levels(p: Floats, q: Floats) -> dict[str, float]:
    """The four entropies that the inequalities order, nats."""
    return {
        "largest marginal": max(entropy(p), entropy(q)),
        "meet": entropy(meet(p, q)),
        "least": float(least_entropies(p, q[None])[0]),
        "greedy": entropy(greedy_coupling(p, q)),
    }


def pair_arrays(settings: "Pairs", rng: np.random.Generator) -> dict[str, Floats]:
    """levels (4,) of one random pair, in the order of LEVELS; sizes (2,)."""
    concentration = rng.choice(settings.concentrations)
    sizes = rng.integers(settings.least, settings.most + 1, 2)
    p, q = (rng.dirichlet(np.full(size, concentration)) for size in sizes)
    found = levels(p, q)
    return {"levels": np.array([found[name] for name in LEVELS]), "sizes": sizes.astype(np.float64)}


def search_arrays(settings: "Searches", rng: np.random.Generator, number: int) -> dict[str, Floats]:
    """found (3,) the largest gaps, in the order of OBJECTIVES, nats; laws (3, 2, 4) where, filled with zeros.

    Replicates of even number have laws of one size, the first of `sizes`.
    """
    n, m = settings.sizes
    m = m if number % 2 else n
    found, laws = np.zeros(len(OBJECTIVES)), np.zeros((len(OBJECTIVES), 2, 4))
    for place, name in enumerate(OBJECTIVES):
        found[place], p, q = climb(gap_of(name), (n, m), settings.starts, settings.steps, rng)
        laws[place, 0, :n], laws[place, 1, :m] = np.sort(p)[::-1], np.sort(q)[::-1]
    return {"found": found, "laws": laws}


def gap_of(name: str) -> Gap:
    """One of OBJECTIVES as a function of laws (B, n) and (B, m), nats (B,); only what it needs is computed."""
    values: dict[str, Gap] = {
        "meet": lambda p, q: entropies(meets(p, q)),
        "least": least_entropies,
        "greedy": greedy_entropies,
    }
    upper, lower = (values[end] for end in ENDS[name])
    return lambda p, q: upper(p, q) - lower(p, q)


def climb(
    gap: Gap, sizes: tuple[int, int], starts: int, steps: int, rng: np.random.Generator
) -> tuple[float, Floats, Floats]:
    """The largest gap found, and the laws: random steps on their logarithms, kept where the gap grows.

    A step grows by 1.3 where it is kept and shrinks by 0.97 where not, between 0.001 and 1. Starts climb side by side.
    """
    p, q = (rng.dirichlet(np.ones(size), starts) for size in sizes)
    value, width = gap(p, q), np.full(starts, 0.5)
    for _ in range(steps):
        new_p, new_q = (law * np.exp(width[:, None] * rng.standard_normal(law.shape)) for law in (p, q))
        new_p, new_q = (law / law.sum(axis=1, keepdims=True) for law in (new_p, new_q))
        new = gap(new_p, new_q)
        better = new > value
        p, q = np.where(better[:, None], new_p, p), np.where(better[:, None], new_q, q)
        value = np.where(better, new, value)
        width = np.where(better, np.minimum(1.0, 1.3 * width), np.maximum(1e-3, 0.97 * width))
    best = int(value.argmax())
    return float(value[best]), p[best], q[best]
