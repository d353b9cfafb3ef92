"""What is measured at each cell: levels of an order, the excess of a network built by hand, the path of a member."""

import numpy as np

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.depth_and_order.config import Probe
from testbed.studies.depth_and_order.construct import best_gain, built_weights, sequence_laws
from testbed.studies.depth_and_order.levels import LEVELS_SEED, chains, count_laws, excess_of, level_rows
from testbed.training.member import TrainedMember
from testbed.training.streams import first_sequence


def levels_record(cell: Cell, probe: Probe) -> Record:
    """Mean excess of every level, nats, and as `*_error` its standard error."""
    assert probe.reading is not None
    rows = level_rows(
        chains(probe.vocab_size, probe.order),
        probe.order,
        probe.length,
        probe.reading.n_level_sequences,
        probe.reading.smoothings,
    )
    metrics: dict[str, Metric] = {}
    for name, values in rows.items():
        metrics[name] = float(values.mean())
        metrics[f"{name}_error"] = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics)


def built_record(cell: Cell, probe: Probe, device: str) -> Record:
    """(N,) excess of the network on sequences of the probe's order, `short` that of the best counts of one order less
    on them; `off` its largest deviation, in log probability, from the readout of the law that it is built to hold."""
    from testbed.models.transformer import Transformer

    assert probe.model is not None
    assert probe.built_for is not None
    assert probe.reading is not None
    v, reading = probe.vocab_size, probe.reading
    source = chains(v, probe.order)
    start = first_sequence("evaluation")
    n = reading.n_built_sequences
    tokens = source.sample(n, probe.length, seed=LEVELS_SEED, first_sequence=start).astype(np.int64)
    laws = source.predict(tokens)
    model = Transformer(probe.model, v, probe.length)
    (held,) = count_laws(tokens, probe.built_for, v, (1.0,))
    gain = best_gain(held)
    log_q = sequence_laws(model, built_weights(model, probe.built_for, reading.sharpness, gain), tokens, device)
    wanted = gain * held
    wanted = wanted - np.log(np.exp(wanted).sum(axis=-1, keepdims=True))
    short = [excess_of(laws, np.log(law)) for law in count_laws(tokens, probe.order - 1, v, reading.smoothings)]
    arrays = {"excess": excess_of(laws, log_q), "short": min(short, key=lambda one: float(one.mean()))}
    metrics: dict[str, Metric] = {"off": float(np.abs(log_q - wanted).max()), "gain": gain}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def member_record(cell: Cell, member: TrainedMember) -> Record:
    """At the end `excess` on the replicate's evaluation stream, and as arrays `step` and `path`, the excess on the
    way."""
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "heldout", "paired", "paired_error")}
    probe = cell.probe
    assert isinstance(probe, Probe)
    if probe.kind == "tuning" or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    arrays = {"step": member.path["step"], "path": member.path["excess"]}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
