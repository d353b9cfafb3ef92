"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.multipliers.cases import OUTCOMES, SOLVERS, all_pairs
from testbed.studies.multipliers.claims import claims
from testbed.studies.multipliers.data import Data, gather
from testbed.studies.multipliers.evidence import CONVERGED, IPF, ROUNDING, evidence
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers

GOLDEN_ENTROPY = 4.226250132444
"""H(q*) of all pairs of the Dirichlet(1) law over V = 3, n = 4 of seed 0."""


def judgement(study: "Multipliers", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "Multipliers", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (_golden(), _slack(study, data), _entropies(study, data), _controls(study, data))


def _golden() -> Check:
    law = np.random.default_rng(0).dirichlet(np.ones(81)).reshape((3,) * 4)
    found = {solver: all_pairs(law).solve(solver).entropy for solver in SOLVERS}
    error = max(abs(one - GOLDEN_ENTROPY) for one in found.values())
    return Check("every solver gives the golden entropy", error < 1e-7, f"largest error {error:.1e} nats")


def _slack(study: "Multipliers", data: Data) -> Check:
    error = float(np.abs(data.arms["edge"]["slack"] - np.array(study.edge.slacks)).max())
    return Check(
        "the linear program finds the slack that was dialled, and all pair tables are positive",
        error < 1e-9 and bool((data.arms["edge"]["least_table"] > 0).all()),
        f"largest error {error:.1e}, least entry {data.arms['edge']['least_table'].min():.3f}",
    )


def _entropies(study: "Multipliers", data: Data) -> Check:
    """Solvers that converged agree: D - H = <lam, q_c - mu_c> bounds the difference."""
    worst = 0.0
    for name in (*(one.label for one in study.interior), "edge"):
        arm = data.arms[name]
        kept = arm["outcome"] == CONVERGED
        high = np.where(kept, arm["entropy"], -np.inf).max(axis=-1)
        low = np.where(kept, arm["entropy"], np.inf).min(axis=-1)
        spread = (high - low)[kept.sum(axis=-1) > 1]
        worst = max(worst, float(spread.max(initial=0.0)))
    return Check("solvers that converged agree on the entropy", worst < 1e-5, f"largest difference {worst:.1e} nats")


def _controls(study: "Multipliers", data: Data) -> Check:
    """Where the claims' numbers must come out the other way."""
    chain, edge = data.arms["chain"], data.arms["edge"]
    inside = np.array(study.edge.slacks) > 0
    more = bool((chain["first"][:, 1] > 1e6 * ROUNDING).all())
    fitted = bool((edge["outcome"][:, inside, IPF] == CONVERGED).all())
    return Check(
        "the numbers see the other side: all pairs take more than a sweep, and inside the boundary fitting converges",
        more and fitted,
        f"least residual of all pairs after a sweep {chain['first'][:, 1].min():.1e}",
    )


def notes(study: "Multipliers", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    edge, slacks = data.arms["edge"], study.edge.slacks
    boundary = slacks.index(0.0)
    said = []
    for i, solver in enumerate((*SOLVERS, "auto")):
        codes, counts = np.unique(edge["outcome"][:, boundary, i].astype(int), return_counts=True)
        largest = float(np.median(edge["multiplier"][:, boundary, i]))
        words = ", ".join(f"{OUTCOMES[code]} {n} times" for code, n in zip(codes, counts, strict=True))
        said.append(f"{solver}: {words}, median largest multiplier {largest:.1f}")
    sweeps = []
    for one in study.interior:
        arm = data.arms[one.label]["iterations"]
        by_law = ["/".join(f"{value:.0f}" for value in np.median(arm[:, i], axis=0)) for i in range(arm.shape[1])]
        sweeps.append(f"{one.label}: {', '.join(by_law)}")
    return (
        _take_home(study, data),
        f"{study.replicates} streams of random numbers, each with a law of its own at every size and concentration and"
        " on the boundary.",
        f"On the boundary, {'; '.join(said)}. Newton's method and L-BFGS end where the targets are met within the"
        " tolerance, with multipliers that would grow on at a smaller one.",
        f"Median iterations of {'/'.join(SOLVERS)}, by concentration from most to least even: {'; '.join(sweeps)}.",
    )


def _take_home(study: "Multipliers", data: Data) -> str:
    converged, infeasible = OUTCOMES.index("converged"), OUTCOMES.index("infeasible")
    inside = np.concatenate([data.arms[one.label]["outcome"].ravel() for one in study.interior])
    slacks, outcome = np.array(study.edge.slacks), data.arms["edge"]["outcome"]
    fitting = outcome[:, slacks == 0, SOLVERS.index("ipf")]
    beyond = outcome[:, slacks < 0]
    return (
        f"The multipliers are found where the targets lie inside what laws can have"
        f" ({np.mean(inside == converged):.0%} of"
        f" solver runs), by proportional fitting in {np.mean(fitting == converged):.0%} of cases on its boundary, where"
        " they are infinite, and not beyond it, where positive tables that agree are no law's"
        f" ({np.mean(beyond == infeasible):.0%} of runs say so): convergence is a matter of the targets, not"
        f" of patience."
    )
