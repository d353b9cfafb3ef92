"""The claims and the numbers that they are about.

Error of an estimator: the largest |a + b estimate - S| over l, as a share of S's range, a and b fitted on the baseline;
the worst over conditions of its mean over replicates. The generous reading fits a and b anew under each condition but
the other encoding: units and offsets are then forgiven everywhere, but not that one state has two entropies.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.feature_estimators.data import Data
from testbed.studies.feature_estimators.estimators import ESTIMATORS
from testbed.studies.judge import Claim, Evidence, Max, Min, Region

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators

PAPER = "2502.01481"
STUDY = "feature_estimators"
SOUND, UNSOUND = "sound", "unsound"
"""Planted worlds: every claim holds in the first, and fails in the second."""

JUDGED = ("baseline", "rescaled", "affine", "samples", "dial", "encoding")
"""Conditions that change no state; `noise` blurs it and is shown beside."""
GENEROUS = ("kernel", "log_det", "s_n", "dimension")
MANY = 32
"""Dimensions from which the kernel entropy is claimed to be its identity."""
WORDS = {
    "kernel": "The Gaussian-kernel entropy",
    "log_det": "Half the log-determinant of the covariance",
    "s_n": "The sum S_N of log relative eigenvalues",
    "dimension": "The number of relative eigenvalues above a threshold",
    "participation": "The participation ratio",
    "rank_me": "RankMe",
    "two_nn": "The two-nearest-neighbour dimension",
    "knn_dimension": "The k-nearest-neighbour dimension",
    "knn_entropy": "The k-nearest-neighbour entropy",
    "matrix": "The entropy of the Gram matrix",
    "diffusion": "The diffusion spectral entropy",
    "probe": "The information that a probe finds",
}


def claims(study: "FeatureEstimators") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds, clouds, kernel = study.bounds, study.clouds, study.kernel
    scope = (
        f"S = l ln 2, l = {clouds.n_bits[0]} to {clouds.n_bits[-1]}, {clouds.n_samples} features in {clouds.dimension}"
        f" dimensions, {study.replicates} draws"
    )
    papers = {one.name: one.paper for one in ESTIMATORS}
    of_range = "share of the range"

    def claim(name: str, statement: str, place: str, scope: str, region: Region, margin: float, unit: str) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{UNSOUND}'; where it should hold: c4_probe",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    passes = Region(upper=bounds.error)
    strict = [
        claim(
            f"c4_{name}",
            f"{WORDS[name]} measures the entropy of the state, on a scale of its own fitted once.",
            "Fig. 2, 7 and 9" if papers[name] else "a rival estimator",
            scope,
            passes,
            bounds.error,
            of_range,
        )
        for name in papers
    ]
    generous = [
        claim(
            f"c4_{name}_any_unit",
            f"{WORDS[name]} measures the entropy of the state, on a scale fitted anew under every condition but the"
            " other encoding.",
            "Fig. 2, 7 and 9" if papers[name] else "a rival estimator",
            scope,
            passes,
            bounds.error,
            of_range,
        )
        for name in GENEROUS
    ]
    kernels = f"{kernel.n_samples} features, {study.replicates} draws"
    largest = kernel.dimensions[-1]
    return (
        *strict,
        *generous,
        claim(
            "kernel_identity",
            f"From {MANY} dimensions on each point's own kernel makes up its density: the estimate is ln N + (d/2)"
            " ln 2 pi + d ln h + (1/2) ln det, whatever the law.",
            "Fig. 2; derived here",
            kernels,
            Region(lower=bounds.own_share),
            1 - bounds.own_share,
            "share",
        ),
        claim(
            "kernel_sees_shape",
            f"In {largest} dimensions the kernel entropy tells laws of one covariance apart.",
            "Fig. 2",
            kernels,
            Region(lower=bounds.shape),
            bounds.shape,
            "share of the true difference",
        ),
        claim(
            "kernel_sees_shape_low",
            f"In {kernel.dimensions[0]} dimensions it does.",
            "the control of kernel_sees_shape",
            kernels,
            Region(lower=bounds.shape),
            bounds.shape,
            "share of the true difference",
        ),
        claim(
            "kernel_bandwidth",
            f"In {largest} dimensions a bandwidth moves the kernel entropy by d ln h and nothing else, so that a sweep"
            " over h shows no robustness.",
            "Fig. 2, sweep of bandwidths",
            kernels,
            Region(upper=bounds.sweep),
            bounds.sweep,
            "share",
        ),
    )


def evidence(study: "FeatureEstimators", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers: dict[str, Evidence] = {
        f"c4_{one.name}": Max([data.mean(data.errors(one.name, condition)) for condition in JUDGED])
        for one in ESTIMATORS
    }
    for name in GENEROUS:
        numbers[f"c4_{name}_any_unit"] = Max(
            [data.mean(data.errors(name, condition, refitted=condition != "encoding")) for condition in JUDGED]
        )
    settings = study.kernel
    many = [k for k, d in enumerate(settings.dimensions) if d >= MANY] or [len(settings.dimensions) - 1]
    numbers["kernel_identity"] = Min(
        [data.mean(data.kernel[law][:, k, 2]) for law in ("normal", "two_valued") for k in many]
    )
    seen = data.seen()
    numbers["kernel_sees_shape"] = data.mean(seen[:, -1])
    numbers["kernel_sees_shape_low"] = data.mean(seen[:, 0])
    sweep = data.kernel["sweep"][:, -1]
    expected = settings.dimensions[-1] * np.log(np.array(settings.bandwidths[1:]) / settings.bandwidths[0])
    off = (sweep[:, 1:] - sweep[:, :1]) / expected - 1.0
    numbers["kernel_bandwidth"] = Max([data.mean(side * column) for column in off.T for side in (1.0, -1.0)])
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
