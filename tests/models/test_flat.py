"""The flat buffer: views tile a row, gradients land in it, a member's start depends on its own seed alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed.methods import Initial
from testbed.models import ModelConfig
from testbed.models.flat import ALIGNMENT, Layout
from testbed.models.transformer import Transformer

shapes = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), min_size=1, max_size=6)


@given(shapes, st.integers(1, 3))
def test_views_tile_every_row(given_shapes, n_members):
    """Writing k into view k and reading the row back: consecutive blocks, then padding."""
    layout = Layout({f"w{i}": Initial(shape, 0.0) for i, shape in enumerate(given_shapes)})
    rows = torch.full((n_members, layout.row_length), -1.0)
    expected = []
    for i, (name, view) in enumerate(layout.views(rows).items()):
        assert view.shape == (n_members, *given_shapes[i])
        view.copy_(torch.full(view.shape, float(i)))
        expected += [float(i)] * layout.entries[i].size
        assert name == f"w{i}"
    assert layout.row_length % ALIGNMENT == 0
    assert layout.row_length - len(expected) < ALIGNMENT
    padding = [-1.0] * (layout.row_length - len(expected))
    assert all(row.tolist() == expected + padding for row in rows)


def test_gradients_accumulate_in_the_flat_buffer():
    layout = Layout({"a": Initial((2, 3), 1.0, decay=True), "b": Initial((4,), 1.0)})
    rows, gradients = torch.stack([layout.initial_row(0), layout.initial_row(1)]), torch.zeros(2, layout.row_length)
    leaves = layout.leaves(rows, gradients)
    for _ in range(2):
        ((leaves["a"] ** 2).sum() / 2 + (leaves["b"] * 3).sum()).backward()
    views = layout.views(gradients)
    assert torch.equal(views["a"], 2 * layout.views(rows)["a"])
    assert torch.equal(views["b"], torch.full((2, 4), 6.0))
    assert torch.count_nonzero(gradients[:, layout.n_weights :]) == 0


def test_a_start_depends_on_its_seed_alone():
    layout = Transformer(ModelConfig(width=8, depth=1), vocab_size=3, train_length=4).layout
    assert torch.equal(layout.initial_row(5), layout.initial_row(5))
    assert not torch.equal(layout.initial_row(5), layout.initial_row(6))
    torch.manual_seed(0)
    first = torch.rand(1)
    torch.manual_seed(0)
    layout.initial_row(5)
    assert torch.equal(first, torch.rand(1)), "the global generator was touched"


def test_weight_decay_applies_to_the_matrices_alone():
    layout = Transformer(ModelConfig(width=8, depth=2, methods=("learned",)), vocab_size=3, train_length=4).layout
    mask = layout.views(layout.decay_mask()[None])
    decayed = {name for name, view in mask.items() if view.all()}
    assert all(view.all() or not view.any() for view in mask.values())
    matrices = {f"{block}.{name}" for block in range(2) for name in ("qkv", "attention_out", "mlp_in", "mlp_out")}
    assert decayed == matrices | {"head"}


@pytest.mark.parametrize("std", [None, 0.02])
def test_initial_spread_is_the_stated_one(std):
    """Standard deviation of every normal weight within 5 standard errors: false alarm about 1e-5 in all."""
    config = ModelConfig(width=64, depth=2, initial_std=std, methods=({"type": "learned", "std": std or 0.5},))
    layout = Transformer(config, vocab_size=150, train_length=4).layout
    if std is not None:
        writers = ("attention_out", "mlp_out")
        expected = {0.0} | {std / 2 if entry.name.endswith(writers) else std for entry in layout.entries if entry.std}
        assert {entry.std for entry in layout.entries} == expected == {0.0, std, std / 2}
    views = layout.views(layout.initial_row(0)[None])
    for entry in layout.entries:
        values = views[entry.name]
        if entry.std == 0:
            assert torch.equal(values, torch.full_like(values, entry.mean))
        else:
            assert abs(values.std().item() / entry.std - 1) < 5 / (2 * entry.size) ** 0.5
