"""What needs no random law: parity and copies, how far groups reach, and how many tables and equations there are."""

import numpy as np

from testbed.maxent import (
    AnyFamily,
    Blocks,
    JointMarginals,
    Pairs,
    Symmetrised,
    Triangle,
    Windows,
    divergence,
    token_divergences,
)
from testbed.studies.mep_extension.config import ClosedForms
from testbed.studies.mep_extension.laws import Floats, noisy_sum_law
from testbed.studies.mep_extension.schemes import extended, window

FAMILIES = ("windows", "half_windows", "pairs_near", "pairs_all", "blocks", "triangle", "split_both")
COPY_OPTIONS = ("windows", "pairs_near", "pairs_all")


def family_of(name: str, context_length: int) -> AnyFamily:
    """Overlaps T - 1 and T / 2; pairs at lags below T and all; four groups of T / 2; three; SMEP with a split third."""
    return {
        "windows": Windows(),
        "half_windows": Windows(overlap=context_length // 2),
        "pairs_near": Pairs(max_lag=context_length - 1),
        "pairs_all": Pairs(),
        "blocks": Blocks(n_groups=4),
        "triangle": Triangle(),
        "split_both": Symmetrised(reading="split_both"),
    }[name]


def closed_forms(settings: ClosedForms) -> dict[str, Floats]:
    """parity (size, 2): largest deviation of the pair law from the uniform one, |KL - ln V|. copies (size, option, t):
    nats lost on every token of a noiseless copy. coverage (T,): most tokens that three groups reach, over T; blocks
    (T, 2): the same for four groups, and their largest table over T. tables (family, T), equations (family, T): counts.
    """
    return {
        "parity": np.array([_parity(v, n) for v, n in settings.parity_sizes]),
        "copies": np.stack([_copies(v, t) for v, t in settings.copy_sizes]),
        "coverage": np.array([coverage(t) / t for t in settings.coverage_lengths]),
        "blocks": np.array([_blocks(t) for t in settings.coverage_lengths]),
        "tables": np.array(
            [[float(len(family_of(f, t).cliques(t))) for t in settings.table_lengths] for f in FAMILIES]
        ),
        "equations": np.array(
            [
                [float(family_of(f, t).size(settings.vocab_size, t).rank - 1) for t in settings.equation_lengths]
                for f in FAMILIES
            ]
        ),
    }


def coverage(context_length: int) -> int:
    """The most tokens in three successive groups of which every two fit in T, by trying all sizes."""
    sizes = range(1, context_length)
    return max(a + b + c for a in sizes for b in sizes for c in sizes if max(a + b, b + c, a + c) <= context_length)


def _blocks(context_length: int) -> tuple[float, float]:
    size = Blocks(n_groups=4).size(2, context_length)
    return size.length / context_length, size.largest / context_length


def _parity(vocab_size: int, length: int) -> tuple[float, float]:
    law = noisy_sum_law(vocab_size, length, [(length - 1, tuple(range(length - 1)))], 0.0)
    pairs = Pairs().constraints(JointMarginals(law), vocab_size, 2, length).solve().probabilities
    return float(np.abs(pairs - 1.0 / pairs.size).max()), abs(divergence(law, pairs) - float(np.log(vocab_size)))


def _copies(vocab_size: int, context_length: int) -> Floats:
    """(option, T): the T copied tokens alone; sizes of different V stack if T is one."""
    t = context_length
    law = noisy_sum_law(vocab_size, 2 * t, [(s, (s - t,)) for s in range(t, 2 * t)], 0.0)
    options = (window(t - 1), "pairs_near", "pairs_all")
    return np.array([token_divergences(law, extended(option, law, t))[t:] for option in options])


def slopes(counts: Floats, lengths: tuple[int, ...]) -> Floats:
    """(family,): log-log slope between the last two lengths."""
    return np.asarray(np.log(counts[:, -1] / counts[:, -2]) / np.log(lengths[-1] / lengths[-2]))
