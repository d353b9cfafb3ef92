"""What is kept of a trained transformer."""

import numpy as np

from testbed.runs import Cell, Record
from testbed.training.member import TrainedMember


def member_record(cell: Cell, member: TrainedMember) -> Record:
    """bayes: h_l; stopped: h_l and the excess where the held-out loss is least on the path; last: at the end."""
    spec = member.spec
    bayes = float(np.asarray(spec.source.conditional_entropies(spec.context_length).value)[spec.context_length])
    heldout, excess = member.path["heldout"], member.path["excess"]
    finite = np.isfinite(heldout) & np.isfinite(excess)
    stopped = float(excess[finite][np.argmin(heldout[finite])]) if finite.any() else float("nan")
    metrics: dict[str, float | int | bool | str | None] = {
        "bayes": bayes,
        "stopped": bayes + stopped,
        "last": bayes + member.scores["excess"],
    }
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
