"""The claims, fixed before the runs that decide; `evidence` has their numbers."""

from typing import TYPE_CHECKING

from testbed.studies.judge import OWN, Claim, Region
from testbed.studies.recall_order.config import Arm

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder

STUDY = "recall_order"
PAPER = "2407.05483"
CLAIMED, PATCHY = "memory binds", "memory binds, some runs do not learn"
LASTING, RAISING = "memory binds the second time too", "repetition harms both orders"
REVERSED, UNLEARNT = "memory does not bind", "nothing is learnt"
"""The planted worlds."""
NEEDS: dict[str, tuple[Arm, ...]] = {
    "order": ("once",),
    "repeat": ("once", "twice"),
    "size": ("once",),
    "softmax": (),
}
"""Arms that must have learnt in both orders, by claim; `size` is about the narrow network, which need not, and
`softmax` about learning itself."""


def named_claims(study: "RecallOrder") -> list[str]:
    """Names of the claims that the arms can speak of."""
    about: dict[str, set[Arm]] = {"size": {"narrow"}, "softmax": {"softmax"}}
    return [name for name, needs in NEEDS.items() if {*needs} | about.get(name, set()) <= set(study.arms)]


def claims(study: "RecallOrder") -> tuple[Claim, ...]:
    """All claims that the arms can speak of, in the order in which they are reported."""
    bounds, memory, main = study.bounds, study.memory, study.design.main
    shape = (
        f"sets of {main.small} and {main.large} of {main.n_elements} elements; {study.network.depth} gated attention"
        f" units of width {study.network.width}, {study.training.steps} steps and {memory.steps} with the memory"
        f" bounded, {study.n_seeds} replicates"
    )
    span = f"{memory.middle[0]} to {memory.middle[1]} states"

    def claim(
        name: str, statement: str, region: Region, margin: float, control: str, place: str, paper: str = PAPER,
        scope: str = shape, world: str = REVERSED,
    ) -> Claim:  # fmt: skip
        return Claim(
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
            unit="share of answers" if name != "softmax" else "share of replicates",
        )

    better = Region(lower=bounds.effect)
    every = {
        "order": claim(
            "order",
            f"Linear attention that hands on one of {span} between the sets errs less where the small set stands first:"
            f" by {bounds.effect:g} of the answers at least, mean over these numbers, errors with the memory free"
            " subtracted.",
            better, bounds.effect, "a single state, and the memory free; the first block alone, which cannot tell",
            "the theorem on set disjointness: memory in proportion to the first set, or to the smaller one",
        ),
        "repeat": claim(
            "repeat",
            f"There is that effect of order, by {bounds.effect:g}; where the text is written twice at most"
            f" {bounds.left:.0%} of it is left either way, and the large set first errs no more than read once.",
            Region(upper=0.0), 0.0, f"world '{LASTING}'; world '{RAISING}'; the text written once",
            "reading twice: memory in proportion to the smaller set, whichever stands first",
        ),
        "size": claim(
            "size",
            "Trained with few numbers of state and read with the memory free, it errs less where the small set stands"
            f" first, by {bounds.effect:g} of the answers at least.",
            better, bounds.effect, f"key size {study.network.key_size}, which learns both orders",
            "the experiment on set disjointness: error against size of state, by order",
            scope=f"{shape}; key size {study.network.narrow_key_size}",
        ),
        "softmax": claim(
            "softmax",
            f"Softmax attention, whose memory grows with the text, learns both orders, in {bounds.kept:.0%} of the"
            " replicates at least.",
            Region(lower=bounds.kept), 0.0, "a network that is not trained", "this study's controls", paper=OWN,
            world=UNLEARNT,
        ),
    }  # fmt: skip
    return tuple(every[name] for name in named_claims(study))
