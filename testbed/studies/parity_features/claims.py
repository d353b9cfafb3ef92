"""The claims and the numbers that they are about.

Of each replicate: |r| and largest residual of the line of loss against kernel entropy over l; mean error of a count of
eigenvalues; R^2 and information of probes, the least over l; how unevenly the spectrum rises. Means over replicates.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, Max, Min, Region
from testbed.studies.linear_entropy.data import Data
from testbed.studies.parity_features.config import ROLES, Role
from testbed.studies.parity_features.data import off_by, unevenness

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

PAPER = "2502.01481"
STUDY = "parity_features"
TRACKS, LOSS, ASTRAY = "features are the state", "features follow the loss", "features are neither"
"""Planted worlds."""


def claims(study: "ParityFeatures") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds, n = study.bounds, study.n_seeds
    both = f"context features of a {study.model.kind} on either table, {n} seeds"

    def claim(
        name: str, statement: str, place: str, region: Region, margin: float, unit: str, control: str, scope: str = both
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

    linear = Region(upper=bounds.residual)
    return (
        claim(
            "c3_even",
            "Where the linear law is true (equally frequent tasks), cross-entropy is linear in the kernel entropy of"
            " the features.",
            "Fig. 2, 7 (C3)",
            linear,
            bounds.residual,
            "share of the range",
            f"world '{ASTRAY}'",
            f"the table of equally frequent tasks, {n} seeds",
        ),
        claim(
            "c3_uneven",
            "Where it is false (uneven frequencies), cross-entropy is linear in the kernel entropy all the same.",
            "Fig. 2, 7 (C3)",
            linear,
            bounds.residual,
            "share of the range",
            f"world '{TRACKS}'",
            f"the table of uneven frequencies, {n} seeds",
        ),
        claim(
            "c3_correlate",
            f"Cross-entropy against the kernel entropy of features has |r| >= {bounds.correlation} on both tables.",
            "Fig. 2 (C3)",
            Region(lower=bounds.correlation),
            0.0,
            "|r|",
            f"world '{ASTRAY}'",
        ),
        claim(
            "c3_tells_apart",
            "The kernel entropy tells the two tables apart: its line is worse where the law is false, by"
            f" {bounds.apart:.0%} of what it is with the exact S.",
            "Fig. 2, 7 read as a test of the linear law (C3)",
            Region(lower=bounds.apart * exact_difference(study)),
            (1 - bounds.apart) * exact_difference(study),
            "share of the range",
            f"world '{LOSS}'",
        ),
        claim(
            "c4_one_threshold",
            "One threshold on relative eigenvalues counts the tasks that the context solves, at every l, within"
            f" {bounds.tasks:g} tasks.",
            "App. K.3, Fig. 18 (C4)",
            Region(upper=bounds.tasks),
            bounds.tasks,
            "tasks",
            f"world '{ASTRAY}'; untrained features beside",
        ),
        claim(
            "c5_answers",
            "An affine map of the features gives the answers of all tasks that the context solves, at every l.",
            "App. D, prediction consistency (C5)",
            Region(lower=bounds.probe),
            1 - bounds.probe,
            "R^2",
            f"world '{ASTRAY}'",
        ),
        claim(
            "c5_over_untrained",
            "It does so better than features of untrained networks, at every l.",
            "App. D (C5)",
            Region(lower=bounds.over_untrained),
            bounds.over_untrained,
            "R^2",
            f"world '{ASTRAY}'",
        ),
        claim(
            "c5_information",
            "Probes of the answers find the whole entropy of the Bayes state in the features, at every l.",
            "App. D (C5)",
            Region(lower=bounds.information),
            1 - bounds.information,
            "share of S",
            f"world '{ASTRAY}'",
        ),
        claim(
            "one_factor",
            "From the shortest to the longest context all relative eigenvalues rise by about one factor: the spread of"
            f" the logarithms' rise is {bounds.uniform:g} of its mean or less.",
            "App. D, uniform information gain, Fig. 13 (C3)",
            Region(upper=bounds.uniform),
            bounds.uniform,
            "spread over mean",
            f"world '{TRACKS}': a new task is a new direction",
        ),
    )


def exact_difference(study: "ParityFeatures") -> float:
    """Largest residual of the line of S_ntp against the exact S where the law is false, less where it is true."""
    return study.uneven.bend - study.even.bend


def evidence(study: "ParityFeatures", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    lines = {role: data.lines(role, data.arms[role]["kde"]) for role in ROLES}
    numbers: dict[str, Evidence] = {
        "c3_even": data.mean(lines["true"][1]),
        "c3_uneven": data.mean(lines["false"][1]),
        "c3_correlate": Min([data.mean(lines[role][0]) for role in ROLES]),
        "c3_tells_apart": data.mean(lines["false"][1] - lines["true"][1]),
        "c4_one_threshold": Max([data.mean(off_by(study, data, role)) for role in ROLES]),
        "c5_answers": _least(data, lambda role: data.arms[role]["probe"][..., 0]),
        "c5_over_untrained": _least(
            data, lambda role: data.arms[role]["probe"][..., 0] - data.arms[role]["probe_untrained"][..., 0]
        ),
        "c5_information": _least(data, lambda role: data.arms[role]["information"] / data.exact[role][0]),
        "one_factor": Max([data.mean(unevenness(data, role)) for role in ROLES]),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def _least(data: Data, values: "Reader") -> Evidence:
    """The least over tables and l of the mean over replicates."""
    return Min([data.mean(column) for role in ROLES for column in np.asarray(values(role)).T])


if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.studies.linear_entropy.data import Floats

    Reader = Callable[[Role], Floats]
