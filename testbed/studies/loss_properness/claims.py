"""The claims and the numbers that they are about, each a mean over replicates.

at_LOSS         total variation between the trained law and the fixed point of the loss, mean over contexts and the
                two noisy sources; the fixed point of a proper loss is the Bayes law
moved_LOSS      sum w (trained - Bayes) . (fixed point - Bayes) / sum w |fixed point - Bayes|^2, over contexts: 0 at
                the Bayes law, 1 at the fixed point; noise of training moves it neither way
floor           the largest relative error, over losses with a finite one, of the predicted excess
emo_better      excess of EMO with cross-entropy less that of cross-entropy; emo_closer: of total variation to Bayes
same_optimum    the largest total variation to the Bayes law on the deterministic source, over all losses but one
smoothing_floor the excess of that one, label smoothing, over -ln(1 - e + e / V), on the deterministic source
"""

from typing import TYPE_CHECKING, Literal

import numpy as np

from testbed.studies.judge import Claim, Evidence, Max, Region
from testbed.studies.loss_properness.config import NOISY, Arm
from testbed.studies.loss_properness.data import Data

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

PAPER = "2310.04691"
STUDY = "loss_properness"
PREDICTED, BAYES, EMO_WINS = "all as predicted", "all at the Bayes law", "EMO alone at the Bayes law"
"""Planted worlds."""
OURS = "ours: fixed points of the expected loss"
Unit = Literal["total variation", "share", "nats"]

TITLES = {
    "cross_entropy": "cross-entropy",
    "brier": "Brier",
    "spherical": "spherical",
    "label_smoothing": "label smoothing",
    "focal": "focal",
    "mixce": "MixCE",
    "total_variation": "total variation",
    "emo": "EMO alone",
    "emo_distance": "EMO, scaled to CE",
    "emo_cross_entropy": "EMO, CE scaled to it",
    "emo_own_head": "EMO, own read-out",
}


def title(arm: Arm) -> str:
    """A loss's name for the reader."""
    return TITLES.get(arm.name, arm.name.replace("_", " "))


def claims(study: "LossProperness") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds, n = study.bounds, study.n_seeds
    noisy = f"transformers on {' and '.join(NOISY)} sources of {study.design.vocab_size} tokens, {n} replicates"
    cycle = f"transformers on a cycle through {study.design.vocab_size} tokens, {n} replicates"

    def claim(
        name: str,
        statement: str,
        region: Region,
        margin: float,
        unit: Unit,
        control: str,
        scope: str = noisy,
        place: str = OURS,
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{control}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    made = []
    for arm in study.arms:
        proper = arm.objective.proper
        where = "the Bayes law" if proper else "the law that it has its fixed point at"
        wrong = EMO_WINS if proper or not arm.name.startswith("emo") else BAYES
        made.append(
            claim(
                f"at_{arm.name}",
                f"Trained on {title(arm)}, models end at {where}.",
                Region(upper=bounds.at),
                bounds.at,
                "total variation",
                wrong,
            )
        )
        if not proper:
            made.append(
                claim(
                    f"moved_{arm.name}",
                    f"Trained on {title(arm)}, models are moved from the Bayes law by as much as predicted.",
                    Region.around(1.0, bounds.moved),
                    bounds.moved,
                    "share",
                    BAYES,
                )
            )
    return (
        *made,
        claim(
            "floor",
            "The excess of models trained on losses that are not proper is the KL from the Bayes law to the fixed point"
            " (losses whose fixed point leaves out no token).",
            Region(upper=bounds.floor),
            bounds.floor,
            "share",
            BAYES,
        ),
        claim(
            "emo_better",
            "EMO with cross-entropy, as released but at the fixed vectors of this study, gives lower cross-entropy than"
            " cross-entropy does.",
            Region(upper=-bounds.better),
            bounds.better,
            "nats",
            PREDICTED,
            place="abstract, better language modelling than MLE, read as closeness to the truth",
        ),
        claim(
            "emo_closer",
            "It gives laws that are closer to the Bayes law in total variation.",
            Region(upper=-bounds.better),
            bounds.better,
            "total variation",
            PREDICTED,
            place="abstract, better language modelling than MLE, read as closeness to the truth",
        ),
        claim(
            "same_optimum",
            "On a deterministic source all losses but label smoothing end at the Bayes law.",
            Region(upper=bounds.at),
            bounds.at,
            "total variation",
            EMO_WINS,
            cycle,
        ),
        claim(
            "smoothing_floor",
            "On a deterministic source label smoothing leaves the excess -ln(1 - e + e / V).",
            Region.around(1.0, bounds.floor),
            bounds.floor,
            "share",
            BAYES,
            cycle,
        ),
    )


def evidence(study: "LossProperness", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers: dict[str, Evidence] = {}
    for arm in study.arms:
        numbers[f"at_{arm.name}"] = data.mean(data.over_sources(arm.name, "to_predicted"))
        if not arm.objective.proper:
            numbers[f"moved_{arm.name}"] = data.mean(data.moved(arm.name))
    errors = [_error(data, name) for name in finite_floors(study, data)]
    numbers["floor"] = Max([part for one in errors for part in (one, -one)])
    for name, what in (("emo_better", "excess"), ("emo_closer", "to_bayes")):
        gain = data.over_sources("emo_distance", what) - data.over_sources("cross_entropy", what)
        numbers[name] = data.mean(gain)
    cycle = {arm.name: data.laws[arm.name, "deterministic"] for arm in study.arms}
    numbers["same_optimum"] = Max([data.mean(one.to_bayes) for name, one in cycle.items() if name != "label_smoothing"])
    smoothed = cycle["label_smoothing"]
    numbers["smoothing_floor"] = data.mean(smoothed.excess / smoothed.predicted_excess)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def finite_floors(study: "LossProperness", data: Data) -> list[str]:
    """Losses that are not proper and whose predicted excess is finite."""
    return [
        arm.name
        for arm in study.arms
        if not arm.objective.proper and np.isfinite(data.over_sources(arm.name, "predicted_excess")).all()
    ]


def _error(data: Data, name: str) -> Evidence:
    """Excess over its prediction, less one; of the sums over sources."""
    return data.mean(data.over_sources(name, "excess") / data.over_sources(name, "predicted_excess") - 1.0)
