"""Which methods form a T x T array: those that mask, bias, normalise or score pairs anew; no other one, at T = 4096."""

import math
from functools import lru_cache

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from testbed.measures.attention import attention_entropies
from testbed.methods import Method, methods
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer

T, M = 4096, 64
MASKS = {"banded", "lm_infinite", "streaming", "probabilistic_blocks", "no_begin"}
BIASES = {"alibi", "harmonic", "kerple_log", "kerple_power", "distance_logits", "relative_bias"}
SCORES_ANEW = {"rerope", "leaky_rerope", "self_extend", "lm_infinite", "streaming"}  # two positions for a key
# another logit for each pair
READ_ROWS = {"gap_counting", "adaptive_temperature", "scale_invariant", "selective", "soft_cap"}
NORMALISERS = {"entmax15", "asentmax", "affine", "softmax_plus_one", "learned_sink", "hyper_attention"}
KERNELS = {"linear_elu", "linear_relu", "linear_taylor", "nala", "nala_rope"}
READ_WEIGHTS = {"entropy_guided"}
FORM_SCORES = MASKS | BIASES | SCORES_ANEW | READ_ROWS | NORMALISERS | KERNELS | READ_WEIGHTS


class Largest(TorchDispatchMode):
    """The most numbers that any operation returned; attention's own operators are among them."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, operator, types, arguments=(), named=None):
        found = operator(*arguments, **(named or {}))
        for one in tree_leaves(found):
            if isinstance(one, torch.Tensor):
                self.numel = max(self.numel, one.numel())
        return found


def build(name: str) -> Method:
    needed = {"target_length": T} if name in ("pose", "random_positions", "cream") else {}
    return methods.build({"type": name, **needed})


def model_of(name: str, block: str, causal: bool = True) -> Transformer:
    one = build(name)
    others = () if "position" in one.slots else ("rope",)
    sizes = {"heads": 2} if block == "standard" else {"key_size": 4, "expansion": 1}
    config = ModelConfig(block=block, width=8, depth=1, causal=causal, methods=(one, *others), **sizes)
    return Transformer(config, 3, T if name == "learned" else M)


def calibration(model: Transformer) -> dict[str, dict[str, torch.Tensor]]:
    std = torch.ones(1, 1, model.geometry.heads)
    return {one.type_name: one.calibrate(std, model.geometry) for one in model.config.methods if one.is_calibrated}


def largest_array(name: str, block: str, length: int = T, backward: bool = False, causal: bool = True) -> int:
    model = model_of(name, block, causal)
    row = model.layout.initial_row(0)[None]
    weights = model.layout.leaves(row, torch.zeros_like(row)) if backward else model.layout.views(row)
    tokens = torch.zeros(1, 1, length, dtype=torch.int64)
    with torch.set_grad_enabled(backward), Largest() as largest:
        logits = model.logits(weights, tokens, "all", calibrated=calibration(model))
        if backward:
            logits.logsumexp(dim=-1).sum().backward()
    return largest.numel


@lru_cache(maxsize=1)
def fused() -> list[str]:
    """What has no hook that could form scores: it has no excuse."""
    return [name for name in methods.names() if not (build(name).is_explicit or build(name).overrides("mask", "bias"))]


def test_no_method_is_left_out():
    assert FORM_SCORES.isdisjoint(fused())
    assert FORM_SCORES | set(fused()) == set(methods.names())


def test_the_watch_sees_what_it_should():
    """Else the tests below would pass whatever happens. Short windows with wider values take an unfused kernel."""
    assert largest_array("scale_invariant", "standard", 512) >= 2 * 512 * 512
    assert largest_array("banded", "standard", 512) >= 512 * 512
    assert largest_array("rope", "gau", 512) >= 512 * 512


@pytest.mark.parametrize("name", sorted(FORM_SCORES))
def test_these_do(name):
    """A method that need not any more should leave the lists. T is small here."""
    assert largest_array(name, "standard", 3 * M) >= (3 * M) ** 2
    assert name not in fused()


@pytest.mark.parametrize("name", fused())
def test_no_other_does(name):
    """Both blocks; forward passes of one window, whose widest array is 8 T long where the square would be 4096 T."""
    causal = not build(name).needs_all_keys
    for block in ("standard", "gau"):
        assert largest_array(name, block, causal=causal) <= 64 * T, block


@pytest.mark.parametrize("name", ["rope", "infoscale", "cosscale", "ssmax"])
@pytest.mark.parametrize("block", ["standard", "gau"])
def test_nor_does_its_gradient(name, block):
    assert largest_array(name, block, backward=True) <= 64 * T


@pytest.mark.parametrize("name", ["infoscale", "cosscale"])
def test_nor_do_entropies(name):
    """The compiled loop holds a piece of the scores that does not grow with T."""
    model = model_of(name, "standard")
    weights = model.layout.views(model.layout.initial_row(0)[None])
    with Largest() as largest:
        found = attention_entropies(model, weights, torch.randint(0, 3, (1, 1, T)))
    assert largest.numel <= 128 * T
    assert found.shape == (1, 1, 1, 2, T)
    assert found.max() <= math.log(T) + 1e-3
