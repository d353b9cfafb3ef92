"""The claims on the paper's own network, shown l bits, and their numbers.

With e(l) the mean excess at visible length l, theta(l) = R(l) + e(l), D the samples, S_m the shortfall of the lengths
up to number m (`Ranking.shortfall`) and K the number of lengths:

    shown_bayes       max_l e(l), endless samples                                        <= delta
    shown_tasks       share of networks with every task learnt at every l that holds it  >= 1/2
    shown_longest     S_(K - 2), endless samples: any shorter context costs delta        >= delta
    shown_interior    max_D min( regret of the shortest, of the longest l ), finite D    >= delta
"""

from typing import TYPE_CHECKING, Literal

import numpy as np

from testbed.sources.bit_query import BitQuerySource
from testbed.studies.judge import Claim, Evidence, Max, Mean, Min, Ranking, Region
from testbed.studies.judge.proportion import Proportion
from testbed.studies.parity_replication.results import Floats, Measured, design

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

PAPER = "2502.01481"
NAMES = ("shown_bayes", "shown_tasks", "shown_longest", "shown_interior")


def shown_claims(study: "ParityReplication") -> list[Claim]:
    """In the order of NAMES."""
    arm, delta = study.transformer, study.delta
    model = arm.model
    scope = (
        f"multitask sparse parity of this size, one transformer of {model.depth} layers of width {model.width} for all"
        f" visible lengths, {arm.steps:,} steps"
    )

    def claim(
        name: str, statement: str, place: str, reading: Literal["quoted", "inferred"], control: str, region: Region
    ) -> Claim:
        share = name == "shown_tasks"
        return Claim(
            id=f"parity_replication.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=reading,
            scope=scope,
            control=control,
            region=region,
            margin=0.0 if share else delta,
            unit="share of seeds" if share else "nats",
            decided_at=study.decided_at,
        )

    unused = "world far_bits_unused: far bits are not learnt to be used"
    few = " and ".join(f"{size:,}" for size in arm.sizes)
    return [
        claim(
            "shown_bayes",
            "Trained on endless samples and shown l bits, the network loses no more than the exact minimum, at any l.",
            "Table 1: model CE against minimum CE",
            "quoted",
            unused,
            Region(upper=delta),
        ),
        claim(
            "shown_tasks",
            "Trained on endless samples, most networks have learnt every task at every visible length that holds it.",
            "Table 1, read task by task",
            "inferred",
            unused,
            Region(lower=0.5),
        ),
        claim(
            "shown_longest",
            "Trained on endless samples, the longest visible context is best: any shorter one costs more.",
            "Section 3, inference with a fixed model, where L_Approx is small",
            "inferred",
            unused,
            Region(lower=delta),
        ),
        claim(
            "shown_interior",
            f"Trained on few samples ({few}), an interior visible context is best: shortest and longest cost more.",
            "Section 3, Eq. 5, inference with a fixed model",
            "quoted",
            "world no_optimum: the excess does not depend on l",
            Region(lower=delta),
        ),
    ]


def shown_evidence(study: "ParityReplication", data: Measured) -> dict[str, Evidence]:
    """The numbers, by name."""
    endless = data.shown[None]
    ranking, last = Ranking(endless.loss, design(len(endless.loss))), len(study.transformer.lengths) - 1
    few = [Ranking(data.shown[size].loss, design(len(endless.loss))) for size in study.transformer.sizes]
    learnt = learns_all(study, endless.task_excess)
    return {
        "shown_bayes": Max([Mean(one, design(len(one))) for one in endless.excess.T]),
        "shown_tasks": Proportion(int(learnt.sum()), len(learnt), unit="seed"),
        "shown_longest": ranking.shortfall(last - 1),
        "shown_interior": Max([Min([one.regret(0), one.regret(last)]) for one in few]),
    }


def held(study: "ParityReplication") -> np.ndarray:
    """(n_l, T) whether l bits hold a task."""
    source = study.transformer.tasks.source
    assert isinstance(source, BitQuerySource)
    return np.asarray(source.depths[None, :] <= np.array(study.transformer.lengths)[:, None])


def learns_all(study: "ParityReplication", task_excess: Floats) -> np.ndarray:
    """(R,) whether a network has learnt each task at each length that holds it, from its excess (R, n_l, T)."""
    missed = (task_excess >= study.learnt_below) & held(study)
    return np.asarray(~missed.any(axis=(1, 2)))
