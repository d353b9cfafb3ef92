"""Methods that scale logits or normalise q and k: formulas against theory, no-ops at the training length, bounds."""

import math

import numpy as np
import pytest
import torch

from testbed.methods import Geometry, methods
from testbed.models.attention import attend, placed
from testbed.theory import (
    entropy_invariant_ratio,
    gradient_maximising_scale,
    infoscale_ratio,
    log_ratio,
    sphere_limit_ratio,
    sphere_ratio,
    yarn_temperature,
)

M, D = 64, 32
LENGTHS = torch.tensor([16, 64, 256, 4096])


def build(name: str, **values):
    return methods.build({"type": name, **values})


def geometry(head_dim: int = D, heads: int = 2, train_length: int = M) -> Geometry:
    return Geometry(heads * head_dim, heads, 2, train_length)


def random_qkv(T: int, K: int = D, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 1, 1, 2, T, K, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "name, law",
    [
        ("infoscale", lambda n: infoscale_ratio(n, M, D)),
        ("sphere_infoscale", lambda n: sphere_ratio(n, M, D)),
        ("log_n", lambda n: log_ratio(n, M)),
        ("yarn_temperature", lambda n: yarn_temperature(n, M)),
        ("sphere_limit", lambda n: sphere_limit_ratio(n, M, D)),
        ("chiang_cholak", np.log),
    ],
)
def test_factors_are_the_laws_of_theory(name, law):
    found = build(name).scale(LENGTHS, D, M, {})
    assert found.numpy() == pytest.approx(law(LENGTHS.numpy().astype(float)), rel=2e-6)


@pytest.mark.parametrize(
    "name, values",
    [
        ("infoscale", {}),
        ("infoscale", {"count": "window", "clamped": True}),
        ("sphere_infoscale", {}),
        ("sphere_limit", {}),
        ("log_n", {}),
        ("yarn_temperature", {}),
        ("llama4_temperature", {}),
        ("headwise_lambda", {}),
        ("ssmax", {}),
    ],
)
def test_what_claims_to_be_a_no_op_at_the_training_length_is_one(name, values):
    """P26, U1. SSMax is one where it starts, at s = 1 / ln m; `chiang_cholak` is none."""
    one = build(name, **values)
    parameters = {
        key: torch.full((1, *initial.shape), initial.mean) for key, initial in one.parameters(geometry()).items()
    }
    parameters |= one.calibrate(torch.full((2, 1, 2), 1.3), geometry()).items()
    parameters = {key: value[0] if key == "logit_std" else value for key, value in parameters.items()}
    factor = one.scale(torch.tensor([M]), D, M, parameters)
    assert factor.flatten().numpy() == pytest.approx(np.ones(factor.numel()), abs=1e-6)
    assert not np.allclose(one.scale(torch.tensor([8 * M]), D, M, parameters).flatten().numpy(), 1.0)


def test_clamped_scales_leave_short_windows_alone():
    for name in ("infoscale", "log_n"):
        assert build(name, clamped=True).scale(torch.tensor([2, 30]), D, M, {}).tolist() == [1.0, 1.0]
        assert build(name).scale(torch.tensor([30]), D, M, {}).item() < 1


def test_a_count_of_the_window_gives_every_query_the_same_factor():
    """One n a sequence, as in the authors' code: attention equals plain attention with q times I(T) / I(m)."""
    T = 100
    q, k, v = random_qkv(T)
    at = placed(T, "all", geometry(), torch.device("cpu"))
    found = attend(q, k, v, v, at, [(build("infoscale", count="window"), {})], block=0)
    expected = attend(q * infoscale_ratio(T, M, D), k, v, v, at, [], block=0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_headwise_factor_is_the_invariant_one_for_each_head():
    one = build("headwise_lambda")
    std = torch.tensor([[0.5, 2.0]])
    factor = one.scale(LENGTHS, D, M, {"logit_std": std})
    assert factor.shape == (1, 1, 2, 4, 1)
    for head, sigma in enumerate((0.5, 2.0)):
        expected = [1.0, 1.0, *entropy_invariant_ratio([256, 4096], M, sigma)]
        assert factor[0, 0, head, :, 0].numpy() == pytest.approx(expected, rel=1e-5)


# ------------------------------------------------------------------------------------------------ normalised q and k
@pytest.mark.parametrize("name, alpha", [("cosscale", 16.0), ("critical_scale", None), ("cosa", None)])
def test_cosine_logits_are_bounded_before_and_after_rotation(name, alpha):
    """U3: unit q and k, logits within [-alpha, alpha]; rotations keep the norms."""
    one = build(name, **({"alpha": alpha} if alpha else {}))
    T = 20
    at = placed(T, "all", geometry(), torch.device("cpu"))
    q, k, _ = random_qkv(T)
    q, k = one.qk(5 * q, 7 * k, at, {})
    rope = build("rope")
    for a, b in ((q, k), (rope.rotate(q, at.queries_T, at, {}), rope.rotate(k, at.keys_T, at, {}))):
        logits = a @ b.transpose(-1, -2) / math.sqrt(D)
        assert logits.abs().max() <= (alpha or 1.0) * (1 + 1e-5)
        torch.testing.assert_close(b.norm(dim=-1), torch.ones(1, 1, 2, T))


def test_key_norm_and_query_norm_divide_by_one_length_only():
    T = 6
    at = placed(T, "all", geometry(), torch.device("cpu"))
    q, k, _ = random_qkv(T)
    a = q @ k.transpose(-1, -2)
    for name, length in (("key_norm", k.norm(dim=-1)[..., None, :]), ("query_norm", q.norm(dim=-1)[..., None])):
        u, w = build(name).qk(q, k, at, {})
        torch.testing.assert_close(u @ w.transpose(-1, -2) / math.sqrt(D), a / length, rtol=1e-5, atol=1e-5)


def test_qk_norm_starts_as_henry_et_al():
    assert build("qk_norm").parameters(geometry())["g"].mean == pytest.approx(math.log2(64**2 - 64))


@pytest.mark.parametrize("n, head_dim", [(32, 128), (256, 16), (2, 4)])
def test_the_gradient_scale_is_that_of_theory(n, head_dim):
    """Sums over angles here, Bessel functions there."""
    from testbed.methods.cosine import _gradient_maximum

    assert _gradient_maximum(n, head_dim) == pytest.approx(gradient_maximising_scale(n, head_dim), rel=1e-5)
