"""Laws and losses of masked tokens: every source's examples against sums over all strings, and what must hold.

Statistical tests are seeded; each comparison has a false-alarm rate below 1e-7.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources import IIDSource, MarkovSource, Source, build
from testbed.sources.masked_losses import sampled_losses
from testbed.sources.sampled_truth import law_entropies

MAX_STRINGS = 600
Z = 5.5
T = math.log(2e7)


def string_law(source: Source, length: int) -> np.ndarray:
    """(V,) * L: the probability of every string."""
    strings = np.array(list(itertools.product(range(source.vocab_size), repeat=length)), dtype=np.uint16)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.nan_to_num(source.log_probs(strings), nan=-np.inf, neginf=-np.inf).sum(axis=1)
    return np.exp(logs).reshape((source.vocab_size,) * length)


def by_hand(law: np.ndarray, tokens: np.ndarray, masked: np.ndarray) -> list[np.ndarray]:
    """The law of every masked token, in order: fix what is seen, add up the rest."""
    found = []
    for row, hidden in zip(tokens.tolist(), masked.tolist(), strict=True):
        seen = law[tuple(slice(None) if hide else int(x) for x, hide in zip(row, hidden, strict=True))]
        for axis in range(seen.ndim):
            alone = seen.sum(axis=tuple(other for other in range(seen.ndim) if other != axis))
            with np.errstate(invalid="ignore"):
                found.append(alone / alone.sum())
    return found


def listed_length(source: Source) -> int:
    """The largest length with few strings, or a skip."""
    if source.takes_inputs:
        pytest.skip("the law is conditional on real-valued inputs")
    possible = [n for n in source.lengths(8) if n and source.vocab_size**n <= MAX_STRINGS]
    if not possible:
        pytest.skip("too many strings")
    return possible[-1]


def some_masks(n: int, length: int, most: int | None, seed: int = 0) -> np.ndarray:
    """(n, L): from none to all masked, as far as that is taken; the first rows with one each."""
    rng = np.random.default_rng(seed)
    most = length if most is None else min(most, length)
    masked = np.zeros((n, length), dtype=bool)
    for row in range(n):
        count = min(1 if row < length else rng.integers(0, most + 1), most)
        masked[row, rng.choice(length, count, replace=False)] = True
    return masked


def test_masked_laws_are_sums_over_all_strings(source: Source) -> None:
    length = listed_length(source)
    tokens = source.batch(3 * length, length, seed=1).tokens
    masked = some_masks(len(tokens), length, source.most_masked())
    found = source.predict_masked(tokens, masked)
    assert found.shape == (masked.sum(), source.vocab_size)
    wanted = by_hand(string_law(source, length), tokens, masked)
    assert found == pytest.approx(np.array(wanted).reshape(found.shape), abs=1e-7)
    unread = np.where(masked, source.vocab_size + 5, tokens)  # any mask symbol
    assert np.array_equal(source.predict_masked(unread, masked), found)


def test_masked_tokens_follow_their_laws(source: Source) -> None:
    """Laws sum to one, what was masked is possible, and -ln p less its mean, the entropy, has mean zero."""
    if source.takes_inputs:
        with pytest.raises(UndefinedError, match="real-valued inputs"):
            source.predict_masked(*(lambda b: (b.tokens, b.judged))(source.batch(2, source.lengths(64)[-1])))
        return
    length = min(source.lengths(64), key=lambda n: (abs(n - 10), n))
    if source.vocab_size > 300:
        length = min(n for n in source.lengths(64) if n > 1)
    n = 120 if source.vocab_size < 64 else 12
    tokens = source.batch(n, length, seed=7).tokens
    masked = np.zeros(tokens.shape, dtype=bool)
    masked[np.arange(n), np.random.default_rng(3).integers(0, length, n)] = True
    laws = source.predict_masked(tokens, masked)
    assert np.all(laws >= 0)
    assert laws.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-9)
    p = laws[np.arange(n), tokens[masked].astype(int)]
    assert np.all(p > 0)
    surprise = -np.log(np.where(laws > 0, laws, 1.0))
    mean = law_entropies(laws)
    variance = np.sum(laws * (surprise - mean[:, None]) ** 2, axis=1).mean()
    bernstein = math.sqrt(2 * T * variance / n) + T * surprise.max() / (3 * n) + 1e-9
    assert abs(np.mean(-np.log(p) - mean)) <= bernstein


def test_two_sides_tell_at_least_as_much_as_one(source: Source) -> None:
    """H(X_t | the rest) <= H(X_t | before), at the last position equal; listed and sampled alike."""
    length = listed_length(source)
    losses, causal = source.masked_losses(length), source.position_losses(length)
    assert losses.shape == (length,)
    law = string_law(source, length)
    listed = [entropy(law) - entropy(law.sum(axis=t)) for t in range(length)]
    assert np.abs(losses.value - listed).max() <= Z * losses.standard_error.max() + 1e-7
    room = Z * (losses.standard_error + causal.standard_error) + 1e-7
    assert np.all(losses.lower <= causal.upper + room)
    assert abs(float(losses[-1].value) - float(causal[-1].value)) <= room[-1] + float(
        causal.upper[-1] - causal.lower[-1]
    )


def entropy(law: np.ndarray) -> float:
    return float(law_entropies(law.ravel()))


@pytest.mark.parametrize("n_masked", [1, 2, 4])
@pytest.mark.parametrize(
    "one",
    [
        MarkovSource.random(vocab_size=3, order=2, seed=4),
        build("mess3"),
        build({"type": "dirichlet_iid", "vocab_size": 3}),
        build({"type": "dirichlet_markov", "vocab_size": 2, "order": 1}),
        IIDSource([0.7, 0.2, 0.1]),
    ],
    ids=lambda one: one.type_name,
)
def test_listed_and_sampled_losses_agree(one: Source, n_masked: int) -> None:
    length = 6
    found, drawn = one.masked_losses(length, n_masked), sampled_losses(one, length, n_masked, n_sequences=1500)
    assert found.kind == "exact"
    law = string_law(one, length)
    for t in range(length):
        choices = [c for c in itertools.combinations(range(length), n_masked) if t in c]
        wanted = [entropy(law.sum(axis=tuple(i for i in c if i != t))) - entropy(law.sum(axis=c)) for c in choices]
        assert float(found[t].value) == pytest.approx(np.mean(wanted), abs=1e-8)
    assert np.all(np.abs(drawn.value - found.value) <= Z * drawn.standard_error + 1e-9)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 3), st.integers(1, 12))
@settings(max_examples=30)
def test_forward_backward_is_the_sum_over_fillings(seed: int, order: int, vocab_size: int, length: int) -> None:
    """Two ways to one law, on chains: the machine's kernel, and Bayes' rule over all fillings."""
    from testbed.sources.masked_laws import laws_by_filling

    chain = MarkovSource.random(vocab_size=vocab_size, order=order, concentration=0.3, seed=seed)
    tokens = chain.sample(5, length, seed=seed).astype(np.int64)
    masked = some_masks(5, length, min(length, 6), seed)
    assert chain.most_masked() is None
    found = chain.predict_masked(tokens, masked)
    assert found == pytest.approx(laws_by_filling(chain, tokens, masked), abs=1e-9)


def test_an_order_one_chain_has_the_textbook_law() -> None:
    """p(x_t | rest) ~ K(x_(t-1), x) K(x, x_(t+1)), and the inner loss is 2 h - H(K^2) of the pair two apart."""
    chain = MarkovSource.random(vocab_size=4, order=1, seed=3)
    tokens = chain.sample(50, 9, seed=2)
    masked = np.zeros(tokens.shape, dtype=bool)
    masked[:, 4] = True
    raw = chain.kernel[tokens[:, 3]] * chain.kernel[:, tokens[:, 5]].T
    assert chain.predict_masked(tokens, masked) == pytest.approx(raw / raw.sum(axis=1, keepdims=True), abs=1e-12)
    pi, rate = chain.stationary_law, float(chain.entropy_rate().value)
    apart = pi[:, None] * (chain.kernel @ chain.kernel)
    losses = np.asarray(chain.masked_losses(9).value)
    assert losses[1:-1] == pytest.approx(np.full(7, 2 * rate - (entropy(apart) - entropy(pi))), abs=1e-12)
    assert losses[[0, -1]] == pytest.approx([rate, rate], abs=1e-12)
    assert np.all(losses[1:-1] < rate)


def test_no_length_is_too_long_and_no_class_is_lost() -> None:
    """4096 tokens, most of them masked; and a mixture whose classes differ by far more than float64 can hold."""
    chain = MarkovSource.random(vocab_size=16, order=2, concentration=0.2, seed=3)
    tokens = chain.sample(2, 4096, seed=2)
    masked = np.random.default_rng(0).random(tokens.shape) < 0.7
    laws = chain.predict_masked(tokens, masked)
    assert np.isfinite(laws).all()
    p = laws[np.arange(len(laws)), tokens[masked].astype(int)]
    paired = -np.log(p) - law_entropies(laws)
    # neighbouring masked tokens depend on each other: blocks of about 50 are taken for independent
    blocks = np.array([part.mean() for part in np.array_split(paired, len(paired) // 50)])
    assert abs(blocks.mean()) <= Z * blocks.std(ddof=1) / math.sqrt(len(blocks))
    coins = build(
        {
            "type": "mixture",
            "components": [
                {"type": "iid", "probabilities": [0.999, 0.001]},
                {"type": "iid", "probabilities": [0.001, 0.999]},
            ],
        }
    )
    tokens = np.zeros((2, 1201), dtype=int)
    tokens[:, 600:] = 1
    tokens[1, 600] = 0  # 601 zeros, 599 ones seen
    masked = np.zeros(tokens.shape, dtype=bool)
    masked[:, -1] = True
    laws = coins.predict_masked(tokens, masked)
    assert laws[0] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert laws[1] == pytest.approx([0.999, 0.001], abs=1e-5)


def test_what_is_impossible_has_no_law() -> None:
    cycle = MarkovSource([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    tokens = np.array([[0, 1, 2, 0], [0, 2, 2, 0], [0, 0, 0, 1]])
    masked = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]], dtype=bool)
    laws = cycle.predict_masked(tokens, masked)
    assert laws[0].tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(laws[1]).all()
    assert np.isnan(laws[2:]).all()
    iid = build({"type": "recoded", "component": {"type": "dirichlet_markov", "vocab_size": 2}, "map": [1, 0]})
    assert np.isfinite(iid.predict_masked(tokens % 2, masked)).all()


def test_what_cannot_be_had_is_refused() -> None:
    hidden = build({"type": "dirichlet_markov", "vocab_size": 2, "order": 1})
    assert hidden.most_masked() == 16
    tokens = hidden.sample(1, 20)
    masked = np.zeros(tokens.shape, dtype=bool)
    masked[:, :17] = True
    with pytest.raises(UndefinedError, match="2\\^17 sequences; at most 2\\^16 are summed over, so mask at most 16"):
        hidden.predict_masked(tokens, masked)
    for wrong in (masked[:, 1:], masked.astype(int), masked[0]):
        with pytest.raises(ConfigError, match="masked: need booleans of the shape of tokens"):
            hidden.predict_masked(tokens, wrong)
    with pytest.raises(ConfigError, match="n_masked: given 5, must be 1 .. 4"):
        hidden.masked_losses(4, 5)
    with pytest.raises(ConfigError, match="length"):
        hidden.masked_losses(-1)
    with pytest.raises(UndefinedError, match="judges some positions only"):
        build({"type": "selector_lag", "probabilities": [0.5, 0.5]}).masked_losses(8, 2)
    assert hidden.masked_losses(0).shape == (0,)
