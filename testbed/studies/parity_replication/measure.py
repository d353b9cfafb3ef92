"""What is measured of the members: trained together where shapes agree, scored exactly at each stopping rule."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from testbed.runs import Cell, MeasureContext, Record
from testbed.sources.bit_query import BitQuerySource
from testbed.studies.parity_replication.grid import Probe
from testbed.training.mlp_data import evaluation_samples, task_scores
from testbed.training.mlp_path import RULES, MLPMember, member_logits, train_mlps


def records_of(cells: list[Cell], context: MeasureContext) -> Iterator[Record]:
    """One record for each cell; members of one shape are trained as one ensemble.

    What a member learns does not depend on the others but for rounding. The network is not the laboratory's
    transformer, nor its protocol the trainer's (epochs over fixed samples, a validation after each, a stop), so it is
    trained here; a long training leaves its state as the runner's do, and the weights are not kept.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        assert isinstance(cell.probe, Probe)
        groups.setdefault(cell.probe.spec.shape, []).append(cell)
    for mine in groups.values():
        probes = [cell.probe for cell in mine]
        specs = [probe.spec for probe in probes if isinstance(probe, Probe)]
        members = train_mlps(specs, context.device, checkpoints=context.checkpoints)
        for cell, member in zip(mine, members, strict=True):
            yield member_record(cell, member)


def member_record(cell: Cell, member: MLPMember) -> Record:
    """Loss R(l) + excess of the weights of each rule, by the exact law on fresh samples; excess by task beside it.

    <rule>_excess      sum over tasks of their exact frequency times the mean KL(P_l || q)
    <rule>_loss        R(l) + excess
    <rule>_validation  the loss that the public code reports: of the validation samples that also chose the epoch
    <rule>_epoch       epochs finished when these weights were taken
    ended              epochs after which the run would have ended; 0 where it had not
    paired             mean of -ln q + ln p - KL at the sampled answers, zero in expectation
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    spec = probe.spec
    source = spec.source
    assert isinstance(source, BitQuerySource)
    samples = evaluation_samples(source, spec.data_seed, probe.n_contexts, spec.n_bits)
    risk = float(np.asarray(source.conditional_entropies(spec.context_length).value)[-1])
    metrics: dict[str, Any] = {"risk": risk, "ended": member.ended or 0}
    by_task = np.empty((len(RULES), len(source.tasks)))
    for row, rule in enumerate(RULES):
        scores = task_scores(source, samples, spec.context_length, member_logits(member, rule, samples))
        epoch = member.epoch[rule]
        metrics |= {
            f"{rule}_excess": scores.total,
            f"{rule}_loss": risk + scores.total,
            f"{rule}_epoch": epoch,
            f"{rule}_validation": float(member.validation[epoch - 1]) if epoch else float("nan"),
            f"{rule}_paired": scores.paired[0],
            f"{rule}_paired_error": scores.paired[1],
        }
        by_task[row] = scores.excess
    metrics["end_train_loss"] = float(member.train_loss[-1])
    arrays = {"task_excess": by_task, "validation": member.validation, "train_loss": member.train_loss}
    return Record(cell.key, cell.study, cell.resolved(), "diverged" if member.diverged else "done", metrics, arrays)
