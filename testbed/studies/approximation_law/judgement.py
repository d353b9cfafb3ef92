"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.approximation_law.claims import claims, evidence
from testbed.studies.approximation_law.config import LEARNERS, NETWORKS
from testbed.studies.approximation_law.data import Data, gather
from testbed.studies.approximation_law.learners import lag_source, manifold
from testbed.studies.study import Check, Judgement
from testbed.theory.dimension_law import approximation_exponent

if TYPE_CHECKING:
    from testbed.studies.approximation_law.study import ApproximationLaw

ROUNDING = 1e-9


def judgement(study: "ApproximationLaw", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some learner or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "ApproximationLaw", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    lag = study.irrelevant
    bits = np.asarray(lag_source(lag).conditional_entropies(lag.lengths[-1]).value)[lag.max_lag :]
    source = manifold(study.manifolds, lag.relevant, study.first_replicate)
    extra = np.asarray(source.conditional_entropies(lag.relevant + lag.extra[-1]).value)[lag.relevant :]
    flat = float(max(np.ptp(bits), np.ptp(extra)))
    excess = [curve.excess for curves in data.curves.values() for curve in curves.values()]
    least = float(min(one.min() for one in (*excess, *data.lags.values(), data.extra)))
    return (
        Check("irrelevant context changes no truth", flat < ROUNDING, f"h_l moves by {flat:.1e} nats"),
        Check("no excess is negative", least > -ROUNDING, f"least {least:.1e} nats"),
    )


def notes(study: "ApproximationLaw", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for learner in LEARNERS:
        line = data.line(learner)
        if line is None:
            low = [d for d, curve in data.curves[learner].items() if not curve.usable]
            said.append(f"{learner}: fewer than 3 sizes stand above the floor at d = {', '.join(map(str, low))}.")
            continue
        a, b = (data.interval(one) for one in line)
        said.append(
            f"{learner}: 1/alpha = a + b d with a = {a[0]:.2f} [{a[1]:.2f}, {a[2]:.2f}],"
            f" b = {b[0]:.2f} [{b[1]:.2f}, {b[2]:.2f}]."
        )
    stone = ", ".join(f"{one:.2f}" for one in approximation_exponent(study.manifolds.dimensions, 2.0, noisy=True))
    grid = study.tuning.learning_rates
    upper, lower = (
        ", ".join(_arm(learner, d) for (learner, d), rate in data.rates.items() if rate == edge) or "none"
        for edge in (grid[-1], grid[0])
    )
    dropped = [
        f"{learner} d = {d} (D = {', '.join(f'{n:.0f}' for n in curve.sizes[~curve.kept])})"
        for learner in NETWORKS
        for d, curve in data.curves[learner].items()
        if not curve.kept.all()
    ]
    return (
        *said,
        f"Stone's exponents for two derivatives: {stone} for d = {', '.join(map(str, study.manifolds.dimensions))};"
        " averages reach them only as D grows, from below.",
        "The teacher is a cosine of a sum of functions of one coordinate each; a network may find part of that form, so"
        " its exponents speak of such teachers.",
        f"Learning rates at the upper edge of the grid: {upper}; at the lower edge: {lower}.",
        f"Left out because training, not data, was the bottleneck: {'; '.join(dropped) if dropped else 'nothing'}.",
    )


def _arm(learner: str, dimension: int) -> str:
    """A network as notes name it; those on bits have no dimension."""
    return f"{learner}, d = {dimension}" if dimension else f"{learner} on bits"
