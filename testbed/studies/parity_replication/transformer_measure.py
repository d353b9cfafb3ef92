"""What is measured of the paper's own network: its exact excess at every visible length, task by task."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Cell, Record
from testbed.studies.parity_replication.transformer_grid import ShownProbe
from testbed.training.mlp_data import evaluation_samples, task_scores

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember


def shown_record(cell: Cell, member: "TrainedMember", device: str) -> Record:
    """The law over the answers 0 and 1 alone, as the paper's head has it, on the same fresh samples at every l.

    excess                 (n_l,) mean exact KL(P_l || q)
    task_excess            (n_l, T) by task
    paired, paired_error   (n_l,) mean of -ln q + ln p - KL at the sampled answers, zero in expectation
    elsewhere              (n_l,) mean probability of what is no answer
    """
    import torch

    from testbed.sources.parity import FarBitsHiddenSource
    from testbed.training.ensemble import log_sequence_laws

    probe, spec = cell.probe, member.spec
    assert isinstance(probe, ShownProbe)
    metrics: dict[str, Any] = {name: member.scores[name] for name in ("excess", "heldout")}
    metrics["train_loss"] = float(member.path["train_loss"][-1])
    if not probe.lengths or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    source = spec.source
    assert isinstance(source, FarBitsHiddenSource)
    samples = evaluation_samples(source.base, spec.data.seed, probe.n_contexts, probe.lengths[-1])
    model, weights = member.opened(device)
    found: dict[str, list[Any]] = {
        name: [] for name in ("excess", "task_excess", "paired", "paired_error", "elsewhere")
    }
    for length in probe.lengths:
        tokens = source.show(samples.tokens, length)
        last = np.zeros(tokens.shape, dtype=np.bool_)
        last[:, -1] = True
        with torch.no_grad():
            log_q = log_sequence_laws(model, weights, tokens, last, torch.device(device))
        scores = task_scores(source.base, samples, length, log_q[:, 1] - log_q[:, 0])
        found["excess"].append(scores.total)
        found["task_excess"].append(scores.excess)
        found["paired"].append(scores.paired[0])
        found["paired_error"].append(scores.paired[1])
        found["elsewhere"].append(1.0 - np.exp(log_q[:, :2]).sum(axis=1).mean())
    arrays = {name: np.array(values) for name, values in found.items()}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)
