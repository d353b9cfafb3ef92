"""From records to verdicts: losses by arm and dataset size, rankings, checks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from testbed.runs import Record
from testbed.studies.judge import Evidence, Ranking, Replicates, Verdict, judge
from testbed.studies.optimal_context.claims import CONTROL, DESIGNED, claims, evidence
from testbed.studies.optimal_context.config import Arm
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""
EXCESS_OF = {"fixed_budget": "excess", "oracle_stop": "oracle_excess"}


@dataclass(frozen=True)
class ArmData:
    """The finished records of one arm.

    excess     (n_sizes, rows, n_lengths) of the judged estimand; rows are (kernel, draw, init)
    risk       (rows, n_lengths): h_l of the row's kernel
    reference  (n_sizes, n_kernels x draws, n_lengths): the table learner's exact excess on the same targets
    expected   likewise, its mean over further datasets of the kernel
    mixture    (n_sizes, n_kernels x draws): the floor, nan where the prior has no closed form
    endless    (n_lengths,): the optimiser's own excess on an endless stream, largest over kernels
    """

    arm: Arm
    labels: dict[str, list[int]]
    excess: np.ndarray
    oracle: np.ndarray
    fixed: np.ndarray
    risk: np.ndarray
    reference: np.ndarray
    expected: np.ndarray
    mixture: np.ndarray
    endless: np.ndarray

    @cached_property
    def loss(self) -> np.ndarray:
        """(n_sizes, rows, n_lengths): h_l + excess."""
        return self.risk + self.excess

    @cached_property
    def replicates(self) -> Replicates:
        return Replicates(self.labels, seed=0)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """One for each dataset size."""
        return [Ranking(loss, self.replicates) for loss in self.loss]

    @property
    def reference_loss(self) -> np.ndarray:
        """(n_sizes, n_lengths): mean loss of the table learner on the same targets."""
        return np.asarray((self.risk_of_draws + self.reference).mean(axis=1))

    @property
    def expected_loss(self) -> np.ndarray:
        """(n_sizes, n_lengths): the table learner's loss in expectation over datasets."""
        return np.asarray((self.risk_of_draws + self.expected).mean(axis=1))

    @property
    def risk_of_draws(self) -> np.ndarray:
        """(n_kernels x draws, n_lengths): h_l, one row for each dataset."""
        inits = max(self.labels["initialisation"]) + 1
        return self.risk[::inits]


def arm_data(study: "OptimalContext", arm: Arm, records: Sequence[Record]) -> ArmData | None:
    """Gather an arm's records; None where some are missing."""
    mine = [record for record in records if record.probe["arm"] == arm.name and record.status != "failed"]
    index: dict[tuple[Any, ...], Record] = {}
    for record in mine:
        p = record.probe
        index[p["kind"], p["kernel"], p["draw"], p["init"], p["n_targets"], p["context_length"]] = record
    kernels, draws, inits = range(study.kernels_of(arm)), range(study.n_draws), range(study.n_inits)
    rows = [(kernel, draw, init) for kernel in kernels for draw in draws for init in inits]
    try:
        members = [[[index["member", *row, d, n] for n in arm.lengths] for row in rows] for d in arm.sizes]
        references = [[index["reference", k, j, 0, d, None] for k in kernels for j in draws] for d in arm.sizes]
        endless = [[index["endless", kernel, 0, 0, None, n] for n in arm.lengths] for kernel in kernels]
    except KeyError:
        return None

    def metric(name: str) -> np.ndarray:
        return np.array(
            [
                [[_number(r.metrics[name]) if r.status == "done" else np.nan for r in row] for row in size]
                for size in members
            ]
        )

    fixed, oracle = metric("excess"), metric("oracle_excess")
    return ArmData(
        arm=arm,
        labels={
            "kernel": [row[0] for row in rows],
            "draw": [row[1] for row in rows],
            "initialisation": [row[2] for row in rows],
        },
        excess=fixed if study.estimand == "fixed_budget" else oracle,
        oracle=oracle,
        fixed=fixed,
        risk=metric("bayes_risk")[0],
        reference=np.array([[one.arrays["excess"] for one in of_size] for of_size in references]),
        expected=np.array([[one.arrays["expected_excess"] for one in of_size] for of_size in references]),
        mixture=np.array([[_number(one.metrics["bayes_mixture_excess"]) for one in of_size] for of_size in references]),
        endless=np.max([[_number(r.metrics["excess"]) for r in row] for row in endless], axis=0),
    )


def _number(value: Any) -> float:
    """A metric as a number; nan where there is none."""
    return float("nan") if value is None else float(value)


def judgement(study: "OptimalContext", records: Sequence[Record]) -> Judgement:
    """Verdicts on the five claims, voided by a failed check, undecided where training was the bottleneck."""
    data: dict[str, ArmData | None] = {arm.role: arm_data(study, arm, records) for arm in study.arms}
    designed, control = data[DESIGNED], data[CONTROL]
    if designed is None or control is None:
        missing = " and ".join(role for role in (DESIGNED, CONTROL) if data[role] is None)
        return Judgement((), (Check("complete", False, f"records of the arms {missing} are missing"),))
    found = checks(study, [one for one in data.values() if one is not None], records)
    failed = next((check for check in found if not check.passed), None)
    if failed is not None and failed.name == "no judged member diverged":
        return Judgement((), found)
    numbers = evidence(study.delta, designed.arm.order, designed.rankings, control.rankings)
    pairs: list[tuple[Any, Evidence]] = [(claim, numbers[claim.id]) for claim in claims(study.delta, study.decided_at)]
    verdicts = judge(pairs, study.alpha, void=None if failed is None else f"{failed.name} ({failed.detail})")
    limited = {DESIGNED: _limited(study, designed), CONTROL: _limited(study, control)}
    verdicts = [
        _unless_limited(one, limited[CONTROL if one.claim.id.endswith("control") else DESIGNED]) for one in verdicts
    ]
    return Judgement(tuple(verdicts), found, notes(study, designed, control))


def _limited(study: "OptimalContext", data: ArmData) -> str | None:
    """Why the arm's claims cannot be decided: the optimiser's own excess is over half of delta somewhere."""
    over = [n for n in data.arm.lengths if not data.endless[n] <= study.delta / 2]
    if not over:
        return None
    worst = float(np.max(data.endless))
    return (
        f"training is the bottleneck: on an endless stream the excess at l = {', '.join(map(str, over))} is up to"
        f" {worst:.2g} nats, over half of delta = {study.delta:g}"
    )


def _unless_limited(verdict: Verdict, reason: str | None) -> Verdict:
    if reason is None:
        return verdict
    return replace(verdict, verdict="undecided", reason=f"Undecided, because {reason}.", replicates_needed=None)


def checks(study: "OptimalContext", arms: list[ArmData], records: Sequence[Record]) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    done = [record for record in records if record.status == "done"]
    sources = [record for record in done if record.probe["kind"] == "source"]
    trained = [record for record in done if record.probe["kind"] in ("member", "endless", "tuning")]
    diverged = sum(record.status == "diverged" and record.probe["kind"] != "tuning" for record in records)
    difference = max(_number(record.metrics["largest_difference"]) for record in sources)
    source_z = max(_number(record.metrics["largest_z"]) for record in sources)
    n_means = int(sum(_number(record.metrics["n_means"]) for record in sources))
    source_bound = float(norm.isf(FALSE_ALARM / 2 / n_means))
    pairs = [(_number(r.metrics["paired_difference"]), _number(r.metrics["paired_error"])) for r in trained]
    z = np.array([difference / error if error > 0 else 0.0 for difference, error in pairs])
    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(z), 1)))
    flat = max(float(np.ptp(one.risk[:, one.arm.order :], axis=1).max()) for one in arms)
    designed = next(one for one in arms if one.arm.role == DESIGNED)
    best = designed.expected_loss.argmin(axis=1)
    order = designed.arm.order
    reached = next((size for size, at in zip(designed.arm.sizes, best, strict=True) if at == order), None)
    largest = designed.arm.sizes[-1]
    return (
        Check("no judged member diverged", diverged == 0, f"{diverged} diverged, {len(trained)} did not"),
        Check("h_l by a second algorithm", difference < 1e-9, f"largest difference {difference:.1e} nats"),
        Check(
            "h_l from independent tokens",
            source_z < source_bound,
            f"largest |z| {source_z:.2f} of {n_means} means, bound {source_bound:.2f}",
        ),
        Check("h_l is flat beyond k", flat < 1e-12, f"largest change {flat:.1e} nats"),
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            bool(np.abs(z).max() < bound),
            f"largest |z| {np.abs(z).max():.2f} of {len(z)} members, bound {bound:.2f}",
        ),
        Check(
            "in expectation the table learner prefers l = 0 or 1 at the smallest D",
            bool(best[0] <= 1),
            f"it prefers {best[0]} at D = {designed.arm.sizes[0]}",
        ),
        Check(
            "every order 0 .. k is best somewhere for the table learner, in expectation",
            set(range(order + 1)) <= set(best.tolist()),
            f"best orders over D: {', '.join(map(str, best))}",
        ),
        Check(
            "D goes well beyond where the table learner reaches k",
            reached is not None and largest >= study.beyond * reached,
            f"it reaches k = {order} at D = {reached}; the largest is {largest}, asked {study.beyond:g} times that",
        ),
    )


def notes(study: "OptimalContext", designed: ArmData, control: ArmData) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = [
        f"Judged by {study.estimand}"
        + (", which uses the truth to choose when to stop" if study.estimand == "oracle_stop" else "")
        + f"; delta = {study.delta:g} nats; the units of replication are"
        f" {designed.replicates.counts} on the designed arm and {control.replicates.counts} on the control.",
        f"The optimiser's own excess on an endless stream is at most {np.max(designed.endless):.1e} nats (designed) and"
        f" {np.max(control.endless):.1e} (control).",
    ]
    last = designed.arm.lengths[-1]
    at_edge = [
        size
        for size, ranking in zip(designed.arm.sizes, designed.rankings, strict=True)
        if ranking.smallest_within(study.delta).estimate == last
    ]
    if at_edge:
        said.append(f"l*_delta is at the longest context of the grid, {last}, for D = {', '.join(map(str, at_edge))}.")
    return tuple(said)
