"""The number of each claim, from arrays over replicates.

interior          min over solvers of the share of interior targets on which it converges
conditioning      min over sizes of mean ln (sweeps, least even law / sweeps, most even law)
newton_steps      max over sizes and laws of the mean number of Newton steps
newton_grows_less min over sizes of mean ln (ratio of sweeps / ratio of Newton steps), ratios as above
rate              min over sizes, and slacks of three bits, of the share of laws with |ln measured / ln predicted - 1|
                  within its bound, where the rate is at least 1/2 and its eigenvalue real
slack_power       mean slope of ln(-ln rate) on ln slack, slack <= 0.02
boundary          share of boundary targets on which fitting converges
boundary_power    mean slope of ln residual on ln sweeps, over the last seven eighths of the sweeps
boundary_growth   mean rise of the largest multiplier over those sweeps, less that at the least slack inside
positive_tables   share of laws of which some all-positive tables at slack <= 0 have a law of full support
boundary_answer   share of boundary targets whose only law `auto` returns
boundary_said     share of boundary targets that neither Newton nor L-BFGS calls converged
infeasible_said   share of laws for which every solver says infeasible at every slack below 0
cycle             min over slacks below 0 of mean (last residual / residual at a 64th of the sweeps); fitting may have
                  been stopped since, for want of progress
never_silent      share of streams in which some solver says converged and misses its targets
one_sweep         share of decomposable sets that one sweep solves and a second leaves alone

Shares have exact binomial bounds over independent laws; means are over replicates.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.multipliers.cases import OUTCOMES, SOLVERS
from testbed.studies.multipliers.claims import STUDY
from testbed.studies.multipliers.data import Data, share
from testbed.studies.multipliers.rate import Floats

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers

IPF, NEWTON = SOLVERS.index("ipf"), SOLVERS.index("newton")
CONVERGED, SILENT, INFEASIBLE = (OUTCOMES.index(one) for one in ("converged", "silent", "infeasible"))
SLOW = 0.5
"""Rates from here on take enough sweeps to be measured."""
STRAIGHT = 1e-6
"""Eigenvalues of a smaller angle are real."""
NEAR = 0.02
"""Slacks up to this are near the boundary."""
ROUNDING = 1e-12


def evidence(study: "Multipliers", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _of_interior(study, data) | _of_edge(study, data) | _of_all(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def growth(found: dict[str, Floats], solver: int) -> Floats:
    """(R,): ln of iterations for the least even law over those for the most even one."""
    return np.asarray(np.log(found["iterations"][:, -1, solver] / found["iterations"][:, 0, solver]))


def rate_errors(found: dict[str, Floats]) -> Floats:
    """(R, n): |ln measured / ln predicted - 1| where the predicted rate is SLOW or more and does not turn."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(np.log(found["measured"]) / np.log(found["predicted"]) - 1.0)
    return np.where((found["predicted"] >= SLOW) & (found["turn"] < STRAIGHT), error, np.nan)


def _of_interior(study: "Multipliers", data: Data) -> dict[str, Evidence]:
    arms = [data.arms[one.label] for one in study.interior]
    errors = [*(rate_errors(arm).ravel() for arm in arms), *rate_errors(data.arms["edge"]).T]
    seen = [one[np.isfinite(one)] for one in errors]
    converged = np.concatenate([arm["outcome"] == CONVERGED for arm in arms], axis=1)  # (R, sizes x laws, solvers)
    return {
        "interior": Min([share(converged[..., i]) for i in range(len(SOLVERS))]),
        "conditioning": Min([data.mean(growth(arm, IPF)) for arm in arms]),
        "newton_steps": Max([data.mean(column) for arm in arms for column in arm["iterations"][..., NEWTON].T]),
        "newton_grows_less": Min([data.mean(growth(arm, IPF) - growth(arm, NEWTON)) for arm in arms]),
        "rate": Min([share(one <= study.bounds.rate) for one in seen if len(one)]),
    }


def slope(x: Floats, y: Floats) -> Floats:
    """(R,): least-squares slope of the rows of y (R, n) on x (n,)."""
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def _of_edge(study: "Multipliers", data: Data) -> dict[str, Evidence]:
    edge, settings = data.arms["edge"], study.edge
    slacks = np.array(settings.slacks)
    boundary, outside = int(np.flatnonzero(slacks == 0)[0]), np.flatnonzero(slacks < 0)
    near = np.flatnonzero((slacks > 0) & (slacks <= NEAR))
    outcome = edge["outcome"]
    n_sweeps, first = settings.boundary_sweeps, settings.boundary_sweeps // 8
    sweeps = np.arange(first, n_sweeps + 1, dtype=np.float64)
    trace = edge["trace"]
    grown = edge["growth"][..., 1] - edge["growth"][..., 0]
    beyond = (edge["least_table"] > 0) & (edge["slack"] > 1e-9)
    direct = outcome[:, boundary, NEWTON : len(SOLVERS)]
    return {
        "slack_power": data.mean(slope(np.log(slacks[near]), np.log(-np.log(edge["measured"][:, near])))),
        "boundary": share(outcome[:, boundary, IPF] == CONVERGED),
        "boundary_power": data.mean(slope(np.log(sweeps), np.log(trace[:, boundary, first - 1 :]))),
        "boundary_growth": data.mean(grown[:, boundary] - grown[:, boundary - 1]),
        "positive_tables": share(beyond[:, boundary:].any(axis=1)),
        "boundary_answer": share(edge["missed"][:, boundary] <= study.bounds.answer),
        "boundary_said": share((direct != CONVERGED).all(axis=1)),
        "infeasible_said": share((outcome[:, outside] == INFEASIBLE).all(axis=(1, 2))),
        "cycle": Min([data.mean(trace[:, i, -1] / trace[:, i, n_sweeps // 64 - 1]) for i in outside]),
    }


def _of_all(study: "Multipliers", data: Data) -> dict[str, Evidence]:
    outcomes = [data.arms[name]["outcome"] for name in (*(one.label for one in study.interior), "edge")]
    silent = np.array([(one == SILENT).any(axis=(1, 2)) for one in outcomes]).any(axis=0)
    chain = data.arms["chain"]
    solved = (chain["first"][:, 0] <= ROUNDING) & (chain["change"][:, 0] <= ROUNDING)
    return {"never_silent": share(silent, "stream"), "one_sweep": share(solved)}
