"""What is measured at each cell: how far the law of a model lies from the truth, by frequency."""

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.sources.iid import zipf_law
from testbed.studies.large_vocabulary.config import ExtraProbe, FlowProbe, NetworkProbe
from testbed.studies.large_vocabulary.flow import descended, excess, from_the_law
from testbed.training.losses.cut_cross_entropy import CutCrossEntropy
from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
DECILES = 10
BINS = 16
"""Ranges of ranks of transformers' tokens."""


def record_of(cell: Cell, member: TrainedMember | None, device: str) -> Record:
    """The record of a cell."""
    if isinstance(cell.probe, FlowProbe):
        return Record(cell.key, cell.study, cell.resolved(), "done", {}, flow_arrays(cell.probe))
    if isinstance(cell.probe, ExtraProbe):
        return Record(cell.key, cell.study, cell.resolved(), "done", {}, extra_arrays(cell.probe))
    assert member is not None
    return member_record(cell, member, device)


def by_decile(values: Floats) -> Floats:
    """(..., 10) means over tenths of the last axis, tokens by falling frequency."""
    return np.stack([part.mean(axis=-1) for part in np.array_split(values, DECILES, axis=-1)], axis=-1)


def bin_edges(vocab_size: int, bins: int) -> NDArray[np.int64]:
    """Ranks, from 0, at which ranges that are even in logarithms begin, and V."""
    return np.unique(np.concatenate([[0], np.geomspace(1, vocab_size, bins).round()])).astype(np.int64)


def by_bin(values: Floats, bins: int) -> Floats:
    """(..., n) means over these ranges."""
    edges = bin_edges(values.shape[-1], bins)
    return np.asarray(np.add.reduceat(values, edges[:-1], axis=-1) / np.diff(edges))


def flow_arrays(probe: FlowProbe) -> dict[str, Floats]:
    """time (n,), path (n, forms): excess; excess (forms,); decile (forms, 10) and bin (forms, bins): mean ln(q / p);
    raised, starved (forms,): the same over tokens that the fixed point puts above and below the truth.

    On the exact law also: rest_decile, rest_bin of the fixed point (-inf where all its tokens starve); bin_p."""
    p, flow = probe.law.law, probe.settings
    times, path, laws = [], [], np.empty(0)
    for time, laws in descended(p, flow, probe.seed):
        times.append(time)
        path.append(excess(p, laws))
    ratio = np.log(laws / p)
    loss = CutCrossEntropy(threshold=flow.threshold)
    c = loss.drift(p)
    raised, starved = (p > c) & (p < flow.threshold), p <= c
    arrays = {
        "time": np.array(times),
        "path": np.array(path),
        "excess": excess(p, laws),
        "decile": by_decile(ratio),
        "bin": by_bin(ratio, flow.bins),
        "raised": ratio[:, raised].mean(axis=1) if raised.any() else np.zeros(len(laws)),
        "starved": ratio[:, starved].mean(axis=1) if starved.any() and c > 0 else np.zeros(len(laws)),
    }
    if probe.seed is None:
        with np.errstate(divide="ignore"):
            rest = np.log(loss.fixed_point(p) / p)
        arrays |= {"rest_decile": by_decile(rest), "rest_bin": by_bin(rest, flow.bins), "bin_p": by_bin(p, flow.bins)}
        arrays |= {"drift": np.array([c]), "least": np.array([p.min()])}
    return arrays


def extra_arrays(probe: ExtraProbe) -> dict[str, Floats]:
    """tuned_time, tuned_excess: from the law itself; curve (sizes, products): filtered less whole excess."""
    extras, flow = probe.extras, probe.settings
    times, found = from_the_law(probe.law.law, flow, extras.longest, extras.tuned_steps)
    curve = np.empty((len(extras.sizes), len(extras.products)))
    for i, size in enumerate(extras.sizes):
        p = zipf_law(probe.law.exponent, size)
        for k, product in enumerate(extras.products):
            # time goes as V: as long, in units of the rarest token's own time, for every size
            steps = max(8, round(flow.steps * size / probe.law.vocab_size))
            here = flow.replace(threshold=min(0.999, product / size), steps=steps, points=1)
            *_, (_, laws) = descended(p, here, None, ("whole", "entries"))
            whole, cut = excess(p, laws)
            curve[i, k] = cut - whole
    return {"tuned_time": times, "tuned_excess": found, "curve": curve}


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """decile (10,), bin (bins,), bin_p: mean ln(q / p) of tokens by their frequency in each context."""
    assert isinstance(cell.probe, NetworkProbe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    arrays: dict[str, Floats] = {}
    if member.status == "done":
        law = member.spec.source.context_law(member.spec.context_length)
        ratio = member.log_laws(law.contexts, device) - np.log(law.laws)
        order = np.argsort(-law.laws, axis=1, kind="stable")
        mean = law.probabilities @ np.take_along_axis(ratio, order, axis=1)
        p = law.probabilities @ np.take_along_axis(law.laws, order, axis=1)
        arrays = {"decile": by_decile(mean), "bin": by_bin(mean, BINS), "bin_p": by_bin(p, BINS)}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
