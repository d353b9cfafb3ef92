"""The claims: which phases there are, where the loss dwells, and what one layer knows."""

import math
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

PAPER = "2402.11004"
STUDY = "induction_phases"
COUNTING, STRAIGHT = "by way of counting", "straight to bigrams"
"""The planted worlds: models are unigram predictors on their way, or never are."""
REVERSED = ("plateau_last", "last_longer", "one_last")
"""Claims that hold in the second world and fail in the first."""


def claims(study: "InductionPhases") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n = study.bounds, study.n_seeds
    arms = study.arms
    runs, nats = "share of runs", "nats"

    def claim(
        name: str,
        statement: str,
        scope: str,
        region: Region,
        margin: float,
        unit: str,
        control: str,
        place: str = "Fig. 1, the phases of training",
    ) -> Claim:
        world = COUNTING if name in REVERSED else STRAIGHT
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{world}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    def trained(layers: int, k: str, length: int) -> str:
        return f"{layers} layer{'s' * (layers > 1)} of attention, K = {k}, {length} tokens, {n} runs each"

    two, three, eight = (trained(arms.named(one).depth, str(arms.named(one).vocab_size), arms.named(one).length)
                         for one in ("two", "three", "eight"))  # fmt: skip
    both = trained(arms.two.depth, "2 and 3", arms.two.length)
    doubly = f"{trained(arms.doubly.depth, '3', arms.doubly.length)}, doubly stochastic chains"
    one = trained(1, "2", arms.one_two.length)
    most = Region(lower=b.most)
    order = (
        "Of three predictors uniform is nearest, then in-context unigram, then in-context bigram, without return but at"
        f" {b.spared:.0%} of the points of the path at most, fewer than unigram has"
    )
    paper_levels = "levels at positions 1 .. 100, no model"
    dwells = (
        f"it takes at least {b.slower:g} times as many log steps through the {2 * b.band:.0%} of its fall around there"
        " as through as much right above, and right below"
    )
    slower = Region(lower=math.log(b.slower))
    times = "log of times"
    return (
        claim("order_two", f"{order}: K = 2, in most runs.", two, most, b.most, runs, "doubly stochastic chains"),
        claim("order_three", f"{order}: K = 3, in most runs.", three, most, b.most, runs, "doubly stochastic chains"),
        claim(
            "last_longer",
            "With K = 2 the phase cannot be told from one of the counts and the last symbol: set beside the three, the"
            " best law of these is nearest for longer, in log steps, than unigrams are.",
            two,
            Region(lower=0.0),
            0.0,
            "log of steps",
            "none in the run: the law is known for K = 2 only",
        ),
        claim(
            "near",
            "On its way a model comes nearer to the unigram law than the straight way from uniform to bigram: least"
            f" divergence at most {b.near:g} of that way's.",
            both,
            Region(upper=b.near),
            1 - b.near,
            "of the straight way's",
            "doubly stochastic chains",
        ),
        claim(
            "doubly_gain",
            f"On doubly stochastic chains counts of symbols, however smoothed, gain less than {b.nothing:g} nats.",
            f"K = 3, doubly stochastic, {paper_levels}",
            Region(upper=b.nothing),
            b.nothing,
            nats,
            "Dirichlet rows",
            "Sec. on other priors: doubly stochastic",
        ),
        claim(
            "doubly_far",
            "There the phase is gone: runs that learn come hardly nearer to unigrams plus one than the straight way"
            f" from uniform to bigram does: least divergence at least {b.near:g} of that way's.",
            doubly,
            Region(lower=b.near),
            1 - b.near,
            "of the straight way's",
            "Dirichlet rows, read alike: near",
            "Sec. on other priors: doubly stochastic",
        ),
        claim(
            "learnt",
            f"Two layers get to the bigram: at the end less than {b.learnt:g} nats above the Bayes law, for K = 2, 3"
            " and 8.",
            f"{both}; {eight}",
            Region(upper=b.learnt),
            b.learnt,
            nats,
            "one layer",
        ),
        claim(
            "plateau_two",
            f"With K = 2 the loss has a plateau at the unigram level: {dwells}.",
            two,
            slower,
            math.log(b.slower),
            times,
            "the bands above and below",
        ),
        claim(
            "plateau_three",
            f"With K = 3 the loss has a plateau at the unigram level: {dwells}.",
            three,
            slower,
            math.log(b.slower),
            times,
            "the bands above and below",
        ),
        claim(
            "plateau_last",
            f"With K = 2 the loss has a plateau at the least loss of laws of the counts and the last symbol: {dwells}.",
            two,
            slower,
            math.log(b.slower),
            times,
            "the bands above and below",
        ),
        claim(
            "one_stays",
            f"One layer does not get there: it keeps {b.left:.0%} or more of the unigram law's excess.",
            trained(1, "2 and 3", arms.one_two.length),
            Region(lower=b.left),
            b.left,
            "of the unigram excess",
            "two layers: learnt",
        ),
        claim(
            "one_unigram",
            f"One layer ends at the unigram level, to {b.level:g} nats.",
            one,
            Region.around(0.0, b.level),
            b.level,
            nats,
            "one_last",
        ),
        claim(
            "one_last",
            "It ends at the least loss of laws of the counts and the last symbol, or below.",
            one,
            Region(upper=0.0),
            0.0,
            nats,
            "none in the run",
        ),
        claim(
            "eight_worse",
            "With K = 8 counts of symbols plus one, the paper's unigrams, lose more than the uniform law.",
            f"K = 8, {paper_levels}",
            Region(lower=0.0),
            0.0,
            nats,
            "K = 3, where they lose less",
        ),
        claim(
            "eight_order",
            f"{order}: K = 8, unigrams plus one, in most runs.",
            eight,
            most,
            b.most,
            runs,
            "eight_smoothed",
        ),
        claim(
            "eight_smoothed",
            f"{order}: K = 8, unigrams with the smoothing that suits them best, in most runs.",
            eight,
            most,
            b.most,
            runs,
            "eight_order",
        ),
        claim(
            "eight_lead",
            "It is more than a tie: unigrams with their best smoothing are nearer than uniform and bigram, where they"
            f" are so the most, by {b.nothing:g} nats more than on doubly stochastic chains, read alike.",
            f"{eight}; {doubly}",
            Region(lower=b.nothing),
            b.nothing,
            nats,
            "the doubly stochastic chains in the number",
        ),
    )
