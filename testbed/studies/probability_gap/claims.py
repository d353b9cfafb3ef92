"""The claims of appendix A as far as they are known, and what can be told of them from samples.

The paper's abstract announces inequalities for entropies and for probabilities: conditioning on more variables widens
the gap between the largest and the smallest probability. Its exact statement was not at hand, so that every reading is
ours: the averaged one is proved, those for each context, the margin and the ratio are not.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

PAPER = "2408.10277"
STUDY = "probability_gap"
PREDICTED, REVERSED = "as predicted", "reversed"
"""The planted worlds: what is proved holds and nothing else, and the other way round."""
PREDICTED_TO_FAIL = {
    "learner_entropy",
    "learner_gap",
    "trained_entropy",
    "trained_gap",
    "every_context",
    "most_contexts",
    "every_entropy",
    "margin",
    "strict",
    "ratio",
    "plug_in_test",
    "shrunk_unbiased",
}


def claims(study: "ProbabilityGap") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*_of_chains(study), *_of_samples(study))


def _stated(
    study: "ProbabilityGap",
    name: str,
    statement: str,
    place: str,
    scope: str,
    region: Region,
    margin: float,
    **more: str,
) -> Claim:
    world = REVERSED if name not in PREDICTED_TO_FAIL else PREDICTED
    control = f"world '{world}'" + (f"; {more['control']}" if "control" in more else "")
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=PAPER,
        place=place,
        reading="inferred",
        scope=scope,
        control=control,
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=more.get("unit", "share of chains"),
    )


def _of_chains(study: "ProbabilityGap") -> list[Claim]:
    rare = study.bounds.rare
    most = Region(upper=rare)
    arms = "; ".join(one.label for one in study.random_chains)
    scope = f"random chains ({arms}), each step m - 1 to m <= k; the worst kind of chain"
    learner = "the learner of this run must fail, whose laws at different m come from no one joint law"
    copying = "copying chains of this run must pass"
    but = f" (on all but {rare:.0%} of chains)"

    def chain(name: str, statement: str, place: str, **more: str) -> Claim:
        return _stated(study, name, statement + but + ".", place, more.pop("scope", scope), most, rare, **more)

    return [
        chain(
            "entropy_chain",
            "Conditioning on one more token never raises the mean entropy of the next",
            "appendix A, entropies (C15)",
            control=learner,
        ),
        chain(
            "averaged_gap",
            "Averaged over contexts, the largest probability grows with the context, the smallest falls, and the gap"
            " between them grows",
            "appendix A, probabilities, averaged (C16)",
            control=learner,
        ),
        chain(
            "extremes",
            "The largest probability over all contexts and tokens grows with the context's length, the smallest falls",
            "appendix A, probabilities, extremes (C16)",
        ),
        chain("size", "The mean gap grows by at most sqrt(2 I(X; Z | Y))", "our derivation, Pinsker and Jensen (P3)"),
        chain(
            "learner_entropy",
            "The mean entropy of a learner's laws never rises with its context",
            "appendix A read for a model (C15)",
            scope=f"add-one estimates from {study.chains[0].learner_tokens} observations; {scope}",
        ),
        chain(
            "learner_gap",
            "The mean gap of a learner's laws never falls with its context",
            "appendix A read for a model (C16)",
            scope=f"add-one estimates from {study.chains[0].learner_tokens} observations; {scope}",
        ),
        *(
            _stated(
                study,
                name,
                f"The mean {what} of a trained transformer's laws never {way} with its context (of"
                f" {1 - study.bounds.models:.0%} of transformers at least).",
                f"appendix A read for a model ({number})",
                f"transformers trained on chains of their own ({study.trained.label}), m <="
                f" {study.trained.max_context}, {study.n_replicates * study.trained.n_models} of them; of any size"
                " beyond rounding",
                Region(upper=study.bounds.models),
                study.bounds.models,
                unit="share of transformers",
                control="the chains that they learn must pass",
            )
            for name, what, way, number in (
                ("trained_entropy", "entropy", "rises", "C15"),
                ("trained_gap", "gap", "falls", "C16"),
            )
        ),
        chain(
            "every_context",
            "In every context the gap is at least that without its oldest token",
            "appendix A, probabilities, read for each context (C16)",
            control=copying,
        ),
        chain(
            "most_contexts",
            "In contexts of at least half the probability the gap is no smaller than without their oldest token",
            "appendix A, probabilities, read for most contexts (C16)",
            control=copying,
        ),
        chain(
            "every_entropy",
            "In every context the next token's entropy is at most that without its oldest token",
            "appendix A, entropies, read for each context (C15)",
            control=copying,
        ),
        chain(
            "strict",
            "The mean gap grows strictly with each token up to the chain's order",
            "appendix A, probabilities, read as strict (C16)",
        ),
        chain(
            "margin",
            "The mean margin of the two likeliest tokens never falls with the context",
            "appendix A, probabilities, read for the margin (C16)",
            scope=f"{scope}; V > 2",
            control=copying,
        ),
        chain(
            "margin_binary",
            "With two symbols the mean margin never falls: it is the gap",
            "our derivation",
            scope="random chains with V = 2",
        ),
        chain(
            "ratio_usual",
            "The mean ratio of largest to smallest probability never falls with the context",
            "appendix A, probabilities, read for the ratio of most chains (C16)",
        ),
        _stated(
            study,
            "ratio",
            f"The mean ratio never falls, on any chain: of the searches at most {study.bounds.searches:.0%} find a"
            " counterexample.",
            "appendix A, probabilities, read for the ratio (C16)",
            f"first-order chains, V = {study.search.vocab_size}, weights {study.search.least_weight} .."
            f" {study.search.largest_weight}, {study.search.n_draws} drawn in each replicate",
            Region(upper=study.bounds.searches),
            study.bounds.searches,
            unit="share of searches that find one",
        ),
        chain(
            "copying",
            "On copying chains no context's gap shrinks or entropy grows, and neither mean margin nor ratio falls",
            "our derivation: all contexts of a length are alike",
            scope="; ".join(one.label for one in study.copying_chains),
        ),
    ]


def _of_samples(study: "ProbabilityGap") -> list[Claim]:
    b, s = study.bounds, study.samples
    size = f"V = {s.vocab_size}, N = {s.n} positions, contexts of 0 .. {s.max_context} tokens"
    noise = f"uniform independent tokens, {size}: the true gap is 0"
    return [
        _stated(
            study,
            "plug_in_test",
            f"A plug-in gap that rises with the context shows that the gap grows: on noise it rises in at most"
            f" {b.false_alarms:.0%} of data sets.",
            "our reading of a test by counts",
            noise,
            Region(upper=b.false_alarms),
            b.false_alarms,
            unit="share of data sets",
        ),
        _stated(
            study,
            "noise_formula",
            f"The plug-in gap of noise is d2(V) sqrt(V^(m - 1) / N) within {b.formula:.0%}, at every m with V^(m + 1)"
            f" <= N.",
            "our derivation",
            noise,
            Region(upper=b.formula),
            b.formula,
            unit="relative error",
        ),
        _stated(
            study,
            "split_noise",
            f"The split-sample gap of noise is 0 on average, within {b.split:g}, at every m.",
            "our derivation",
            noise,
            Region(upper=b.split),
            b.split,
            unit="probability",
        ),
        _stated(
            study,
            "bracket",
            f"On average the split-sample gap lies below the truth and the plug-in gap above it (neither misses by"
            f" {b.bracket:g}), at every m.",
            "our derivation",
            f"a random chain of order {s.chain_order} and a copying one of lag {s.copy_lag} in each replicate, {size}",
            Region(lower=-b.bracket),
            b.bracket,
            unit="probability",
        ),
        _stated(
            study,
            "shrunk_nearer",
            f"At {s.max_context} tokens shrinking towards the shorter context leaves a smaller mean error than plug-in,"
            f" by {b.nearer:g}, on every kind of source.",
            "our prediction",
            f"noise, a random and a copying chain, {size}",
            Region(lower=b.nearer),
            b.nearer,
            unit="probability",
        ),
        _stated(
            study,
            "shrunk_unbiased",
            f"The shrunk gap of noise is 0 on average, within {b.split:g}, at every m.",
            "our reading of a repair",
            noise,
            Region(upper=b.split),
            b.split,
            unit="probability",
        ),
    ]
