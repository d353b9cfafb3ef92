"""What is measured: the size of the last stream and exact divergences along a run, and streams of deeper networks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.residual_streams import residual_streams
from testbed.measures.features.spectrum import alpha_req, covariance_eigenvalues, entropy_of, rank_me
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.studies.belief_geometry.config import Reading as HistoryReading
from testbed.studies.belief_geometry.fits import Moments
from testbed.studies.belief_geometry.measure import Rows, position_losses
from testbed.studies.representation_phases.config import Layers, Probe
from testbed.training import first_sequence

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
Arrays = dict[str, Floats]

SMALLEST = 1e-10
"""Eigenvalues under this share of the largest are noise of float32, and are left out of alpha-ReQ."""


def records_of(
    cells: Sequence[Cell], members: "Mapping[str, TrainedMember]", context: MeasureContext
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        assert isinstance(probe, Probe)
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        scores: dict[str, Metric] = {**member.scores} if done else {}
        arrays: Arrays = {}
        if done and probe.kind in ("early", "late"):
            arrays = path_arrays(member, probe, context.device)
        elif done and probe.layers is not None:
            arrays = layer_arrays(member, probe.layers, probe.seed, context.device)
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)


# ------------------------------------------------------------------------------------------------ along a run
def path_arrays(member: "TrainedMember", probe: Probe, device: str) -> Arrays:
    """Of the stream that the last block leaves at the last place of n fresh windows, the same ones all along:

    step (P,)             finished steps; the early part begins before the first one
    rank (P,)             RankMe, of features as they are;  halves (2, P) of either half of the windows
    covariance (P,)       exp of the entropy of the covariance's eigenvalues, of centred features
    alpha (P,)            alpha-ReQ, over all eigenvalues above noise
    divergence (4, P)     KL(p || q), nats, p the exact law of unigrams, bigrams, trigrams, and of all tokens seen
    level (3,)            KL of the last of these from the first three: what these lack
    """
    import torch

    from testbed.training.ensemble import log_laws

    source, length = member.spec.source, member.spec.context_length
    tokens = source.sample(probe.n_inputs, length, member.spec.data.seed, first_sequence("probe"))
    padded = np.concatenate([tokens, np.zeros((len(tokens), 1), dtype=tokens.dtype)], axis=1)
    laws = [source.predict(padded, context=l, positions=[length])[:, 0] for l in (0, 1, 2, length)]
    model, weights = member.opened(device)
    points: list[Any] = list(range(len(member.path["step"])))
    steps = member.path["step"]
    if probe.kind == "early":
        points, steps = [None, *points], np.concatenate([[0.0], steps])
    found: dict[str, list[Any]] = {name: [] for name in ("rank", "halves", "covariance", "alpha", "divergence")}
    for point in points:
        if point is None:
            weights = model.layout.views(model.layout.initial_row(member.spec.initial_seed)[None].to(device))
        else:
            weights = member.opened(device, point)[1]
        features = residual_streams(model, weights, tokens)[-1][:, -1].astype(np.float64)
        with torch.no_grad():
            log_q = log_laws(model, weights, tokens, torch.device(device), chunk=65_536)
        half = len(features) // 2
        values = covariance_eigenvalues(features)
        found["rank"].append(rank_me(features))
        found["halves"].append([rank_me(features[:half]), rank_me(features[half:])])
        found["covariance"].append(np.exp(entropy_of(values)))
        found["alpha"].append(alpha_req(values, last=max(2, int((values > SMALLEST * values[0]).sum()))))
        found["divergence"].append([divergence(p, log_q) for p in laws])
    arrays = {name: np.array(values) for name, values in found.items()}
    arrays["halves"], arrays["divergence"] = arrays["halves"].T, arrays["divergence"].T
    level = np.array([divergence(laws[-1], np.log(np.maximum(one, 1e-300))) for one in laws[:3]])
    return {"step": np.asarray(steps), **arrays, "level": level}


def divergence(p: Floats, log_q: Floats) -> float:
    """Mean of KL(p || q) over rows, nats."""
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    return float(np.sum(np.where(p > 0, p * (log_p - log_q), 0.0), axis=1).mean())


# ------------------------------------------------------------------------------------------------ by layer
def layer_arrays(member: "TrainedMember", layers: Layers, seed: int, device: str) -> Arrays:
    """Of a deeper network; names that end in _untrained are of its weights before training.

    entropy (depth + 1,)    S(Z) of the embedding and of the stream after each block, nats
    belief (depth + 1,)     R^2 of the exact belief, held out by history
    null (depth + 1,)       the largest R^2 of beliefs dealt out at random over histories
    excess, risk (T + 1,)   mean KL to the Bayes law by position, and the exact Bayes loss there
    """
    spec, source = member.spec, member.spec.source
    length = spec.context_length
    tokens = source.sample(layers.n_sequences, length + 1, seed, first_sequence("probe"))
    found = position_losses(source, tokens, member.sequence_log_laws(tokens, device))
    reading = HistoryReading(
        n_sequences=layers.n_sequences,
        first_position=layers.first_position,
        n_folds=layers.n_folds,
        ridges=layers.ridges,
        n_shuffles=layers.n_shuffles,
    )
    rows = Rows(source, tokens[:, :length], reading, seed)
    model, weights = member.opened(device)
    first = model.layout.views(model.layout.initial_row(spec.initial_seed)[None].to(device))
    rng = np.random.Generator(np.random.Philox(key=seed))
    for suffix, one in (("", weights), ("_untrained", first)):
        streams = residual_streams(model, one, tokens[:, :length])
        read = streams[:, :, layers.first_position :].astype(np.float64)
        found["entropy" + suffix] = np.array([matrix_entropy(x.reshape(-1, x.shape[-1])) for x in read])
        found["belief" + suffix] = belief_by_layer(rows, streams)
        if not suffix:
            shuffled = [belief_by_layer(rows, streams, rng) for _ in range(layers.n_shuffles)]
            found["null"] = np.max(shuffled, axis=0)
    return found


def matrix_entropy(features: Floats) -> float:
    """S(Z) = -sum l ln l, l the eigenvalues of Z Z^T / tr Z Z^T, nats: from the dual Z^T Z, whose spectrum is the same.

    >>> round(float(np.exp(matrix_entropy(np.eye(5)))), 6)
    5.0
    """
    values = np.linalg.eigvalsh(features.T @ features)
    return entropy_of(np.maximum(values, 0.0))


def belief_by_layer(rows: Rows, streams: NDArray[np.floating], rng: np.random.Generator | None = None) -> Floats:
    """(depth + 1,) R^2 of the belief from each stream; of beliefs dealt out over histories where rng is given."""
    features, blocks = rows.together(streams)
    targets = rows.beliefs if rng is None else rows.beliefs[rng.permutation(len(rows.beliefs))]
    moments = Moments.of(features, targets, rows.weights, rows.folds, rows.reading.n_folds)
    every = np.arange(targets.shape[1])
    return np.array([moments.best(block, every, rows.reading.ridges)[0] for block in blocks[:-1]])
