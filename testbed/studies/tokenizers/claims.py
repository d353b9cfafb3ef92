"""The claims of the study, each with its region; `evidence.py` says what number each is about."""

from typing import TYPE_CHECKING, Any

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

THEORY, PERSPECTIVE, WORDS = "2404.08335", "2601.09039", "2310.11628"
PREDICTED, REVERSED = "predicted", "reversed"
PREDICTED_TO_FAIL = frozenset(
    {
        "never_hurts",
        "plateau_stays",
        "predictable_true",
        "predictable_per_symbol",
        "null_plug_in",
        "corrected",
        "fall_is_absorbed",
    }
)
"""What theory and exploration lead one to expect: these claims fail, the others hold. Only planted worlds read it."""

LAG = "binary chains in which a symbol depends on the one k before it alone"


def claims(study: "Tokenizers") -> tuple[Claim, ...]:
    """All claims, at the bounds of the config."""
    return (*_unigrams(study), *_entropies(study), *_learning(study))


def _claim(study: "Tokenizers", name: str, statement: str, region: Region, **fields: Any) -> Claim:
    defaults: dict[str, Any] = {
        "paper": THEORY,
        "reading": "inferred",
        "scope": f"{LAG}; tokenizers trained on {study.texts.training_length} symbols",
        "control": f"world {PREDICTED if name in PREDICTED_TO_FAIL else REVERSED}",
        "margin": 0.0,
        "decided_at": study.decided_at,
    }
    return Claim(id=f"tokenizers.{name}", statement=statement, region=region, **(defaults | fields))


def _unigrams(study: "Tokenizers") -> tuple[Claim, ...]:
    bounds = study.bounds
    return (
        _claim(
            study,
            "bpe_bound",
            f"Over byte pairs a unigram model costs at most {bounds.bpe_factor:g} h a symbol, at every size.",
            Region(upper=bounds.bpe_factor),
            place="BPE theorem, its epsilon left out; said there of a sequential variant",
            unit="multiples of h",
        ),
        _claim(
            study,
            "lzw_bound",
            "Over LZW tokens a unigram model costs at most h / (1 - epsilon), epsilon = ln(1/delta) / (0.99 ln d).",
            Region(upper=1.0),
            place="LZW theorem, for a dictionary of d strings, where epsilon < 1",
            unit="multiples of the bound",
        ),
        _claim(
            study,
            "near_optimal",
            f"With the largest vocabulary a unigram model over byte pairs costs at most {bounds.near:g} h a symbol.",
            Region(upper=bounds.near),
            place="abstract: unigram models over tokens are near-optimal; the multiple is ours",
            unit="multiples of h",
        ),
        _claim(
            study,
            "never_hurts",
            "No tokenizer makes a unigram model worse than it is on symbols.",
            Region(upper=bounds.hurt),
            margin=bounds.hurt,
            place="that tokens help unigram models, read for every vocabulary size",
            scope=f"{LAG}, and fair coins; byte pairs, LZW, LZ78, blocks",
        ),
        _claim(
            study,
            "words",
            "Over a pool of all words of a lexicon a unigram model costs h.",
            Region.around(0.0, bounds.words),
            margin=bounds.words,
            paper=WORDS,
            place="word pooling, on words that are independent",
            scope="a lexicon of independent words by Zipf's law",
        ),
    )


def _entropies(study: "Tokenizers") -> tuple[Claim, ...]:
    bounds, texts = study.bounds, study.texts
    scope = f"{LAG}; byte pairs, {texts.fixed_size} tokens, {texts.training_lengths[0]} to"
    common: dict[str, Any] = {
        "paper": PERSPECTIVE,
        "scope": f"{scope} {texts.training_lengths[-1]} symbols of training; {texts.test_length} symbols of text",
        "margin": bounds.entropy,
        "unit": "nats a token",
    }
    return (
        _claim(
            study,
            "more_diverse",
            "As a tokenizer's training data grow, the unigram entropy of its tokens rises.",
            Region(lower=bounds.entropy),
            **common | {"reading": "quoted", "place": "abstract, of corpora of text"},
        ),
        _claim(
            study,
            "predictable_plug_in",
            "As a tokenizer's training data grow, H(token | 3 before it) falls: frequencies of 4-grams in a text.",
            Region(lower=bounds.entropy),
            **common | {"reading": "quoted", "place": "abstract, of corpora of text"},
        ),
        _claim(
            study,
            "predictable_true",
            "As a tokenizer's training data grow, H(token | 3 before it) falls: of the exact law of its tokens.",
            Region(lower=bounds.entropy),
            **common | {"place": "abstract, read of the law in place of the sample"},
        ),
        _claim(
            study,
            "predictable_per_symbol",
            "As a tokenizer's training data grow, H(token | 3 before it) / E[length] falls, the exact one: tokens that"
            " are longer do not make it rise, as they do without the division.",
            Region(lower=bounds.fall),
            **common
            | {"place": "abstract, read per symbol of the source", "margin": bounds.fall, "unit": "nats a symbol"},
        ),
        _claim(
            study,
            "null_plug_in",
            "On fair coins, where nothing can be absorbed, plug-in H(token | 3 before it) does not fall.",
            Region(upper=bounds.entropy),
            **common | {"place": "the null of that reading", "scope": f"fair coins; {common['scope']}"},
        ),
        _claim(
            study,
            "corrected",
            f"NSB estimates of H(token | 3 before it) are right within {bounds.relative:.0%} at every training length.",
            Region(upper=bounds.relative),
            **common
            | {"place": "whether a corrected estimate would do", "margin": bounds.relative, "unit": "of the truth"},
        ),
        _claim(
            study,
            "fall_is_absorbed",
            "Most of the fall of plug-in H(token | 3 before it) per symbol, from symbols to the largest vocabulary of"
            " byte pairs, is a fall of the true one.",
            Region(lower=0.0),
            **common
            | {
                "place": "abstract: that the fall shows short-range regularity absorbed by tokens",
                "scope": f"{LAG}; byte pairs, 2 to {study.lag_arms[0].sizes[-1]} tokens",
                "margin": 0.0,
                "unit": "nats a symbol",
            },
        ),
    )


def _learning(study: "Tokenizers") -> tuple[Claim, ...]:
    bounds, learners = study.bounds, study.learners
    scope = f"transformers of {learners.model.depth} layers, {learners.optimiser.steps} steps, on {LAG}"
    memory = f"{scope}, k >= 2"
    return (
        _claim(
            study,
            "plateau_stays",
            "Without tokens, transformers stay at the unigram loss: over half of the runs are never halfway to h.",
            Region(lower=bounds.share),
            margin=0.0,
            reading="quoted",
            place="abstract: incredibly slow or fail to learn, for k > 1",
            scope=f"{memory}, windows of {learners.contexts[-1]} symbols",
            unit="share of runs",
        ),
        _claim(
            study,
            "tokens_break_it",
            "With tokens, transformers are halfway from the unigram loss to h in less than half the steps, on average.",
            Region(lower=bounds.faster),
            margin=bounds.faster,
            reading="quoted",
            place="abstract: break through this barrier; the factor is ours",
            scope=f"{memory}, windows of {learners.token_context} symbols or tokens",
            unit="log2 of steps",
        ),
        _claim(
            study,
            "no_plateau_at_one",
            "At k = 1 there is no plateau: over half of the runs without tokens are halfway to h by twice the first"
            " evaluated step.",
            Region(lower=bounds.share),
            place="the control of the plateau; k > 1 is needed there, too",
            scope=f"{scope}, k = 1, windows of {learners.contexts[0]} to {learners.contexts[-1]} symbols",
            unit="share of runs",
        ),
        _claim(
            study,
            "tokens_near_optimal",
            f"With tokens, transformers end at {bounds.near:g} h a symbol or less.",
            Region(upper=bounds.near),
            reading="quoted",
            place="abstract: near-optimally; the multiple is ours",
            scope=f"{scope}, all k",
            unit="multiples of h",
        ),
        _claim(
            study,
            "plateau_with_order",
            "The plateau is longer for larger k, on average over context lengths.",
            Region(lower=0.0),
            place="that higher orders are harder, read of the length of the plateau",
            scope=f"{memory}, windows of {learners.contexts[0]} to {learners.contexts[-1]} symbols",
            unit="log2 of steps",
        ),
        _claim(
            study,
            "plateau_with_context",
            f"The plateau lengthens with the context length T at least as T^{bounds.exponent:g}: mean over k >= 2.",
            Region(lower=bounds.exponent),
            margin=bounds.exponent,
            paper="2407.17686",
            place="that shorter contexts are learnt sooner",
            scope=f"{memory}, windows of {learners.contexts[0]} to {learners.contexts[-1]} symbols",
            unit="exponent",
        ),
    )
