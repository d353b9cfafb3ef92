"""What is measured at each cell: exact frontiers; of members, entropies, excesses and features position by position."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.final_layer import final_features
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.sources import Source
from testbed.studies.adaptive_decoding.config import Probe, Reading
from testbed.studies.adaptive_decoding.ideal import dialled, ideal_arrays
from testbed.studies.adaptive_decoding.switching import divergences, entropies
from testbed.studies.adaptive_decoding.writing import at_random, written
from testbed.training.streams import first_sequence

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Arrays = dict[str, NDArray[Any]]


def records_of(
    cells: Sequence[Cell], members: "Mapping[str, TrainedMember]", context: MeasureContext
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        assert isinstance(probe, Probe)
        if probe.kind == "ideal":
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, _ideal(probe))
            continue
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        scores: dict[str, Metric] = {**member.scores} if done else {}
        arrays: Arrays = {}
        if done and probe.reading is not None:
            arrays = _member(member, probe, probe.reading, context.device)
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)


def _ideal(probe: Probe) -> Arrays:
    """Frontiers of the replicate in its role; in `signal` with the dial, `dial_*`."""
    design, reading = probe.design, probe.reading
    assert design is not None
    assert reading is not None
    arrays = ideal_arrays(design.source(probe.role, probe.seed), reading.window)
    if probe.role == "signal":
        sources = [design.dialled(entropy, probe.seed) for entropy in reading.dial]
        arrays |= {f"dial_{name}": values for name, values in dialled(sources, reading.window).items()}
    return arrays


def fresh(source: Source, n: int, length: int, seed: int) -> NDArray[np.int64]:
    """(N, T) the sequences of a replicate: alike for all models of it, and seen by no training."""
    return source.sample(n, length, seed=seed, first_sequence=first_sequence("probe")).astype(np.int64)


def _member(member: "TrainedMember", probe: Probe, reading: Reading, device: str) -> Arrays:
    """At positions 1 .. T - 1 of fresh sequences, (N, T - 1), nats:

    loss         KL(p || q)
    surprise     - ln q of the token
    entropy      of q; of the large model, of p (`truth`)
    features     (N, T - 1, D) the last layer's, and symbols, the tokens before, of small models
    table        (V, V) ln q(. | last token), of the model of one token
    written_*    of the large model: the pair's own text, see `writing`; single_*, where one token's entropy calls;
                 random_*, where chance does
    """
    source = member.spec.source
    tokens = fresh(source, reading.n_sequences, probe.length, probe.seed)
    laws = source.predict(tokens)[:, 1:]
    arrays: Arrays = {}
    if probe.arm == "window":
        symbols = np.arange(source.vocab_size)[:, None]
        table = member.log_laws(symbols, device)
        arrays["table"], log_q = table, table[tokens[:, :-1]]
    else:
        log_q = member.sequence_log_laws(tokens, device)[:, 1:]
    arrays["loss"] = divergences(laws, log_q)
    arrays["surprise"] = -np.take_along_axis(log_q, tokens[:, 1:, None], axis=2)[..., 0]
    if probe.arm == "large":
        assert probe.small is not None
        arrays["truth"] = entropies(laws)
        for name, window in (("written", reading.window), ("single", 1)):
            found = written(member, probe.small, tokens, window, reading, device)
            arrays |= {f"{name}_{what}": values for what, values in found.items()}
        found = at_random(member, probe.small, tokens, reading, device)
        return arrays | {f"random_{what}": values for what, values in found.items()}
    arrays["symbols"] = tokens[:, :-1].astype(np.int16)
    arrays["entropy"] = entropies(np.exp(log_q))
    model, weights = member.opened(device)
    if probe.arm == "window":
        last = final_features(model, weights, np.arange(source.vocab_size)[:, None])[:, 1]
        arrays["features"] = last[tokens[:, :-1]]
    else:
        arrays["features"] = final_features(model, weights, tokens[:, :-1])[:, 1:]
    return arrays
