"""A learned bias for every distance: against a loop, and what it leaves alone."""

import pytest
import torch

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer


def model_of(depth: int = 1, heads: int = 2, **more) -> Transformer:
    return Transformer(
        ModelConfig(width=8, depth=depth, heads=heads, methods=({"type": "relative_bias"} | more,)), 3, 6
    )


def attention_of(model: Transformer, weights: dict[str, torch.Tensor], length: int) -> torch.Tensor:
    """(H, T, T) attention weights of the first block."""
    from testbed.measures.attention_scores import rows_of

    tokens = torch.randint(3, (1, 1, length), generator=torch.Generator().manual_seed(0))
    return next(iter(rows_of(model, weights, tokens))).weights[0, 0]


@pytest.mark.parametrize("length", [6, 9])
def test_logits_are_those_of_the_distance(length):
    """Queries that are zero leave the biases alone; beyond the training length the last one is used."""
    model = model_of()
    weights = model.layout.views(model.layout.initial_row(1)[None])
    weights["0.qkv"][:, :, :8] = 0.0
    found = attention_of(model, weights, length)
    b = weights["method.relative_bias.b"][0, 0]
    assert b.shape == (2, 6)
    for head in range(2):
        for i in range(length):
            logits = torch.tensor([float(b[head, min(i - j, 5)]) for j in range(i + 1)])
            torch.testing.assert_close(found[head, i, : i + 1], logits.softmax(dim=0), atol=1e-6, rtol=0)
            assert not found[head, i, i + 1 :].any()


def test_without_spread_it_starts_as_no_positions():
    plain = Transformer(ModelConfig(width=8, depth=2, heads=2, methods=("nope",)), 3, 6)
    model = model_of(depth=2, spread=0.0)
    tokens = torch.randint(3, (1, 4, 6), generator=torch.Generator().manual_seed(0))
    logits = []
    for one in (plain, model):
        weights = one.layout.views(torch.zeros(1, one.layout.row_length))
        generator = torch.Generator().manual_seed(2)
        for name in plain.layout.views(torch.zeros(1, plain.layout.row_length)):
            weights[name].copy_(torch.randn(weights[name].shape, generator=generator) * 0.3)
        logits.append(one.logits(weights, tokens, "all"))
    torch.testing.assert_close(*logits)


def test_it_is_the_only_scheme_of_positions():
    with pytest.raises(ConfigError, match="position"):
        ModelConfig(methods=("relative_bias", "rope"))
