"""The transformer against a plain nn.Module, and what must hold whatever the weights are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_transformer import PlainTransformer

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.rms_norm import rms_norm
from testbed.models.transformer import Transformer
from testbed.sources import IIDSource
from testbed.training import DataConfig, TrainingSpec

V, LONGEST = 4, 6
VARIANTS = [
    ModelConfig(width=12, depth=1, heads=1, methods=("rope",)),
    ModelConfig(width=12, depth=2, heads=3, methods=("rope",), tied_head=True),
    ModelConfig(width=8, depth=3, heads=2, methods=("learned",), mlp_ratio=2),
    ModelConfig(width=8, depth=2, heads=4, methods=("nope",), tied_head=True),
    ModelConfig(width=9, depth=2, heads=3, methods=()),
    ModelConfig(width=8, depth=2, heads=2, methods=("rope",), mlp_ratio=0),
    ModelConfig(width=8, depth=1, heads=1, methods=("learned",), tied_head=True, head_bias=True, head_scale=1.0),
    ModelConfig(width=8, depth=2, heads=1, methods=("nope",), head_bias=True),
]


def perturbed(model: Transformer, n_members: int) -> torch.Tensor:
    """Rows away from the start, so that gains and head are generic too."""
    generator = torch.Generator().manual_seed(3)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(n_members)])
    return rows + 0.3 * torch.randn(rows.shape, generator=generator)


def tokens(n_members: int, batch: int, length: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randint(0, V, (n_members, batch, length), generator=torch.Generator().manual_seed(seed))
    return torch.cat([torch.full((n_members, batch, 1), V), drawn], dim=2)


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("length", [0, 1, LONGEST])
def test_logits_equal_a_plain_module(config, length):
    model = Transformer(config, V, LONGEST + 1)
    rows, given_tokens = perturbed(model, 3), tokens(3, 5, length)
    logits = model.logits(model.layout.views(rows), given_tokens, read="all")
    data = DataConfig(max_context=LONGEST)
    spec = TrainingSpec(source=IIDSource(vocab_size=V), context_length=length, data=data, model=config)
    for member in range(3):
        weights = {name: view[0] for name, view in model.layout.views(rows[member : member + 1]).items()}
        expected = PlainTransformer(spec).load(weights)(given_tokens[member])
        torch.testing.assert_close(logits[member], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [*VARIANTS, ModelConfig(width=8, methods=("rope", {"type": "banded", "reach": 2}))])
@pytest.mark.parametrize("length", [0, 1, LONGEST])
def test_reading_the_last_position_equals_reading_all(config, length):
    model = Transformer(config, V, LONGEST + 1)
    weights, given_tokens = model.layout.views(perturbed(model, 2)), tokens(2, 5, length)
    last = model.logits(weights, given_tokens, read="last")
    assert last.shape == (2, 5, V)
    torch.testing.assert_close(last, model.logits(weights, given_tokens, read="all")[:, :, -1], rtol=1e-5, atol=1e-5)


@given(st.integers(0, LONGEST - 1), st.sampled_from(VARIANTS), st.integers(0, 1000))
@settings(max_examples=25)
def test_a_later_token_changes_nothing_earlier(position, config, seed):
    model = Transformer(config, V, LONGEST + 1)
    weights, given_tokens = model.layout.views(perturbed(model, 1)), tokens(1, 2, LONGEST, seed)
    changed = given_tokens.clone()
    changed[:, :, position + 1] = (changed[:, :, position + 1] + 1) % V
    before, after = (model.logits(weights, one, read="all") for one in (given_tokens, changed))
    torch.testing.assert_close(before[:, :, : position + 1], after[:, :, : position + 1], rtol=1e-6, atol=1e-6)
    assert (before[:, :, position + 1] - after[:, :, position + 1]).abs().max() > 1e-3


def test_the_begin_symbol_is_read_but_never_predicted():
    for tied in (False, True):
        model = Transformer(ModelConfig(width=8, tied_head=tied), V, LONGEST + 1)
        rows = perturbed(model, 1)
        given_tokens = tokens(1, 2, 2)
        assert model.begin == V
        assert (given_tokens[..., 0] == model.begin).all()
        weights = model.layout.views(rows)
        before = model.logits(weights, given_tokens)
        assert before.shape[-1] == V
        weights["embedding"][0, V] += torch.linspace(-1, 1, 8)  # not a constant: the direction of x matters
        assert (model.logits(weights, given_tokens) - before).abs().max() > 1e-3


def test_members_are_bitwise_themselves_in_company():
    """To rounding where rows don't fill vectors evenly (width 9): there a row's place in memory shifts the tails."""
    for config in VARIANTS:
        model = Transformer(config, V, LONGEST + 1)
        rows, given_tokens = perturbed(model, 5), tokens(5, 6, LONGEST)
        together = model.logits(model.layout.views(rows), given_tokens)
        for member in range(5):
            part = slice(member, member + 1)
            alone = model.logits(model.layout.views(rows[part]), given_tokens[part])
            if config.width % 4 == 0:
                assert torch.equal(together[part], alone)
            torch.testing.assert_close(together[part], alone, rtol=1e-6, atol=1e-6)


def test_a_poisoned_member_leaves_its_neighbours_bitwise_alone():
    model = Transformer(VARIANTS[1], V, LONGEST + 1)
    rows, given_tokens = perturbed(model, 3), tokens(3, 4, LONGEST)
    before = model.logits(model.layout.views(rows), given_tokens)
    rows[1] = float("nan")
    after = model.logits(model.layout.views(rows), given_tokens)
    assert after[1].isnan().all()
    assert torch.equal(before[[0, 2]], after[[0, 2]])


def test_impossible_shapes_are_refused():
    with pytest.raises(ConfigError, match="heads: given 3, must divide width 8"):
        ModelConfig(width=8, heads=3)
    with pytest.raises(ConfigError, match="even head dimension"):
        ModelConfig(width=6, heads=2)


def test_norm_and_its_derivative_equal_autograd():
    """In float64 by finite differences too; a row of zeros is no special case."""
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 10
    x[0, 0] = 0
    x.requires_grad_()
    weight = torch.linspace(-1, 2, 8, dtype=torch.float64)
    (plain,) = torch.autograd.grad((x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight).sum(), x)
    (ours,) = torch.autograd.grad((rms_norm(x) * weight).sum(), x)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rms_norm(x), torch.nn.functional.rms_norm(x, (8,), None, 1e-5))
    assert torch.autograd.gradcheck(rms_norm, x[1:])
