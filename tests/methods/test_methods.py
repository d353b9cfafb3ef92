"""Methods: exclusive slots, what each promises, and a user's own method through the attention path."""

import itertools
import math
from collections.abc import Mapping
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods import BandedMask, Geometry, Initial, Method, Placement, RotaryPositions, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.models.transformer import Transformer

V = 3


def transformer(*chosen, train_length: int = 5, **sizes) -> Transformer:
    return Transformer(ModelConfig(width=8, heads=2, methods=chosen, **sizes), V, train_length)


def some_weights(model: Transformer, n_members: int = 1) -> dict[str, Tensor]:
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(n_members)])
    return model.layout.views(rows + 0.3 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1)))


def window(length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, V, (1, 1, length), generator=torch.Generator().manual_seed(seed))


def placement(T: int, queries: Literal["all", "last"] = "all", heads: int = 2, train_length: int = 5) -> Placement:
    return placed(T, queries, Geometry(8, heads, 2, train_length), torch.device("cpu"))


def rotated(method: Method, x: Tensor, positions: Tensor) -> Tensor:
    return method.rotate(x, positions, placement(len(positions)), {})


# ------------------------------------------------------------------------------------------------ combining
class Own(Method):
    """Base of the methods below; unregistered, as a value."""

    type_name = "own"


class LengthScale(Own):
    type_name = "first_scale"
    excludes = frozenset({"length_scale"})


class OtherLengthScale(Own):
    type_name = "second_scale"
    excludes = frozenset({"length_scale"})


@pytest.mark.parametrize("pair", [("rope", "learned"), ("learned", "nope"), ("rope", "rope")])
def test_two_fillers_of_a_slot_are_refused_and_both_named(pair):
    with pytest.raises(ConfigError, match=f"{pair[0]} and {pair[1]} exclude each other, both fill position"):
        ModelConfig(methods=pair)


def test_methods_that_exclude_each_other_are_refused_and_both_named():
    with pytest.raises(ConfigError, match="first_scale and second_scale exclude each other, both fill length_scale"):
        ModelConfig(methods=(LengthScale(), OtherLengthScale()))
    ModelConfig(methods=("rope", LengthScale(), {"type": "banded", "reach": 2}, {"type": "banded", "reach": 3}))


def test_methods_are_found_by_name():
    assert {"rope", "learned", "nope", "banded"} <= set(methods.names())
    with pytest.raises(ConfigError, match="rope"):
        ModelConfig(methods=("ropee",))


# ------------------------------------------------------------------------------------------------ positions
@given(st.integers(0, 200), st.integers(0, 1000))
@settings(max_examples=30)
def test_rope_logits_depend_on_position_differences_alone(shift, seed):
    rope = RotaryPositions()
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, 1, 1, 1, 6, 8, generator=generator, dtype=torch.float64)
    at = torch.arange(6)
    logits = rotated(rope, q, at) @ rotated(rope, k, at).transpose(-1, -2)
    moved = rotated(rope, q, at + shift) @ rotated(rope, k, at + shift).transpose(-1, -2)
    torch.testing.assert_close(logits, moved, rtol=1e-4, atol=1e-4)  # angles are float32: 200 * 6e-8 radians
    assert torch.allclose(rotated(rope, q, at).norm(dim=-1), q.norm(dim=-1), rtol=1e-6)


def test_rope_rotates_the_stated_pairs_by_the_stated_angles():
    base, K, t = 100.0, 6, 5
    x = torch.arange(1.0, K + 1)[None, None, None, None]
    turned = rotated(RotaryPositions(base=base), x, torch.tensor([t]))[0, 0, 0, 0]
    for i in range(K // 2):
        angle = t * base ** (-2 * i / K)
        a, b = 2 * i + 1.0, 2 * i + 2.0
        assert turned[2 * i].item() == pytest.approx(a * math.cos(angle) - b * math.sin(angle), rel=1e-5)
        assert turned[2 * i + 1].item() == pytest.approx(a * math.sin(angle) + b * math.cos(angle), rel=1e-5)


def test_learned_positions_end_at_the_training_length():
    model = transformer("learned")
    assert model.layout.views(model.layout.initial_row(0)[None])["method.learned.position"].shape == (1, 5, 8)
    model.logits(some_weights(model), window(5))
    with pytest.raises(ConfigError, match="end at 5, but a window of 6"):
        model.logits(some_weights(model), window(6))
    rope = transformer("rope")
    assert rope.logits(some_weights(rope), window(20)).isfinite().all()


def test_without_positions_earlier_tokens_can_be_permuted_in_one_block():
    model, given_tokens = transformer("nope", depth=1), window(5)
    weights = some_weights(model)
    permuted = given_tokens[:, :, [2, 0, 3, 1, 4]]
    torch.testing.assert_close(model.logits(weights, given_tokens), model.logits(weights, permuted))
    with_rope = transformer("rope", depth=1)
    weights = some_weights(with_rope)
    assert (with_rope.logits(weights, given_tokens) - with_rope.logits(weights, permuted)).abs().max() > 1e-4


# ------------------------------------------------------------------------------------------------ masks
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("reach", [1, 2, 3])
@pytest.mark.parametrize("read", ["last", "all"])
def test_a_band_reaches_depth_times_reach_less_one_plus_one(depth, reach, read):
    model, T = transformer("nope", {"type": "banded", "reach": reach}, depth=depth), 10
    weights, given_tokens = some_weights(model), window(T)
    before = model.logits(weights, given_tokens, read=read).view(-1, V)[-1]
    for distance in range(T):
        changed = given_tokens.clone()
        changed[..., T - 1 - distance] = (changed[..., T - 1 - distance] + 1) % V
        moved = (model.logits(weights, changed, read=read).view(-1, V)[-1] - before).abs().max().item()
        if distance < depth * (reach - 1) + 1:
            assert moved > 1e-5, distance
        else:
            assert moved == 0, distance


def test_a_band_of_the_whole_window_is_no_mask():
    banded, plain = transformer("rope", {"type": "banded", "reach": 5}), transformer("rope")
    weights, given_tokens = some_weights(plain), window(5)
    torch.testing.assert_close(banded.logits(weights, given_tokens), plain.logits(weights, given_tokens))


# ------------------------------------------------------------------------------------------------ a user's own method
class Everything(Own):
    """Scale, bias and mask at once, with learned parameters; `bias_shape` says how the bias is broadcast."""

    bias_shape: str = "EHTT"

    def parameters(self, geometry):
        return {"slope": Initial((geometry.heads,), std=1.0), "heat": Initial((geometry.heads,), std=0.3, mean=1.0)}

    def scale(self, n_visible_T: Tensor, head_dim: int, train_length: int, parameters: Mapping[str, Tensor]) -> Tensor:
        return parameters["heat"][:, None, :, None, None] * (n_visible_T / train_length)[:, None]

    def mask(self, at: Placement) -> Tensor:
        return at.distances_TT % 2 == 0  # every other key

    def bias(self, at: Placement, parameters: Mapping[str, Tensor]) -> Tensor:
        distance_TT = at.distances_TT.to(torch.float32)
        slope_EH = parameters["slope"]
        return {
            "TT": -distance_TT,
            "HTT": -slope_EH[0][:, None, None] * distance_TT,
            "ETT": -slope_EH[:, :1, None, None, None] * distance_TT,
            "EHTT": -slope_EH[:, None, :, None, None] * distance_TT,
        }[self.bias_shape]


@pytest.mark.parametrize("bias_shape", ["TT", "HTT", "ETT", "EHTT"])
@pytest.mark.parametrize("last_only", [False, True])
def test_own_hooks_equal_an_explicit_softmax(bias_shape, last_only):
    E, B, H, T, K, train_length = 3, 2, 2, 5, 4, 4
    own = Everything(bias_shape=bias_shape)
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, E, B, H, T, K, generator=generator)
    slope, heat = torch.randn(2, E, H, generator=generator)
    queries = torch.arange(T)[-1:] if last_only else torch.arange(T)
    given_q = q[..., -1:, :] if last_only else q
    at = placement(T, "last" if last_only else "all", train_length=train_length)
    found = attend(given_q, k, v, v, at, [(own, {"slope": slope, "heat": heat})], block=0)
    for e, b, h in torch.cartesian_prod(torch.arange(E), torch.arange(B), torch.arange(H)).tolist():
        a = {"TT": 1.0, "HTT": slope[0, h], "ETT": slope[e, 0], "EHTT": slope[e, h]}[bias_shape]
        for row, i in enumerate(queries.tolist()):
            keys = [j for j in range(i + 1) if (i - j) % 2 == 0]
            factor = heat[e, h] * len(keys) / train_length / math.sqrt(K)
            logits = torch.stack([factor * (q[e, b, h, i] @ k[e, b, h, j]) - a * (i - j) for j in keys])
            expected = (logits.softmax(dim=0)[:, None] * v[e, b, h, keys]).sum(dim=0)
            torch.testing.assert_close(found[e, b, h, row], expected, rtol=1e-5, atol=1e-5)


def test_own_parameters_learn_in_the_flat_buffer():
    model = transformer("rope", Everything(), depth=2)
    assert {"method.own.slope", "method.own.heat"} <= {entry.name for entry in model.layout.entries}
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(2)])
    gradients = torch.zeros_like(rows)
    leaves = model.layout.leaves(rows, gradients)
    model.logits(leaves, window(5).expand(2, 3, 5)).pow(2).sum().backward()
    views = model.layout.views(gradients)
    assert views["method.own.slope"].abs().min() > 0
    assert views["method.own.heat"].abs().min() > 0


class LogN(Own):
    """ln n / ln m: a no-op at n = m visible keys."""

    def scale(self, n_visible_T, head_dim, train_length, parameters):
        return n_visible_T.log() / math.log(train_length)


def test_a_length_scale_is_no_operation_at_the_training_length():
    """One block, read at the last query: n = m there. It does act at every other length."""
    plain, scaled = transformer("rope", depth=1), transformer("rope", LogN(), depth=1)
    weights = some_weights(plain)
    for length in (3, 5, 9):
        moved = (plain.logits(weights, window(length)) - scaled.logits(weights, window(length))).abs().max().item()
        assert moved == 0 if length == 5 else moved > 1e-5


# ------------------------------------------------------------------------------------------------ the explicit path
class Soft(Method):
    """A no-op that takes the explicit path."""

    def logits(self, a_EBHTT, context, parameters):
        assert a_EBHTT.shape[-2:] == context.visible_TT.shape == context.at.distances_TT.shape
        return a_EBHTT


class Capped(Method):
    """Soft cap of the logits, then half of each weight moved to the query's own key."""

    slots = frozenset({"normaliser"})

    def logits(self, a_EBHTT, context, parameters):
        return 2.0 * (a_EBHTT / 2.0).tanh()

    def normalise(self, a_EBHTT, context, parameters):
        powers = a_EBHTT.exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    def reweigh(self, w_EBHTT, context, parameters):
        own = context.at.distances_TT == 0
        return 0.5 * w_EBHTT + 0.5 * own


def explicit_model(*chosen: Method) -> tuple[Transformer, dict[str, torch.Tensor], torch.Tensor]:
    model = Transformer(ModelConfig(width=8, depth=2, heads=2, methods=chosen), 3, 6)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(2)])
    tokens = torch.randint(0, 4, (2, 5, 6), generator=torch.Generator().manual_seed(1))
    return model, model.layout.views(rows), tokens


@pytest.mark.parametrize("read", ["last", "all"])
@pytest.mark.parametrize("others", [(), (BandedMask(reach=3),)])
def test_the_explicit_path_equals_the_fused_one(read, others):
    plain, weights, tokens = explicit_model(RotaryPositions(), *others)
    explicit, _, _ = explicit_model(RotaryPositions(), *others, Soft())
    assert Soft().is_explicit
    assert not RotaryPositions().is_explicit
    assert torch.allclose(plain.logits(weights, tokens, read), explicit.logits(weights, tokens, read), atol=1e-6)


def test_logits_normaliser_and_weights_are_what_attention_uses():
    """Slow twin: one member, one window, one head and one query at a time."""
    q, k, v = torch.randn(3, 2, 5, 2, 6, 4, generator=torch.Generator().manual_seed(2))
    out = attend(q, k, v, v, placement(6), [(Capped(), {})], block=0)
    for e, b, h, t in itertools.product(range(2), range(5), range(2), range(6)):
        a = 2.0 * torch.tanh(q[e, b, h, t] @ k[e, b, h, : t + 1].T / 2.0 / 2.0)
        w = 0.5 * torch.softmax(a, dim=0)
        w[t] += 0.5
        assert torch.allclose(out[e, b, h, t], w @ v[e, b, h, : t + 1], atol=1e-5)
