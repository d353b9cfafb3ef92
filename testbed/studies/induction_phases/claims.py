"""The claims: which phases there are, where the loss dwells, and what one layer knows."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

PAPER = "2402.11004"
STUDY = "induction_phases"
COUNTING, STRAIGHT = "by way of counting", "straight to bigrams"
"""The planted worlds: models are unigram predictors on their way, or never are."""
REVERSED = ("dwells_last", "one_last")
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
    order = "The nearest predictor is uniform, then in-context unigram, then in-context bigram, without return"
    paper_levels = "levels at positions 1 .. 100, no model"
    dwells = f"there the loss falls {b.slower:g} times more slowly than on average, per factor of steps"
    return (
        claim("order_two", f"{order}: K = 2, in most runs.", two, most, b.most, runs, "doubly stochastic chains"),
        claim("order_three", f"{order}: K = 3, in most runs.", three, most, b.most, runs, "doubly stochastic chains"),
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
            "doubly_never",
            "There the phase is gone: of the runs that learn, no more than half are nearest to unigrams at any point.",
            doubly,
            Region(upper=b.most),
            b.most,
            runs,
            "Dirichlet rows: order_three",
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
            "dwells_unigram",
            f"The loss has a plateau at the unigram level: {dwells}.",
            both,
            Region(lower=b.slower),
            b.slower - 1,
            "times",
            "the same loss at other levels",
        ),
        claim(
            "dwells_last",
            f"It has one lower, at the least loss of laws of the counts and the last symbol: {dwells}.",
            two,
            Region(lower=b.slower),
            b.slower - 1,
            "times",
            "the same loss at other levels",
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
            f"It ends at the least loss of laws of the counts and the last symbol, to {b.level:g} nats.",
            one,
            Region.around(0.0, b.level),
            b.level,
            nats,
            "one_unigram",
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
    )
