"""What is measured at each cell."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.attention import attention_entropies
from testbed.measures.attention_metrics import entropy, logit_std
from testbed.measures.attention_scores import attention_inputs, rows_of
from testbed.models.transformer import Transformer
from testbed.runs import Cell, Record
from testbed.sources import Source
from testbed.sources.sampled_truth import law_entropies
from testbed.studies.attention_sharpness.config import Probe
from testbed.studies.attention_sharpness.laws import information
from testbed.studies.attention_sharpness.readout import carried_excess
from testbed.theory import attention_entropy_floor
from testbed.training.batches import with_begin
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

Floats = NDArray[np.float64]
CARRIED = 40
"""Lengths to which a readout is carried."""


def record_of(cell: Cell, probe: Probe, member: TrainedMember, n_probes: int) -> Record:
    """The record of a member, by its kind."""
    metrics: dict[str, Any] = {"heldout": member.scores["heldout"], "excess": member.scores["excess"]}
    arrays: dict[str, NDArray[Any]] = {}
    if probe.kind in ("sweep", "ramp"):
        metrics["no_context"] = no_context(member.spec.source, member.spec.sequence_length, probe.seed)
        found, arrays = of_sweep(member, probe, n_probes)
        metrics |= found
    elif member.status == "done" and not probe.tuning:
        metrics |= of_copy(member, probe)
        if probe.kind == "readout":
            arrays = of_readout(member, probe)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def of_copy(member: TrainedMember, probe: Probe) -> dict[str, float]:
    """share of the information that is lost; mass on the target; gap reached, and how far the other logits scatter."""
    _, weights = member.opened()
    b = weights["method.distance_logits.b"][0, 0, 0].double().numpy()
    logits = probe.gap / (1.0 + np.exp(-b))
    target = probe.length - 1
    others = np.delete(logits, target)
    noise = member.spec.source.noise  # type: ignore[attr-defined]
    return {
        "lost": member.scores["excess"] / information(noise),
        "mass": float(np.exp(logits[target]) / np.exp(logits).sum()),
        "gap_reached": float(logits[target] - math.log(np.exp(others).mean())),
        "scatter": float(others.std()),
    }


def of_readout(member: TrainedMember, probe: Probe) -> dict[str, NDArray[Any]]:
    """lengths, lost (gaps, n): from the training length to e^(2g + 2), and the share of the information lost there."""
    noise = member.spec.source.noise  # type: ignore[attr-defined]
    lengths, lost = [], []
    for gap in probe.carried_gaps:
        at = np.geomspace(probe.length, math.exp(2.0 * gap + 2.0), CARRIED).round()
        lengths.append(at)
        lost.append(carried_excess(member, gap, [int(one) for one in at], noise) / information(noise))
    return {"lengths": np.array(lengths), "lost": np.array(lost)}


@lru_cache(maxsize=64)
def no_context(source: Source, length: int, seed: int) -> float:
    """KL of the best law without context from the exact laws of fresh sequences, nats."""
    laws = source.predict(draw_sequences(source, "probe", seed, 64, length).tokens)
    flat = laws.reshape(-1, source.vocab_size)
    return float(law_entropies(flat.mean(axis=0)) - law_entropies(flat).mean())


def of_sweep(member: TrainedMember, probe: Probe, n_probes: int) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
    """Arrays along training: step (n,), excess (n,), entropy (n, L, H) as a share of ln n, heads' means over the second
    half of the sequences. At the end of a sweep besides head_entropy and head_floor (L, H), nats, means over the same
    rows; least_slack, of all rows; and floor_of_weights, what the norms of weights and inputs still promise."""
    spec = member.spec
    model, _ = member.opened()
    drawn = draw_sequences(spec.source, "probe", probe.seed, n_probes, spec.sequence_length)
    tokens = with_begin(_tensor(drawn.tokens[:, :-1])[None], model.begin)
    length = tokens.shape[2]
    late = np.arange(length // 2, length)
    visible = np.log(late + 1.0)
    points = []
    for point in range(len(member.path["step"])):
        weights = member.opened(point=point)[1]
        rows = attention_entropies(model, weights, tokens)[:, 0][..., late].double().numpy()  # (L, B, H, Q)
        points.append((rows / visible).mean(axis=(1, 3)))
    arrays: dict[str, NDArray[Any]] = {
        "step": member.path["step"],
        "excess": member.path["excess"],
        "entropy": np.array(points),
    }
    if probe.kind == "ramp" or member.status != "done":
        return {}, arrays
    return _floors(member, tokens, late, arrays)


def _floors(
    member: TrainedMember, tokens: Any, late: NDArray[np.int64], arrays: dict[str, NDArray[Any]]
) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
    """Entropies against the floors of `of_sweep`, row by row."""
    model, weights = member.opened()
    shape = (model.config.depth, tokens.shape[1], model.geometry.heads, len(late))
    rows_entropy, rows_floor = np.zeros(shape), np.zeros(shape)
    for rows in rows_of(model, weights, tokens, _tensor(late)):
        at = rows.block, rows.batch, slice(None), rows.wanted
        rows_entropy[at] = entropy(rows.weights.double())[0].numpy()
        std = logit_std(rows.logits.double())[0].numpy()
        for i, query in enumerate(late[rows.wanted]):
            n = int(query) + 1
            rows_floor[rows.block, rows.batch, :, rows.wanted.start + i] = attention_entropy_floor(
                std[..., i] * math.sqrt(n), n
            )
    slack = rows_entropy - rows_floor
    metrics = {"least_slack": float(slack.min())}
    if not member.spec.model.methods[1:]:
        metrics["floor_of_weights"] = _floor_of_weights(model, weights, tokens, late)
    arrays |= {"head_entropy": rows_entropy.mean(axis=(1, 3)), "head_floor": rows_floor.mean(axis=(1, 3))}
    arrays["slack_share"] = np.array((slack / np.log(late + 1.0)).mean(axis=(1, 3)))
    return metrics, arrays


def _floor_of_weights(model: Transformer, weights: Any, tokens: Any, late: NDArray[np.int64]) -> float:
    """Mean over rows of the floor at s = |W_Q W_K^T|_2 |X X^T|_2 / sqrt(K), as a share of ln n: all that spectral norms
    of weights promise (2303.06296, theorem 3.1). X: the normed inputs, gains folded into the weights."""
    k, d = model.geometry.head_dim, model.config.width
    inputs = attention_inputs(model, weights, tokens)
    shares = []
    for block, one in enumerate(inputs):
        x = one.x_EBTD[0].double().numpy()  # (B, T, D)
        gram = np.linalg.norm(x, ord=2, axis=(1, 2)) ** 2
        qkv = (
            weights[f"{block}.attention_norm"][0, :, None].double().numpy()
            * weights[f"{block}.qkv"][0].double().numpy()
        )
        for head in range(model.geometry.heads):
            at = slice(head * k, (head + 1) * k)
            product = qkv[:, :d][:, at] @ qkv[:, d : 2 * d][:, at].T
            norm = np.linalg.norm(product, ord=2) * gram / math.sqrt(k)
            for query in late:
                n = int(query) + 1
                shares.append(np.asarray(attention_entropy_floor(norm, n)) / math.log(n))
    return float(np.mean(shares))


def _tensor(array: NDArray[Any]) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array).astype(np.int64))
