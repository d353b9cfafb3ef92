"""Exact controls: attention that is exact at every length, and what a multiplier of its logits costs it.

On three sources the Bayes law of the last token is one softmax over the past, with logits that do not depend on n:

    averaging      begin symbol ln(V a), tokens 0          nothing to sharpen where V a = 1
    classes        statements of class c: ln w(c)          lambda makes the ratio w1/w0 its lambda-th power
    evidence       sites: ln f1(e) / f0(e)                 Bayes' rule is temperature one

    excess(lambda) = E KL( P* || P_lambda ),   P_lambda the law that the logits lambda times as large give

No model is trained: this is what a method that sharpens with n costs a head that needs no sharpening.
"""

import math

import numpy as np

from testbed.methods import Method
from testbed.runs import Cell, Record
from testbed.sources import Source
from testbed.sources.in_context import DirichletIIDSource
from testbed.sources.recall.noisy_retrieval import NoisyRetrieval
from testbed.sources.recall.reliability_classes import ReliabilityClasses
from testbed.sources.source import Floats, Tokens
from testbed.studies.length_extrapolation.grid import OracleProbe

SEED = 1_000_003
"""Of the sequences that oracles are averaged over: no replicate has it."""
CURVE = np.round(np.arange(0.5, 2.51, 0.05), 2)
"""Multipliers at which the curve of a figure is drawn."""
CHUNK_TOKENS = 2**22


def has_oracle(source: Source) -> bool:
    """Whether the law of the last token is a softmax over the past with known logits."""
    if isinstance(source, NoisyRetrieval):
        return bool(np.isfinite(source.likelihood_ratios).all())
    return isinstance(source, DirichletIIDSource | ReliabilityClasses)


def tempered_laws(source: Source, tokens: Tokens, power: float) -> Floats:
    """(N, V): the law of the last token if the logits of exact attention were multiplied by `power`."""
    if isinstance(source, ReliabilityClasses):
        return source.tempered_answers(tokens, power)
    if isinstance(source, NoisyRetrieval):
        weights = _evidence_weights(source, tokens) ** power
        weights = weights / weights.sum(axis=1, keepdims=True)
        laws = np.zeros((len(tokens), source.vocab_size))
        values = tokens[:, 1:-2:2].astype(np.int64)
        for y, row in enumerate(source.channel_law.T):
            laws[:, y] = (weights * row[values]).sum(axis=1)
        return laws
    assert isinstance(source, DirichletIIDSource)
    begin = (source.vocab_size * float(source.alpha)) ** power
    counts = np.stack([(tokens[:, :-1] == v).sum(axis=1) for v in range(source.vocab_size)], axis=1)
    laws = (counts + begin / source.vocab_size) / (tokens.shape[1] - 1 + begin)
    return np.asarray(laws)


def logit_std(source: Source, tokens: Tokens) -> float:
    """Root mean square over sequences of the standard deviation of the exact logits in the last row."""
    if isinstance(source, NoisyRetrieval):
        weights = _evidence_weights(source, tokens)
    elif isinstance(source, ReliabilityClasses):
        of_class = (tokens[:, :-2] >= 2 * source.n_values).astype(np.int64)
        weights = source.class_weights[of_class].astype(np.float64)
    else:
        assert isinstance(source, DirichletIIDSource)
        weights = np.ones(tokens.shape)
        weights[:, 0] = source.vocab_size * float(source.alpha)
    return float(np.sqrt(np.log(weights).var(axis=1).mean()))


def _evidence_weights(source: NoisyRetrieval, tokens: Tokens) -> Floats:
    """(N, n) likelihood ratio of every site's evidence."""
    found: Floats = source.likelihood_ratios[tokens[:, 0:-2:2].astype(np.int64) - source.n_values]
    return found


def power_of(method: Method, length: int, head_dim: int, train_length: int, std: float) -> float:
    """The multiplier that a method gives a query with `length` visible keys, `std` its head's logits at length m."""
    import torch

    parameters = {"logit_std": torch.tensor([[std]])}
    factor = method.scale(torch.tensor([length]), head_dim, train_length, parameters)
    return 1.0 if factor is None else float(factor.flatten()[0])


def excess_of(source: Source, tokens: Tokens, powers: Floats) -> tuple[Floats, Floats]:
    """(n_powers,) mean KL of the tempered laws from the exact one over these sequences, and its standard error."""
    total, squares = np.zeros(len(powers)), np.zeros(len(powers))
    rows = max(1, CHUNK_TOKENS // tokens.shape[1])
    for first in range(0, len(tokens), rows):
        part = tokens[first : first + rows]
        exact = source.predict(part, positions=[tokens.shape[1] - 1])[:, 0]
        for i, power in enumerate(powers):
            divergence = kl(exact, tempered_laws(source, part, float(power)))
            total[i] += divergence.sum()
            squares[i] += (divergence**2).sum()
    n = len(tokens)
    mean = total / n
    return mean, np.sqrt(np.maximum(squares / n - mean**2, 0.0) / max(n - 1, 1))


def kl(p: Floats, q: Floats) -> Floats:
    """(...,) sum_x p ln(p / q), nats; 0 ln 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).sum(axis=-1)
    return found


def oracle_record(cell: Cell, probe: OracleProbe) -> Record:
    """What every scaling method costs exact attention at this length, and the curve over multipliers."""
    source, length = probe.source, probe.length
    tokens = source.sample(probe.n_sequences, length, SEED)
    std = logit_std(source, source.sample(probe.n_sequences, probe.train_length, SEED))
    powers = np.array([power_of(one, length, probe.head_dim, probe.train_length, std) for one in probe.methods])
    excess, error = excess_of(source, tokens, powers)
    curve, _ = excess_of(source, tokens, CURVE)
    arrays = {"power": powers, "excess": excess, "excess_error": error, "curve_power": CURVE, "curve_excess": curve}
    at_one = curve[int(np.argmin(np.abs(CURVE - 1.0)))]
    metrics = {"logit_std": std, "at_one": float(at_one), "length": length, "log_ratio": math.log(probe.ratio)}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)  # type: ignore[arg-type]
