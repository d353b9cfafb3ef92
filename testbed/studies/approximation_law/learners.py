"""Fit a learner to samples of a manifold or a lag source; its excess is the exact mean KL."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from testbed.predictors import fit_softmax
from testbed.sources.lags import SelectorLagSource
from testbed.sources.manifold import Manifold
from testbed.studies.approximation_law import neighbours
from testbed.studies.approximation_law.config import NETWORKS, NOISY, Irrelevant, Learner, Manifolds, NetworkConfig

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Samples = tuple[Floats, Integers, Floats, Floats]
"""What `lag_samples` gives."""

TEST_FIRST = 2**40
"""Number of the first test sequence: training ones start at 0."""


def manifold(settings: Manifolds, dimension: int, replicate: int) -> Manifold:
    """The source of a replicate."""
    return Manifold(
        n_relevant=dimension, inverse_noise=settings.inverse_noise, retention=settings.retention, seed=replicate
    )


def drawn(
    source: Manifold, n: int, n_coordinates: int, replicate: int, first: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Coordinates (n, l), nearest first, exact laws (n, C), and labels as one-hot laws (n, C)."""
    batch = source.batch(n, n_coordinates + 1, seed=replicate, first_sequence=first)
    assert batch.inputs is not None
    coordinates = np.asarray(batch.inputs[:, :-1, 0][:, ::-1])
    labels = np.eye(source.n_labels)[batch.tokens[:, -1].astype(np.int64) - 1]
    return coordinates, source.label_laws(coordinates), labels


def excess(laws: Floats, found: Floats) -> float:
    """Mean KL(p || q); where q is next to p as p (x - ln(1 + x)), x = q / p - 1, which does not cancel."""
    x = (found - laws) / laws
    near = np.abs(x) < 0.5
    terms = np.where(near, x - np.log1p(np.where(near, x, 0.0)), x - np.log(found / laws))
    return float((laws * terms).sum(axis=-1).mean())


def averaging_excess(seen: Floats, labels: Floats, asked: Floats, laws: Floats) -> float:
    """Of the k with least excess: the exponent is the learner's at its best, and no choice of k blurs it."""
    return min(excess(laws, one) for one in neighbours.averaged(seen, labels, asked))


def manifold_excess(
    settings: Manifolds, learner: Learner, dimension: int, replicate: int, network: NetworkConfig, rate: float | None
) -> tuple[Floats, float]:
    """(n_sizes,) excess of all learners but `informed`, and a network's floor, 0 for the others: its excess on as many
    samples as it can use.
    """
    source = manifold(settings, dimension, replicate)
    sizes = settings.sizes[learner]
    most = max(*sizes, settings.endless) if learner in NETWORKS else sizes[-1]
    seen, laws, labels = drawn(source, most, dimension, replicate)
    asked, truth, _ = drawn(source, settings.n_test, dimension, replicate, TEST_FIRST)
    shown = labels if learner in NOISY else laws
    if learner in NETWORKS:
        from testbed.studies.approximation_law.networks import Task, circle_inputs, network_excess

        assert rate is not None
        inputs, tested = circle_inputs(seen), circle_inputs(asked)
        tasks = [Task(inputs[:n], shown[:n], tested, truth, replicate) for n in (*sizes, settings.endless)]
        found = network_excess(tasks, network, rate)
        return found[:-1], float(found[-1])
    if learner == "averaging":
        return np.array([averaging_excess(seen[:n], shown[:n], asked, truth) for n in sizes]), 0.0
    fit = neighbours.nearest if learner == "nearest" else neighbours.local_plane
    return np.array([excess(truth, fit(seen[:n], shown[:n], asked)) for n in sizes]), 0.0


def informed_excess(settings: Manifolds, dimension: int, replicate: int, draws: int) -> Floats:
    """(n_sizes,) mean excess over samples 1 .. draws: of one it has a chi-square's spread, of 2 d + 1 degrees."""
    source, sizes = manifold(settings, dimension, replicate), settings.sizes["informed"]
    asked, truth, _ = drawn(source, settings.n_test, dimension, replicate, TEST_FIRST)
    found = np.empty((draws, len(sizes)))
    for draw in range(draws):
        seen, _, labels = drawn(source, sizes[-1], dimension, replicate, (draw + 1) * sizes[-1])
        found[draw] = [excess(truth, informed(source, seen[:n], labels[:n], asked)) for n in sizes]
    return np.asarray(found.mean(axis=0))


def informed(source: Manifold, seen: Floats, labels: Floats, asked: Floats) -> Floats:
    """(N, C): most likely phases in the teacher's own family, 2 d + 1 numbers, from the true ones as a start.

    It stands for a learner that has found the form of the teacher: its excess is (2 d + 1) / 2D whatever d does.
    """
    from scipy.optimize import minimize

    a, b = source.parameters
    d = len(a)
    beta = source.inverse_noise
    assert beta is not None
    centres = 2.0 * np.pi * np.arange(source.n_labels) / source.n_labels

    def log_laws(numbers: Floats, coordinates: Floats) -> Floats:
        phases = numbers[:d] + 1j * numbers[d : 2 * d]
        z = np.exp(1j * np.pi * coordinates)
        turned = np.angle(np.prod((z + phases) / (1.0 + np.conj(phases) * z), axis=1)) + numbers[-1]
        logits = beta * np.cos(turned[:, None] - centres)
        return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))

    def loss(numbers: Floats) -> float:
        return -float((labels * log_laws(numbers, seen)).sum(axis=1).mean())

    start = np.concatenate([a.real, a.imag, [np.angle(b)]])
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-7}).x
    return np.exp(log_laws(np.asarray(found), asked))


def extra_excess(settings: Manifolds, irrelevant: Irrelevant, replicate: int) -> Floats:
    """(n_extra,): averages of neighbours, given d0 + e coordinates of which d0 matter."""
    source = manifold(settings, irrelevant.relevant, replicate)
    found = []
    for extra in irrelevant.extra:
        seen, _, labels = drawn(source, irrelevant.extra_size, irrelevant.relevant + extra, replicate)
        asked, laws, _ = drawn(source, settings.n_test, irrelevant.relevant + extra, replicate, TEST_FIRST)
        found.append(averaging_excess(seen, labels, asked, laws))
    return np.array(found)


# ------------------------------------------------------------------------------------------------ bits
def lag_source(settings: Irrelevant) -> SelectorLagSource:
    """Fair bits, tau uniform on 1 .. K, the bit tau places back with noise."""
    return SelectorLagSource(law="linear", max_lag=settings.max_lag, noise=settings.noise)


def lag_samples(settings: Irrelevant, length: int, n: int, replicate: int, first: int = 0) -> Samples:
    """Bits (n, l) as -1 and 1, nearest first; tau - 1 (n,); exact laws (n, 2) and labels as one-hot laws (n, 2)."""
    source = lag_source(settings)
    tokens = source.sample(n, length + 2, seed=replicate, first_sequence=first).astype(np.int64)
    bits = np.asarray(2.0 * tokens[:, :length][:, ::-1] - 1.0, dtype=np.float64)
    laws = np.asarray(source.predict(tokens.astype(np.uint8), positions=[length + 1])[:, 0, :2], dtype=np.float64)
    return bits, np.asarray(tokens[:, length] - 2), laws, np.eye(2)[tokens[:, -1]]


def lag_excess(
    settings: Irrelevant, learner: str, replicate: int, network: NetworkConfig, rate: float | None
) -> Floats:
    """(n_lengths,) excess of windows of l bits, of which K matter."""
    if learner != "network":
        fit = logistic if learner == "logistic" else selecting
        return np.array([_mean_excess(settings, fit, length, replicate) for length in settings.lengths])
    drawn_ones = [_seen_and_asked(settings, length, replicate) for length in settings.lengths]
    from testbed.studies.approximation_law.networks import Task, network_excess

    assert rate is not None
    tasks = [
        Task(_lag_inputs(settings, seen), seen[3], _lag_inputs(settings, test), test[2], replicate)
        for seen, test in drawn_ones
    ]
    return network_excess(tasks, network, rate)


def _seen_and_asked(settings: Irrelevant, length: int, replicate: int, draw: int = 0) -> tuple[Samples, Samples]:
    """Sample number `draw` of a replicate, and the contexts on which all of them are tested."""
    seen = lag_samples(settings, length, settings.size, replicate, draw * settings.size)
    return seen, lag_samples(settings, length, settings.n_test, replicate, TEST_FIRST)


def _mean_excess(
    settings: Irrelevant, fit: Callable[[int, Samples, Samples], Floats], length: int, replicate: int
) -> float:
    """Mean over the replicate's samples: of one the excess has a chi-square's spread, as large as what is claimed."""
    found = []
    for draw in range(settings.draws):
        seen, asked = _seen_and_asked(settings, length, replicate, draw)
        found.append(excess(asked[2], fit(settings.max_lag, seen, asked)))
    return float(np.mean(found))


def _lag_inputs(settings: Irrelevant, samples: Samples) -> Floats:
    """(N, longest l + K): bits, zeros for those out of sight, and which distance is asked for.

    As wide for every l, so that first weights, and with them what a step does, are alike.
    """
    hidden = np.zeros((len(samples[0]), settings.lengths[-1] - samples[0].shape[1]))
    return np.concatenate([samples[0], hidden, np.eye(settings.max_lag)[samples[1]]], axis=1)


def logistic(max_lag: int, seen: Samples, asked: Samples) -> Floats:
    """(N, 2): for each tau a logistic regression on all l bits: K (l + 1) numbers, K (l + 1) / 2D nats."""
    found = np.empty((len(asked[0]), 2))
    for tau in range(max_lag):
        mine, theirs = seen[1] == tau, asked[1] == tau
        fitted = fit_softmax(seen[0][mine], seen[3][mine], penalty=1e-2)
        found[theirs] = np.exp(fitted.log_laws(asked[0][theirs]))
    return found


def selecting(max_lag: int, seen: Samples, asked: Samples) -> Floats:
    """(N, 2): for each tau the one bit that agrees most with the answer, and a table of two by two with half counts.

    It pays for the choice alone, whose chance of error falls exponentially with D and rises with l only through it.
    """
    found = np.empty((len(asked[0]), 2))
    for tau in range(max_lag):
        mine, theirs = seen[1] == tau, asked[1] == tau
        bits, answers = seen[0][mine], 2.0 * seen[3][mine][:, 1] - 1.0
        at = int(np.argmax(np.abs(answers @ bits)))
        counts = np.full((2, 2), 0.5)
        np.add.at(counts, ((bits[:, at] > 0).astype(int), (answers > 0).astype(int)), 1.0)
        table = counts / counts.sum(axis=1, keepdims=True)
        found[theirs] = table[(asked[0][theirs][:, at] > 0).astype(int)]
    return found
