"""What is measured at each cell: the error of a member, whole and with its memory bounded, or the best memory.

Steps with the bound on start from members (`testbed.training.continuing`): seconds a cell, with nothing to resume.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.sources.recall.set_disjointness import SetDisjointness
from testbed.studies.recall_order.config import LIMITED, ORDERS, Case, Memory, Probe
from testbed.studies.recall_order.hardening import fit_memories, hardened, windows
from testbed.studies.recall_order.partition import least_errors
from testbed.studies.recall_order.reader import MOST_FIRSTS, reader_error
from testbed.training.member import TrainedMember

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.models.segments import SegmentedTransformer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def exact_record(cell: Cell) -> Record:
    """Arrays `small_first`, `large_first`: least error with M = 1, 2, .. states between the sets."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.case is not None
    case = probe.case
    arrays = {str(order): least_errors(case.n_elements, *sizes(case, order)) for order in ORDERS}
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def sizes(case: Case, order: str) -> tuple[int, int]:
    """Elements of the first and of the second set."""
    return (case.small, case.large) if order == "small_first" else (case.large, case.small)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """`excess` (nats of the answer, whose entropy is 0), `before`, that at three quarters of the steps; of judged
    members also `error`, and of those that are trained on with bounded memories `whole`, their error with the memory
    free, and by number of states the arrays

    bounded_error, bounded_nats   (n,) of the network at the end
    early_error                   (n_middle,) read once: at three quarters of these steps, over the middle
    reader_error                  (n,) read once: of the best reader of the state that the network hands on

    Errors are means of the two answers' error rates, so that always the same answer errs in one half.
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    path = member.path["excess"]
    metrics["before"] = float(path[-2] if len(path) > 1 else path[-1])
    arrays: dict[str, Floats] = {}
    if probe.memory is not None and member.status == "done":
        tokens, common = windows(member, probe.seed, probe.memory.n_windows, device, stream="probe")
        metrics["error"] = losses(free_answers(member, tokens), common)[0]
        if probe.arm in LIMITED:
            metrics["whole"], arrays = bounded(member, probe.memory, tokens, common, device)
        if probe.arm != "softmax":
            from testbed.models.recurrent import state_numbers

            metrics["numbers"] = state_numbers(member.spec.model)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def bounded(
    member: TrainedMember, memory: Memory, tokens: "Tensor", common: Bools, device: str
) -> tuple[float, dict[str, Floats]]:
    """`whole` and the arrays of `member_record`."""
    network = hardened(member, memory, device)
    others, _ = windows(member, member.spec.data.seed, memory.n_fit, device)
    laws, codes, other_codes = answers(network.model, network.weights, tokens, others, memory.states)
    found = np.array([losses(one, common) for one in laws])
    arrays = {"bounded_error": found[:-1, 0], "bounded_nats": found[:-1, 1]}
    source = member.spec.source
    assert isinstance(source, SetDisjointness)
    if source.repeats == 1:
        between = tuple(one for one, inside in zip(memory.states, memory.between, strict=True) if inside)
        early, _, _ = answers(network.model, network.early, tokens, others, between)
        arrays["early_error"] = np.array([losses(one, common)[0] for one in early[:-1]])
    first, second = source.sizes(member.spec.context_length + 1)
    if source.repeats == 1 and _few_firsts(source.n_elements, first):
        seen, shown = others.cpu().numpy()[:, 1:], tokens.cpu().numpy()[:, 1:]
        arrays["reader_error"] = np.array(
            [
                reader_error(source.n_elements, first, second, seen, theirs, shown, ours, common)
                for theirs, ours in zip(other_codes, codes, strict=True)
            ]
        )
    return float(found[-1, 0]), arrays


def _few_firsts(n: int, m: int) -> bool:
    import math

    return math.comb(n, m) <= MOST_FIRSTS


def answers(
    model: "SegmentedTransformer",
    weights: "Mapping[str, Tensor]",
    tokens: "Tensor",
    others: "Tensor",
    levels: tuple[int, ...],
) -> tuple[list[Floats], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """By number of states, and last with the memory free: (n, 2) ln q of `disjoint` and `common`; and by number of
    states which is handed on at the first cut, for the windows and for those that the books are made of."""
    import torch

    from testbed.models.bounded_memory import Sketched

    laws: list[Floats] = []
    codes: list[NDArray[np.int64]] = []
    other_codes: list[NDArray[np.int64]] = []
    with torch.no_grad():
        memories = fit_memories(model, weights, others, levels, 0)
        _, first = model.part(weights, tokens[None], 0, [])
        ours, theirs = (
            Sketched.of(states, memories[0].books[0].spreads)
            for states in (first, model.part(weights, others[None], 0, [])[1])
        )
        for memory in [*memories, None]:
            if memory is not None:
                codes.append(memory.books[0].codes(ours).cpu().numpy())
                other_codes.append(memory.books[0].codes(theirs).cpu().numpy())
            states = first if memory is None else memory.keep(0, ours)
            for number in range(1, len(model.cuts)):
                _, states = model.part(weights, tokens[None], number, states)
                states = states if memory is None else memory.keep(number, states)
            z_EBV, _ = model.part(weights, tokens[None], len(model.cuts), states)
            laws.append(z_EBV[0].double().log_softmax(dim=-1)[:, -2:].cpu().numpy())
    return laws, codes, other_codes


def free_answers(member: TrainedMember, tokens: "Tensor") -> Floats:
    """(n, 2) ln q of `disjoint` and `common` of the network as it was trained."""
    return member.log_laws(tokens.cpu().numpy()[:, 1:], device=str(tokens.device))[:, -2:]


def losses(log_q: Floats, common: Bools) -> tuple[float, float]:
    """Mean error rate of the two answers and mean loss, nats, from ln q of both, (n, 2)."""
    wrong = (log_q[:, 1] > log_q[:, 0]) != common
    error = np.mean([wrong[common == one].mean() for one in (False, True) if (common == one).any()])
    return float(error), float(-log_q[np.arange(len(log_q)), common.astype(int)].mean())
