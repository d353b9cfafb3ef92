"""The claims: concentration of log-perplexity, errors that fall exponentially, and for which writers they do not.

Of 2501.02406 the abstract was at hand: log-perplexity converges to the average entropy if the model wrote the text and
to a cross-entropy if another did, except with exponentially small probability, and both errors fall exponentially. Its
constants were not; those used are Azuma's and Hoeffding's. All readings are ours.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.study import ZeroShotTests

PAPER = "2501.02406"
STUDY = "zero_shot_tests"
PREDICTED, REVERSED = "as predicted", "reversed"
"""The planted worlds: what theory and development suggest, and the other way round."""
PREDICTED_TO_FAIL = {"bound_of_rate", "errors_fall_always", "swapped", "optimal"}


def claims(study: "ZeroShotTests") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b = study.bounds
    mixing, slow = (", ".join(one.label for one in study.tails if one.role == role) for role in ("mixing", "slow"))
    tails = (
        f"texts of {', '.join(str(n) for n in study.tails[0].lengths)} tokens, thresholds at which the bound is below 1"
    )
    longest = study.drift.lengths[-1]
    pairs = f"order-1 chains over three symbols, {longest} tokens"
    exact = {
        "independent": f"random laws of three symbols, exponents of {study.independent.least:g} and above; exact sums,"
        f" {study.independent.lengths[0]} to {study.independent.lengths[1]} tokens",
        "chain": f"random chains over two symbols, exponents of {study.chain.least:g} and above; exact sums,"
        f" {study.chain.lengths[0]} to {study.chain.lengths[1]} tokens",
    }
    few = Region(lower=b.share)
    below = Region(upper=b.error)

    def stated(
        name: str, statement: str, scope: str, region: Region, margin: float, unit: str, control: str = ""
    ) -> Claim:
        world = PREDICTED if name in PREDICTED_TO_FAIL else REVERSED
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place="abstract: concentration, and errors that decrease exponentially",
            reading="inferred",
            scope=scope,
            control=f"world '{world}'" + (f"; {control}" if control else ""),
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    excess = "share of texts less the bound, largest"
    of_pairs = "share of pairs"
    return (
        stated(
            "bound",
            "Log-perplexity strays from the mean entropy of the model's own laws along the text no more often than the"
            " bound of Azuma and Hoeffding says, at any length and threshold.",
            f"{mixing}, {slow}; {tails}",
            Region(upper=0.0),
            0.0,
            excess,
            "the entropy rate in its place, in this run",
        ),
        stated(
            "freedman",
            "Nor more often than Freedman's bound says, which knows the variance.",
            f"{mixing}, {slow}; {tails}",
            Region(upper=0.0),
            0.0,
            excess,
            "the entropy rate in its place, in this run",
        ),
        stated(
            "bound_of_rate",
            "The bound holds for the distance from the entropy rate h too.",
            f"{slow}; {tails}",
            Region(upper=0.0),
            0.0,
            excess,
            "the entropies of the laws along the text, in this run",
        ),
        stated(
            "size",
            "With a threshold of normal quantiles of the varentropy along the text, a nominal size of"
            f" {study.drift.size:.0%}"
            f" is right within {b.size:g}.",
            pairs,
            Region.around(study.drift.size, b.size),
            b.size,
            "share of A's texts rejected",
        ),
        stated(
            "size_azuma",
            f"With Azuma's threshold it is kept: at most {study.drift.size:.0%} of A's texts are rejected, for every"
            " pair.",
            pairs,
            Region(upper=study.drift.size),
            0.0,
            "share of A's texts rejected, largest",
        ),
        stated(
            "converges",
            f"If B wrote the text, the statistic lies within {b.near:g} nats of E_B[-ln q_A - H(q_A)] in"
            f" {1 - b.error:.0%} of texts or more, for every pair.",
            pairs,
            Region(lower=1 - b.error),
            b.error,
            "share of B's texts, least",
        ),
        stated(
            "errors_fall",
            f"If B's expected surprise under A differs by {study.drift.least:g} nats or more, B's texts pass as A's"
            " with"
            f" probability at most {b.error:g}.",
            f"{pairs}; drawn pairs; Azuma's threshold",
            below,
            b.error,
            "share of B's texts accepted, largest",
            "blind pairs of this run must fail",
        ),
        stated(
            "errors_fall_always",
            f"Whatever B is, if unlike A: B's texts pass with probability at most {b.error:g}.",
            f"{pairs}; blind pairs; Azuma's threshold",
            below,
            b.error,
            "share of B's texts accepted, largest",
            "drawn pairs of this run must pass",
        ),
        stated(
            "blind_visible",
            f"The likelihood ratio sees those that perplexity does not: it errs in at most {b.error:g} of either's"
            " texts.",
            f"{pairs}; blind pairs",
            below,
            b.error,
            "share of texts mistaken, largest",
        ),
        stated(
            "exponent",
            "Where the drift is not zero the error of the perplexity test falls as exp(-N I), I = -min_s ln E_B exp(s"
            " g):"
            f" within {b.exponent:.0%} for {b.share:.0%} of pairs.",
            exact["independent"],
            few,
            b.share,
            of_pairs,
        ),
        stated(
            "exponent_chain",
            "The same for chains, with the spectral radius of P_B exp(s g) in place of the expectation.",
            exact["chain"],
            few,
            b.share,
            of_pairs,
        ),
        stated(
            "stein",
            f"The best exponent at a fixed size is the rate of KL(A || B), the null first: within {b.exponent:.0%} of"
            " the"
            f" likelihood ratio's for {b.share:.0%} of pairs.",
            f"{exact['independent']}; {exact['chain']}",
            few,
            b.share,
            of_pairs,
            "the two laws swapped, in this run",
        ),
        stated(
            "swapped",
            "It is the rate of KL(B || A).",
            f"{exact['independent']}; {exact['chain']}",
            few,
            b.share,
            of_pairs,
            "KL(A || B), in this run",
        ),
        stated(
            "optimal",
            f"The perplexity test is about as good as any: I is {b.optimal:g} of the best exponent or more for"
            f" {b.share:.0%} of pairs.",
            f"{exact['independent']}; {exact['chain']}",
            few,
            b.share,
            of_pairs,
            "two symbols without memory, where it is optimal: a check of this run",
        ),
    )
