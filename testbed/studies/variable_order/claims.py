"""The claims: one layer fails, more do better than constant blends; whether they do what asks for evidence."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.grid import steps_of

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

PAPER = "2410.05493"
OWN = "this project's own claim"
STUDY = "variable_order"
ADAPTIVE, FIXED, ALIKE = "orders adapted", "one order for all", "two layers do as more do"
CONFIDENT, STILL = "orders weighted by their confidence", "training not over"
"""The planted worlds: in the first all claims but `near` ones hold, in the second nearly all fail; in the third two
layers do what more do, and all are as near as is claimed; in the fourth two layers and more are what learners are that
ask no evidence; in the fifth twice the steps still bring much."""
OF_MORE = ("depth_follows", "depth_pays")
"""Claims that fail in the third world."""
OF_EVIDENCE = (
    "two_unasking",
    "deep_unasking",
    "falls",
    "two_follows",
    "deep_follows",
    "true_depth",
    "deep_evidence",
    "depth_follows",
    "depth_pays",
)
"""Claims that fail in the fourth world."""


def claims(study: "VariableOrder") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n, most = study.bounds, study.n_seeds, study.layers[-1]
    one, two, top, bare, full = Arm(1), Arm(2), Arm(most), Arm(2, "bare"), Arm(2, "full")
    deep = tuple(Arm(layers) for layers in study.layers[2:])
    steps = f"{study.optimiser.steps} steps"
    unit = "of the best fixed order's excess"
    blend = "of the best constant blend's excess"
    unasking = "of the excess of the best fitted learner that asks no evidence"

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
            f" {study.task.vocab_size} symbols, {study.task.length} tokens",
            control=f"world '{ALIKE if name in OF_MORE else CONFIDENT if name in OF_EVIDENCE else FIXED}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    layers = "abstract and the comparison of numbers of layers"
    blind = "one layer; trained on full trees: in the notes"
    found = (
        claim(
            "one_fails",
            f"One layer fails: after {steps} its excess over context-tree weighting is still at least"
            f" {'' if b.one == 1 else f'{b.one:g} times '}that of the best single fixed order.",
            (one,),
            Region(lower=b.one),
            0.25,
            "two layers, in the notes",
            layers,
        ),
        claim(
            "one_nats",
            f"After {steps} the excess of one layer is at least {b.one_nats:g} nats.",
            (one,),
            Region(lower=b.one_nats),
            0.0,
            "two layers, in the notes; added when numbers were seen",
            unit="nats",
        ),
        claim(
            "two_constant",
            f"After {steps} two layers do better than the best blend of all orders whose weights are the same in every"
            " sequence.",
            (two,),
            Region(upper=1.0),
            0.0,
            blind,
            unit=blend,
        ),
        claim(
            "deep_constant",
            f"So do more layers after {steps}, all of them.",
            deep,
            Region(upper=1.0),
            0.0,
            blind,
            unit=blend,
        ),
        claim(
            "two_unasking",
            f"After {steps} two layers do better than the best fitted learner that never asks which order did well in"
            " the sequence: blends by counts and by each order's own confidence among them.",
            (two,),
            Region(upper=1.0),
            0.0,
            "added when numbers were seen; these learners themselves: 1",
            unit=unasking,
        ),
        claim(
            "deep_unasking",
            f"So do more layers after {steps}, all of them.",
            deep,
            Region(upper=1.0),
            0.0,
            "added when numbers were seen; these learners themselves: 1",
            unit=unasking,
        ),
        claim(
            "everywhere",
            f"After {steps} two layers and more do better than the constant blend that is best there in every quarter"
            " of the sequence.",
            (two, *deep),
            Region(upper=1.0),
            0.0,
            "one layer, in the notes",
            unit="of the excess of the constant blend that is best in that quarter",
        ),
        claim(
            "falls",
            f"After {steps} the excess of two layers and more is less in the second half of the sequence than in the"
            " first, and less there than that of the best fitted learner that asks no evidence.",
            (two, *deep),
            Region(lower=0.0),
            0.0,
            "fixed orders and linear blends fall too, but end above: in the notes",
            unit="of that learner's excess in the second half",
        ),
        claim(
            "near",
            f"After {steps} two layers and more are near context-tree weighting: excess at most {b.near:g} of that of"
            " the best single fixed order.",
            (two, *deep),
            Region(upper=b.near),
            b.near,
            "one layer, in the notes",
            layers,
        ),
        claim(
            "near_nats",
            f"After {steps} the excess of two layers and more is at most {b.near_nats:g} nats.",
            (two, *deep),
            Region(upper=b.near_nats),
            0.0,
            "fitted learners that ask no evidence: open unless they are shown to fail; added when numbers were seen",
            unit="nats",
        ),
        claim(
            "two_follows",
            f"After {steps} two layers change from sequence to sequence which orders they prefer, along with"
            " context-tree weighting: in the second half the slope of their preferences along its own is above that of"
            f" every learner that asks no evidence by at least {b.above:g}.",
            (two,),
            Region(lower=b.above),
            b.above,
            blind,
            unit="slope, above the largest of who asks no evidence",
        ),
        claim(
            "deep_follows",
            f"So do more layers after {steps}, all of them.",
            deep,
            Region(lower=b.above),
            b.above,
            blind,
            unit="slope, above the largest of who asks no evidence",
        ),
        claim(
            "true_depth",
            f"After {steps} the preferences of two layers and more follow the true depth of the sequence's tree: the"
            f" slope is above {study.reading.chance:.0%} of those with permuted depths, and above those of all learners"
            " that ask no evidence.",
            (two, *deep),
            Region(lower=0.0),
            0.0,
            "one layer; trained on full trees: open unless they are shown to fail",
            unit="of the slope of context-tree weighting",
        ),
        claim(
            "deep_evidence",
            f"After {steps} {most} layers follow the evidence for the greater part: their slope is at least"
            f" {b.evidence:g} of context-tree weighting's.",
            (top,),
            Region(lower=b.evidence),
            b.evidence,
            "trained on full trees: full_blind",
            unit="slope",
        ),
        claim(
            "depth_follows",
            f"More layers follow the evidence more: after {steps} the slope of {most} layers is above that of two by at"
            f" least {b.deeper:g}.",
            (two, top),
            Region(lower=b.deeper),
            b.deeper,
            "where two layers do as more do",
            unit="slope",
        ),
        claim(
            "full_blind",
            f"After {steps_of(study, full)} steps on full trees, where there is nothing to adapt, the same model"
            f" prefers no order by the evidence: on random trees the slope is at most {b.blind:g}.",
            (full,),
            Region(upper=b.blind),
            b.blind,
            "wrong priors, in the notes",
            unit="slope",
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
            "bare_blend",
            f"After {steps} two layers of attention alone are no better than the best constant blend.",
            (bare, two),
            Region(lower=1.0),
            0.0,
            "where attention alone is ahead",
            unit=blend,
        ),
        claim(
            "ppm_worse",
            f"Prediction by partial matching is farther from context-tree weighting than two layers are after {steps},"
            f" by at least {b.ppm:g}.",
            (two,),
            Region(lower=b.ppm),
            b.ppm,
            "where two layers are behind; every fitted blend would do in their place: a statement on partial matching",
            "first version, abstract: prediction by partial matching suffers significantly",
        ),
    )
    return tuple(one for one in found if study.attention_only or "bare_" not in one.id)
