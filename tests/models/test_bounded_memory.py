"""Windows read in parts, and memories of few states between the parts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.bounded_memory import Book, BoundedMemory, Sketched, nearest_means, projection
from testbed.models.recurrent import RecurrentTransformer
from testbed.models.segments import SegmentedTransformer
from testbed.models.transformer import Transformer

VOCAB, LENGTH = 5, 8


def network(block="gau", method="linear_taylor", seed=0, members=1, **keys):
    config = ModelConfig(block=block, width=8, depth=2, heads=2, methods=("learned", method), **keys)
    model = Transformer(config, VOCAB, LENGTH)
    rows = torch.stack([model.layout.initial_row(seed + i) for i in range(members)])
    return model, {name: 2.0 * one for name, one in model.layout.views(rows).items()}


def windows(n=40, seed=0, members=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCAB + 1, (members, n, LENGTH), generator=generator)


# ------------------------------------------------------------------------------------------------ parts
@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(("standard", "gau")),
    st.sampled_from(("linear_elu", "linear_relu", "linear_taylor", "nala")),
    st.sets(st.integers(0, LENGTH - 2), max_size=4),
    st.integers(0, 1000),
)
def test_parts_have_the_logits_of_the_whole(block, method, cuts, seed):
    model, weights = network(block, method, seed, members=2)
    tokens = windows(3, seed, members=2)
    expected = model.logits(weights, tokens)
    found = SegmentedTransformer(model, tuple(sorted(cuts))).logits(weights, tokens)
    assert float(expected.std()) > 0
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4)


def test_states_at_the_cuts_are_those_of_the_recurrence():
    """Token by token, block by block, against a part at a time."""
    model, weights = network()
    tokens, seen = windows(3), {}

    def keep(block, t, state):
        seen[block, t] = state
        return state

    RecurrentTransformer.of(model, keep).logits(weights, tokens)
    handed = {}

    def hand(cut, states):
        handed.update({(block, (2, 5)[cut]): one for block, one in enumerate(states)})
        return states

    SegmentedTransformer(model, (2, 5), hand).logits(weights, tokens)
    assert set(handed) == {(0, 2), (1, 2), (0, 5), (1, 5)}
    for at, one in handed.items():
        torch.testing.assert_close(one, seen[at], rtol=1e-3, atol=1e-4)


def test_nothing_but_what_is_handed_on_reaches_the_next_part():
    model, weights = network()
    tokens, other = windows(6, 1), windows(6, 2)
    other[..., 4:] = tokens[..., 4:]

    def empty(cut, states):
        return [torch.zeros_like(one) for one in states]

    found = [SegmentedTransformer(model, (3,), empty).logits(weights, one) for one in (tokens, other)]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    free = [SegmentedTransformer(model, (3,)).logits(weights, one) for one in (tokens, other)]
    assert float((free[0] - free[1]).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SegmentedTransformer(network()[0], (3, 2)), "cuts"),
        (lambda: SegmentedTransformer(network(causal=False)[0], (3,)), "causal"),
        (lambda: SegmentedTransformer(Transformer(ModelConfig(width=8, heads=2), VOCAB, LENGTH), (3,)), "linear"),
        (lambda: SegmentedTransformer(network()[0], (7,)).logits(network()[1], windows(2)), "last place"),
        (lambda: SegmentedTransformer(network()[0], (3,)).logits(network()[1], windows(2), "all"), "read"),
    ],
)
def test_what_cannot_be_read_in_parts_is_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


# ------------------------------------------------------------------------------------------------ few states
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_two_cuts_of_two_blocks_hand_on_no_more_states_than_said(n_states, seed):
    """A real network: at each cut all blocks together take one of M values, behind a first cut that is bounded, and
    the answer is a function of the last one and of what is read after it."""
    model, weights = network(seed=seed)
    memory, tokens = BoundedMemory(n_states, seed), windows(40, seed)
    with torch.no_grad():
        SegmentedTransformer(model, (2, 5), memory.fit).logits(weights, tokens)
        handed = {}

        def keep(cut, states):
            handed[cut] = memory.keep(cut, states)
            return handed[cut]

        fresh = windows(60, seed + 1)
        fresh[..., 6:] = fresh[:, :1, 6:]  # all are read on alike
        logits = SegmentedTransformer(model, (2, 5), keep).logits(weights, fresh)
    assert set(memory.books) == set(handed) == {0, 1}
    for states in handed.values():
        together = torch.cat([one[0].flatten(1) for one in states], dim=1)
        assert len(torch.unique(together, dim=0)) <= n_states
    together = torch.cat([one[0].flatten(1) for one in handed[1]], dim=1)
    _, code = torch.unique(together, dim=0, return_inverse=True)
    for one in code.unique():
        of_code = logits[0][code == one]
        assert float((of_code - of_code[:1]).abs().max()) < 1e-4


def test_enough_states_hand_on_what_was_there():
    model, weights = network(seed=5)
    tokens = windows(4, 5).repeat(1, 5, 1)  # four windows, five times each
    with torch.no_grad():
        memory = BoundedMemory(9)
        found = SegmentedTransformer(model, (2, 5), memory.fit).logits(weights, tokens)
        torch.testing.assert_close(found, model.logits(weights, tokens), rtol=2e-3, atol=2e-4)
    assert [len(book.points) for book in memory.books.values()] == [4, 4]


def test_training_passes_the_gradient_straight_through():
    states = [torch.randn(1, 20, 1, 3, 2, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    memory = BoundedMemory(3)
    kept = memory.fit(0, states)
    leaf = [one.clone().requires_grad_() for one in states]
    through = memory.through(0, leaf)
    for one, other in zip(through, kept, strict=True):
        torch.testing.assert_close(one, other)
    sum(one.square().sum() for one in through).backward()
    for one, other in zip(leaf, kept, strict=True):
        torch.testing.assert_close(one.grad, 2 * other)
    with pytest.raises(ValueError, match="n_states"):
        BoundedMemory(0)


def test_sketches_and_means_by_hand():
    states = [torch.randn(1, 12, 1, 3, 2, generator=torch.Generator().manual_seed(i)) * 10.0**i for i in range(2)]
    left = Sketched.of(states)
    for i in range(12):
        expected = 0
        for block, one in enumerate(states):
            flat = one[0].flatten(1).double().numpy()
            spread = np.sqrt(flat.var(axis=0).sum())
            expected = expected + flat[i] @ projection(block, 6, torch.device("cpu")).numpy() / spread
        np.testing.assert_allclose(left.points[i].numpy(), expected, rtol=1e-4, atol=1e-5)
    book = Book.fit(left, 4, seed=1)
    classes = nearest_means(left.points, 4, seed=1)
    assert sorted(classes.unique().tolist()) == list(range(len(book.points)))
    for c in classes.unique():
        for block, one in enumerate(states):
            torch.testing.assert_close(book.states[block][c], one[0][classes == c].mean(dim=0))
    for i, code in enumerate(book.codes(left).tolist()):
        distances = [float((left.points[i] - point).norm()) for point in book.points]
        assert distances[code] == pytest.approx(min(distances), abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 100))
def test_classes_are_none_of_them_empty_and_tell_apart_what_they_can(n_kinds, n_classes, seed):
    kinds = torch.randn(n_kinds, 5, generator=torch.Generator().manual_seed(seed))
    points = kinds[torch.arange(30) % n_kinds]
    classes = nearest_means(points, n_classes, seed)
    assert classes.unique().tolist() == list(range(min(n_kinds, n_classes)))
    if n_classes >= n_kinds:
        assert all(len(classes[torch.arange(30) % n_kinds == i].unique()) == 1 for i in range(n_kinds))
