"""The claims: when the multipliers exist, when they are found, and how fast.

The paper finds its laws by Lagrange multipliers and has no analysis of convergence; that they can be found is implied.
All readings are ours.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers

PAPER = "2408.10277"
STUDY = "multipliers"
PREDICTED, REVERSED = "as predicted", "reversed"
"""The planted worlds: theory's predictions, and the other way round."""
PREDICTED_TO_FAIL = {"boundary", "positive_tables"}


def claims(study: "Multipliers") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, edge = study.bounds, study.edge
    few = Region(lower=b.share)
    sizes = "; ".join(one.label for one in study.interior)
    interior = f"all pairs of Dirichlet laws ({sizes}), concentrations {study.interior[0].concentrations}"
    band = f"all pairs of three bits, slack {edge.inside[0]:g} .. {edge.outside[-1]:g}"
    sweeps = edge.boundary_sweeps

    def stated(
        name: str, statement: str, scope: str, region: Region, margin: float, unit: str, control: str = ""
    ) -> Claim:
        world = PREDICTED if name in PREDICTED_TO_FAIL else REVERSED
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place="the method of multipliers (C11)",
            reading="inferred",
            scope=scope,
            control=f"world '{world}'" + (f"; {control}" if control else ""),
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    def power(value: float) -> Region:
        return Region.around(value, b.exponent)

    cases = "share of cases"
    return (
        stated(
            "interior",
            f"The multipliers converge where the targets are interior: each solver does in {b.share:.0%} of cases.",
            interior,
            few,
            b.share,
            cases,
            "the same solvers on the boundary, in this run",
        ),
        stated(
            "boundary",
            f"They converge on the boundary too: proportional fitting does in {b.share:.0%} of cases, within"
            f" {edge.most_sweeps} sweeps.",
            f"{band}; slack 0",
            few,
            b.share,
            cases,
            "interior targets of this run must pass",
        ),
        stated(
            "positive_tables",
            f"Positive tables that agree are enough: in {b.share:.0%} of cases they have a law of full support at some"
            " slack, so that the multipliers are finite.",
            f"{band}; slack 0 and below",
            few,
            b.share,
            cases,
            "interior targets of this run must pass",
        ),
        stated(
            "rate",
            "Near the answer a sweep shrinks the error by the spectral radius of the product of I - P_c: the logarithm"
            f" of the measured rate agrees within {b.rate:.0%}, in {b.share:.0%} of cases, at every size and slack.",
            f"{interior}; and {band}; where the predicted rate is at least 1/2 and its eigenvalue real",
            few,
            b.share,
            cases,
        ),
        stated(
            "conditioning",
            f"The less even the law, the slower proportional fitting: {b.sweep_growth:g} times the sweeps from the most"
            " even concentration to the least, in the geometric mean, at every size.",
            interior,
            Region(lower=float(np.log(b.sweep_growth))),
            float(np.log(b.sweep_growth)),
            "ln ratio",
        ),
        stated(
            "newton_steps",
            f"Newton's method ends within {b.newton_steps} steps on average, at every size and concentration.",
            interior,
            Region(upper=b.newton_steps),
            float(b.newton_steps),
            "steps",
        ),
        stated(
            "newton_grows_less",
            f"Its steps grow less with unevenness than the sweeps do: by a factor of {b.newton_less:g} less, at every"
            " size.",
            interior,
            Region(lower=float(np.log(b.newton_less))),
            float(np.log(b.newton_less)),
            "ln ratio",
        ),
        stated(
            "slack_power",
            f"Near the boundary the speed -ln rate is proportional to the slack: a power of 1 within {b.exponent:g}.",
            f"{band}; slack 0.02 and less",
            power(1.0),
            b.exponent,
            "power",
        ),
        stated(
            "boundary_power",
            f"On the boundary the residual falls like 1 / sweeps: a power of -1 within {b.exponent:g}.",
            f"{band}; slack 0, sweeps {sweeps // 8} to {sweeps}",
            power(-1.0),
            b.exponent,
            "power",
            "inside it falls geometrically, in this run",
        ),
        stated(
            "boundary_growth",
            f"There the multipliers go on growing: over eight times the sweeps the largest rises by {b.growth:g} more"
            f" than at slack {edge.inside[-1]:g}.",
            f"{band}; slack 0, sweeps {sweeps // 8} to {sweeps}",
            Region(lower=b.growth),
            b.growth,
            "nats",
        ),
        stated(
            "boundary_answer",
            f"On the boundary the solver auto finds the only law there is, within {b.answer:g}, in {b.share:.0%} of"
            " cases.",
            f"{band}; slack 0",
            few,
            b.share,
            cases,
        ),
        stated(
            "boundary_said",
            f"No solver of the full problem calls a boundary case converged: in {b.share:.0%} of cases neither Newton"
            " nor L-BFGS does.",
            f"{band}; slack 0",
            few,
            b.share,
            cases,
        ),
        stated(
            "infeasible_said",
            f"Targets that no law has are said to be so by every solver: in {b.share:.0%} of cases, at every slack.",
            f"{band}; slack below 0, pair tables positive and in agreement",
            few,
            b.share,
            cases,
            "targets on the other side of the boundary, in this run",
        ),
        stated(
            "cycle",
            f"There proportional fitting cycles: after the first {sweeps // 64} sweeps"
            f" {b.stuck:.0%} of the residual stays.",
            f"{band}; slack below 0, up to {sweeps} sweeps",
            Region(lower=b.stuck),
            b.stuck,
            "share of the residual",
            "on the boundary a 64th stays, in this run",
        ),
        stated(
            "never_silent",
            f"No solver says converged and misses its targets: in at most {1 - b.share:.0%} of streams any does.",
            f"{interior}; and {band}",
            Region(upper=1 - b.share),
            1 - b.share,
            "share of streams",
        ),
        stated(
            "one_sweep",
            f"A decomposable set takes one sweep, and a second changes nothing (to 1e-12): in {b.share:.0%} of cases.",
            f"neighbouring pairs of Dirichlet laws, V = {study.chain.vocab_size}, n = {study.chain.length}",
            few,
            b.share,
            cases,
            "all pairs of the same laws take more, in this run",
        ),
    )
