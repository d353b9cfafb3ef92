"""The learner without a network: tables of one announced distance each, whose excess is exact at every l and D.

    power   P(tau > l) = (1 + l)^-gamma, answers flipped with one probability: l* ~ D^(1 / (1 + gamma))
    order   the same, but no distance beyond `reach` tells anything: h_l is flat from there on
    none    no distance tells anything: no optimum but l = 0

The loss of a block is that of the model of context t at each of its positions t <= l. Whole batches leave the share
l floor(T / l) / T of the data (`whole_share`), of a single pass of a fixed number of steps.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bits import LN2, binary_entropy
from testbed.studies.optimal_context_laws.measure import geometric_lengths
from testbed.studies.optimal_context_laws.selector import distance_tables
from testbed.studies.protocol_bias.config import Tables, whole_share
from testbed.studies.protocol_bias.readings import block_average

Floats = NDArray[np.float64]
Case = Literal["power", "order", "none"]
CASES: tuple[Case, ...] = ("power", "order", "none")


def distances(settings: Tables) -> Floats:
    """(K,) P(tau = 1 .. K); the tail beyond K stands at K."""
    survival = (1.0 + np.arange(settings.max_lag + 1)) ** -settings.exponent
    survival[-1] = 0.0
    return np.asarray(-np.diff(survival))


def noise_of(settings: Tables, case: Case) -> Floats:
    """(K,) probability of a flipped answer at each distance; 1/2 where it tells nothing."""
    useful = {"power": settings.max_lag, "order": settings.reach, "none": 0}[case]
    return np.where(np.arange(settings.max_lag) < useful, settings.noise, 0.5)


def missing_of(settings: Tables, case: Case) -> Floats:
    """(longest + 1,) h_l - h, exact, nats."""
    worth = distances(settings) * (LN2 - binary_entropy(noise_of(settings, case)))
    return np.asarray(np.append(worth.sum(), worth.sum() - np.cumsum(worth)))[: settings.longest + 1].clip(min=0.0)


def table_arrays(settings: Tables, rng: np.random.Generator) -> dict[str, Floats]:
    """What is recorded of a replicate.

    lengths                 (n_l,) l of the curves below
    <case>_missing          (n_l,) h_l - h
    <case>_loss             (n_D, n_l) loss above the rate of the learner of context l
    <case>_block            (n_D, n_l) its average over a block
    nominal, whole          (n_D, n_grid) loss above the rate on the public grid, all data and what whole batches leave
    """
    lengths = geometric_lengths(settings.longest)
    every, grid = np.arange(settings.longest + 1), np.array(settings.lengths)
    shares = [whole_share(settings.budget, length) for length in settings.lengths]
    found: dict[str, Floats] = {"lengths": lengths.astype(np.float64)}
    for case in CASES:
        kept = {size: [round(size * share) for share in (shares if case == "power" else [])] for size in settings.sizes}
        sizes = tuple(sorted({*settings.sizes, *(one for mine in kept.values() for one in mine)}))
        missing = missing_of(settings, case)
        excess = distance_tables(distances(settings), noise_of(settings, case), True, sizes, every, rng)
        loss = {size: missing + row for size, row in zip(sizes, excess, strict=True)}
        mine = np.array([loss[size] for size in settings.sizes])
        found |= {
            f"{case}_missing": missing[lengths],
            f"{case}_loss": mine[:, lengths],
            f"{case}_block": block_average(mine)[:, lengths],
        }
        if case == "power":
            whole = [[loss[n][at] for n, at in zip(kept[size], grid, strict=True)] for size in settings.sizes]
            found |= {"nominal": mine[:, grid], "whole": np.array(whole)}
    return found
