"""What is computed at each cell."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.sources import build
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.studies.optimal_context_laws import tables
from testbed.studies.optimal_context_laws.config import Distance, Keys, Lags, Pairs, Probe, Table
from testbed.studies.optimal_context_laws.lags import lag_excess
from testbed.studies.optimal_context_laws.laws import named_lengths
from testbed.studies.optimal_context_laws.pairs import pair_excess
from testbed.studies.optimal_context_laws.selector import distance_tables, joint_table
from testbed.studies.optimal_context_laws.teacher import Teacher

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone.

    lengths     (n_lengths,) l
    missing     (n_lengths,) h_l - h, nats
    excess      (n_sizes, n_lengths) exact excess of the arm's learner, nats
    law_NAME    (n_sizes,) the l that each law names
    and, by arm, other learners: tree (with depths, tree_missing), screened, visible, joint (with joint_lengths,
    joint_missing); rate_of_decay (), the factor by which h_l - h falls with l
    """
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    settings = probe.settings
    if isinstance(settings, Table):
        return _table(settings, rng)
    if isinstance(settings, Lags):
        assert probe.exponent is not None
        return _lags(settings, Teacher(probe.exponent, settings.amplitude, settings.n_lags, probe.reach), rng)
    if isinstance(settings, Distance):
        assert probe.noise is not None
        return _distance(settings, probe.noise, rng)
    if isinstance(settings, Keys):
        return _keys(settings, rng)
    return _pairs(settings, rng)


def geometric_lengths(longest: int) -> Integers:
    """0, 1, 2, 3, 4, 6, 8, 11, 16 .. longest: two to each doubling."""
    steps = int(np.floor(2 * np.log2(longest)))
    return np.unique(np.append([0, longest], np.rint(2 ** (np.arange(steps + 1) / 2)).astype(np.int64)))


def pair_lengths(longest: int) -> Integers:
    """Every fourth length, and those near bit 11, where the first pairs lie."""
    return np.unique(np.append(np.arange(0, longest, 4), [10, 11, 14, 18, longest]))


def _named(
    sizes: tuple[int, ...],
    missing: Floats,
    correlations: Floats,
    frequencies: Floats,
    per_token: float,
    threshold: float = 1.0,
) -> dict[str, Floats]:
    numbers = np.array(sizes, dtype=np.float64)
    found = named_lengths(missing, correlations, frequencies, per_token, threshold, numbers)
    return {f"law_{name}": lengths for name, lengths in found.items()}


def _table(settings: Table, rng: np.random.Generator) -> dict[str, Floats]:
    switch, flip = rng.uniform(*settings.switch), rng.uniform(*settings.flip)
    source = tables.hidden_source(switch, flip)
    block = tables.block_law(source, settings.longest)
    lengths = np.arange(settings.longest + 1)
    rate = float(source.entropy_rate().value)
    missing = np.maximum(tables.risks(block, lengths) - rate, 0.0)
    codes, targets = tables.dataset(source, settings.sizes[-1], settings.longest, int(rng.integers(2**31)))
    excess = [tables.table_excess(block, codes[:n], targets[:n], lengths) for n in settings.sizes]
    depths = np.array(settings.depths)
    tree_sizes = [n for n in settings.sizes if n <= settings.tree_size]
    tree = [tables.tree_excess(block, codes[:n], targets[:n], depths) for n in tree_sizes]
    lags = np.arange(1.0, settings.longest + 1)
    correlation = (1 - 2 * flip) ** 2 * (1 - 2 * switch) ** lags  # of two seen bits n steps apart
    first, last = settings.longest // 4, settings.longest // 2
    return {
        "lengths": lengths.astype(np.float64),
        "missing": missing,
        "excess": np.array(excess),
        "depths": depths.astype(np.float64),
        "tree_missing": missing[depths],
        "tree": np.array(tree),
        "rate_of_decay": np.array((missing[last] / missing[first]) ** (1.0 / (last - first))),
    } | _named(settings.sizes, missing, correlation, 2.0**-lags, per_token=1.0)


def _lags(settings: Lags, teacher: Teacher, rng: np.random.Generator) -> dict[str, Floats]:
    lengths = geometric_lengths(settings.longest)
    every = np.arange(settings.longest + 1)
    known = teacher.risks(lengths) - teacher.risk(settings.n_lags)
    missing = np.maximum(np.interp(np.log1p(every), np.log1p(lengths), known), 0.0)
    learners = lag_excess(teacher, settings.sizes, lengths, rng)
    return {
        "lengths": lengths.astype(np.float64),
        "missing": np.maximum(known, 0.0),
        "excess": learners["plain"],
        "screened": learners["screened"],
        "visible": learners["visible"],
    } | _named(
        settings.sizes,
        missing,
        np.abs(teacher.correlations[: settings.longest]),
        np.ones(settings.longest),
        per_token=1.0,
    )


def distances(settings: Distance) -> Floats:
    """(K,) P(tau = 1 .. K); the tail beyond K stands at K."""
    survival = (1.0 + np.arange(settings.max_lag + 1)) ** -settings.exponent
    survival[-1] = 0.0
    return -np.diff(survival)


def _distance(settings: Distance, noise: float, rng: np.random.Generator) -> dict[str, Floats]:
    q = distances(settings)
    gap = LN2 - float(binary_entropy(noise))
    missing = gap * np.append(1.0, np.maximum(1.0 - np.cumsum(q), 0.0))
    lengths = geometric_lengths(settings.longest)
    joint_lengths = np.arange(settings.joint_longest + 1)
    joint_sizes = tuple(n for n in settings.sizes if n <= settings.joint_size)
    return {
        "lengths": lengths.astype(np.float64),
        "missing": missing[lengths],
        "excess": distance_tables(q, noise, True, settings.sizes, lengths, rng),
        "joint_lengths": joint_lengths.astype(np.float64),
        "joint_missing": missing[joint_lengths],
        "joint": joint_table(q, noise, joint_sizes, joint_lengths, rng),
    } | _named(
        settings.sizes,
        missing[: settings.longest + 1],
        (1 - 2 * noise) * q[: settings.longest],
        q[: settings.longest],
        per_token=2.0,
    )


@lru_cache(maxsize=4)
def key_decay(n_keys: int, hilberg_exponent: float) -> Floats:
    """(2^16 + 1,) h_l - h of the Santa Fe process, the same for every replicate."""
    source = build({"type": "santa_fe", "n_keys": n_keys, "hilberg_exponent": hilberg_exponent})
    return np.asarray(source.conditional_entropies(2**16).value) - float(source.entropy_rate().value)


def _keys(settings: Keys, rng: np.random.Generator) -> dict[str, Floats]:
    missing = key_decay(settings.n_keys, settings.hilberg_exponent)
    ages = -np.diff(missing) / LN2
    lengths = geometric_lengths(settings.longest)
    return (
        {
            "lengths": lengths.astype(np.float64),
            "missing": missing[lengths],
            "excess": distance_tables(ages, 0.0, False, settings.sizes, lengths, rng),
        }
        | _named(
            settings.sizes,
            missing[: settings.longest + 1],
            np.full(settings.longest, float(ages[0])),  # bits n steps apart agree where their key is the same
            ages[: settings.longest],
            per_token=1.0,
        )
    )


def _pairs(settings: Pairs, rng: np.random.Generator) -> dict[str, Floats]:
    source = SparseParitySource(variant="B", seed=int(rng.integers(2**31)))
    lengths = pair_lengths(settings.longest)
    missing = np.asarray(source.conditional_entropies(settings.longest).value) - float(source.entropy_rate().value)
    frequencies = -np.diff(missing) / LN2 / 2  # two tasks of equal weight a bit
    n_pairs = settings.longest * (settings.longest - 1) / 2
    return {
        "lengths": lengths.astype(np.float64),
        "missing": np.maximum(missing[lengths], 0.0),
        "excess": pair_excess(source, settings.sizes, lengths, rng),
    } | _named(
        settings.sizes,
        missing,
        np.zeros(settings.longest),
        frequencies,
        per_token=1.0,
        threshold=float(np.log2(n_pairs)),
    )
