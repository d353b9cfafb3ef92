"""Clouds of features whose state is known, and every estimator on each of them.

A condition changes one thing and leaves the state as it is: S = l ln 2 throughout.

    baseline    bits +-1 through a random isometry into d dimensions, noise of standard deviation sigma
    rescaled    x -> a x
    affine      x -> M x, singular values of M spread evenly in logarithm over a factor
    samples     a part of the rows
    dial        the estimator's own setting changed: bandwidth, threshold, number of terms or of neighbours, penalty
    encoding    the same state as one of 2^l corners of a simplex
    noise       twice the noise
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.measures import features as measures
from testbed.studies.feature_estimators.config import Clouds, Sweep

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CONDITIONS = ("baseline", "rescaled", "affine", "samples", "dial", "encoding", "noise")


@dataclass(frozen=True)
class Estimator:
    """A number read off a cloud: (features (n, d), states (n,), S, dial turned) -> value.

    paper       one of those that Shi et al. use
    """

    name: str
    value: Callable[[Floats, Integers, float, bool], float]
    paper: bool = False


def _spectrum(cloud: Floats) -> Floats:
    return measures.covariance_eigenvalues(cloud)


def _kernel(cloud: Floats, states: Integers, entropy: float, dial: bool) -> float:
    scott = measures.scott_bandwidth(*cloud.shape)
    return measures.kernel_entropy(cloud, scott / 2 if dial else scott).entropy


def _diffusion(cloud: Floats, states: Integers, entropy: float, dial: bool) -> float:
    """At the cloud's own scale: half its root mean square distance, so that x -> a x moves nothing."""
    scale = float(np.sqrt(2.0 * cloud.var(axis=0).sum()))
    return measures.diffusion_spectral_entropy(cloud, scale * (0.125 if dial else 0.25), steps=4.0)


ESTIMATORS = (
    Estimator("kernel", _kernel, paper=True),
    Estimator(
        "log_det",
        lambda x, z, s, dial: measures.half_log_determinant(_spectrum(x), x.shape[1] // 2 if dial else None),
    ),
    Estimator("s_n", lambda x, z, s, dial: measures.log_spectrum_sum(_spectrum(x), 8 if dial else 16), paper=True),
    Estimator(
        "dimension",
        lambda x, z, s, dial: float(measures.intrinsic_dimension(_spectrum(x), 0.005 if dial else 0.05)),
        paper=True,
    ),
    Estimator("participation", lambda x, z, s, dial: measures.participation_ratio(_spectrum(x))),
    Estimator("rank_me", lambda x, z, s, dial: measures.rank_me(x)),
    Estimator("two_nn", lambda x, z, s, dial: measures.two_nn_dimension(x, 0.3 if dial else 0.1)),
    Estimator("knn_dimension", lambda x, z, s, dial: measures.knn_dimension(x, 20 if dial else 10).value),
    Estimator("knn_entropy", lambda x, z, s, dial: measures.knn_entropy(x, 20 if dial else 5)),
    Estimator("matrix", lambda x, z, s, dial: measures.matrix_entropy(x)),
    Estimator("diffusion", _diffusion),
    Estimator(
        "probe",
        lambda x, z, s, dial: measures.state_information(x, z, s, n_folds=3, penalty=0.1 if dial else 1.0).information,
    ),
)
NAMES = tuple(one.name for one in ESTIMATORS)


def isometry(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """(rows, columns) with orthonormal rows, uniform among them."""
    return np.asarray(np.linalg.qr(rng.standard_normal((columns, rows)))[0].T)


def cloud(settings: Clouds, n_bits: int, condition: str, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Features (n, d) and the number of each row's state (n,)."""
    d = settings.dimension
    n = settings.n_samples // (settings.fewer if condition == "samples" else 1)
    bits = rng.integers(2, size=(n, n_bits))
    states = bits @ (1 << np.arange(n_bits))
    signal: Floats
    if condition == "encoding":
        corners = np.eye(2**n_bits)[states] - 2.0**-n_bits
        signal = corners * np.sqrt(n_bits / (1.0 - 2.0**-n_bits))  # as much variance in all as bits have
    else:
        signal = np.asarray(2.0 * bits - 1.0, dtype=np.float64)
    found = embedded(signal, d, settings.noise * (2.0 if condition == "noise" else 1.0), rng)
    if condition == "rescaled":
        found = settings.scale * found
    if condition == "affine":
        factors = settings.condition ** np.linspace(0.0, 1.0, d)
        found = found @ (isometry(rng, d, d) * factors) @ isometry(rng, d, d) + rng.standard_normal(d)
    return found, states


def embedded(signal: Floats, dimension: int, sigma: float, rng: np.random.Generator) -> Floats:
    """(n, d) a signal (n, k) through a random isometry, with isotropic noise."""
    turned = signal @ isometry(rng, signal.shape[1], dimension)
    return np.asarray(turned + sigma * rng.standard_normal((len(signal), dimension)))


def sweep_values(settings: Sweep, rng: np.random.Generator) -> Floats:
    """(n_estimators, n_points, n_l) of bits +-1 at each of `settings.points`."""
    found = np.empty((len(ESTIMATORS), len(settings.points), len(settings.n_bits)))
    for k, n_bits in enumerate(settings.n_bits):
        for j, (_, n, d, scale) in enumerate(settings.points):
            bits = rng.integers(2, size=(n, n_bits))
            rows = scale * embedded(np.asarray(2.0 * bits - 1.0, dtype=np.float64), d, settings.noise, rng)
            states = bits @ (1 << np.arange(n_bits))
            for i, one in enumerate(ESTIMATORS):
                found[i, j, k] = one.value(rows, states, n_bits * float(np.log(2.0)), False)
    return found


def cloud_values(settings: Clouds, rng: np.random.Generator) -> Floats:
    """(n_estimators, n_conditions, n_l)."""
    found = np.empty((len(ESTIMATORS), len(CONDITIONS), len(settings.n_bits)))
    for k, n_bits in enumerate(settings.n_bits):
        entropy = n_bits * float(np.log(2.0))
        for j, condition in enumerate(CONDITIONS):
            rows, states = cloud(settings, n_bits, condition, rng)
            for i, one in enumerate(ESTIMATORS):
                found[i, j, k] = one.value(rows, states, entropy, condition == "dial")
    return found
