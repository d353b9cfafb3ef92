"""Every registered source under transformations: what must not change, what must add up.

The same examples as in test_every_source; a property names what it needs (a finite machine, a stationary stream) and is
skipped where a source lacks it or refuses the quantity.
"""

import math

import numpy as np
import pytest

from testbed.core import ConfigError, ResourceError, Truth, UndefinedError
from testbed.sources import IIDSource, Source
from testbed.sources.as_machine import EdgeMachine, as_edges
from testbed.sources.combinators import BlockSource, MixtureSource, NoisySource, ProductSource, RecodedSource
from testbed.sources.machine_algebra import edges_from_list

CONTEXT = 4
MAX_STATES = 256


def stream(source: Source) -> None:
    if source.takes_inputs or not (source.stationary and source.judges_all):
        pytest.skip("not a stationary stream")


def entropies(source: Source, context: int = CONTEXT) -> Truth:
    try:
        return source.conditional_entropies(context)
    except (UndefinedError, ResourceError) as refusal:
        pytest.skip(str(refusal))


def machine(source: Source) -> EdgeMachine:
    """The source as a finite machine, or a skip."""
    stream(source)
    try:
        edges, initial = as_edges(source)
    except (ConfigError, UndefinedError) as refusal:
        pytest.skip(str(refusal))
    if edges.n_states > MAX_STATES:
        pytest.skip("a large machine")
    return EdgeMachine(given=edges, law=initial, vocab_size=source.vocab_size)


def assert_equal(left: Truth, right: Truth, tolerance: float = 1e-7) -> None:
    """The two may be equal: intervals widened by 6 standard errors each (2e-9 two-sided) overlap."""
    slack = 6.0 * (left.standard_error + right.standard_error) + tolerance
    assert np.all(left.lower <= right.upper + slack)
    assert np.all(right.lower <= left.upper + slack)


def test_time_reversal_changes_no_entropy(source: Source) -> None:
    """P2: T~[x, s', s] = pi(s) T[x, s, s'] / pi(s') writes the same blocks backwards. Quantised anew, hence 1e-6."""
    forward = machine(source)
    pi, edges = forward.initial_law, forward.edges
    state, edge = np.nonzero(edges.weights)
    symbol, successor = edges.symbols[state, edge], edges.successors[state, edge]
    flow = pi[state] * edges.probabilities[state, edge]
    reached = np.bincount(successor, weights=flow, minlength=edges.n_states)
    kept = np.flatnonzero(reached > 0)
    position = np.full(edges.n_states, -1)
    position[kept] = np.arange(len(kept))
    used = flow > 0
    if len(kept) < edges.n_states and not np.all(position[state[used]] >= 0):
        pytest.skip("a state of positive probability is never reached")
    backward = edges_from_list(
        len(kept),
        position[successor[used]],
        symbol[used],
        position[state[used]],
        flow[used] / reached[successor[used]],
    )
    turned = EdgeMachine(given=backward, vocab_size=source.vocab_size)
    try:
        found = turned.conditional_entropies(CONTEXT)
    except ConfigError as refusal:
        pytest.skip(f"the states fall into classes: {refusal}")
    assert_equal(entropies(forward), found, 1e-6)


def test_names_of_symbols_change_no_entropy(source: Source) -> None:
    """P3: the alphabet turned round; laws are those of the old names."""
    stream(source)
    turned = tuple(reversed(range(source.vocab_size)))
    renamed = RecodedSource(source, map=turned)
    assert_equal(entropies(source), entropies(renamed))
    tokens = source.sample(3, 6, seed=1)
    named = np.asarray(turned)[tokens.astype(int)].astype(tokens.dtype)
    assert renamed.predict(named)[..., list(turned)] == pytest.approx(source.predict(tokens), abs=1e-12)


def test_entropies_of_independent_sources_add(source: Source) -> None:
    """P4: h_l and the rate of a product with a biased coin."""
    stream(source)
    if source.vocab_size > 1000:
        pytest.skip("a large alphabet")
    coin = IIDSource([0.75, 0.25])
    both, h = ProductSource(source, coin), entropies(source)
    noise = float(coin.entropy_rate().value)
    shifted = Truth(h.lower + noise, h.upper + noise, h.kind, h.standard_error)
    assert_equal(both.conditional_entropies(CONTEXT), shifted)
    tokens = both.sample(3, 5, seed=2)
    left, right = both.decode(tokens)
    separate = source.log_probs(left.astype(np.uint16)) + coin.log_probs(right.astype(np.uint16))
    assert both.log_probs(tokens) == pytest.approx(separate, abs=1e-9)


def test_a_mixture_with_a_coin_has_the_mean_rate_and_the_choice_as_excess(source: Source) -> None:
    """P5: h = mean rate; sum of (h_l - h) <= E = mean E + H(w) where the components differ and are ergodic."""
    stream(source)
    if source.vocab_size > 64:
        pytest.skip("a large alphabet")
    coin = IIDSource(vocab_size=source.vocab_size)
    mixed = MixtureSource([source, coin], weights=(0.5, 0.5))
    try:
        rate, own = mixed.entropy_rate(), source.entropy_rate()
        excess, own_excess = mixed.excess_entropy(), source.excess_entropy()
    except (UndefinedError, ResourceError) as refusal:
        pytest.skip(str(refusal))
    half = float(coin.entropy_rate().value) / 2
    assert_equal(rate, Truth(own.lower / 2 + half, own.upper / 2 + half, own.kind, own.standard_error / 2))
    if not math.isfinite(float(own_excess.upper)):
        assert not math.isfinite(float(excess.upper))
        return
    assert excess.upper <= own_excess.upper / 2 + math.log(2) + 1e-7
    if source.ergodic and source.fingerprint != coin.fingerprint and excess.kind == "exact":
        assert excess.lower >= own_excess.lower / 2 - 1e-7


def test_pairs_of_tokens_have_twice_the_rate(source: Source) -> None:
    """P6: h_l of pairs is H(2 l + 2) - H(2 l); the rate doubles, E stays."""
    stream(source)
    if source.vocab_size > 64:
        pytest.skip("a large alphabet")
    pairs, h = BlockSource(source, 2), entropies(source, 5)
    found = entropies(pairs, 2)
    doubled = Truth(
        h.lower.reshape(3, 2).sum(axis=1),
        h.upper.reshape(3, 2).sum(axis=1),
        h.kind,
        h.standard_error.reshape(3, 2).sum(axis=1),
    )
    assert_equal(found, doubled)
    try:
        rate = source.entropy_rate()
        assert_equal(pairs.entropy_rate(), Truth(2 * rate.lower, 2 * rate.upper, rate.kind, 2 * rate.standard_error))
        assert_equal(pairs.excess_entropy(), source.excess_entropy())
    except UndefinedError as refusal:
        pytest.skip(str(refusal))


def test_noise_never_lowers_a_rate(source: Source) -> None:
    """P7: symbols moved at random (additive noise modulo V) give h_l at least as large."""
    given = machine(source)
    if source.vocab_size < 2 or source.vocab_size > 32 or given.edges.n_states > 64:
        pytest.skip("a large machine, or one symbol")
    noisy = NoisySource(source, flip=0.1)
    h, found = entropies(source), entropies(noisy)
    assert np.all(found.upper + 6 * found.standard_error >= h.lower - 6 * h.standard_error - 1e-7)


def test_lumped_blocks_have_less_entropy(source: Source) -> None:
    """P7: a deterministic map of symbols cannot raise H(L)."""
    given = machine(source)
    if not 3 <= source.vocab_size <= 32 or given.edges.n_states > 64:
        pytest.skip("too few symbols to merge, or a large machine")
    lumped = RecodedSource(source, map=tuple(symbol % 2 for symbol in range(source.vocab_size)))
    h, found = entropies(source), entropies(lumped)
    assert np.all(np.cumsum(found.lower) <= np.cumsum(h.upper) + 6 * np.cumsum(h.standard_error) + 1e-7)


def test_a_source_and_its_machine_agree(source: Source) -> None:
    """The machine's own recursion against the source's truths and laws."""
    one = machine(source)
    assert_equal(entropies(source), entropies(one))
    try:
        assert_equal(source.entropy_rate(), one.entropy_rate())
        assert_equal(source.excess_entropy(), one.excess_entropy(), 1e-6)
    except UndefinedError as refusal:
        pytest.skip(str(refusal))
    tokens = source.sample(3, 7, seed=3)
    assert one.predict(tokens) == pytest.approx(source.predict(tokens), abs=1e-9)
