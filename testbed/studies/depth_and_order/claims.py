"""The claims: which shapes learn which order, which stay above, and how long runs wait."""

import math
from typing import TYPE_CHECKING

from testbed.studies.depth_and_order.config import Shape, layers_needed
from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

STUDY = "depth_and_order"
LAYERS, ONE_TOKEN = "2407.17686", "2508.07208"
PHASES = "2402.11004"
AS_BUILT, SELDOM, STUCK, SMOOTH = "as constructed", "seldom there", "stuck", "no plateaus"
"""The planted worlds: runs do what constructions say, but for some that stall; higher orders mostly stall; the other
way round; they get there, but without waiting."""
PLATEAUS = (1, 2)
"""Orders at which a plateau is looked for."""


def claims(study: "DepthAndOrder") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n, deepest = study.bounds, study.n_seeds, max(study.depths)
    orders = [one.order for one in study.orders]
    found: list[Claim] = []

    def claim(
        name: str,
        statement: str,
        scope: str,
        region: Region,
        margin: float,
        control: str,
        paper: str = LAYERS,
        place: str = "the number of layers and heads of its constructions",
        unit: str = "of the gap",
        world: str = STUCK,
    ) -> None:
        found.append(
            Claim(
                id=f"{STUDY}.{name}",
                statement=statement,
                paper=paper,
                place=place,
                reading="inferred",
                scope=scope,
                control=f"world '{world}'; {control}",
                region=region,
                margin=margin,
                decided_at=study.decided_at,
                unit=unit,
            )
        )

    def said(shape: Shape) -> str:
        what = "attention alone" if shape.block == "attention" else "norms and MLPs"
        layers = f"{shape.depth} layer{'s' * (shape.depth > 1)}"
        return f"{what}, {layers}, {shape.heads} head{'s' * (shape.heads > 1)}"

    setting = f"V = {study.vocab_size}, {study.length} tokens, {n} runs each"
    most = Region(lower=b.share)
    there = f"at least {b.share:.0%} of the runs end less than {b.there:.0%} of the gap above the Bayes law"

    def enough(name: str, shape: Shape, k: int, paper: str, place: str, control: str) -> None:
        claim(
            name,
            f"Trained on chains of order {k}, {said(shape)} get there: {there}.",
            f"{setting}, {study.steps(k)} steps",
            most,
            b.share,
            control,
            paper,
            place,
            "of runs",
        )

    def short(name: str, what: str, scope: str, control: str, paper: str, place: str) -> None:
        claim(
            name,
            f"{what} above: {b.stays:.0%} of the gap or more, even were it to fall by as much again as over the last"
            " doubling of steps; of runs that lie below the counts of order 0.",
            scope,
            Region(lower=b.stays),
            b.stays,
            control,
            paper,
            place,
        )

    claim(
        "coin",
        f"Where the law has no memory (k = 0) every depth of both blocks gets there: {there}.",
        f"{setting}, {study.steps(0)} steps",
        most,
        b.share,
        "one_layer",
        OWN,
        "a control: one average suffices",
        "of runs",
    )
    short(
        "one_layer",
        f"One layer, attention alone or with norms and MLPs, stays for every order from 1 to {orders[-1]}",
        setting,
        "coin",
        OWN,
        f"2508.07208 has that one layer cannot unless it is exponentially large, which may say nothing at V ="
        f" {study.vocab_size}, k <= {orders[-1]} and {study.length} tokens",
    )
    for k in orders[1:]:
        needed = layers_needed("attention", k)
        if needed in study.depths:
            shape = Shape(block="attention", depth=needed)
            place = (
                f"attention alone: O(log2({k} + 1)) layers; {needed} = ceil(log2({k} + 1)) + 1 is this project's own"
                " construction"
            )
            enough(f"attention_{k}", shape, k, LAYERS, place, "one layer" if k == 1 else f"attention_short_{k}")
        if k >= 2 and needed - 1 in study.depths:
            shape = Shape(block="attention", depth=needed - 1)
            what = f"On chains of order {k}, {said(shape)}, one layer fewer than its construction, stays"
            place = (
                "see the study: a line has two ends" if (needed, study.vocab_size) == (3, 2) else "no argument: a guess"
            )
            short(f"attention_short_{k}", what, setting, f"attention_{k}", OWN, place)
        if k in study.headed:
            shape = Shape(block="attention", depth=2, heads=k)
            enough(f"heads_{k}", shape, k, LAYERS, f"two layers with {k} heads", f"attention_short_{k}")
        enough(
            f"full_two_{k}",
            Shape(block="full", depth=2),
            k,
            ONE_TOKEN,
            "its main theorem: two layers, one head, any order",
            "one layer",
        )
        if k >= 2 and 3 in study.depths:
            enough(
                f"full_three_{k}",
                Shape(block="full", depth=3),
                k,
                LAYERS,
                "its main theorem: three layers, one head, any order",
                "one layer",
            )
    for k in PLATEAUS:
        claim(
            f"plateau_{k}",
            f"On chains of order {k} the loss has a plateau at the level of order {k - 1}: it takes at least"
            f" {b.slower:g} times as many log steps through {2 * b.band:.0%} of its fall there as right above, and as"
            " right below, in runs that get there.",
            f"{deepest} layers, attention alone and with norms and MLPs; {setting}",
            Region(lower=math.log(b.slower)),
            math.log(b.slower),
            "the bands above and below",
            PHASES,
            "phases of training",
            "log of times",
            SMOOTH,
        )
    for k in orders[2:]:
        claim(
            f"later_{k}",
            f"Order {k} takes longer than order {k - 1}: at least {b.slower:g} times as many steps until half of the"
            f" gap is gone, in {b.share:.0%} or more of the replicates that learnt order {k - 1} so far; those that"
            f" never learn order {k} counted with the steps that they made.",
            f"{deepest} layers, attention alone and with norms and MLPs; {setting}",
            most,
            b.share,
            "none in the run",
            OWN,
            "waits",
            "of replicates",
            SMOOTH,
        )
    return tuple(found)
