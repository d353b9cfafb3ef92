"""The number of each claim, from arrays over replicates."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Bounded, Evidence
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import CURVES, LENGTHS, MAIN, NETWORK, POWERS, ArmName, Family
from testbed.studies.memory_profile.data import Data, learners_on, mean
from testbed.studies.memory_profile.ranks import partial_rank_correlation
from testbed.studies.optimal_context_laws.data import slopes
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

DIFFICULTIES = ("final", "steps")
LONGEST = 22
"""No table that `table_entries` allows is longer: errors of its length lie within as many tokens."""


def local_entropy(data: Data, arm: ArmName, m: int) -> Floats:
    """(R, S) h_(m-1)."""
    return np.asarray(data.arms[arm]["profile"][..., m - 1])


def partial(study: "MemoryProfile", data: Data, arm: ArmName, what: str, difficulty: str) -> Floats:
    """(R,) of difficulty and h_(m-1) with E held fixed (what = local), or of difficulty and E with h_(m-1) held fixed
    (what = excess)."""
    one = data.arms[arm]
    m = study.profiles.far_split if arm == "exchangeable" else study.profiles.split
    local, whole = local_entropy(data, arm, m), one["excess_entropy"]
    if what == "excess":
        return partial_rank_correlation(one[difficulty], whole, local)
    return partial_rank_correlation(one[difficulty], local, whole)


def concave(data: Data, arm: ArmName) -> Floats:
    """(R, S) a difficulty that no quantity rules: the sum of the lags' logarithms, each bit for itself."""
    return np.asarray(np.log(data.arms[arm]["lags"]).sum(axis=-1))


def loss_ratio(study: "MemoryProfile", data: Data, learner: str, family: Family) -> Floats:
    """(R,) exponent of L(D) - h over gamma / (2 beta)."""
    one = data.families[family]
    return -slopes(study.horizon.sizes, np.log(one[f"loss_{learner}"])) / (one["gamma"] / (2 * one["beta"]))


def horizon_ratio(study: "MemoryProfile", data: Data, learner: str, family: Family) -> Floats:
    """(R,) exponent of n*(D), at least one token, over 1 / (2 beta)."""
    one = data.families[family]
    return slopes(study.horizon.sizes, np.log(np.maximum(one[f"length_{learner}"], 1.0))) * 2 * one["beta"]


def rate(study: "MemoryProfile", data: Data, learner: str, family: Family) -> Floats:
    """(R,) exponent of L(D) - h, over the 1 of a learner of a few parameters."""
    return -slopes(study.horizon.sizes, np.log(data.families[family][f"loss_{learner}"]))


def tabular_error(study: "MemoryProfile", data: Data, family: Family) -> Floats:
    """(R,) mean error of the length that the law of tables names, less a share of that of the best constant, tokens."""
    one = data.families[family]
    found = one["length_table"]
    constant = np.median(found, axis=1, keepdims=True)
    errors = (np.abs(found - other).mean(axis=1) for other in (one["tabular"], constant))
    named, same = errors
    return np.asarray(named - study.bounds.length * same)


def learnt_share(data: Data, learner: str, family: Family, size: int) -> Floats:
    """(R,) of h_0 - h, at dataset size number `size`."""
    one = data.families[family]
    return np.asarray(1.0 - one[f"loss_{learner}"][:, size] / one["worth"])


def evidence(study: "MemoryProfile", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers: dict[str, Evidence] = {}

    def rank(name: str, arm: ArmName, what: str, difficulty: str) -> None:
        numbers[name] = Bounded(mean(partial(study, data, arm, what, difficulty)), -1.0, 1.0)

    for arm in MAIN:
        for difficulty in DIFFICULTIES:
            rank(f"local_{difficulty}_{arm}", arm, "local", difficulty)
            rank(f"excess_{difficulty}_{arm}", arm, "excess", difficulty)
    for difficulty in DIFFICULTIES:
        for what in ("local", "excess"):
            rank(f"none_{what}_{difficulty}", "exchangeable", what, difficulty)
    for family in POWERS:
        for learner in learners_on(data.families[family]):
            numbers[f"loss_{learner}_{family}"] = mean(loss_ratio(study, data, learner, family))
        for learner in LENGTHS:
            numbers[f"horizon_{learner}_{family}"] = mean(horizon_ratio(study, data, learner, family))
    for family in ("copy", "twin"):
        numbers[f"rate_screened_{family}"] = mean(rate(study, data, "screened", family))
    for family in CURVES:
        most = float(max(LONGEST, data.families[family]["tabular"].max(), data.families[family]["length_table"].max()))
        numbers[f"tabular_{family}"] = Bounded(mean(tabular_error(study, data, family)), -most, most)
    if "parity" in study.networks.families:
        numbers[f"unseen_{NETWORK}"] = Bounded(mean(learnt_share(data, NETWORK, "parity", -1)), -np.inf, 1.0)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
