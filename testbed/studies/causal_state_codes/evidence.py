"""The number of each claim: shares of runs where runs may fall apart in two kinds, means elsewhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.causal_state_codes.config import Arm
from testbed.studies.causal_state_codes.data import (
    PARTITIONS,
    TRAINED,
    UNTRAINED,
    Bools,
    Data,
    Floats,
    regret,
)
from testbed.studies.causal_state_codes.sources import complexity, law_classes, n_states, token_classes
from testbed.studies.causal_state_codes.statements import STUDY, judged_arms
from testbed.studies.judge import Evidence, Min, Open
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

BIT = float(np.log(2.0))


def states_bits(arm: Arm) -> float:
    """log2 S."""
    return float(np.log2(n_states(arm)))


def laws_bits(arm: Arm) -> float:
    """log2 of the number of different laws of the next token among the causal states."""
    return float(np.log2(law_classes(arm).max() + 1))


def classes(arm: Arm) -> np.ndarray:
    """(n, 4) of each pair of a state and a token that can have led into it: its class in each of PARTITIONS."""
    states, tokens = token_classes(arm).T
    laws = law_classes(arm)[states]
    return np.stack([states, laws, laws * (tokens.max() + 1) + tokens, tokens], axis=1)


def partition_bits(arm: Arm, partition: str) -> float:
    """log2 of the number of classes."""
    return float(np.log2(len(np.unique(classes(arm)[:, PARTITIONS.index(partition)]))))


def shown(
    study: "CausalStateCodes", data: Data, arm: Arm, partition: str, end: int = TRAINED, behind: bool = False
) -> Bools:
    """(R,) runs whose clusters are the classes of a partition: so many, and the rows of each are one cluster.

    behind   the final norm, in place of the last stream
    """
    off, prefix = study.bounds.bits, "read_" if behind else ""
    total = data.of(arm, f"{prefix}rule")[:, end]
    within = data.of(arm, f"{prefix}within")[:, end, PARTITIONS.index(partition)]
    return np.asarray((np.abs(total - partition_bits(arm, partition)) <= off) & (within <= off))


def approach(data: Data, arm: Arm) -> Floats:
    """(R,) bits by which the trained stream is nearer to clusters of laws than the untrained one and than one cluster.

    Far is the larger of two: DSE from log2 of the number of laws, the rows of some law from being one cluster.
    """
    total, within = data.of(arm, "rule"), data.of(arm, "within")[:, :, PARTITIONS.index("law")]
    far = np.maximum(np.abs(total - laws_bits(arm)), within)
    return np.asarray(np.minimum(far[:, UNTRAINED], laws_bits(arm)) - far[:, TRAINED])


def noise_errors(study: "CausalStateCodes", data: Data, arm: Arm) -> Floats:
    """(R, 3) the largest change of DSE, log2 RankMe, matrix entropy over the decade of noise up to s; bits."""
    noise = data.of(arm, "noise")
    places = [1 + i for i in study.reading.clusters.decade]
    return np.asarray(np.abs(noise[:, :, places] - noise[:, :, :1]).max(axis=2))


def evidence(study: "CausalStateCodes", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id. What rests on networks that have not learnt their source is open."""
    b, arms, codes = study.bounds, judged_arms(study), study.reading.codes
    shares = learnt_shares(study, data)

    def gated(number: Evidence, *places: Arm) -> Evidence:
        missing = [f"{shares[arm]:.0%} of runs on {arm}" for arm in places if shares[arm] < b.learnt]
        return Open(number, f"only {' and '.join(missing)} have learnt their source") if missing else number

    def share(flags: Bools, *places: Arm) -> Evidence:
        if not len(flags):
            return Open(Proportion(0, 1, "run"), "no run has clusters")
        return gated(Proportion(int(flags.sum()), len(flags), "run"), *places)

    def least(flags: Sequence[Bools]) -> Evidence:
        return Min([share(one, arm) for arm, one in zip(arms, flags, strict=True)])

    def mean(values: Floats, *places: Arm) -> Evidence:
        return gated(data.mean(values), *places)

    def unmoved(arm: Arm) -> Bools:
        clustered = data.of(arm, "noise")[:, 0, 0] >= b.told
        return np.asarray(noise_errors(study, data, arm)[clustered, 0] <= b.bits)

    def accuracy(arm: Arm) -> Floats:
        return data.of(arm, "accuracy")

    few, one = (codes.units.index(m) for m in (codes.few, 1))
    units = regret(data, "even", data.of("even", "units"))
    rival = np.maximum(accuracy("triple")[:, UNTRAINED], data.of("triple", "law")[:, 0])
    overlap, raw, mess3 = (data.of("product", name) for name in ("overlap", "raw", "mess3"))
    parted = [arm for arm in arms if states_bits(arm) != laws_bits(arm)]
    found: dict[str, Evidence] = {f"states_{arm}": share(shown(study, data, arm, "state"), arm) for arm in parted}
    found |= {
        "laws": least([shown(study, data, arm, "law") for arm in arms]),
        "laws_read": least([shown(study, data, arm, "law", behind=True) for arm in arms]),
        "laws_and_tokens": least([shown(study, data, arm, "law and token") for arm in arms]),
        "approach": least([approach(data, arm) >= b.approach for arm in arms]),
        "complexity": share(
            np.abs(data.of("triple", "rule")[:, TRAINED] - complexity("triple") / BIT) <= b.bits, "triple"
        ),
        "noise_diffusion": least([unmoved(arm) for arm in arms]),
        "codes_untrained": share(accuracy("even")[:, TRAINED] - accuracy("even")[:, UNTRAINED] >= b.gain, "even"),
        "codes_few": share(units[:, few] <= b.regret, "even"),
        "codes_one": share(units[:, one] > b.regret, "even"),
        "codes_law": share(accuracy("triple")[:, TRAINED] - rival >= b.gain, "triple"),
        "determinism": share(data.of("even", "redundancy")[:, TRAINED] <= b.redundancy, "even"),
        "modular": mean(raw[:, TRAINED, 0], "product"),
        "orthogonal": mean(overlap[:, TRAINED] / (2 / study.model.width), "product"),
        "explicit": mean(mess3[:, TRAINED] - data.of("product", "window"), "product"),
        "explicit_gain": mean(mess3[:, TRAINED] - mess3[:, UNTRAINED], "product"),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def learnt_shares(study: "CausalStateCodes", data: Data) -> dict[Arm, float]:
    """The share of an arm's runs whose excess is below the gate."""
    return {arm: float((arrays["excess"] < study.bounds.gate).mean()) for arm, arrays in data.at.items()}
