"""Methods that scale logits or normalise q and k: formulas against theory, no-ops at the training length, bounds."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax

from testbed.methods import Geometry, methods
from testbed.methods.entmax import entmax15
from testbed.methods.gap_counting import critical_inverse_temperature
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.models.transformer import Transformer
from testbed.theory import (
    entropy_invariant_ratio,
    gap_counting_scale,
    gradient_maximising_scale,
    infoscale_ratio,
    log_ratio,
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


def attention(T: int, *active, K: int = D, train_length: int = M, seed: int = 0) -> torch.Tensor:
    """(1, 1, 2, T, K): attention of random q, k, v with these methods, each with its parameters."""
    q, k, v = random_qkv(T, K, seed)
    at = placed(T, "all", geometry(K, 2, train_length), torch.device("cpu"))
    x = torch.randn(1, 1, T, 2 * K, generator=torch.Generator().manual_seed(seed + 1))
    return attend(q, k, v, x, at, list(active), block=0)


@pytest.mark.parametrize(
    "name, law",
    [
        ("infoscale", lambda n: infoscale_ratio(n, M, D)),
        ("sphere_infoscale", lambda n: sphere_ratio(n, M, D)),
        ("log_n", lambda n: log_ratio(n, M)),
        ("yarn_temperature", lambda n: yarn_temperature(n, M)),
        ("sphere_limit", lambda n: (n / M) ** (2 / (D - 1))),
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
    """Two computations: sums over angles here, Bessel functions there."""
    from testbed.methods.cosine import _gradient_maximum

    assert _gradient_maximum(n, head_dim) == pytest.approx(gradient_maximising_scale(n, head_dim), rel=1e-5)


# ------------------------------------------------------------------------------------------------ explicit ones
def test_gap_counting_equals_theory_row_by_row():
    T = 12
    logits = torch.randn(3, T, T, generator=torch.Generator().manual_seed(3))
    seen = logits.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    found = critical_inverse_temperature(seen)
    for b in range(3):
        for i in range(T):
            assert found[b, i].item() == pytest.approx(gap_counting_scale(logits[b, i, : i + 1].numpy()), rel=1e-5)
    assert critical_inverse_temperature(torch.zeros(1, 1)).item() == 0.0


def test_gap_counting_orders_attention():
    """r << 1 averages the top keys, r >> 1 picks one: the largest weight of the last query."""
    largest = {}
    for r in (0.1, 10.0):
        q, k, _ = random_qkv(40)
        eye = torch.eye(40).expand(1, 1, 2, 40, 40)
        at = placed(40, "last", geometry(), torch.device("cpu"))
        w = attend(q[..., -1:, :], k, eye, q[..., -1:, :], at, [(build("gap_counting", r=r), {})], block=0)
        largest[r] = w.amax().item()
    assert largest[0.1] < 0.2 < 0.9 < largest[10.0]


def test_adaptive_temperature_is_the_published_polynomial():
    one = build("adaptive_temperature")
    table = {1: 1.27, 2: 2.10, 3: 2.25, 4: 2.39, 5: 2.29}
    for H, beta in table.items():
        assert sum(c * H**p for p, c in enumerate(one.coefficients)) == pytest.approx(beta, abs=0.006)
    assert max(1.0, sum(c * 6.0**p for p, c in enumerate(one.coefficients))) == 1.0
    T = 30
    q, k, v = random_qkv(T)
    at = placed(T, "all", geometry(), torch.device("cpu"))
    found = attend(q, k, v, v, at, [(one, {})], block=0)
    a = (q @ k.transpose(-1, -2) / math.sqrt(D))[0, 0]
    for h in range(2):
        for i in range(T):
            row = a[h, i, : i + 1].double().numpy()
            p = softmax(row)
            H = -np.sum(p * np.log(p))
            beta = max(1.0, sum(c * H**n for n, c in enumerate(one.coefficients))) if H > 0.5 else 1.0
            expected = softmax(beta * row) @ v[0, 0, h, : i + 1].double().numpy()
            assert found[0, 0, h, i].numpy() == pytest.approx(expected, abs=1e-4)


def entmax_by_bisection(z: np.ndarray, alpha: float = 1.5) -> np.ndarray:
    """Slow twin: tau by bisection of sum max((alpha-1) z - tau, 0)^(1/(alpha-1)) = 1."""
    x = (alpha - 1) * z
    low, high = x.max() - 1.0, x.max()
    for _ in range(200):
        tau = (low + high) / 2
        total = np.sum(np.maximum(x - tau, 0) ** (1 / (alpha - 1)))
        low, high = (tau, high) if total > 1 else (low, tau)
    return np.maximum(x - low, 0) ** (1 / (alpha - 1))


def test_entmax_is_a_sparse_law_with_the_right_gradient():
    """U12, P19: sums to one, has zeros, less entropic than the softmax; -inf gets none; gradcheck."""
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 5.0, 50.0):
        z = rng.normal(size=(50, 17)) * scale
        p = entmax15(torch.from_numpy(z)).numpy()
        assert p.sum(axis=1) == pytest.approx(np.ones(50), abs=1e-12)
        assert p == pytest.approx(np.stack([entmax_by_bisection(row) for row in z]), abs=1e-9)
        soft = softmax(z, axis=1)
        entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
        assert np.all(entropy <= -np.sum(soft * np.log(soft), axis=1) + 1e-12)
    assert (p == 0).mean() > 0.5
    masked = torch.tensor([[1.0, -math.inf, 0.5], [2.0, -math.inf, -math.inf]])
    assert entmax15(masked)[:, 1].tolist() == [0.0, 0.0]
    assert entmax15(masked)[1].tolist() == [1.0, 0.0, 0.0]
    z = torch.from_numpy(rng.normal(size=(4, 6))).requires_grad_()
    assert torch.autograd.gradcheck(entmax15, (z,))
    assert entmax_by_bisection(np.array([0.3, -1.0, 2.0]), 1.0001) == pytest.approx(softmax([0.3, -1, 2.0]), abs=1e-3)


def test_asentmax_scales_by_token_and_head():
    one, T, width = build("asentmax"), 9, 2 * D
    generator = torch.Generator().manual_seed(8)
    parameters = {name: torch.randn(1, width, 2, generator=generator) for name in ("w_beta", "w_gamma")}
    q, k, v = random_qkv(T)
    x = torch.randn(1, 1, T, width, generator=generator)
    at = placed(T, "all", geometry(), torch.device("cpu"))
    found = attend(q, k, v, x, at, [(one, parameters)], block=0)
    for h in range(2):
        for i in range(T):
            beta = math.log1p(math.exp(float(x[0, 0, i] @ parameters["w_beta"][0, :, h])))
            gamma = 2 * math.tanh(float(x[0, 0, i] @ parameters["w_gamma"][0, :, h]))
            a = (q[0, 0, h, i] @ k[0, 0, h, : i + 1].T / math.sqrt(D)).double().numpy()
            p = entmax_by_bisection(a * (1 + beta * math.log(i + 2) ** gamma))
            assert found[0, 0, h, i].numpy() == pytest.approx(p @ v[0, 0, h, : i + 1].double().numpy(), abs=1e-4)


def test_affine_rows_sum_to_the_running_mean_and_it_runs():
    """U13, P18. In training the mean moves towards that of alpha; in evaluation it stays."""
    model = Transformer(ModelConfig(width=8, heads=2, depth=2, methods=("rope", "affine")), 3, 6)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(2)])
    gradients = torch.zeros_like(rows)
    leaves = model.layout.leaves(rows, gradients)
    tokens = torch.randint(0, 3, (2, 4, 6), generator=torch.Generator().manual_seed(0))
    for _ in range(60):
        model.logits(leaves, tokens, "all").sum().backward()
    mean = model.layout.views(rows)["method.affine.mean"]
    assert mean.shape == (2, 2, 2)
    assert torch.all((mean > 0.1) & (mean < 0.9))
    assert model.layout.views(gradients)["method.affine.mean"].abs().max() == 0
    before = mean.clone()
    views = model.layout.views(rows)
    model.logits(views, tokens)
    assert torch.equal(before, mean)
    one, T = build("affine"), 7
    generator = torch.Generator().manual_seed(1)
    parameters = {"gate": torch.randn(1, 2 * D, 2, generator=generator), "mean": torch.tensor([[0.3, 0.8]])}
    q, k, _ = random_qkv(T)
    at = placed(T, "all", geometry(), torch.device("cpu"))
    ones = torch.ones(1, 1, 2, T, 1)
    sums = attend(q, k, ones, torch.randn(1, 1, T, 2 * D, generator=generator), at, [(one, parameters)], block=0)
    torch.testing.assert_close(sums[0, 0, :, :, 0], torch.tensor([0.3, 0.8])[:, None].expand(2, T))


def test_selection_subtracts_what_earlier_queries_gave():
    """Slow twin: the accumulated non-negative scores of head 0, never of the first key or of oneself."""
    T = 8
    found = attention(T, (build("selective"), {}))
    q, k, v = random_qkv(T)
    a = (q @ k.transpose(-1, -2) / math.sqrt(D))[0, 0].double().numpy()
    for h in range(2):
        for i in range(T):
            row = [a[h, i, j] - sum(max(a[0, u, j], 0) for u in range(j + 1, i) if j > 0) for j in range(i + 1)]
            assert found[0, 0, h, i].numpy() == pytest.approx(
                softmax(row) @ v[0, 0, h, : i + 1].double().numpy(), abs=1e-4
            )
    model = Transformer(ModelConfig(width=8, heads=2, depth=2, methods=("rope", "selective")), 3, 6)
    weights = model.layout.views(model.layout.initial_row(3)[None])
    tokens = torch.randint(0, 3, (1, 4, 6), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.logits(weights, tokens), model.logits(weights, tokens, "all")[:, :, -1])


def test_sigma_reparam_gives_every_matrix_its_spectral_norm():
    one = build("sigma_reparam")
    matrix = torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(0), requires_grad=True)
    used = one.reparametrise("qkv", matrix, {"gamma_qkv": torch.tensor([[[1.0]], [[0.3]]])})
    assert torch.linalg.matrix_norm(used, ord=2).tolist() == pytest.approx([1.0, 0.3], rel=1e-5)
    model = Transformer(ModelConfig(width=8, heads=2, depth=2, methods=("rope", "sigma_reparam")), 3, 6)
    leaves = model.layout.leaves(model.layout.initial_row(0)[None], torch.zeros(1, model.layout.row_length))
    model.logits(leaves, torch.zeros(1, 2, 6, dtype=torch.int64)).sum().backward()
    assert leaves["method.sigma_reparam.gamma_qkv"].grad.isfinite().all()


def test_scale_invariant_logits():
    """U14: a_0 = 1, m_0 = 0, and the published forms elsewhere."""
    T = 15
    found = attention(T, (build("scale_invariant"), {}))
    q, k, v = random_qkv(T)
    a = (q @ k.transpose(-1, -2) / math.sqrt(D))[0, 0].double().numpy()
    for i in range(T):
        t = i - np.arange(i + 1)
        square = 1 + 2 * np.log(1 + t / 10)
        row = np.sqrt(square) * a[0, i, : i + 1] + 1 - square
        assert found[0, 0, 0, i].numpy() == pytest.approx(softmax(row) @ v[0, 0, 0, : i + 1].double().numpy(), abs=1e-4)


# ------------------------------------------------------------------------------------------------ combinations
def test_every_method_works_in_a_model_alone_and_beyond_the_training_length():
    """Finite logits at 3 m for one and three blocks, fused or explicit, last query or all."""
    tokens = torch.randint(0, 3, (1, 2, 18), generator=torch.Generator().manual_seed(0))
    for name in methods.names():
        values = {"banded": {"reach": 3}, "learned": None}.get(name, {})
        if values is None:
            continue  # learned positions end at the training length
        if name in ("pose", "random_positions", "cream"):
            values = {"target_length": 32}
        one = build(name, **values)
        others = () if "position" in one.slots else ("rope",)
        model = Transformer(ModelConfig(width=16, heads=2, depth=2, methods=(one, *others)), 3, 6)
        weights = model.layout.views(model.layout.initial_row(0)[None])
        calibrated = {name: one.calibrate(torch.full((2, 1, 2), 1.0), model.geometry)} if one.is_calibrated else None
        everywhere = model.logits(weights, tokens, "all", calibrated=calibrated)
        assert everywhere.isfinite().all(), name
        torch.testing.assert_close(model.logits(weights, tokens, calibrated=calibrated), everywhere[:, :, -1])
        some = torch.tensor([3, 11, 17])
        torch.testing.assert_close(
            model.logits(weights, tokens, some, calibrated=calibrated), everywhere[:, :, some], msg=name
        )


@pytest.mark.parametrize(
    "pair, slot",
    [
        (("infoscale", "log_n"), "length_scale"),
        (("infoscale", "yarn_temperature"), "length_scale"),
        (("ssmax", "infoscale"), "length_scale"),
        (("cosscale", "key_norm"), "qk"),
        (("entmax15", "asentmax"), "normaliser"),
        (("rope", "alibi"), "position"),
        (({"type": "pose", "target_length": 9}, {"type": "cream", "target_length": 9}), "training_positions"),
    ],
)
def test_rivals_are_refused_with_both_names(pair, slot):
    from testbed.core import ConfigError

    with pytest.raises(ConfigError, match=f"exclude each other, both fill {slot}"):
        ModelConfig(methods=pair)


def test_what_may_be_combined_is():
    for chosen in (
        ("rope", "infoscale", "cosscale"),
        ("yarn", "yarn_temperature"),
        ("rerope", "log_n"),
        ("nope", "entmax15", "infoscale"),
        ("rope", "infoscale", {"type": "pose", "target_length": 128}),
    ):
        ModelConfig(methods=chosen)
