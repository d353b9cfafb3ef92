"""The number of each claim. Shares of texts and of pairs have exact binomial bounds.

bound, freedman, bound_of_rate    largest over sources, lengths and thresholds of (share of texts beyond - bound), where
                                  the bound is below 1 and at least 20 texts' worth
size                              share of A's texts rejected, all pairs together; others: the worst pair
exponent, stein, swapped          share of pairs whose exponent, from exact error probabilities, is the predicted one
optimal                           share of pairs with I / KL(A || B) above its bound
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.tables import Floats
from testbed.studies.zero_shot_tests.claims import STUDY
from testbed.studies.zero_shot_tests.data import AZUMA, NORMAL, Data, of_texts, share, within

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.study import ZeroShotTests

FEWEST = 20
"""Texts that a bound must allow, or no sample of this size could speak for it."""


def evidence(study: "ZeroShotTests", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _of_tails(study, data) | _of_texts(study, data) | _of_exponents(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def excess(found: dict[str, Floats], beyond: str, bound: str) -> list[Evidence]:
    """Share beyond less its bound, at every length and threshold that can speak."""
    n = round(float(found["n_texts"]))
    bounds = found[bound]
    speaks = (bounds < 1.0) & (bounds * n >= FEWEST)
    return [
        of_texts(count, n) - float(limit) for count, limit in zip(found[beyond][speaks], bounds[speaks], strict=True)
    ]


def _of_tails(study: "ZeroShotTests", data: Data) -> dict[str, Evidence]:
    def largest(beyond: str, bound: str, roles: Iterable[str]) -> Evidence:
        chosen = [data.tails[one.label] for one in study.tails if one.role in roles]
        return Max([part for found in chosen for part in excess(found, beyond, bound)])

    return {
        "bound": largest("beyond", "azuma", ("mixing", "slow")),
        "freedman": largest("beyond", "freedman", ("mixing", "slow")),
        "bound_of_rate": largest("beyond_rate", "azuma", ("slow",)),
    }


def _of_texts(study: "ZeroShotTests", data: Data) -> dict[str, Evidence]:
    arms = {"drift": study.drift, "blind": study.blind}

    def each(arm: str, counts: Floats) -> list[Evidence]:
        return [of_texts(count, arms[arm].n_texts) for count in counts.ravel()]

    normal = sum(float(data.pairs[arm][NORMAL][:, 0, -1].sum()) for arm in arms)
    total = sum(one.n_pairs * one.n_texts for one in arms.values())
    by_a = [part for arm in arms for part in each(arm, data.pairs[arm][AZUMA][:, 0, -1])]
    near = [part for arm in arms for part in each(arm, (data.pairs[arm]["distance"] <= study.bounds.near).sum(axis=1))]
    passed = {arm: each(arm, one.n_texts - data.pairs[arm][AZUMA][:, 1, -1]) for arm, one in arms.items()}
    return {
        "size": of_texts(normal, total),
        "size_azuma": Max(by_a),
        "converges": Min(near),
        "errors_fall": Max(passed["drift"]),
        "errors_fall_always": Max(passed["blind"]),
        "blind_visible": Max(each("blind", data.pairs["blind"]["mistaken"][..., -1])),
    }


def _of_exponents(study: "ZeroShotTests", data: Data) -> dict[str, Evidence]:
    b = study.bounds
    alone, chain = data.pairs["independent"], data.pairs["chain"]

    def both(name: str) -> Floats:
        return np.concatenate([alone[name], chain[name]])

    return {
        "exponent": share(within(alone["slope"], alone["predicted"], b.exponent)),
        "exponent_chain": share(within(chain["slope"], chain["predicted"], b.exponent)),
        "stein": share(within(both("best_slope"), both("forward"), b.exponent)),
        "swapped": share(within(both("best_slope"), both("backward"), b.exponent)),
        "optimal": share(both("predicted") >= b.optimal * both("forward")),
    }
