"""What is measured: exact S(l) and S_ntp(l); estimates, spectra and probes on a member's features."""

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.features import (
    belief_probe,
    covariance_eigenvalues,
    final_features,
    half_log_determinant,
    intrinsic_dimension,
    kernel_entropy,
    log_spectrum_sum,
    state_information,
)
from testbed.models.transformer import Transformer
from testbed.sources import Source
from testbed.sources.hidden import Mess3
from testbed.sources.in_context import BiasedCoinSource
from testbed.studies.linear_entropy.config import Arm, Estimators, Exact
from testbed.training import first_sequence
from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]

MOST_ROWS = 1000  # of the probe that bounds the information: it is fitted by Newton's method
SHOWN = 300


def exact_arrays(settings: Exact) -> dict[str, Floats]:
    """entropy S(l) and shown S_ntp(l) = h_0 - h_l at the lengths, nats; spread of h_l's bracket."""
    lengths = np.array(settings.lengths)
    h = settings.source.conditional_entropies(int(lengths[-1]))
    states = settings.source.state_entropies(int(lengths[-1]))  # type: ignore[attr-defined]
    width = np.max(np.asarray(h.upper) - np.asarray(h.lower))
    return {
        "entropy": np.asarray(states.value)[lengths],
        "shown": np.asarray(h.value)[0] - np.asarray(h.value)[lengths],
        "bracket": np.array([float(width)]),
    }


def member_arrays(arm: Arm, settings: Estimators, member: TrainedMember, seed: int, device: str) -> dict[str, Floats]:
    """Everything of one member, and the same of its untrained self (names that end in _untrained).

    risk (n_l,) exact h_l; excess (n_l,) mean KL at each l; kde, half_log_determinant, own_share (n_l,); s_n (n_N, n_l);
    dimension (n_theta, n_l); spectrum (n_l, D) relative eigenvalues; probe (3,): R^2, mean and largest of the null;
    information (1,) of a discrete state, over its exact entropy, nan where there is none; beliefs and predicted of some
    rows, for figures
    """
    spec = member.spec
    model = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1)
    longest = max(*arm.lengths, arm.probed)
    tokens = arm.source.sample(settings.n_sequences, longest + 1, seed, first_sequence("probe"))
    laws = arm.source.predict(tokens)
    found: dict[str, Floats] = {}
    rows = {
        "": torch.from_numpy(np.array(member.weights))[None],
        "_untrained": model.layout.initial_row(spec.initial_seed)[None],
    }
    for suffix, row in rows.items():
        weights = model.layout.views(row.to(device))
        features = final_features(model, weights, tokens[:, :-1]).astype(np.float64)
        arrays = _estimates(arm, settings, features) | _probes(arm, settings, features, tokens, laws, seed)
        found |= {name + suffix: values for name, values in arrays.items()}
        if not suffix:
            head = weights["head"][0].double().cpu().numpy()
            found["risk"] = np.asarray(arm.source.conditional_entropies(longest).value)[list(arm.lengths)]
            found["excess"] = _excess(features[:, arm.lengths], head, laws[:, arm.lengths])
    return found


def _excess(features: Floats, head: Floats, laws: Floats) -> Floats:
    """(n_l,) mean KL(p || q) with q the softmax of features times head."""
    logits = features @ head
    log_q = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    log_p = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return np.asarray((laws * (log_p - log_q)).sum(axis=2).mean(axis=0))


def _estimates(arm: Arm, settings: Estimators, features: Floats) -> dict[str, Floats]:
    """The paper's estimators at each l; nan where the cloud is flat, and an estimator of densities has no value."""
    names = ("kde", "own_share", "half_log_determinant")
    found: dict[str, list[float]] = {name: [] for name in names}
    spectra, sums, dimensions = [], [], []
    for l in arm.lengths:
        cloud = features[:, l]
        values = covariance_eigenvalues(cloud)
        spectra.append(values / values[0])
        dimensions.append([float(intrinsic_dimension(values, theta)) for theta in settings.thresholds])
        sums.append([_or_nan(log_spectrum_sum, values, n) for n in settings.n_terms])
        found["half_log_determinant"].append(_or_nan(half_log_determinant, values, cloud.shape[1]))
        try:
            kernel = kernel_entropy(cloud)
            found["kde"].append(kernel.entropy)
            found["own_share"].append(kernel.own_share)
        except ConfigError:  # a flat cloud has no density
            found["kde"].append(np.nan)
            found["own_share"].append(np.nan)
    arrays = {name: np.array(values) for name, values in found.items()}
    return arrays | {"spectrum": np.array(spectra), "s_n": np.array(sums).T, "dimension": np.array(dimensions).T}


def _or_nan(function, values: Floats, n: int) -> float:  # type: ignore[no-untyped-def]
    """A sum over eigenvalues, nan beyond the rank."""
    try:
        return float(function(values, n))
    except ConfigError:
        return np.nan


def _probes(
    arm: Arm, settings: Estimators, features: Floats, tokens: NDArray[np.integer], laws: Floats, seed: int
) -> dict[str, Floats]:
    """R^2 of an affine map from features to the Bayes state, its null, and what a probe finds of a discrete state."""
    cloud = features[:, arm.probed]
    truth = beliefs(arm.source, laws[:, arm.probed])
    probe = belief_probe(cloud, truth, n_shuffles=settings.n_shuffles, seed=seed)
    share = np.nan
    if isinstance(arm.source, BiasedCoinSource):
        counts = tokens[:MOST_ROWS, : arm.probed].astype(np.int64).sum(axis=1)
        entropy = float(np.asarray(arm.source.state_entropies(arm.probed).value)[-1])
        bound = state_information(cloud[:MOST_ROWS], counts, entropy, n_folds=3, penalty=settings.penalty, seed=seed)
        share = bound.information / entropy
    return {
        "probe": np.array([probe.r_squared, probe.null.mean(), probe.null.max()]),
        "information": np.array([share]),
        "beliefs": truth[:SHOWN],
        "predicted": probe.predicted[:SHOWN],
    }


def beliefs(source: Source, laws: Floats) -> Floats:
    """(N, k) Bayes states from the exact laws (N, V) of the next token, of which they are linear images here.

    Of Mess3 the belief b over its states has p = b P C, P the moves and C the channel, both invertible. Elsewhere the
    law itself: of a coin it is the posterior mean, which the count of ones gives and which gives the count.
    """
    if not isinstance(source, Mess3):
        return laws
    move, channel = (np.full((3, 3), one) for one in (source.x, (1 - source.a) / 2))
    np.fill_diagonal(move, 1 - 2 * source.x)
    np.fill_diagonal(channel, source.a)
    return np.asarray(laws @ np.linalg.inv(move @ channel))
