"""The number of each claim (`claims`), from arrays over replicates."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.optimal_context_laws.claims import GROWING, STUDY
from testbed.studies.optimal_context_laws.data import (
    Data,
    Floats,
    at_places,
    optima,
    others_best,
    place_of,
    regrets,
    slopes,
)
from testbed.studies.optimal_context_laws.laws import DimensionLaw, dimension_choice, dimension_fit
from testbed.studies.optimal_context_laws.statements import (
    BLUNT,
    ROLES,
    TABLE,
    arm_of,
    lag_arm,
    pairs_judged,
    short_arm,
)

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

INSIDE = 0.6
"""An optimum counts as inside the grid by prediction where the law of parameters puts it below this share of it."""


def evidence(study: "OptimalContextLaws", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    found: dict[str, Evidence] = {}
    for role in ROLES:
        found[f"interior_{role}"] = interior(data, arm_of(study, role))
    for role in GROWING:
        arm = arm_of(study, role)
        tops = optima(data.losses(arm), data.lengths(arm))
        found[f"grows_{role}"] = data.mean(tops[:, -1] - tops[:, 0])
    found |= _powers(study, data) | _without_optimum(study, data) | _three_lengths(study, data)
    for law, role in pairs_judged():
        found[f"{law}_on_{role}"] = data.mean(chosen_regret(data, arm_of(study, role), law))
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def interior(data: Data, arm: str) -> Evidence:
    """max over D of the least of what the shortest and the longest context cost."""
    losses = data.losses(arm)
    shortest = regrets(losses, np.zeros(losses.shape[:2], dtype=np.intp))
    longest = regrets(losses, np.full(losses.shape[:2], losses.shape[-1] - 1, dtype=np.intp))
    each = zip(shortest.T, longest.T, strict=True)
    return Max([Min([data.mean(a), data.mean(b)]) for a, b in each])


def chosen_regret(data: Data, arm: str, law: str) -> Floats:
    """(R,) mean over D of the relative regret of the law's l; of the paper's, over the sizes its fit did not see."""
    losses, lengths = data.losses(arm), data.lengths(arm)
    if law != "paper":
        return np.asarray(regrets(losses, place_of(lengths, data.arms[arm][f"law_{law}"])).mean(axis=1))
    found, unseen = paper_fit(data, arm)
    missing = data.arms[arm]["missing"].mean(axis=0)
    place = dimension_choice(found, missing, np.array(data.sizes[arm], dtype=np.float64))
    places = np.broadcast_to(place, losses.shape[:2])
    return np.asarray(regrets(losses, places)[:, unseen].mean(axis=1))


def paper_fit(data: Data, arm: str) -> tuple[DimensionLaw, np.ndarray]:
    """The paper's law fitted to the mean excess at the smaller half of the sizes, and which sizes it did not see."""
    one, sizes = data.arms[arm], np.array(data.sizes[arm], dtype=np.float64)
    n_seen = (len(sizes) + 1) // 2
    law = dimension_fit(one["missing"].mean(axis=0), one["excess"].mean(axis=0)[:n_seen], sizes[:n_seen])
    return law, np.arange(n_seen, len(sizes))


def judged_sizes(study: "OptimalContextLaws", data: Data, arm: str) -> np.ndarray:
    """(n_sizes,) large enough, and with an optimum inside the grid by prediction; if fewer than two are inside, all."""
    large = np.array(data.sizes[arm]) >= study.bounds.asymptotic
    inside = large & (data.arms[arm]["law_parameter"].mean(axis=0) <= INSIDE * data.lengths(arm).max())
    return np.asarray(inside if inside.sum() > 1 else large)


def power_error(study: "OptimalContextLaws", data: Data, arm: str, power: float) -> Evidence:
    """|d ln l* / d ln D - power|."""
    tops = np.log(np.maximum(np.expm1(optima(data.losses(arm), data.lengths(arm))), 0.5))
    error = slopes(data.sizes[arm], tops, judged_sizes(study, data, arm)) - power
    return Max([data.mean(error), data.mean(-error)])


def _powers(study: "OptimalContextLaws", data: Data) -> dict[str, Evidence]:
    lags, g = study.lags, study.distance.exponent
    each = [power_error(study, data, lag_arm(beta), 1.0 / (2.0 * beta)) for beta in lags.exponents]
    first, last = lag_arm(lags.exponents[0]), lag_arm(lags.exponents[-1])
    both = np.flatnonzero(judged_sizes(study, data, first) & judged_sizes(study, data, last))
    at = int(both[-1]) if len(both) else 0
    slow, fast = (optima(data.losses(arm)[:, at], data.lengths(arm)) for arm in (first, last))
    joint = data.losses(BLUNT, "joint")
    joint_top = optima(joint[:, -1], data.lengths(BLUNT, "joint"))
    single_top = optima(data.losses(BLUNT)[:, joint.shape[1] - 1], data.lengths(BLUNT))
    return {
        "slope_lags": Max(each),
        "slower_is_longer": data.mean(slow - fast),
        "stronger_is_longer": data.mean(single_top - joint_top),
        "horizon_power_lags": power_error(study, data, lag_arm(lags.middle), 1.0 / (2.0 * lags.middle)),
        "horizon_power_distance": power_error(study, data, BLUNT, 0.5 / (1.0 + g)),
    }


def _without_optimum(study: "OptimalContextLaws", data: Data) -> dict[str, Evidence]:
    trees = data.losses(TABLE, "tree")
    deepest = regrets(trees, np.full(trees.shape[:2], trees.shape[-1] - 1, dtype=np.intp))
    arm = lag_arm(study.lags.middle)
    screened = data.losses(arm, "screened")
    longest = regrets(screened, np.full(screened.shape[:2], screened.shape[-1] - 1, dtype=np.intp))
    late = np.array(data.sizes[arm]) >= study.bounds.asymptotic
    return {
        "tree_needs_none": Max([data.mean(one) for one in deepest.T]),
        "screening_needs_none": Max([data.mean(one) for one in longest[:, late].T]),
    }


def _three_lengths(study: "OptimalContextLaws", data: Data) -> dict[str, Evidence]:
    arm, short = lag_arm(study.lags.middle), short_arm()
    lengths = data.lengths(arm)
    trained, shown = (optima(data.losses(arm, name), lengths) for name in ("excess", "visible"))
    kept = judged_sizes(study, data, arm)
    shift = (shown - trained)[:, kept].T
    losses, lengths = data.losses(short), data.lengths(short)
    at = int(np.argmin(np.abs(lengths - study.lags.reach)))
    cost = regrets(losses, np.full(losses.shape[:2], at, dtype=np.intp))
    late = np.array(data.sizes[short]) >= study.bounds.asymptotic
    largest = data.sizes[short][-1]
    far = int(np.flatnonzero(lengths <= max(largest / 100, 2 * study.lags.reach))[-1])
    excess = data.arms[short]["excess"][:, -1]
    ratio = (excess[:, far] - excess[:, at]) / ((lengths[far] - lengths[at]) / (2.0 * largest))
    return {
        "shown_as_trained": Max([Max([data.mean(one), data.mean(-one)]) for one in shift]),
        "stops_at_source": Max([data.mean(one) for one in cost[:, late].T]),
        "irrelevant_context": data.mean(ratio),
    }


def best_losses(data: Data, arm: str, learner: str = "excess") -> Floats:
    """(R, n_sizes) loss above the rate at the best length of the other replicates."""
    losses = data.losses(arm, learner)
    return at_places(losses, others_best(losses))
