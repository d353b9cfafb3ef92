"""The claims and the numbers that they are about.

line         a and b of 1 / alpha = a + b d, by least squares over d, in each replicate; means over replicates
bend         change of the local exponent for each factor e of D, the largest over d of |mean|
growth       ln of the excess with the most irrelevant context over that with none
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.approximation_law.config import NETWORKS, Learner
from testbed.studies.approximation_law.data import Data, Floats, unread
from testbed.studies.judge import Claim, Evidence, Max, Min, Region

if TYPE_CHECKING:
    from testbed.studies.approximation_law.study import ApproximationLaw

PAPER = "2502.01481"
STUDY = "approximation_law"
DERIVED, OPPOSITE, BENT = "as derived", "the opposite", "bent and flat"
"""Planted worlds; see `worlds`."""


def claims(study: "ApproximationLaw") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds = study.bounds
    origin = Region.around(0.0, bounds.origin)
    settings = study.manifolds
    smooth = f"torus, d = {settings.dimensions[0]} to {settings.dimensions[-1]}, {study.replicates} sources"
    few = settings.network_dimensions
    nets = f"perceptrons of {study.network.depth} layers on a torus, d = {few[0]} to {few[-1]}"
    lag = study.irrelevant
    bits = f"windows of {lag.lengths[0]} to {lag.lengths[-1]} bits of which {lag.max_lag} matter, D = {lag.size}"

    def claim(
        name: str,
        statement: str,
        place: str,
        scope: str,
        control: str,
        region: Region,
        margin: float,
        unit: str = "exponent",
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    law, rival = "Eq. 4 and App. D: alpha = c / dim", "a rival: noisy regression, Stone 1982"
    least_growth = Region(lower=float(np.log1p(bounds.growth)))
    return (
        claim(
            "c6_noise_free",
            "Shown exact laws, learners blind to form (nearest neighbour, local plane) have 1 / alpha proportional"
            " to d.",
            law,
            smooth,
            f"world '{OPPOSITE}': a = 1",
            origin,
            bounds.origin,
        ),
        claim(
            "c6_noisy",
            "Shown labels, a learner blind to form has 1 / alpha proportional to d (averages of neighbours).",
            law,
            smooth,
            "Stone's rate: a = 1; c6_stone",
            origin,
            bounds.origin,
        ),
        claim(
            "c6_stone",
            "Shown labels, averages of neighbours have 1 / alpha = 1 + b d.",
            rival,
            smooth,
            f"world '{OPPOSITE}': a = 0",
            Region.around(1.0, bounds.origin),
            bounds.origin,
        ),
        claim(
            "c6_informed",
            "The exponent falls with the dimension of the data whatever the learner: also for one that knows the form.",
            law,
            smooth,
            "2 d + 1 numbers: alpha = 1 whatever d",
            Region(lower=bounds.slope),
            bounds.slope,
        ),
        claim(
            "c6_network_noise_free",
            "Shown exact laws, networks have 1 / alpha proportional to d.",
            law,
            nets,
            f"world '{DERIVED}': a = 1",
            origin,
            bounds.origin,
        ),
        claim(
            "c6_network_noisy",
            "Shown labels, networks have 1 / alpha proportional to d.",
            law,
            nets,
            f"world '{DERIVED}': a = 1",
            origin,
            bounds.origin,
        ),
        claim(
            "c6_network_falls",
            "The exponent of networks falls with the dimension, shown laws or labels.",
            law,
            nets,
            f"world '{BENT}': alpha = 1 whatever d",
            Region(lower=bounds.slope),
            bounds.slope,
        ),
        claim(
            "c6_power_control",
            "The excess is a power of D: learners blind to form, shown exact laws.",
            law,
            smooth,
            f"world '{BENT}'",
            Region(upper=bounds.curvature),
            bounds.curvature,
        ),
        claim(
            "c6_power_network",
            "The excess is a power of D: networks.",
            law,
            nets,
            f"world '{BENT}'",
            Region(upper=bounds.curvature),
            bounds.curvature,
        ),
        claim(
            "c7_grows",
            "Context that no answer rests on raises the excess: logistic regression and networks on bits, neighbours on"
            " coordinates.",
            "Eq. 4: dL_approx / dl > 0",
            bits,
            f"world '{OPPOSITE}': no growth",
            least_growth,
            bounds.growth,
            "ln of a ratio",
        ),
        claim(
            "c7_intrinsic",
            "It does so whatever the learner: also for one that selects a bit for each question.",
            "Eq. 4, read as a property of the source",
            bits,
            f"world '{DERIVED}': no growth",
            least_growth,
            bounds.growth,
            "ln of a ratio",
        ),
        claim(
            "c7_rate",
            "Logistic regression pays K (l + 1) / 2D nats, half a nat for each number and sample.",
            "a rival form of A(l): counted parameters",
            bits,
            f"world '{OPPOSITE}': another rate",
            Region(upper=bounds.rate),
            bounds.rate,
            "share",
        ),
    )


def evidence(study: "ApproximationLaw", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    blind: tuple[Learner, ...] = ("nearest", "plane")
    numbers = {
        "c6_noise_free": _together([_sides(data, _a(data, one)) for one in blind]),
        "c6_noisy": _mean(data, _a(data, "averaging")),
        "c6_stone": _mean(data, _a(data, "averaging")),
        "c6_informed": _mean(data, _b(data, "informed")),
        "c6_network_noise_free": _mean(data, _a(data, "network_laws")),
        "c6_network_noisy": _mean(data, _a(data, "network_labels")),
        "c6_network_falls": Min([_mean(data, _b(data, one)) for one in NETWORKS]),
        "c6_power_control": _bend(data, blind),
        "c6_power_network": _bend(data, NETWORKS),
        "c7_grows": Min([data.mean(growth(one)) for one in (data.lags["logistic"], data.lags["network"], data.extra)]),
        "c7_intrinsic": data.mean(growth(data.lags["selecting"])),
        "c7_rate": Max(_sides(data, column) for column in rate_errors(study, data).T),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def growth(excess: Floats) -> Floats:
    """(R,) ln of the last over the first."""
    return np.log(excess[:, -1] / excess[:, 0])


def rate_errors(study: "ApproximationLaw", data: Data) -> Floats:
    """(R, n_lengths): excess of logistic regression over K (l + 1) / 2D, less 1."""
    settings = study.irrelevant
    expected = settings.max_lag * (np.array(settings.lengths) + 1.0) / (2.0 * settings.size)
    return data.lags["logistic"] / expected - 1.0


def _a(data: Data, learner: Learner) -> Floats | None:
    found = data.line(learner)
    return None if found is None else found[0]


def _b(data: Data, learner: Learner) -> Floats | None:
    found = data.line(learner)
    return None if found is None else found[1]


def _mean(data: Data, values: Floats | None) -> Evidence:
    return unread() if values is None else data.mean(values)


def _sides(data: Data, values: Floats | None) -> Evidence:
    """|mean|."""
    return unread() if values is None else Max([data.mean(values), data.mean(-values)])


def _together(parts: list[Evidence]) -> Evidence:
    return Max(parts)


def _bend(data: Data, learners: tuple[Learner, ...]) -> Evidence:
    curves = [curve for learner in learners for curve in data.curves[learner].values()]
    return Max([_sides(data, curve.bends if curve.usable else None) for curve in curves])
