"""Every registered source, each of its examples, against what must be true of any source: no list is kept here.

A source that is added is found by its type name and tested on what its `examples()` returns. A property says what it
needs (a stream, a stationary law, few strings); where a source refuses a quantity (UndefinedError) the property is
skipped for it, and a source that refuses nearly everything fails. Statistical tests are seeded; each comparison has a
false-alarm rate below 1e-7 (5.5 standard errors and Bernstein's term for rare events), each test below 1e-5 by the
union bound over at most some hundred of them, and is drawn once.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources import Source
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import sources

Z = 5.5
MAX_STRINGS = 5000
N_DRAWN = 4000


def a_length(source: Source, wanted: int = 12) -> int:
    """The sequence length nearest to the wanted one."""
    found = source.lengths(64)
    assert found, f"{source.type_name} has no length up to 64"
    return min(found, key=lambda n: (abs(n - wanted), n))


def known(call: Callable[[], Truth]) -> Truth:
    """A truth, or a skip where it is refused; a refusal gives its reason."""
    try:
        return call()
    except UndefinedError as refusal:
        reason = str(refusal)
    assert len(reason) > 20
    pytest.skip(reason)


def slack(truth: Truth) -> np.ndarray:
    return Z * truth.standard_error + 1e-9


def all_strings(source: Source, limit: int) -> np.ndarray:
    """(V^n, n): every string of the largest length with at most `limit` of them."""
    if source.takes_inputs:
        pytest.skip("the law is conditional on real-valued inputs")
    possible = [n for n in source.lengths(10) if n and source.vocab_size**n <= limit]
    if not possible:
        pytest.skip("too many strings")
    return np.array(list(itertools.product(range(source.vocab_size), repeat=possible[-1])), dtype=np.uint16)


def string_law(source: Source, strings: np.ndarray) -> np.ndarray:
    """(n,): exp of the sum of log_probs; a string with an impossible token has probability 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.exp(np.nan_to_num(source.log_probs(strings), nan=-np.inf, neginf=-np.inf).sum(axis=1))


# ------------------------------------------------------------------------------------------------ tokens
def test_parts_of_a_stream_are_the_same_tokens(source: Source) -> None:
    length = a_length(source)
    whole, part = source.batch(9, length, seed=5), source.batch(4, length, seed=5, first_sequence=3)
    assert np.array_equal(whole.tokens[3:7], part.tokens)
    assert whole.tokens.dtype.kind == "u"
    assert whole.tokens.shape == whole.judged.shape == (9, length)
    assert int(whole.tokens.max(initial=0)) < source.vocab_size
    assert source.judges_all == bool(whole.judged.all())
    assert {type(flag) for flag in (source.stationary, source.ergodic, source.judges_all)} == {bool}
    if source.takes_inputs:
        assert np.array_equal(whole.inputs[3:7], part.inputs)
    else:
        assert whole.inputs is None
        assert np.array_equal(whole.tokens, source.sample(9, length, seed=5))


def test_a_stored_config_is_the_same_law(source: Source) -> None:
    again = sources.build(source.resolved())
    assert again.fingerprint == source.fingerprint
    assert len(source.fingerprint) == 64
    assert again == source
    assert np.array_equal(again.batch(3, a_length(source)).tokens, source.batch(3, a_length(source)).tokens)


def test_short_lengths_are_written_or_refused(source: Source) -> None:
    for length in (0, 1):
        if length in source.lengths(1):
            batch = source.batch(2, length)
            assert source.predict_batch(batch).shape == (2, length, source.vocab_size)
            assert source.log_probs_batch(batch).shape == (2, length)
        else:
            with pytest.raises(ConfigError, match="length"):
                source.batch(2, length)
    assert source.batch(0, a_length(source)).tokens.shape == (0, a_length(source))


def test_nonsense_is_refused(source: Source) -> None:
    length = a_length(source)
    batch = source.batch(2, length)
    given = {"inputs": batch.inputs} if source.takes_inputs else {}
    with pytest.raises(ConfigError, match="tokens"):
        source.predict(batch.tokens.astype(float), **given)
    wrong = batch.tokens.astype(np.uint32)
    wrong[0, 0] = source.vocab_size
    with pytest.raises(ConfigError, match="tokens"):
        source.predict(wrong, **given)
    for nonsense in (-1, 1.5, math.nan, "1", 2**70):
        with pytest.raises((ConfigError, UndefinedError)):
            source.predict(batch.tokens, context=nonsense, **given)
    for nonsense in ([length], [0.5], ["0"], [None], 5):
        with pytest.raises(ConfigError, match="positions"):
            source.predict(batch.tokens, positions=nonsense, **given)
    for truth, name in (
        (source.conditional_entropies, "max_context"),
        (source.block_entropies, "max_length"),
        (source.position_losses, "length"),
    ):
        for nonsense in (-1, 2.5, "3", None, math.nan):
            with pytest.raises((ConfigError, UndefinedError), match=f"{name}|{source.type_name}|no |not |are "):
                truth(nonsense)
    with pytest.raises(ConfigError, match="n_sequences"):
        source.batch(-1, length)
    with pytest.raises(ConfigError, match="seed"):
        source.batch(1, length, seed=-1)


# ------------------------------------------------------------------------------------------------ laws
def test_predictions_are_laws_and_log_probs_read_them(source: Source) -> None:
    length = a_length(source)
    batch = source.batch(16, length, seed=3)
    laws = source.predict_batch(batch)
    assert laws.shape == (16, length, source.vocab_size)
    assert np.all(laws >= 0)
    assert laws.sum(axis=-1) == pytest.approx(np.ones((16, length)), abs=1e-9)
    read = np.take_along_axis(laws, batch.tokens.astype(int)[..., None], axis=2)[..., 0]
    assert np.all(read > 0), "a sampled token is possible"
    assert source.log_probs_batch(batch) == pytest.approx(np.log(read), abs=1e-9)
    some = [length - 1, 0]
    assert source.predict_batch(batch, positions=some) == pytest.approx(laws[:, some], abs=1e-12)


def test_all_strings_together_have_probability_one(source: Source) -> None:
    """P9: the sum over all strings of exp(sum of log_probs) is 1."""
    assert string_law(source, all_strings(source, MAX_STRINGS)).sum() == pytest.approx(1.0, abs=1e-9)


def test_string_frequencies_follow_the_law(source: Source) -> None:
    """P10: how often each whole string is drawn, against its exact probability."""
    strings = all_strings(source, 600)
    law = string_law(source, strings)
    length = strings.shape[1]
    drawn = source.sample(N_DRAWN, length, seed=13).astype(np.int64)
    codes = drawn @ (source.vocab_size ** np.arange(length - 1, -1, -1))
    found = np.bincount(codes, minlength=len(strings)) / N_DRAWN
    assert np.all(np.abs(found - law) <= Z * np.sqrt(law * (1 - law) / N_DRAWN) + Z**2 / 2 / N_DRAWN)
    assert np.all(found[law == 0] == 0)


def test_token_frequencies_follow_the_predicted_laws(source: Source) -> None:
    """P10: at every position, counts of each symbol against the sum of its predicted probabilities (a martingale)."""
    length = a_length(source)
    batch = source.batch(N_DRAWN, length, seed=12)
    for t in range(length):
        law = source.predict_batch(batch, positions=[t])[:, 0]
        found = np.bincount(batch.tokens[:, t].astype(int), minlength=source.vocab_size) / N_DRAWN
        error = np.sqrt(np.maximum(law * (1 - law), 0.0).sum(axis=0)) / N_DRAWN
        assert np.all(np.abs(found - law.mean(axis=0)) <= Z * error + Z**2 / 2 / N_DRAWN), f"position {t}"


def test_no_learner_beats_the_bayes_law(source: Source) -> None:
    """P11: add-one counts over the sequence so far lose to the exact law, paired, whatever the source."""
    length = a_length(source, 24)
    batch = source.batch(500, length, seed=14)
    surprise = -source.log_probs_batch(batch)
    tokens, n = batch.tokens.astype(np.int64), len(batch.tokens)
    gap = np.empty((n, length))
    counts = np.ones((n, source.vocab_size))
    for t in range(length):
        learnt = counts[np.arange(n), tokens[:, t]] / counts.sum(axis=1)
        gap[:, t] = -np.log(learnt) - surprise[:, t]
        counts[np.arange(n), tokens[:, t]] += 1
    total = gap.sum(axis=1)
    assert total.mean() >= -Z * total.std(ddof=1) / math.sqrt(n) - 1e-9


# ------------------------------------------------------------------------------------------------ truths
def test_position_losses_are_the_mean_surprise_of_samples(source: Source) -> None:
    """P9, P10: surprises against the entropies of the predicted laws, and those against the certified Bayes loss.

    Surprise less entropy is a martingale difference of known variance, hence Bernstein's bound; the entropies lie in
    0 .. ln V, hence Maurer and Pontil's empirical one (2009, theorem 4). Both at exp(-Z^2 / 2) = 3e-7 a side: events
    too rare to be drawn are covered.
    """
    length = a_length(source)
    losses = known(lambda: source.position_losses(length))
    assert losses.shape == (length,)
    batch = source.batch(N_DRAWN, length, seed=11)
    surprise = -source.log_probs_batch(batch)
    for t in range(length):
        law = source.predict_batch(batch, positions=[t])[:, 0]
        logs = np.log(law, out=np.zeros_like(law), where=law > 0)
        entropy = law_entropies(law)
        variance = np.maximum((law * logs**2).sum(axis=1) - entropy**2, 0.0).mean() / N_DRAWN
        bound = Z * math.sqrt(variance) + Z**2 / 2 * -float(logs.min()) / 3 / N_DRAWN + 1e-9
        assert abs(surprise[:, t].mean() - entropy.mean()) <= bound, f"surprise at {t}"
        spread = Z * math.hypot(entropy.std(ddof=1) / math.sqrt(N_DRAWN), losses.standard_error[t])
        bound = spread + 7 / 3 * Z**2 / 2 * math.log(source.vocab_size) / (N_DRAWN - 1) + 1e-9
        assert losses.lower[t] - bound <= entropy.mean() <= losses.upper[t] + bound, f"loss at {t}"


def test_conditioning_never_adds_entropy(source: Source) -> None:
    """P1: h_0 >= h_1 >= ... >= h;  sum over l < n of (h_l - h) <= E;  H(n) = h_0 + ... + h_(n-1)."""
    h = known(lambda: source.conditional_entropies(6))
    assert h.shape == (7,)
    assert np.all(h.lower >= -1e-12)
    assert np.all(h.lower[1:] <= h.upper[:-1] + slack(h)[1:] + slack(h)[:-1])
    assert np.all(h.upper <= math.log(source.vocab_size) + slack(h))
    with pytest.raises(ConfigError, match="max_context"):
        source.conditional_entropies(-1)
    if source.judges_all and source.stationary:
        assert source.block_entropies(7).value == pytest.approx(np.cumsum(h.value), abs=1e-8 + slack(h).sum())
        assert source.position_losses(7).value == pytest.approx(h.value, abs=1e-8 + 2 * slack(h).max())
    rate = known(source.entropy_rate)
    assert np.all(h.upper + slack(h) + slack(rate) >= rate.lower)
    excess = known(source.excess_entropy)
    if math.isfinite(float(excess.upper)):
        assert (h.lower - rate.upper).sum() <= excess.upper + slack(excess) + 7 * slack(rate) + slack(h).sum()


def test_the_rate_is_the_limit(source: Source) -> None:
    """h <= h_l for every l, and h_64 - h <= E / 65, since the sum of (h_l - h) over l <= 64 is at most E."""
    h = known(lambda: source.conditional_entropies(64))
    rate, excess = known(source.entropy_rate), known(source.excess_entropy)
    assert h.upper[-1] + slack(h)[-1] + slack(rate) >= rate.lower
    if math.isfinite(float(excess.upper)):
        bound = (excess.upper + slack(excess)) / 65
        assert h.lower[-1] - rate.upper <= bound + slack(h)[-1] + slack(rate)


def test_contexts_are_marginals_of_the_stationary_process(source: Source) -> None:
    """predict(context=l) at position t is the law at position l of a sequence that starts l tokens before t."""
    if not source.stationary:
        pytest.skip("not stationary")
    length = a_length(source, 9)
    tokens = source.sample(8, length, seed=3)
    for context in (0, 1, 3, length + 5):
        try:
            laws = source.predict(tokens, context=context)
        except UndefinedError as refusal:
            pytest.skip(str(refusal))
        for t in range(length):
            window = tokens[:, max(0, t - context) : t + 1]
            assert laws[:, t] == pytest.approx(source.predict(window)[:, -1], abs=1e-9)
    assert source.predict(tokens, context=length) == pytest.approx(source.predict(tokens), abs=1e-9)


def test_a_stationary_law_does_not_depend_on_time(source: Source) -> None:
    """The law of a pair of tokens at 2, 3 is that at 0, 1; exactly, by enumeration."""
    if not (source.stationary and source.judges_all) or source.takes_inputs:
        pytest.skip("not a stationary stream")
    if source.vocab_size**4 > MAX_STRINGS or not {2, 4} <= set(source.lengths(4)):
        pytest.skip("too many strings")
    joint = {}
    for n in (2, 4):
        strings = np.array(list(itertools.product(range(source.vocab_size), repeat=n)), dtype=np.uint16)
        joint[n] = string_law(source, strings).reshape((source.vocab_size,) * n)
    assert joint[4].sum(axis=(0, 1)) == pytest.approx(joint[2], abs=1e-9)


def test_entropies_equal_enumeration(source: Source) -> None:
    """h_l against the sum over all contexts of p(c) H(p(. | c)), p(c) multiplied out from `predict`."""
    if not (source.stationary and source.judges_all) or source.takes_inputs:
        pytest.skip("not a stationary stream")
    possible = [n for n in range(7) if source.vocab_size ** (n + 1) <= 4 * MAX_STRINGS]
    if not possible:
        pytest.skip("too many contexts")
    h = known(lambda: source.conditional_entropies(possible[-1]))
    for length in possible:
        law = source.context_law(length)
        enumerated = float(law.probabilities @ law_entropies(law.laws))
        tolerance = float(slack(h)[length])
        assert h.lower[length] - tolerance <= enumerated <= h.upper[length] + tolerance, f"l = {length}"


def test_a_source_knows_something_of_itself(source: Source) -> None:
    """Not everything may be refused."""
    refused = []
    for call in (
        lambda: source.conditional_entropies(2),
        source.entropy_rate,
        lambda: source.position_losses(a_length(source)),
    ):
        try:
            call()
        except UndefinedError as refusal:
            refused.append(str(refusal))
    assert len(refused) <= 1, refused
