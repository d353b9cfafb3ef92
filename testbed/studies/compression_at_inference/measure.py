"""What is measured at each cell: rounded caches, streams of networks on Mess3, and contexts with tokens dropped."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.compression_at_inference.config import Adapters, Dropped, Dropping, Probe
from testbed.studies.compression_at_inference.dropping import contexts_of, with_fillers

if TYPE_CHECKING:
    from testbed.training import TrainingSpec
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
SCORES = ("excess", "heldout", "paired", "paired_error")


def drop_record(cell: Cell, arm: Dropped, dropping: Dropping) -> Record:
    """Arrays (n + 1,) of mean loss for each criterion; `dial` (numbers of fillers,) of surprisal at half, `fillers`."""
    assert isinstance(cell.probe, Probe)
    source = dropping.source(arm, cell.probe.seed)
    contexts = contexts_of(source, dropping.context_length, dropping.future(arm))
    arrays = (with_fillers(contexts, dropping.n_noise) if arm == "noise" else contexts).curves()
    if arm == "fillers":
        turned = (with_fillers(contexts, r) for r in dropping.dial)
        arrays["dial"] = np.array([one.by_score(one.surprisal)[dropping.half] for one in turned])
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def null_record(cell: Cell, spec: "TrainingSpec", device: str) -> Record:
    """What roundings do to a model at its first weights: arrays as of trained ones."""
    from testbed.studies.compression_at_inference.cache import Untrained, cache_arrays

    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.cache is not None
    arrays = cache_arrays(Untrained(spec), probe.cache, probe.seed, device)
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def member_record(cell: Cell, member: "TrainedMember", device: str) -> Record:
    """Scores, and what the cell's kind asks for."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in SCORES}
    arrays: dict[str, Floats] = {}
    if member.status == "done" and probe.cache is not None:
        from testbed.studies.compression_at_inference.cache import cache_arrays

        arrays = cache_arrays(member, probe.cache, probe.seed, device)
    if member.status == "done" and probe.adapters is not None:
        arrays = net_arrays(member, probe.adapters, device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def net_arrays(member: "TrainedMember", adapters: Adapters, device: str) -> dict[str, Floats]:
    """At all histories of n tokens: their probabilities weight (H,), the last residual stream (H, D), the exact belief
    beliefs (H, S); uniform (): KL from the Bayes law to the uniform one."""
    from testbed.measures.features.residual_streams import residual_streams

    source = adapters.source
    law = source.context_law(adapters.context_length)
    model, weights = member.opened(device)
    stream = residual_streams(model, weights, law.contexts)[-1][:, -1].astype(np.float64)
    beliefs = source.beliefs(law.contexts)[:, -1]  # type: ignore[attr-defined]
    entropy = -np.sum(law.laws * np.log(np.maximum(law.laws, 1e-300)), axis=1)
    uniform = np.log(source.vocab_size) - law.probabilities @ entropy
    return {"weight": law.probabilities, "stream": stream, "beliefs": beliefs, "uniform": np.asarray(uniform)}
