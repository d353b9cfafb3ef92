"""The number of each claim: a mean over replicates, or the worst such mean over arms.

An arm whose networks did not learn their source says nothing of trained streams. A claim about that arm alone is then
undecided; one about the worst of several arms can fail on those that learnt, and cannot hold (`testbed.studies.gate`).
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.belief_geometry.claims import STUDY
from testbed.studies.belief_geometry.data import Data, Floats
from testbed.studies.gate import largest, least
from testbed.studies.judge import Evidence, Max, Open, unknown

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry


def evidence(study: "BeliefGeometry", data: Data, lost: Collection[str] = ()) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id; `lost` are the arms whose networks did not learn their source."""
    names = [arm.name for arm in study.arms]
    one, spread, product = study.headline, study.spread, study.factored

    def known(arms: Sequence[str], values: Sequence[Floats]) -> list[Evidence | None]:
        return [None if arm in lost else data.mean(value) for arm, value in zip(arms, values, strict=True)]

    def of(arm: str, values: Floats) -> Evidence:
        return Open(data.mean(values), f"{arm} was not learnt") if arm in lost else data.mean(values)

    hidden = data.hidden(study)
    unexplained = (1.0 - data.last(one)) / (1.0 - data.arms[one]["logits"])
    flattered = [data.arms[name]["by_sequence_untrained"] - data.together(name, "_untrained") for name in names]
    found = {
        "headline": of(one, data.last(one)),
        "headline_everywhere": least(known(names, [data.together(name) for name in names])),
        "headline_needs_training": data.mean(data.together(one, "_untrained")),
        "more_linear_than_logits": of(one, unexplained),
        "spread_beyond": of(spread, data.beyond(spread)),
        "beyond_everywhere": least(known(hidden, [data.beyond(name) for name in hidden])),
        "layers": of(spread, data.together(spread) - data.last(spread)),
        "last_is_law": of(spread, data.last(spread) - data.arms[spread]["bound"]),
        "sequences_held_out": Max([data.mean(values) for values in flattered]),
        "loss_curve": largest(known(names, [data.arms[name]["excess"].max(axis=1) for name in names])),
        "factored": of(product, joint_share(study, data)),
        "joint_learnt": of(product, crossed_beyond(study, data)),
    }
    nothing = unknown("no source was learnt")
    return {f"{STUDY}.{name}": nothing if number is None else number for name, number in found.items()}


def factored_rank(study: "BeliefGeometry") -> int:
    """S_1 + S_2 - 2 of the product: dimensions of two beliefs side by side."""
    first, second = study.arm(study.factored).source.components  # type: ignore[attr-defined]
    return int(first.n_states + second.n_states - 2)


def joint_share(study: "BeliefGeometry", data: Data, suffix: str = "") -> Floats:
    """(R,) what ranks above that of a factored geometry add to R^2 of the joint belief, over the same of the exact;

    of the last stream, or with the suffix "_untrained" of the one before training.
    """
    arrays, rank = data.arms[study.factored], factored_rank(study)
    gained, exact = (arrays[name][:, -1] - arrays[name][:, rank - 1] for name in ("rank" + suffix, "rank_joint"))
    return np.asarray(gained / exact)


def crossed_beyond(study: "BeliefGeometry", data: Data) -> Floats:
    """(R,) R^2 of the interaction from all streams less the best of what gives it without training."""
    arrays = data.arms[study.factored]
    rivals = (arrays["crossed_window"], arrays["crossed_bound"], arrays["crossed_untrained"][:, -1])
    return np.asarray(arrays["crossed"][:, -1] - np.max(rivals, axis=0))
