"""The claims, fixed before the run.

Claims that rest on RRXOR, nemo or the product being learnt are decided from the scale `gpu` on. At laptop scale their
networks pass the gate, and yet stand short of the Bayes loss (the notes of the run say by how much): what their streams
lack, or hold at their ends, may be what is still to be learnt and not how beliefs are held. Verdicts on them at laptop
scale speak of such networks.

Two claims are weaker than they sound. All layers together hold the last one, so that they give the belief no worse
whatever they hold: `layers` asks for a margin, and what untrained layers gain in the same way is told beside, not taken
off. A share of joint geometry is not nothing before training: `factored` asks which geometry is nearer, and the share
of untrained streams is told beside.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.judge.claim import Reading as How
from testbed.studies.judge.claim import Scale

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry

PAPER = "2405.15943"
STUDY = "belief_geometry"
HELD, RANDOM = "beliefs held, side by side", "random features, and a joint product"
"""Planted worlds."""
R2 = "R²"


def claims(study: "BeliefGeometry") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    bounds, n = study.bounds, study.n_seeds
    one, spread, product = study.headline, study.spread, study.factored
    arms = ", ".join(arm.name for arm in study.arms)
    held_out = f"held out by history, {study.context_length} tokens, {n} seeds"

    def claim(
        name: str, statement: str, place: str, how: How, scope: str, region: Region, margin: float, unit: str = R2,
        control: str = RANDOM, decided_at: Scale = study.decided_at,
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=how,
            scope=f"{scope}, {held_out}",
            control=f"world '{control}'",
            region=region,
            margin=margin,
            decided_at=decided_at,
            unit=unit,
        )

    later: Scale = "gpu" if study.decided_at == "laptop" else study.decided_at
    linear, gain = Region(lower=bounds.headline), Region(lower=bounds.beyond)
    return (
        claim(
            "headline",
            f"An affine map of the last residual stream gives the belief on {one}: R² >= {bounds.headline:g}.",
            "the experiment on Mess3",
            "quoted",
            f"last stream, {one}",
            linear,
            0.0,
        ),
        claim(
            "headline_everywhere",
            "An affine map of all residual streams together gives the belief (of a product: both factors' beliefs) on"
            f" every source: R² >= {bounds.headline:g}.",
            "abstract: belief states are linearly represented",
            "quoted",
            f"worst of {arms}",
            linear,
            0.0,
            decided_at=later,
        ),
        claim(
            "headline_needs_training",
            f"The number tells a trained network from an untrained one: on {one} untrained streams stay below"
            f" {bounds.headline:g}.",
            "the experiment on Mess3, whose control is a shuffle",
            "inferred",
            f"all streams together, untrained, {one}",
            Region(upper=bounds.headline),
            0.0,
        ),
        claim(
            "more_linear_than_logits",
            f"The last stream on {one} holds the belief more linearly than the member's own logits do: it leaves at"
            f" most {bounds.ratio:.0%} as much unexplained.",
            "the experiment on Mess3, read beyond prediction",
            "inferred",
            f"last stream, {one}",
            Region(upper=bounds.ratio),
            0.0,
            "ratio",
        ),
        claim(
            "spread_beyond",
            f"On {spread} the streams hold more of the belief than any function of the next token's law, the tokens of"
            f" the window and the untrained network give: R² greater by {bounds.beyond:g} at least.",
            "the experiment on RRXOR",
            "inferred",
            f"all streams together, {spread}",
            gain,
            bounds.beyond,
            decided_at=later,
        ),
        claim(
            "beyond_everywhere",
            "The same on every source whose belief the law of the next token does not give.",
            "abstract: information about the entire future, beyond the next token",
            "quoted",
            "all streams together, worst of the sources other than a product whose law does not give the belief",
            gain,
            bounds.beyond,
            decided_at=later,
        ),
        claim(
            "layers",
            f"On {spread} all layers together give the belief better than the last one: R² greater by"
            f" {bounds.layers:g} at least.",
            "the experiment on RRXOR",
            "quoted",
            f"{spread}; what untrained layers gain is not taken off",
            Region(lower=bounds.layers),
            bounds.layers,
            decided_at=later,
        ),
        claim(
            "last_is_law",
            f"The last stream on {spread} holds no more than the next token's law: R² at most"
            f" {bounds.beyond:g} above that of its best function.",
            "the experiment on RRXOR: the last layer need only tell next tokens apart",
            "inferred",
            f"last stream, {spread}",
            Region(upper=bounds.beyond),
            bounds.beyond,
            decided_at=later,
        ),
        claim(
            "sequences_held_out",
            "Holding out sequences is enough: an untrained network's R² is then at most"
            f" {bounds.beyond:g} above that on histories not seen in the fit.",
            "control by shuffled beliefs",
            "inferred",
            f"all streams together, untrained, worst of {arms}",
            Region(upper=bounds.beyond),
            bounds.beyond,
        ),
        claim(
            "loss_curve",
            "The loss at position t is h_t, the Bayes loss after t tokens: at no position is it more than"
            f" {bounds.excess:g} nats above.",
            "optimal prediction as the starting point; 2505.18373",
            "inferred",
            f"largest over positions, worst of {arms}",
            Region(upper=bounds.excess),
            bounds.excess,
            "nats",
            decided_at=later,
        ),
        claim(
            "factored",
            "The last stream holds a product's two beliefs rather side by side than jointly: maps of the joint belief"
            f" of a rank above S_1 + S_2 - 2 add at most {bounds.joint:.0%} of what they add to an exact joint belief"
            " (nothing if exactly factored).",
            "belief states of a product of sources",
            "inferred",
            f"last stream, {product}; the share of untrained streams is not taken off",
            Region(upper=bounds.joint),
            0.0,
            "share",
            decided_at=later,
        ),
        claim(
            "joint_learnt",
            "Training makes a joint geometry: the interaction of the two beliefs is read off the streams better than"
            f" off the tokens, any function of the next token's law and the untrained network, R² greater by"
            f" {bounds.beyond:g} at least.",
            "belief states of a product of sources",
            "inferred",
            f"all streams together, {product}",
            gain,
            bounds.beyond,
            control=HELD,
            decided_at=later,
        ),
    )
