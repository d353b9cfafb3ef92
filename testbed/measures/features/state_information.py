"""How much the features say of the Bayes state, in nats: a lower bound by a probe's held-out cross-entropy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.belief_probe import fold_of_groups, grouped_rows
from testbed.measures.features.spectrum import checked_features
from testbed.predictors.softmax_regression import fit_softmax

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class InformationBound:
    """I(features; state) >= H(state) - CE for every probe, so this is a lower bound up to `standard_error`.

    information     H(state) - CE, nats; may be negative for a poor probe: then it says nothing
    cross_entropy   held-out mean of -sum_z p(z) ln q(z | features), nats
    standard_error  of the cross-entropy, by groups
    """

    information: float
    cross_entropy: float
    standard_error: float


def state_information(
    features: ArrayLike,
    states: ArrayLike,
    entropy: float,
    groups: ArrayLike | None = None,
    n_folds: int = 5,
    penalty: float = 1.0,
    seed: int = 0,
) -> InformationBound:
    """A softmax of an affine map of standardised features, held-out, against the exact entropy of what it predicts.

    features    (n, d)
    states      (n,) numbers of the discrete Bayes states, or (n, S) beliefs over hidden states: then the bound is on
                I(features; hidden state), itself at most H(state) - E H(belief)
    entropy     exact H(state) in nats, from the source: an entropy estimated from the sample would bias the bound
    groups      (n,) rows that belong together, as the positions of one sequence
    penalty     Gaussian prior precision of the probe's weights

    Raises ConfigError for shapes that do not fit, rows of beliefs that are no laws, or fewer groups than folds.
    """
    rows = checked_features(features)
    laws = _laws(states, len(rows))
    if not entropy >= 0:
        raise ConfigError(f"entropy: given {entropy}, must be at least 0")
    of_row, members = grouped_rows(groups, len(rows))
    rng = np.random.Generator(np.random.Philox(key=seed))
    folds = fold_of_groups(len(members), n_folds, rng)[of_row]
    losses = np.empty(len(rows))
    for fold in range(n_folds):
        held = folds == fold
        centre, spread = rows[~held].mean(axis=0), rows[~held].std(axis=0)
        scaled = (rows - centre) / np.where(spread > 0, spread, 1.0)
        probe = fit_softmax(scaled[~held], laws[~held], penalty, tolerance=1e-6)
        losses[held] = -np.sum(laws[held] * probe.log_laws(scaled[held]), axis=1)
    deviations = np.bincount(of_row, losses - losses.mean())
    n_groups = len(members)
    error = float(np.sqrt(n_groups / (n_groups - 1) * np.sum(deviations**2)) / len(rows))
    return InformationBound(entropy - float(losses.mean()), float(losses.mean()), error)


def _laws(states: ArrayLike, n: int) -> Floats:
    given = np.asarray(states)
    if given.shape == (n,) and given.dtype.kind in "ui" and given.min() >= 0:
        return np.asarray(given[:, None] == np.arange(given.max() + 1), dtype=np.float64)
    laws = np.asarray(given, dtype=np.float64)
    if laws.ndim != 2 or len(laws) != n or np.any(laws < 0) or not np.allclose(laws.sum(axis=1), 1.0, atol=1e-9):
        raise ConfigError(f"states: need whole numbers (n,) or laws (n, S) for {n} rows, given {given.shape}")
    return laws
