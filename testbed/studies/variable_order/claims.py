"""The claims: one layer fails, more do better than any one order, and how they do it: by counts, or by evidence."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.variable_order.config import Arm

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

PAPER = "2410.05493"
OWN = "this project's own claim"
STUDY = "variable_order"
ADAPTIVE, FIXED, WEIGHTING = "orders adapted", "one order for all", "weighting from two layers on"
"""The planted worlds: in the first all claims hold, in the second nearly all fail; in the third two layers do what more
do, so that claims on how they differ fail."""
OF_BLENDS = ("two_blend", "two_nearest", "depth_evidence")
"""Claims that fail in the third world."""


def claims(study: "VariableOrder") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n, most = study.bounds, study.n_seeds, study.layers[-1]
    two, deep = "two layers", f"{', '.join(map(str, study.layers[2:]))} layers"
    unit = "of the best fixed order's excess"

    def claim(
        name: str,
        statement: str,
        who: str,
        region: Region,
        margin: float,
        control: str,
        place: str = "",
        unit: str = unit,
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER if place else OWN,
            place=place or "beside the paper's comparison",
            reading="inferred",
            scope=f"{who}, {n} runs each, random trees of depth {study.task.depth}, {study.task.length} tokens",
            control=f"world '{WEIGHTING if name in OF_BLENDS else FIXED}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    layers = "abstract and the comparison of numbers of layers"
    full = Arm(2, "full").said
    return (
        claim(
            "one_fails",
            f"One layer fails: at {study.longer} times the steps of the others its excess over context-tree weighting"
            f" is still at least {b.one:g} times that of the best single fixed order.",
            "one layer",
            Region(lower=b.one),
            b.one - 1,
            two,
            layers,
        ),
        claim(
            "two_adapts",
            f"Two layers are no learner of one order: excess at most {b.adapts:g} of what the best fixed order leaves.",
            two,
            Region(upper=b.adapts),
            1 - b.adapts,
            "one layer; trained on full trees",
            layers,
        ),
        claim(
            "deep_adapts",
            f"Nor are more layers, any of them: excess at most {b.adapts:g} of what the best fixed order leaves.",
            deep,
            Region(upper=b.adapts),
            1 - b.adapts,
            "one layer; trained on full trees",
            layers,
        ),
        claim(
            "everywhere",
            "From two layers on they are nearer than the fixed order that is best there in every quarter of the"
            " sequence.",
            f"{two}; {deep}",
            Region(upper=1.0),
            0.0,
            "one layer",
            "the comparison by position",
            unit="of the excess of the fixed order that is best in that quarter",
        ),
        claim(
            "two_blend",
            "Two layers blend orders by how often contexts were seen, and hardly ask which order does well in the"
            " sequence: in its second half the coefficient of context-tree weighting, beside all such blends, is at"
            f" most {b.blind:g}.",
            two,
            Region(upper=b.blind),
            b.blind,
            "context-tree weighting with wrong priors, in the notes",
            "abstract: two layers, approximate blending by partial information",
            unit="coefficient",
        ),
        claim(
            "two_nearest",
            "Two layers are nearer to the interpolation of orders by counts than to context-tree weighting.",
            two,
            Region(lower=0.0),
            0.0,
            "a model near context-tree weighting",
            "abstract: two layers, approximate blending by partial information",
        ),
        claim(
            "depth_evidence",
            f"More layers follow the sequence's evidence more: the coefficient of {most} layers is above that of two by"
            f" at least {b.deeper:g}.",
            f"two and {most} layers",
            Region(lower=b.deeper),
            b.deeper,
            "a deeper model that blends as well",
            "abstract: more layers bring noticeable improvements; D + 2 layers are exact",
            unit="coefficient",
        ),
        claim(
            "deep_evidence",
            f"{most} layers follow it as context-tree weighting does: their coefficient is at least {b.evidence:g}.",
            f"{most} layers",
            Region(lower=b.evidence),
            b.evidence,
            "trained on full trees: full_blind",
            "abstract: D + 2 layers can be context-tree weighting exactly",
            unit="coefficient",
        ),
        claim(
            "beyond_counts",
            f"{most} layers come nearer than the interpolation of orders by counts, which never asks which order does"
            " well.",
            f"{most} layers",
            Region(upper=1.0),
            0.0,
            "the interpolation itself: 1",
            unit="of the interpolation's excess",
        ),
        claim(
            "nearest",
            "From two layers on they are nearer to context-tree weighting than to any fixed order.",
            f"{two}; {deep}",
            Region(lower=0.0),
            0.0,
            "trained on full trees",
        ),
        claim(
            "full_blind",
            "Trained on full trees, where there is nothing to adapt, the same model follows no order's success: on"
            f" random trees the coefficient is at most {b.blind:g}.",
            full,
            Region(upper=b.blind),
            b.blind,
            "wrong priors, in the notes",
            unit="coefficient",
        ),
        claim(
            "full_fixed",
            "It is no better than the best fixed order on random trees.",
            full,
            Region(lower=1.0),
            0.0,
            "trained on random trees: two_adapts",
        ),
        claim(
            "depth_pays",
            f"More layers bring it nearer: at as many steps {most} layers have less excess than two.",
            f"two and {most} layers",
            Region(lower=0.0),
            0.0,
            "a deeper model that is behind",
            layers,
        ),
        claim(
            "depth_modest",
            f"They bring little: the difference between {most} layers and two is at most {b.modest:g} of what the best"
            " fixed order leaves.",
            f"two and {most} layers",
            Region.around(0.0, b.modest),
            b.modest,
            "a deeper model that is behind",
            layers,
        ),
        claim(
            "bare_short",
            f"Attention alone falls short of blocks with an MLP, by at least {b.bare:g}.",
            f"{two}, with and without MLP",
            Region(lower=b.bare),
            b.bare,
            "attention alone that is ahead",
            "abstract: attention-only networks appear insufficient",
        ),
        claim(
            "bare_fixed",
            "Two layers of attention alone are no better than the best fixed order.",
            Arm(2, "bare").said,
            Region(lower=1.0),
            0.0,
            "attention alone that is ahead",
            "abstract: attention-only networks appear insufficient",
        ),
        claim(
            "ppm_worse",
            "Prediction by partial matching is farther from context-tree weighting than two layers are, by at least"
            f" {b.bare:g}.",
            two,
            Region(lower=b.bare),
            b.bare,
            "a model that is behind",
            "first version, abstract: prediction by partial matching suffers significantly",
        ),
        claim(
            "mismatch",
            "A wrong prior costs less than a fixed order: context-tree weighting with each of"
            f" {len(study.rivals.mismatches)} others has at most {b.mismatch:g} of the best fixed order's excess.",
            "no model",
            Region(upper=0.0),
            0.0,
            "a prior worse than a fixed order",
            unit="nats",
        ),
    )
