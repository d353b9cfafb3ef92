"""Every registered source, each of its examples, against what must be true of any source: no list is kept here.

A source that is added is found by its type name and tested on what its `examples()` returns. A property that a source
refuses (UndefinedError) is skipped for it; a source that meets none of the properties fails. Statistical tests have a
false-alarm rate of at most 1e-6 each (z = 5.5 leaves 4e-8 two-sided) and are seeded.
"""

import itertools
import math

import numpy as np
import pytest

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources import Source, available
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import sources

Z = 5.5
MAX_STRINGS = 5000

EXAMPLES = [
    pytest.param(source, id=f"{name}-{number}")
    for name in available()
    for number, source in enumerate(sources.find(name).examples())
]
every_source = pytest.mark.parametrize("source", EXAMPLES)


def lengths(source: Source, up_to: int = 64) -> list[int]:
    found = source.lengths(up_to)
    assert found, f"{source.type_name} has no length up to {up_to}"
    return found


def a_length(source: Source, wanted: int = 12) -> int:
    """The length nearest to the wanted one."""
    return min(lengths(source), key=lambda n: (abs(n - wanted), n))


def drawn(source: Source, n: int, length: int, seed: int = 3) -> tuple[np.ndarray, dict]:
    batch = source.batch(n, length, seed=seed)
    return batch.tokens, {"inputs": batch.inputs} if source.takes_inputs else {}


def truth_or_skip(call) -> Truth:
    try:
        return call()
    except UndefinedError as refusal:
        assert len(str(refusal)) > 20, "a refusal gives its reason"
        pytest.skip(str(refusal))


def slack(truth: Truth, sigmas: float = Z) -> np.ndarray:
    return sigmas * truth.standard_error + 1e-9


def test_every_source_is_here():
    assert {param.id.rpartition("-")[0] for param in EXAMPLES} == set(available())


@every_source
def test_parts_of_a_stream_are_the_same_tokens(source):
    length = a_length(source)
    whole, part = source.batch(9, length, seed=5), source.batch(4, length, seed=5, first_sequence=3)
    assert np.array_equal(whole.tokens[3:7], part.tokens)
    assert whole.tokens.dtype.kind == "u" and whole.tokens.shape == (9, length)
    assert whole.judged.shape == whole.tokens.shape
    if source.takes_inputs:
        assert np.array_equal(whole.inputs[3:7], part.inputs)
    else:
        assert whole.inputs is None
        assert np.array_equal(whole.tokens, source.sample(9, length, seed=5))
    assert source.judges_all == bool(whole.judged.all()) or whole.judged.size == 0
    assert int(whole.tokens.max(initial=0)) < source.vocab_size


@every_source
def test_equal_configs_are_equal_laws(source):
    again = (
        type(source)(**source.model_dump(by_alias=True, exclude_unset=True)) if not source.model_fields_set else source
    )
    assert again.fingerprint == source.fingerprint and len(source.fingerprint) == 64
    assert sources.build(source.resolved()).fingerprint == source.fingerprint


@every_source
def test_short_lengths_are_written_or_refused(source):
    for length in (0, 1):
        if length in source.lengths(1):
            batch = source.batch(2, length)
            given = {"inputs": batch.inputs} if source.takes_inputs else {}
            assert source.predict(batch.tokens, **given).shape == (2, length, source.vocab_size)
            assert source.log_probs(batch.tokens, **given).shape == (2, length)
        else:
            with pytest.raises(ConfigError, match="length"):
                source.batch(2, length)
    assert source.batch(0, a_length(source)).tokens.shape[0] == 0


@every_source
def test_predictions_are_laws_and_log_probs_read_them(source):
    length = a_length(source)
    tokens, given = drawn(source, 16, length)
    laws = source.predict(tokens, **given)
    assert laws.shape == (16, length, source.vocab_size)
    assert np.all(laws >= 0) and laws.sum(axis=-1) == pytest.approx(np.ones((16, length)), abs=1e-9)
    read = np.take_along_axis(laws, tokens.astype(int)[..., None], axis=2)[..., 0]
    assert np.all(read > 0), "a sampled token is possible"
    assert source.log_probs(tokens, **given) == pytest.approx(np.log(read), abs=1e-9)
    some = [length - 1, 0] if length else []
    assert source.predict(tokens, positions=some, **given) == pytest.approx(laws[:, some], abs=1e-12)
    with pytest.raises(ConfigError, match="positions"):
        source.predict(tokens, positions=[length], **given)


@every_source
def test_all_strings_together_have_probability_one(source):
    """P9: the sum over all strings of exp(sum of log_probs) is 1."""
    if source.takes_inputs:
        pytest.skip("the law is conditional on real-valued inputs")
    possible = (
        [n for n in lengths(source, 10) if n and source.vocab_size**n <= MAX_STRINGS] if source.lengths(10) else []
    )
    if not possible:
        pytest.skip("too many strings")
    length = possible[-1]
    strings = np.array(list(itertools.product(range(source.vocab_size), repeat=length)), dtype=np.uint16)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_probs = np.nan_to_num(source.log_probs(strings), nan=-np.inf, neginf=-np.inf)
    assert np.exp(log_probs.sum(axis=1)).sum() == pytest.approx(1.0, abs=1e-9)


@every_source
def test_position_losses_are_the_mean_surprise_of_samples(source):
    """P9, P10: at every position, mean of -ln p over 4,000 sequences within 5.5 standard errors of its Bayes loss."""
    length = a_length(source)
    losses = truth_or_skip(lambda: source.position_losses(length))
    assert losses.shape == (length,)
    tokens, given = drawn(source, 4000, length, seed=11)
    surprise = -source.log_probs(tokens, **given)
    mean = surprise.mean(axis=0)
    error = np.hypot(surprise.std(axis=0, ddof=1) / math.sqrt(len(tokens)), losses.standard_error)
    # A rare event of probability below 1e-5 may be missing from the sample; its loss is at most 1e-5 ln(1 / 1e-5) = 1e-4
    tolerance = Z * error + 2e-4
    assert np.all(mean > losses.lower - tolerance) and np.all(mean < losses.upper + tolerance)


@every_source
def test_next_token_frequencies_follow_the_law(source):
    """P10: at every position, token counts against the mean predicted law, each symbol within 5.5 standard errors."""
    length = a_length(source)
    tokens, given = drawn(source, 4000, length, seed=12)
    laws = source.predict(tokens[:, :length], **given)
    for t in range(length):
        expected, law = laws[:, t].mean(axis=0), laws[:, t]
        found = np.bincount(tokens[:, t].astype(int), minlength=source.vocab_size) / len(tokens)
        error = np.sqrt((law * (1 - law)).sum(axis=0)) / len(tokens)
        # Bernstein: a count of mean mu exceeds it by Z sqrt(mu) + Z^2 / 3 with probability below 1e-6
        assert np.all(np.abs(found - expected) <= Z * error + Z**2 / 2 / len(tokens)), f"position {t}"


@every_source
def test_conditioning_never_adds_entropy(source):
    """P1: h_0 >= h_1 >= ... >= h; E = sum of (h_l - h); H(n) = h_0 + ... + h_(n-1)."""
    h = truth_or_skip(lambda: source.conditional_entropies(6))
    assert h.shape == (7,) and np.all(h.lower >= -1e-12)
    assert np.all(h.lower[1:] <= h.upper[:-1] + slack(h)[1:] + slack(h)[:-1])
    assert np.all(h.upper <= math.log(source.vocab_size) + slack(h))
    longer = source.conditional_entropies(7)
    assert longer.lower[:7] == pytest.approx(h.lower, abs=1e-9) or longer.kind != "exact"
    for refused in (-1,):
        with pytest.raises(ConfigError, match="max_context"):
            source.conditional_entropies(refused)
    try:
        rate = source.entropy_rate()
    except UndefinedError:
        return
    assert np.all(h.upper + slack(h) + slack(rate) >= rate.lower)
    try:
        excess = source.excess_entropy()
    except UndefinedError:
        return
    if math.isfinite(float(excess.upper)):
        partial = (h.lower - rate.upper).sum()
        assert partial <= float(excess.upper) + slack(excess) + slack(rate) * 7 + slack(h).sum()
    if source.judges_all and source.stationary:
        blocks = source.block_entropies(7)
        assert blocks.value == pytest.approx(np.cumsum(h.value), abs=1e-9 + 7 * float(slack(h).max()))


@every_source
def test_contexts_are_marginals_of_the_stationary_process(source):
    """predict(context=l) at position t is the law at position l of a sequence that starts l tokens before t."""
    if not source.stationary:
        pytest.skip("not stationary")
    length = a_length(source, 9)
    tokens, given = drawn(source, 8, length)
    try:
        for context in (0, 1, 3, length + 5):
            laws = source.predict(tokens, context=context, **given)
            for t in range(length):
                window = tokens[:, max(0, t - context) : t + 1]
                alone = source.predict(window)[:, -1]
                assert laws[:, t] == pytest.approx(alone, abs=1e-9)
    except UndefinedError as refusal:
        pytest.skip(str(refusal))
    assert source.predict(tokens, context=length) == pytest.approx(source.predict(tokens), abs=1e-9)


@every_source
def test_entropies_equal_enumeration(source):
    """h_l against the sum over all contexts of p(c) H(p(. | c)), p(c) multiplied out from `predict`."""
    if not (source.stationary and source.judges_all) or source.takes_inputs:
        pytest.skip("no stream")
    length = max((l for l in range(7) if source.vocab_size ** (l + 1) <= 4 * MAX_STRINGS), default=None)
    if length is None:
        pytest.skip("too many contexts")
    h = truth_or_skip(lambda: source.conditional_entropies(length))
    for l in range(length + 1):
        law = source.context_law(l)
        enumerated = float(law.probabilities @ law_entropies(law.laws))
        tolerance = float(slack(h)[l])
        assert h.lower[l] - tolerance <= enumerated <= h.upper[l] + tolerance, f"l = {l}"


@every_source
def test_a_source_knows_something_of_itself(source):
    """Not everything may be refused."""
    known = 0
    for call in (
        lambda: source.conditional_entropies(2),
        source.entropy_rate,
        lambda: source.position_losses(a_length(source)),
    ):
        try:
            call()
            known += 1
        except UndefinedError:
            pass
    assert known >= 2


@every_source
def test_nonsense_is_refused(source):
    length = a_length(source)
    tokens, given = drawn(source, 2, length)
    with pytest.raises(ConfigError, match="tokens"):
        source.predict(tokens.astype(float), **given)
    if tokens.size:
        wrong = tokens.astype(np.uint32)
        wrong[0, 0] = source.vocab_size
        with pytest.raises(ConfigError, match="tokens"):
            source.predict(wrong, **given)
    with pytest.raises((ConfigError, UndefinedError)):
        source.predict(tokens, context=-1, **given)
    with pytest.raises(ConfigError, match="n_sequences"):
        source.batch(-1, length)
    with pytest.raises(ConfigError, match="seed"):
        source.batch(1, length, seed=-1)
