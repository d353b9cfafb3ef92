"""Methods at work, so that they act in small windows: members are alone, the past is, and rows are what is used."""

import numpy as np
import pytest
import torch

from testbed.measures.attention import attention_rows, attention_weights
from testbed.measures.attention_scores import attention_inputs
from testbed.methods import Method, methods
from testbed.models import ModelConfig, attention
from testbed.models.attention import attend
from testbed.models.transformer import Transformer

E, B, M, T = 2, 2, 6, 15
ACTING = {
    "linear_elu": {},
    "linear_relu": {},
    "linear_taylor": {},
    "nala": {},
    "nala_rope": {},
    "softmax_plus_one": {},
    "learned_sink": {},
    "gated_output": {},
    "affine": {"count": "window", "gate": "lin_clip"},
    "harmonic": {},
    "kerple_log": {},
    "kerple_power": {},
    "probabilistic_blocks": {"block": 2, "near": 0, "reweighted": True},
    "quantised_cache": {"key_bits": 3, "value_bits": 3},
    "hyper_attention": {"block": 2, "samples": 2, "least": 4, "projections": 3},
    "entropy_guided": {},
}
CHANGE_NOTHING = ("entropy_guided",)
BOTH_SIDES = ("linear_relu", "nala_rope", "affine", "quantised_cache", "hyper_attention")
NO_LAWS = ("affine", "nala_rope", "softmax_plus_one", "learned_sink")  # whose rows have no entropy


def build(name: str) -> Method:
    return methods.build({"type": name, **ACTING[name]})


def some(name: str, causal: bool = True) -> tuple[Transformer, dict[str, torch.Tensor], torch.Tensor]:
    one = build(name)
    others = () if "position" in one.slots else ("rope",)
    model = Transformer(ModelConfig(width=8, depth=1, heads=2, causal=causal, methods=(*others, one)), 3, M)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(E)])
    rows += 0.3 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
    tokens = torch.randint(0, 3, (E, B, T), generator=torch.Generator().manual_seed(2))
    return model, model.layout.views(rows), tokens


@pytest.mark.parametrize("name, causal", [(name, True) for name in ACTING] + [(name, False) for name in BOTH_SIDES])
@torch.no_grad()
def test_a_member_does_not_see_others_and_a_query_not_what_comes(name, causal):
    """Beyond the training length. In a bidirectional model the first place does see a change of the last one."""
    model, weights, tokens = some(name, causal)
    together = model.logits(weights, tokens, "all")
    plain = Transformer(model.config.replace(methods=("rope",)), 3, M).logits(weights, tokens, "all")
    assert torch.allclose(together, plain, atol=1e-4) == (name in CHANGE_NOTHING)
    for e in range(E):
        alone = model.logits({key: one[e : e + 1] for key, one in weights.items()}, tokens[e : e + 1], "all")
        torch.testing.assert_close(alone[0], together[e], rtol=1e-4, atol=1e-5)
    changed = tokens.clone()
    changed[..., -1] = (changed[..., -1] + 1) % 3
    moved = (model.logits(weights, changed, "all") - together).abs().amax(dim=(0, 1, 3))
    assert moved[-1] > 1e-4
    if causal:
        assert moved[:-1].max() < 1e-5
    else:
        assert moved[:-1].max() > 1e-4


@pytest.mark.parametrize("name", ACTING)
@torch.no_grad()
def test_rows_as_measured_and_in_pieces_are_those_used(name, monkeypatch):
    """Attention over unit vectors is its weights, before a gate and before values are rounded."""
    model, weights, tokens = some(name)
    queries = torch.tensor([1, 4, 14])
    chosen = attention_weights(model, weights, tokens, queries)
    unit = torch.eye(T).expand(E, B, 2, T, T)
    for one in attention_inputs(model, weights, tokens):
        active = [(each, p) for each, p in one.active if each.type_name != "gated_output"]
        active = [
            (each.replace(value_bits=0) if each.type_name == "quantised_cache" else each, p) for each, p in active
        ]
        used = attend(one.q_EBHTK, one.k_EBHTK, unit, one.x_EBTD, one.at, active, one.block)
        # a normaliser that may vanish where its numerators do not makes much of rounding
        tolerance = 1e-3 if name == "nala_rope" else 1e-4
        torch.testing.assert_close(chosen[one.block], used[..., queries, :], rtol=tolerance, atol=1e-5)
    found = attention_rows(model, weights, tokens, queries).entropy
    assert np.isnan(found).any() if name in NO_LAWS else (found > -1e-6).all()
    whole = model.logits(weights, tokens, "all")
    monkeypatch.setattr(attention, "LARGEST_SCORES", 5 * E * B * 2 * T)
    torch.testing.assert_close(model.logits(weights, tokens, "all"), whole, rtol=1e-4, atol=1e-5)
