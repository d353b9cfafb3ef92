"""The claims: one layer fails, more do better than any one order and than constant blends, and how they do it."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.grid import steps_of

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

PAPER = "2410.05493"
OWN = "this project's own claim"
STUDY = "variable_order"
ADAPTIVE, FIXED, WEIGHTING = "orders adapted", "one order for all", "weighting from two layers on"
STILL = "training not over"
"""The planted worlds: in the first all claims but one hold, in the second nearly all fail; in the third two layers do
what more do, so that claims on how they differ fail, and are as near as is claimed; in the fourth the excess still
falls."""
OF_BLENDS = ("two_blend", "depth_evidence")
"""Claims that fail in the third world."""


def claims(study: "VariableOrder") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n, most = study.bounds, study.n_seeds, study.layers[-1]
    one, two, top, bare, full = Arm(1), Arm(2), Arm(most), Arm(2, "bare"), Arm(2, "full")
    deep = tuple(Arm(layers) for layers in study.layers[2:])
    steps = f"{study.optimiser.steps} steps"
    unit = "of the best fixed order's excess"
    blend = "of the best constant blend's excess"

    def claim(
        name: str,
        statement: str,
        arms: tuple[Arm, ...],
        region: Region,
        margin: float,
        control: str,
        place: str = "",
        unit: str = unit,
    ) -> Claim:
        who = "; ".join(f"{arm.said}, {steps_of(study, arm)} steps" for arm in arms)
        borrowed = " at the rate of random trees" if full in arms else ""
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER if place else OWN,
            place=place or "beside the paper's comparison",
            reading="inferred",
            scope=f"{who}{borrowed}; {n} runs each, random trees of depth {study.task.depth},"
            f" {study.task.length} tokens",
            control=f"world '{WEIGHTING if name in OF_BLENDS else FIXED}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    layers = "abstract and the comparison of numbers of layers"
    return (
        claim(
            "one_fails",
            f"One layer fails: after {steps_of(study, one)} steps its excess over context-tree weighting is still at"
            f" least {b.one:g} times that of the best single fixed order.",
            (one,),
            Region(lower=b.one),
            b.one - 1,
            "two layers, in the notes",
            layers,
        ),
        claim(
            "beyond_one",
            f"After {steps} two layers and more do better than any one order, which a constant blend of orders does"
            f" too: excess at most {b.adapts:g} of what the best fixed order leaves.",
            (two, *deep),
            Region(upper=b.adapts),
            1 - b.adapts,
            "one layer; trained on full trees: in the notes",
            layers,
        ),
        claim(
            "two_adapts",
            f"After {steps} two layers do better than the best blend of orders with constant weights.",
            (two,),
            Region(upper=1.0),
            0.0,
            "one layer; trained on full trees: in the notes",
            layers,
            unit=blend,
        ),
        claim(
            "deep_adapts",
            f"So do more layers after {steps}, all of them.",
            deep,
            Region(upper=1.0),
            0.0,
            "one layer; trained on full trees: in the notes",
            layers,
            unit=blend,
        ),
        claim(
            "everywhere",
            f"After {steps} two layers and more do better than the constant blend that is best there in every quarter"
            " of the sequence.",
            (two, *deep),
            Region(upper=1.0),
            0.0,
            "one layer, in the notes",
            "the comparison by position",
            unit="of the excess of the constant blend that is best in that quarter",
        ),
        claim(
            "near",
            f"After {steps} two layers and more are near context-tree weighting: excess at most {b.near:g} nats.",
            (two, *deep),
            Region(upper=b.near),
            b.near,
            "one layer, in the notes",
            layers,
            unit="nats",
        ),
        claim(
            "two_blend",
            "Two layers hardly ask which order does well in the sequence: in its second half the coefficient of"
            f" context-tree weighting is at most {b.blind:g}.",
            (two,),
            Region(upper=b.blind),
            b.blind,
            "context-tree weighting with wrong priors, in the notes",
            "abstract: two layers, approximate blending by partial information",
            unit="coefficient",
        ),
        claim(
            "depth_evidence",
            f"More layers follow the sequence's evidence more: the coefficient of {most} layers is above that of two by"
            f" at least {b.deeper:g}.",
            (two, top),
            Region(lower=b.deeper),
            b.deeper,
            "where two layers weight as more do",
            "abstract: more layers bring noticeable improvements",
            unit="coefficient",
        ),
        claim(
            "deep_evidence",
            f"{most} layers follow it as context-tree weighting does: their coefficient is at least {b.evidence:g}.",
            (top,),
            Region(lower=b.evidence),
            b.evidence,
            "trained on full trees: full_blind",
            unit="coefficient",
        ),
        claim(
            "beyond_counts",
            f"After {steps} {most} layers come nearer than the interpolation of orders by counts, which never asks"
            " which order does well.",
            (top,),
            Region(upper=1.0),
            0.0,
            "the interpolation itself: 1",
            unit="of the interpolation's excess",
        ),
        claim(
            "nearest",
            f"After {steps} two layers and more are nearer to context-tree weighting than to any fixed order, as a"
            " constant blend is too.",
            (two, *deep),
            Region(lower=0.0),
            0.0,
            "trained on full trees, in the notes",
        ),
        claim(
            "full_blind",
            f"After {steps_of(study, full)} steps on full trees, where there is nothing to adapt, the same model"
            f" follows no order's success: on random trees the coefficient is at most {b.blind:g}.",
            (full,),
            Region(upper=b.blind),
            b.blind,
            "wrong priors, in the notes",
            unit="coefficient",
        ),
        claim(
            "full_fixed",
            f"After {steps_of(study, full)} steps on full trees it is no better than the best fixed order on random"
            " ones.",
            (full,),
            Region(lower=1.0),
            0.0,
            "trained on random trees: beyond_one",
        ),
        claim(
            "depth_pays",
            f"More layers bring it nearer: at as many steps, {steps}, {most} layers have less excess than two.",
            (two, top),
            Region(lower=0.0),
            0.0,
            "where a deeper model is behind",
            layers,
        ),
        claim(
            "depth_modest",
            f"They bring little: after {steps} the difference between {most} layers and two is at most {b.modest:g} of"
            " what the best fixed order leaves.",
            (two, top),
            Region.around(0.0, b.modest),
            b.modest,
            "where a deeper model is behind",
            layers,
        ),
        claim(
            "bare_short",
            f"Attention alone falls short of blocks with an MLP, after {steps} of both, by at least {b.bare:g}.",
            (two, bare),
            Region(lower=b.bare),
            b.bare,
            "where attention alone is ahead",
            "abstract: attention-only networks appear insufficient",
        ),
        claim(
            "bare_fixed",
            f"After {steps} two layers of attention alone are no better than the best fixed order.",
            (bare,),
            Region(lower=1.0),
            0.0,
            "where attention alone is ahead",
        ),
        claim(
            "ppm_worse",
            f"Prediction by partial matching is farther from context-tree weighting than two layers are after {steps},"
            f" by at least {b.bare:g}.",
            (two,),
            Region(lower=b.bare),
            b.bare,
            "where two layers are behind",
            "first version, abstract: prediction by partial matching suffers significantly",
        ),
    )
