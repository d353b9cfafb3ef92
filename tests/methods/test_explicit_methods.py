"""Methods on the explicit path: temperatures read off rows, other normalisers, changed scores, against loops."""

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
from testbed.theory import gap_counting_scale

M, D = 64, 32


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
