"""What is measured at each member."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.activations.config import Probe
from testbed.studies.activations.units import hidden_units, unit_entropy
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    import torch

    from testbed.sources import Source

Floats = NDArray[np.float64]


@lru_cache(maxsize=256)
def fresh(source: "Source", seed: int, n: int, length: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Fresh sequences (n, length), their Bayes laws (n, length, V) and the logarithms of these, 0 where a law is."""
    tokens = draw_sequences(source, "probe", seed, n, length).tokens.astype(np.int64)
    laws = source.predict(tokens)
    return tokens, laws, np.log(laws, out=np.zeros_like(laws), where=laws > 0)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Metrics of every member: `excess`, `paired`, `paired_error`. Of judged ones, on fresh sequences that all arms of
    a replicate share (the excess among them), also

    told, bayes     KL of the Bayes laws from their mean: what context tells; mean entropy of the Bayes laws
    first part      arrays `stream` (depth + 1,), variances of the residual stream, embedding first; `units`,
                    `units_start`, `units_small` (2, depth), mean and variance of hidden units behind the nonlinearity:
                    after training, at the start, and at a start whose writing matrices are smaller by sqrt(2 depth)
    second part     `entropy` of hidden units, `steps` to `near` of what context tells (inf: never), `epsilon` of CRReLU
    """
    probe, spec = cell.probe, member.spec
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if probe.reading is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    tokens, laws, log_laws = fresh(spec.source, probe.seed, probe.reading.n_sequences, spec.sequence_length)
    log_q = member.sequence_log_laws(tokens, device)
    bayes = float(-(laws * log_laws).sum(axis=-1).mean())
    mean = laws.reshape(-1, laws.shape[-1]).mean(axis=0)
    told = float(-(mean * np.log(mean)).sum()) - bayes
    metrics |= {
        "excess": float((laws * (log_laws - np.where(laws > 0, log_q, 0.0))).sum(axis=-1).mean()),
        "bayes": bayes,
        "told": told,
    }
    few = tokens[: probe.reading.n_units, :-1]
    if probe.kinds is None:
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, stream_arrays(member, few, device))
    model, weights = member.opened(device)
    metrics["entropy"] = float(
        np.mean([unit_entropy(out, probe.kinds.bin_width) for _, out in hidden_units(model, weights, few)])
    )
    metrics["steps"] = steps_to(member.path["step"], member.path["excess"], probe.kinds.near * told)
    if probe.arm == "crrelu":
        metrics["epsilon"] = float(
            np.mean([float(weights[f"{block}.activation.epsilon"]) for block in range(model.config.depth)])
        )
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)


def steps_to(steps: Floats, excess: Floats, level: float) -> float:
    """The step at which the excess first reaches a level, on a line in logarithms between evaluations; inf if never.

    >>> round(steps_to(np.array([10.0, 100.0]), np.array([1.0, 0.01]), 0.1), 9)
    31.622776602
    """
    below = np.flatnonzero(excess <= level)
    if not len(below):
        return float("inf")
    at = int(below[0])
    if at == 0:
        return float(steps[0])
    x, y = np.log(steps[at - 1 : at + 1]), np.log(np.maximum(excess[at - 1 : at + 1], 1e-300))
    return float(np.exp(x[0] + (x[1] - x[0]) * (y[0] - np.log(level)) / (y[0] - y[1])))


def stream_arrays(member: TrainedMember, tokens: NDArray[np.int64], device: str) -> dict[str, Floats]:
    """See `member_record`."""
    import torch

    from testbed.measures.features.residual_streams import residual_streams
    from testbed.models.transformer import Transformer

    model, weights = member.opened(device)

    def moments(views: "dict[str, torch.Tensor]") -> Floats:
        return np.array([[out.mean(), out.var()] for _, out in hidden_units(model, views, tokens)]).T

    def start(small: bool) -> "dict[str, torch.Tensor]":
        one = Transformer(model.config.replace(shrink_writers=small), model.vocab_size, model.geometry.train_length)
        return one.layout.views(one.layout.initial_row(member.spec.initial_seed)[None].to(torch.device(device)))

    streams = residual_streams(model, weights, tokens)
    return {
        "stream": np.asarray(streams.reshape(len(streams), -1).astype(np.float64).var(axis=1)),
        "units": moments(dict(weights)),
        "units_start": moments(start(False)),
        "units_small": moments(start(True)),
    }
