"""The number of each claim, from arrays over replicates."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Bounded, Evidence
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import LENGTHS, LINEAR, MAIN, NETWORK, POWERS, ArmName, Family
from testbed.studies.memory_profile.data import Data, learners_on, mean
from testbed.studies.memory_profile.ranks import partial_rank_correlation
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

DIFFICULTIES = ("final", "steps")


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


def slopes(sizes: tuple[int, ...], values: Floats) -> Floats:
    """(R,) of ln values (R, D) on ln D."""
    x = np.log(np.array(sizes, dtype=np.float64))
    x = x - x.mean()
    return np.asarray(np.log(values) @ x / (x @ x))


def loss_ratio(study: "MemoryProfile", data: Data, learner: str, family: Family) -> Floats:
    """(R,) exponent of L(D) - h over gamma / (2 beta)."""
    one = data.families[family]
    return -slopes(study.horizon.sizes, one[f"loss_{learner}"]) / (one["gamma"] / (2 * one["beta"]))


def parameter_ratio(study: "MemoryProfile", data: Data, family: Family) -> Floats:
    """(R,) exponent of the loss of pairs over gamma / (1 + gamma), that of n / 2D + C n^-gamma at its best n."""
    one = data.families[family]
    return -slopes(study.horizon.sizes, one["loss_pairs"]) * (1 + one["gamma"]) / one["gamma"]


def horizon_ratio(study: "MemoryProfile", data: Data, learner: str, family: Family) -> Floats:
    """(R,) exponent of n*(D), at least one token, over 1 / (2 beta)."""
    one = data.families[family]
    return slopes(study.horizon.sizes, np.maximum(one[f"length_{learner}"], 1.0)) * 2 * one["beta"]


def power_gain(sizes: tuple[int, ...], lengths: Floats) -> Floats:
    """(R,) AIC of n* = a + b ln D less that of n* = A D^c, two numbers each: positive where the power fits better.

    Residuals below a twentieth of a token are none.
    """
    logs = np.log(np.array(sizes, dtype=np.float64))
    logs = logs - logs.mean()
    n = len(logs)
    centred = lengths - lengths.mean(axis=1, keepdims=True)
    straight = (centred**2).sum(axis=1) - (centred @ logs) ** 2 / (logs @ logs)
    powers = np.exp(np.linspace(-0.5, 2.0, 501)[:, None] * logs)
    best = np.maximum(
        ((lengths**2).sum(axis=1)[:, None] - (lengths @ powers.T) ** 2 / (powers**2).sum(axis=1)).min(axis=1), 0.0
    )
    floor = n * 0.05**2
    return np.asarray(n * np.log(np.maximum(straight, floor) / np.maximum(best, floor)))


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
    sizes = study.horizon.sizes
    for family in POWERS:
        one = data.families[family]
        for learner in learners_on(one):
            numbers[f"loss_{learner}_{family}"] = mean(loss_ratio(study, data, learner, family))
        for learner in LENGTHS:
            numbers[f"horizon_{learner}_{family}"] = mean(horizon_ratio(study, data, learner, family))
        if family in LINEAR:
            numbers[f"parameter_{family}"] = mean(parameter_ratio(study, data, family))
        numbers[f"power_{family}"] = mean(power_gain(sizes, one["length_pairs"]))
        numbers[f"tabular_{family}"] = mean(np.abs(one["length_table"] - one["tabular"]).mean(axis=1))
    for learner in ("table", "tree", "pairs"):
        numbers[f"unseen_{learner}"] = mean(learnt_share(data, learner, "parity", -1))
        numbers[f"at_once_{learner}"] = mean(learnt_share(data, learner, "santa_fe", 0))
    if "parity" in study.networks.families:
        numbers[f"unseen_{NETWORK}"] = mean(learnt_share(data, NETWORK, "parity", -1))
    for learner in ("table", "pairs"):
        ratio = data.families["parity"][f"loss_{learner}"] / data.families["twin"][f"loss_{learner}"]
        numbers[f"twin_{learner}"] = mean(np.log(ratio).mean(axis=1))
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
