"""Fields that change a formula, each against loops: temperatures of tokens, fixed scales, partial rotations, bands."""

import math

import numpy as np
import pytest
import torch

from testbed.methods import Geometry, Method, Placement, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.models.transformer import Transformer
from testbed.theory import critical_gamma, overlap_after_attention

M, K, H = 12, 8, 2


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def placement(n: int, causal: bool = True) -> Placement:
    return placed(n, "all", Geometry(H * K, H, 2, M), torch.device("cpu"), causal=causal)


def weights(one: Method, n: int, parameters=None, x=None, causal: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """(H, n, n) weights of random queries and keys, and q . k / sqrt(K)."""
    q, k = torch.randn(2, 1, 1, H, n, K, generator=torch.Generator().manual_seed(0))
    unit = torch.eye(n).expand(1, 1, H, n, n)
    x = torch.zeros(1, 1, n, H * K) if x is None else x
    found = attend(q, k, unit, x, placement(n, causal), [(one, parameters or {})], block=0)
    a = q.double() @ k.double().transpose(-1, -2) / math.sqrt(K)
    return found[0, 0].double().numpy(), a[0, 0].numpy()


def softmax(a: np.ndarray) -> np.ndarray:
    p = np.exp(a - a.max())
    return p / p.sum()


@pytest.mark.parametrize("token", [False, True])
@pytest.mark.parametrize("causal", [True, False])
def test_ssa_has_a_position_part_and_a_token_part(token, causal):
    """S12: tanh(w . x) + 1 + e^(-e^b) ln n, n the keys that the query sees; without w at first, the code's form."""
    n, generator = 9, torch.Generator().manual_seed(1)
    x, w = torch.randn(1, 1, n, H * K, generator=generator), torch.randn(1, H * K, H, generator=generator)
    b = torch.tensor([[0.3]])
    found, a = weights(build("ssa", token=token), n, {"b": b, "w": w} if token else {"b": b}, x, causal)
    for h in range(H):
        for i in range(n):
            seen = i + 1 if causal else n
            tau = 1 + math.exp(-math.exp(0.3)) * math.log(seen)
            if token:
                tau += math.tanh(float(x[0, 0, i] @ w[0, :, h]))
            np.testing.assert_allclose(found[h, i, :seen], softmax(tau * a[h, i, :seen]), rtol=1e-3, atol=1e-6)


def test_ssa_learns_both_parts_and_reads_alike_everywhere():
    config = ModelConfig(width=8, heads=2, depth=2, methods=("rope", {"type": "ssa", "token": True}))
    model = Transformer(config, 3, 6)
    assert {"method.ssa.b", "method.ssa.w"} <= {entry.name for entry in model.layout.entries}
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(2)])
    gradients = torch.zeros_like(rows)
    leaves = model.layout.leaves(rows, gradients)
    tokens = torch.randint(0, 3, (2, 3, 9), generator=torch.Generator().manual_seed(0))
    everywhere = model.logits(leaves, tokens, "all")
    everywhere.log_softmax(-1)[..., 0].sum().backward()
    views = model.layout.views(gradients)
    assert views["method.ssa.b"].abs().min() > 0
    assert views["method.ssa.w"].abs().amax(dim=(1, 2)).min() > 0
    torch.testing.assert_close(model.logits(leaves, tokens), everywhere[:, :, -1])


def test_cosa_goes_with_the_query_or_stays_at_half_the_training_length():
    """S20: slope ln n cos, n the visible keys; or slope ln(m/2) cos."""
    n = 20
    for name, alpha in (("cosa", lambda i: 4 * math.log(i + 1)), ("cosa_fixed", lambda i: 4 * math.log(M / 2))):
        found, _ = weights(build(name), n)
        q, k = torch.randn(2, 1, 1, H, n, K, generator=torch.Generator().manual_seed(0)).double()
        cosine = (q / q.norm(dim=-1, keepdim=True)) @ (k / k.norm(dim=-1, keepdim=True)).transpose(-1, -2)
        for i in range(n):
            expected = softmax(alpha(i) * cosine[0, 0, 1, i, : i + 1].numpy())
            np.testing.assert_allclose(found[1, i, : i + 1], expected, rtol=1e-3, atol=1e-6)
    assert not build("cosa_fixed").excludes
    assert build("cosa").excludes == {"length_scale"}


@pytest.mark.parametrize("overlap", [0.2, 0.5])
@pytest.mark.parametrize("n", [3, 40])
def test_critical_scaling_maps_simplex_tokens_as_theory_says(overlap, n):
    """S9: y_i = sqrt(rho) z_0 + sqrt(1 - rho) z_i of orthonormal z are their own queries, keys and values."""
    basis = math.sqrt(1 - overlap) * torch.eye(n + 1)[1:]
    basis[:, 0] = math.sqrt(overlap)
    y = basis[None, None, None]
    at = placed(n, "all", Geometry(n + 1, 1, 1, M), torch.device("cpu"), causal=False)
    for share in (0.3, 0.9, 1.0, 1.1, 3.0):
        gamma = share * critical_gamma(overlap)
        found = attend(y, y, y, y, at, [(build("critical_scale", gamma=gamma), {})], block=0)[0, 0, 0]
        cosine = torch.nn.functional.cosine_similarity(found[0], found[-1], dim=0).item()
        assert cosine == pytest.approx(overlap_after_attention(gamma, overlap, n), abs=1e-4)


def test_p_rope_turns_the_fastest_pairs_alone():
    plain = build("rope").frequencies(K, 2 * M, M)
    assert build("p_rope", fraction=1.0).frequencies(K, 2 * M, M) == plain
    assert build("p_rope", fraction=0.5).frequencies(K, 2 * M, M) == (*plain[:2], 0.0, 0.0)
    found, a = weights(build("p_rope", fraction=0.0), 2 * M)
    for i in range(2 * M):
        np.testing.assert_allclose(found[0, i, : i + 1], softmax(a[0, i, : i + 1]), rtol=1e-3, atol=1e-6)


def test_a_band_is_as_wide_as_the_training_length_unless_said():
    n = 3 * M
    for causal in (True, False):
        found, _ = weights(build("banded"), n, causal=causal)
        distance = np.arange(n)[:, None] - np.arange(n)
        seen = (np.abs(distance) < M) & ((distance >= 0) | (not causal))
        assert np.array_equal(found[0] > 0, seen)


def test_llama4_steps_begin_beyond_the_training_length():
    """S19: 1 + c ln(1 + floor(n / F)); with F = m the released form, whose last query at m is scaled already."""
    n = torch.tensor([1, M, M + 1, 2 * M + 2, 10 * M + 10])
    factor = build("llama4_temperature").scale(n, K, M, {}).tolist()
    assert factor == pytest.approx([1, 1, 1 + 0.1 * math.log(2), 1 + 0.1 * math.log(3), 1 + 0.1 * math.log(11)])
    released = build("llama4_temperature", floor=M).scale(n, K, M, {}).tolist()
    assert released[:2] == pytest.approx([1, 1 + 0.1 * math.log(2)])


def test_the_gradient_of_gap_counting_is_finite_where_keys_tie():
    """Two keys alike at the top: Lambda is infinite, the factor stops, and so does its gradient."""
    scores = torch.tensor([[2.0, 2.0, 0.0], [2.0, 2.0, 1.0], [2.0, 2.0, 2.0]]).requires_grad_()

    class Given(Method):
        slots = frozenset({"position"})

        def logits(self, a_EBHTT, context, parameters):
            return scores + 0.0 * a_EBHTT

    q = k = torch.zeros(1, 1, 1, 3, 2)
    at = placed(3, "all", Geometry(2, 1, 1, M), torch.device("cpu"), causal=False)
    found = attend(
        q, k, torch.eye(3).expand(1, 1, 1, 3, 3), q, at, [(Given(), {}), (build("gap_counting"), {})], block=0
    )
    found.square().sum().backward()
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    torch.testing.assert_close(found[0, 0, 0].detach(), expected)
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("name", ["pi", "ntk", "dynamic_ntk", "yarn", "p_rope"])
def test_stretch_one_is_no_stretch(name):
    """U8, U15: whatever the window's length."""
    plain = build("rope").frequencies(64, 5 * M, M)
    same = {"p_rope": {"fraction": 1.0}}.get(name, {"stretch": 1.0})
    assert build(name, **same).frequencies(64, 5 * M, M) == pytest.approx(plain, rel=1e-12)


def test_yarns_ramp_by_index_may_end_beyond_the_last_pair():
    """As in the authors' code, whose upper cut-off is limited to d - 1: so the slowest pair is not quite interpolated
    where it turns more than once in the training length."""
    d, m = 8, 100_000
    yarn, plain = build("yarn", ramp="index"), build("rope").frequencies(d, m, m)

    def index_at(turns):
        return d * math.log(m / (turns * 2 * math.pi)) / (2 * math.log(10_000.0))

    low, high = max(math.floor(index_at(32)), 0), min(math.ceil(index_at(1)), d - 1)
    assert high > d // 2 - 1
    expected = [1 - min(max((i - low) / (high - low), 0), 1) for i in range(d // 2)]
    assert yarn.kept(plain, m) == pytest.approx(expected)
