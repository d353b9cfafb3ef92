"""InfoM, InfoC, InfoE: does each latent tell of one factor, is each factor in one latent, can a linear probe read it?

Hsu et al. 2023 (2305.18378), formulas as in the authors' code. With NMI_ij the information that latent j has of factor
i over the factor's entropy, over the live latents,

    InfoM = (mean_j max_i NMI_ij / sum_i NMI_ij  -  1 / n_factors) / (1 - 1 / n_factors)      modular
    InfoC = (mean_i max_j NMI_ij / sum_j NMI_ij  -  1 / n_latents) / (1 - 1 / n_latents)      compact
    InfoE = mean_i (H(s_i) - CE_i) / H(s_i)                                                   explicit

Of three choices this project's reading departs from that code. NMI: equal-frequency bins, less the mean of what
shuffled factors give, and 0 unless it is above the largest of the shuffles and above their mean by five of their
standard deviations: of a null less its mean half is positive, and its ratios are as large as a modular code's (theirs:
nearest neighbours, which are biased as well). CE: of a softmax of an affine map that is held out (theirs: fitted and
scored on the same rows, each class weighted alike). A latent of which nothing is known beyond the shuffles does not
count: its ratio would be 0 / 0, or noise over noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.spectrum import checked_features
from testbed.measures.features.state_information import state_information

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LIVE = 1 / 20
"""Share of the largest range from which a latent counts; the authors'."""
SPREADS = 5.0
"""Standard deviations above the mean of the shuffles from which information counts: a chi-square of a few degrees of
freedom, the null is above in about one case of a thousand."""


@dataclass(frozen=True, eq=False)
class InfoMEC:
    """The three numbers, 1 at best; `information` (factors, latents), the NMI; `live` (latents,), which count; `told`
    (factors,), of which InfoE is the mean."""

    modularity: float
    compactness: float
    explicitness: float
    information: Floats
    live: NDArray[np.bool_]
    told: Floats


def info_mec(
    factors: ArrayLike,
    latents: ArrayLike,
    groups: ArrayLike | None = None,
    n_bins: int = 16,
    n_shuffles: int = 20,
    seed: int = 0,
) -> InfoMEC:
    """InfoM, InfoC, InfoE of latents (n, d) about discrete factors (n, k), k >= 2.

    groups      (n,) rows that belong together in what is held out, as equal histories
    n_bins      of equal frequency, for each latent
    n_shuffles  of the factors, whose information is the null

    Modularity and compactness are nan where no latent tells of a factor.
    Raises ConfigError for shapes that do not fit, fewer than two factors, or a factor that never varies.
    """
    labels, rows = _checked(factors, latents)
    information = normalised_information(labels, rows, n_bins, n_shuffles, seed)
    live = live_latents(rows) & (information.sum(axis=0) > 0)
    kept = information[:, live]
    told = [
        state_information(rows, of_factor, entropy(of_factor), groups, seed=seed).information / entropy(of_factor)
        for of_factor in labels.T
    ]
    return InfoMEC(modularity(kept), compactness(kept), float(np.mean(told)), information, live, np.array(told))


def modularity(information: Floats) -> float:
    """InfoM of NMI (factors, latents): 1 where each latent tells of one factor, 0 where of all alike; nan for none.

    >>> modularity(np.array([[0.5, 0.0], [0.0, 0.2]])), modularity(np.full((2, 3), 0.1))
    (1.0, 0.0)
    """
    n = len(information)
    total = information.sum(axis=0)
    if n < 2 or not np.any(total > 0):
        return float("nan")
    ratio = information[:, total > 0].max(axis=0) / total[total > 0]
    return float((ratio.mean() - 1 / n) / (1 - 1 / n))


def compactness(information: Floats) -> float:
    """InfoC of NMI (factors, latents): InfoM with the two exchanged; 1 for a single latent that tells of all.

    >>> compactness(np.array([[0.5, 0.0], [0.0, 0.2]]))
    1.0
    """
    if information.shape[1] == 1:
        return 1.0 if np.all(information > 0) else float("nan")
    return modularity(information.T)


def live_latents(latents: ArrayLike) -> NDArray[np.bool_]:
    """(d,) latents whose range is above a twentieth of the largest."""
    ranges = np.ptp(checked_features(latents), axis=0)
    return np.asarray((ranges > LIVE * ranges.max()) & (ranges > 0))


def normalised_information(
    factors: ArrayLike, latents: ArrayLike, n_bins: int = 16, n_shuffles: int = 20, seed: int = 0
) -> Floats:
    """(k, d) I(s_i; bin of z_j) / H(s_i), less its mean over shuffles of the factor's rows; 0 where it is none.

    None: not above the largest of the shuffles, or not by SPREADS of their standard deviations above their mean. With
    no shuffles nothing is taken off.

    Bins hold equally many rows but for ties, which are never parted.
    """
    labels, rows = _checked(factors, latents)
    if not 2 <= n_bins <= len(rows) or n_shuffles < 0:
        raise ConfigError(f"n_bins, n_shuffles: given {n_bins}, {n_shuffles}; need 2 .. {len(rows)}, and at least 0")
    rng = np.random.Generator(np.random.Philox(key=seed))
    binned = np.stack([equal_frequency_bins(column, n_bins) for column in rows.T], axis=1)
    found = np.empty((labels.shape[1], rows.shape[1]))
    for i, of_factor in enumerate(labels.T):
        deals = [of_factor] + [rng.permutation(of_factor) for _ in range(n_shuffles)]
        for j, bins in enumerate(binned.T):
            true, *null = (mutual_information(one, bins) for one in deals)
            mean, spread = (float(np.mean(null)), float(np.std(null))) if null else (0.0, 0.0)
            told = true > max([mean + SPREADS * spread, *null])
            found[i, j] = (true - mean) / entropy(of_factor) if told else 0.0
    return found


def equal_frequency_bins(values: Floats, n_bins: int) -> Integers:
    """(n,) number of each value's bin, by its rank; equal values, up to rounding, share the bin of the first of them.

    >>> equal_frequency_bins(np.array([3.0, 1.0, 1.0, 2.0]), 2).tolist()
    [1, 0, 0, 1]
    """
    spread = float(np.ptp(values))
    steps = np.round((values - values.min()) / spread * 1e6) if spread > 0 else np.zeros(len(values))
    first = np.searchsorted(np.sort(steps), steps)
    return np.asarray(first * n_bins // len(values), dtype=np.int64)


def mutual_information(first: Integers, second: Integers) -> float:
    """I of two (n,) arrays of whole numbers from 0 on, plug-in, nats.

    >>> round(mutual_information(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])), 6)
    0.693147
    """
    width = int(second.max()) + 1
    joint = np.bincount(first * width + second, minlength=(int(first.max()) + 1) * width).reshape(-1, width)
    p = joint / len(first)
    outer = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / outer[seen])))


def entropy(labels: Integers) -> float:
    """Plug-in, nats."""
    p = np.bincount(labels) / len(labels)
    return float(-np.sum(p[p > 0] * np.log(p[p > 0])))


def _checked(factors: ArrayLike, latents: ArrayLike) -> tuple[Integers, Floats]:
    rows, given = checked_features(latents), np.asarray(factors)
    if given.ndim != 2 or len(given) != len(rows) or given.shape[1] < 2 or given.dtype.kind not in "ui":
        raise ConfigError(
            f"factors: need whole numbers (n, k), k >= 2, for {len(rows)} rows, given {given.shape} {given.dtype}"
        )
    if given.min() < 0:
        raise ConfigError(f"factors: given {given.min()}, labels are numbers from 0 on")
    if still := [i for i, column in enumerate(given.T) if np.ptp(column) == 0]:
        raise ConfigError(f"factors: number {still[0]} never varies; there is nothing to tell")
    return given.astype(np.int64), rows
