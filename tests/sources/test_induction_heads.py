"""The levels of statistical induction heads (Edelman et al. 2024, 2402.11004): uniform, unigram, bigram, E[h].

Published means over positions 1 .. 100, a = 1, nats, of chains that start in their own stationary law:

    K    unigram   bigram    E[h]     bigram at t = 200
    2    .5767     .5107     .4809    .4852
    3    1.0050    .8859     .8187    .8323
    8    2.0881    1.9438    1.7165   1.8119

Sequences of `dirichlet_markov` start with a uniform token, which raises the unigram level by .0050, .0037, .0011 and
the bigram level by .0007 and less. Published numbers are means of samples; the test says where a digit is off.
"""

import math

import numpy as np
import pytest

from testbed.sources.in_context import DirichletIIDSource, DirichletMarkovSource
from testbed.sources.in_context.drawn_chains import mean_rate
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses

Z = 5.5  # false-alarm rate 4e-8, two-sided
RATES = {3: (0.81889, 0.00011), 8: (1.71595, 0.00013)}
"""E[h] with standard errors, from some 10^6 drawn chains each, by power iteration and in a program of its own."""


def simulated(size: int, start: str, n: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, length) expected losses under the drawn chain of counting tokens and of counting pairs plus one, and its
    rate (n,); nothing of the package is used."""
    rng = np.random.default_rng(1)
    kernels = rng.dirichlet(np.ones(size), size=(n, size))
    law = np.full((n, size), 1 / size)
    stationary = law
    for _ in range(300):
        stationary = np.einsum("ni,nij->nj", stationary, kernels)
    rate = -(stationary[..., None] * kernels * np.log(kernels)).sum(axis=(1, 2))
    law = stationary if start == "stationary" else law
    rows = np.arange(n)
    pairs, counts = np.ones((n, size, size)), np.ones((n, size))
    unigram, bigram = np.zeros((2, n, length))
    x = np.zeros(n, dtype=int)
    for t in range(length):
        if t:
            law = kernels[rows, x]
            for losses, seen in ((unigram, counts), (bigram, pairs[rows, x])):
                losses[:, t] = -(law * np.log(seen / seen.sum(axis=1, keepdims=True))).sum(axis=1)
        y = np.minimum((law.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), size - 1)
        if t:
            pairs[rows, x, y] += 1
        counts[rows, y] += 1
        x = y
    return unigram, bigram, rate


def unigram_by_quadrature(start: str, n_nodes: int) -> float:
    """K = 2: the mean over positions 1 .. 100 by the law of (ones so far, last token), on a grid of (p, q)."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    p, q = (axis.ravel() for axis in np.meshgrid((nodes + 1) / 2, (nodes + 1) / 2))
    weight = np.outer(weights, weights).ravel() / 4
    one = p / (p + q) if start == "stationary" else np.full(len(p), 0.5)
    law = np.zeros((len(p), 102, 2))  # [node, ones, last token]
    law[:, 0, 0], law[:, 1, 1] = 1 - one, one
    losses = []
    for t in range(1, 101):
        ones = np.arange(t + 1)
        surprise_1, surprise_0 = -np.log((ones + 1) / (t + 2)), -np.log((t - ones + 1) / (t + 2))
        to_1 = law[:, :, 0] * p[:, None] + law[:, :, 1] * (1 - q)[:, None]
        to_0 = law.sum(axis=2) - to_1
        losses.append(float(weight @ (to_1[:, : t + 1] @ surprise_1 + to_0[:, : t + 1] @ surprise_0)))
        law = np.stack([to_0, np.concatenate([np.zeros((len(p), 1)), to_1[:, :-1]], axis=1)], axis=2)
    return float(np.mean(losses))


def within(value: float, samples: np.ndarray, error: float = 0.0) -> bool:
    """The mean of samples lies at `value`, itself known to `error`."""
    return bool(abs(samples.mean() - value) < Z * math.hypot(samples.std(ddof=1) / math.sqrt(len(samples)), error))


def test_two_symbols_to_the_digit():
    """Unigram .577163 by quadrature, and .582170 for a uniform start; bigram .511236 and t = 200 .485682 by the source,
    .51054 and .48570 for the stationary start (quadrature over (p, q) times the number of strings of each transition
    count). So the published .5767, .5107 and .4852 are off by sampling: .4853 +- .0003 from 400,000 drawn chains, and
    .5777 +- .0012 by simulation from 20,000."""
    for start, golden in (("stationary", 0.577163), ("uniform", 0.582170)):
        assert unigram_by_quadrature(start, 40) == pytest.approx(golden, abs=6e-7)
        assert unigram_by_quadrature(start, 24) == pytest.approx(golden, abs=1e-6)
        assert within(golden, simulated(2, start, 20_000, 101)[0][:, 1:].mean(axis=1))
    assert unigram_by_quadrature("stationary", 24) == pytest.approx(0.5767, abs=5e-4)
    source = DirichletMarkovSource(vocab_size=2, order=1)
    losses = source.position_losses(201).lower
    assert losses[1:101].mean() == pytest.approx(0.511236, abs=1e-6)
    assert losses[200] == pytest.approx(0.485682, abs=1e-6)
    assert source.entropy_rate().value == pytest.approx(0.4809, abs=5e-5)
    assert losses[1:101].mean() - 0.00070 == pytest.approx(0.5107, abs=2e-4)
    assert losses[200] == pytest.approx(0.4852, abs=6e-4)
    tokens = source.sample(20_000, 101, seed=1)
    unigram = -DirichletIIDSource(vocab_size=2).log_probs(tokens)[:, 1:].mean(axis=1)
    assert within(unigram_by_quadrature("uniform", 40), unigram)


@pytest.mark.parametrize(
    "size, unigram, gap", [(3, 1.0050, 0.0037), pytest.param(8, 2.0881, 0.0011, marks=pytest.mark.slow)]
)
def test_unigram_levels(size, unigram, gap):
    """Counting tokens: 1.0050, and for K = 8 2.0881, worse than the uniform 2.0794: published ones with a stationary
    start (1.0047 +- .0010 and 2.0880 +- .0003 here), the source's with a uniform one."""
    levels = {start: simulated(size, start, 20_000, 101)[0][:, 1:].mean(axis=1) for start in ("stationary", "uniform")}
    assert within(unigram, levels["stationary"], 5e-5)
    tokens = DirichletMarkovSource(vocab_size=size, order=1).sample(20_000, 101, seed=1)
    ours = -DirichletIIDSource(vocab_size=size).log_probs(tokens)[:, 1:].mean(axis=1)
    error = levels["uniform"].std() / math.sqrt(20_000)
    assert within(levels["uniform"].mean(), ours, error)
    assert within(unigram + gap, ours, 2e-4)
    assert (ours.mean() > math.log(size)) == (size == 8)


@pytest.mark.parametrize("size, published", [(3, 0.8187), pytest.param(8, 1.7165, marks=pytest.mark.slow)])
def test_rates(size, published, monkeypatch):
    """E[h] = .81889 +- .00011 and 1.71595 +- .00013: the published 1.7165 is wrong in its last digits, by 4 of these
    standard errors. The source's, by elimination, plain and with tilted rows, and power iteration here."""
    known, error = RATES[size]
    assert abs(published - known) < 6e-4
    found = [DirichletMarkovSource(vocab_size=size, order=1).entropy_rate()]
    monkeypatch.setattr("testbed.sources.in_context.drawn_chains.SPIKY", 1e9)
    found.append(mean_rate(size, size, 1.0))
    for one in found:
        assert one.kind == "sampled"
        assert abs(one.value - known) < Z * math.hypot(float(one.standard_error), error)
    assert within(known, simulated(size, "stationary", 20_000, 1)[2], error)


@pytest.mark.parametrize(
    "size, bigram, at_200, ours_200",
    [(3, 0.8859, 0.8323, 0.8330), pytest.param(8, 1.9438, 1.8119, 1.8137, marks=pytest.mark.slow)],
)
def test_bigram_levels(size, bigram, at_200, ours_200):
    """By the source (mean entropy of its exact laws) and by simulation; the mean over positions as E[h] plus the excess
    over the chain's own rate, which varies less. .8866 and 1.9441 for uniform starts.

    The published 1.8119 is too low: 1.81348 +- .00028 from 200,000 sequences of the source, 1.81423 +- .00037 from as
    many simulated ones, 1.81426 +- .00037 with the stationary start."""
    source = DirichletMarkovSource(vocab_size=size, order=1)
    losses = sampled_position_losses(source, 201, n_sequences=3000)
    # position errors go together: that of the mean over positions is at most the mean of theirs
    assert abs(losses.lower[1:101].mean() - bigram) < Z * losses.standard_error[1:101].mean() + 5e-4
    assert abs(losses.lower[200] - at_200) < Z * losses.standard_error[200] + 25e-4
    ours = law_entropies(source.predict(source.sample(20_000, 201, seed=2), positions=[200])[:, 0])
    assert within(ours_200, ours, 3e-4)
    rate, error = RATES[size]
    for start, higher in (("stationary", 0.0), ("uniform", 6e-4 if size == 3 else 3e-4)):
        _, pairs, h = simulated(size, start, 8000, 201)
        assert within(ours_200, pairs[:, 200], 3e-4)
        assert within(bigram + higher, rate + (pairs[:, 1:101] - h[:, None]).mean(axis=1), math.hypot(error, 2e-4))
