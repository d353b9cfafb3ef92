"""The kernel entropy against its identity, against bandwidth, and on two laws of one covariance."""

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features import kernel_entropy
from testbed.studies.feature_estimators.config import Kernel

Floats = NDArray[np.float64]
GRID = 20_001


def kernel_arrays(settings: Kernel, rng: np.random.Generator) -> dict[str, Floats]:
    """Of standard normal clouds, and of two-valued ones with the same covariance (see `two_valued_entropy`).

    normal, two_valued (n_d, 4): estimate, identity, share of the own kernel, true entropy; at Scott's bandwidth
    sweep (n_d, n_h): the normal cloud's estimate at each h
    """
    normal: list[list[float]] = []
    two_valued: list[list[float]] = []
    sweep: list[list[float]] = []
    for d in settings.dimensions:
        gauss = rng.standard_normal((settings.n_samples, d))
        signs = 2.0 * rng.integers(2, size=gauss.shape) - 1.0
        s = settings.spread
        other = np.sqrt(1.0 - s**2) * signs + s * rng.standard_normal(gauss.shape)
        for cloud, rows, truth in (
            (gauss, normal, 0.5 * d * (1.0 + np.log(2.0 * np.pi))),
            (other, two_valued, d * two_valued_entropy(s)),
        ):
            found = kernel_entropy(cloud)
            rows.append([found.entropy, found.identity, found.own_share, truth])
        sweep.append([kernel_entropy(gauss, h).entropy for h in settings.bandwidths])
    return {"normal": np.array(normal), "two_valued": np.array(two_valued), "sweep": np.array(sweep)}


def two_valued_entropy(spread: float) -> float:
    """Nats of x = m b + s g, b = +-1 fair, g standard normal, m^2 + s^2 = 1: one coordinate of variance one.

    >>> round(two_valued_entropy(0.1), 6)      # ln 2 + the noise's: the two values do not overlap
    -0.190499
    """
    m = np.sqrt(1.0 - spread**2)
    x = np.linspace(-m - 12 * spread, m + 12 * spread, GRID)
    logs = [-0.5 * ((x - one) / spread) ** 2 - np.log(2.0 * spread * np.sqrt(2.0 * np.pi)) for one in (-m, m)]
    log_p = np.logaddexp(*logs)
    return float(-np.sum(np.exp(log_p) * log_p) * (x[1] - x[0]))
