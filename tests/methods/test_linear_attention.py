"""Linear attentions: each kernel against loops, what their entropy can and cannot do, and what acts on them."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed

M, K = 6, 4
NAMES = ["linear_elu", "linear_relu", "linear_taylor", "nala"]


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def weights(chosen: list[Method], q: torch.Tensor, k: torch.Tensor, causal: bool = True) -> torch.Tensor:
    """(T, T) weights of one head."""
    n = len(q)
    at = placed(n, "all", Geometry(q.shape[1], 1, 1, M), torch.device("cpu"), causal=causal)
    unit, x = torch.eye(n, dtype=q.dtype)[None, None, None], torch.zeros(1, 1, n, q.shape[1], dtype=q.dtype)
    given_q, given_k = q[None, None, None], k[None, None, None]
    return attend(given_q, given_k, unit, x, at, [(one, {}) for one in chosen], block=0)[0, 0, 0]


def random_qk(n: int, seed: int, size: int = K) -> tuple[torch.Tensor, torch.Tensor]:
    q, k = torch.randn(2, n, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return q, k


def entropy(w: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(w).sum(dim=-1)


def features(name: str, q: np.ndarray, k: np.ndarray) -> tuple[list[float], list[float]]:
    """phi of one query and one key, coordinate by coordinate."""
    if name == "linear_elu":
        return tuple([c + 1 if c > 0 else math.exp(c) for c in one] for one in (q, k))
    if name == "linear_relu":
        return tuple([max(c, 0.0) for c in one] for one in (q, k))
    if name == "linear_taylor":
        root = len(q) ** 0.25
        one, other = ([1.0, *x / root, *(np.outer(x, x) / root**2 / math.sqrt(2)).ravel()] for x in (q, k))
        return one, other
    norm = math.sqrt(sum(c * c for c in q))
    p = 3 * (0.5 + math.tanh(norm))
    positive, negative = ([max(sign * c / norm, 0.0) ** p for c in q] for sign in (1, -1))
    return positive + negative, [max(sign * c, 0.0) ** 3 for sign in (1, -1) for c in k]


@pytest.mark.parametrize(("power", "of_query", "of_key"), [("constant", 3, 3), ("one", 1, 1)])
def test_nala_s_ablations_have_powers_that_do_not_feel_the_query_s_length(power, of_query, of_key):
    q, k = random_qk(7, 3)
    found = weights([build("nala", power=power)], q, k, True)
    for i in range(7):
        s = [
            sum(
                abs(a) ** of_query * abs(b) ** of_key
                for a, b in zip(q[i].tolist(), k[j].tolist(), strict=True)
                if a * b > 0
            )
            for j in range(i + 1)
        ]
        np.testing.assert_allclose(found[i, : i + 1].numpy(), np.array(s) / sum(s), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_weights_are_products_of_features_over_their_sum(name, causal):
    n = 11
    q, k = random_qk(n, 0)
    found = weights([build(name)], q, k, causal)
    for i in range(n):
        seen = range(i + 1 if causal else n)
        pairs = [features(name, q[i].numpy(), k[j].numpy()) for j in seen]
        s = np.array([np.dot(*pair) for pair in pairs])
        expected = s / s.sum() if s.sum() > 0 else np.full(len(s), 1 / len(s))
        np.testing.assert_allclose(found[i, : len(seen)].numpy(), expected, rtol=1e-9, atol=1e-12)
        assert (found[i, len(seen) :] == 0).all()


def test_the_taylor_kernel_is_the_exponential_to_second_order():
    """What it misses shrinks with the cube of the logits."""
    q, k = random_qk(7, 1)
    missed = [(weights([build("linear_taylor")], s * q, k) - weights([], s * q, k)).abs().max() for s in (2e-3, 1e-3)]
    assert missed[0] / missed[1] == pytest.approx(8.0, rel=0.05)


def test_a_row_of_zeros_averages_and_has_no_gradient():
    """Queries and keys of opposite signs; the first row sees one such key, the others all three."""
    q, k = torch.ones(3, K).requires_grad_(), (-torch.ones(3, K)).requires_grad_()
    found = weights([build("linear_relu")], q, k)
    torch.testing.assert_close(found.detach(), torch.tril(torch.ones(3, 3)) / torch.arange(1, 4)[:, None])
    found.square().sum().backward()
    assert q.grad.eq(0).all()
    assert k.grad.eq(0).all()


# ------------------------------------------------------------------------------------------------ entropy
@given(st.integers(0, 10**6), st.floats(0.05, 20.0), st.integers(2, 40))
@settings(max_examples=15, deadline=None)
def test_sharpening_the_softmax_lowers_its_entropy_by_s_times_the_variance(seed, s, n):
    """dH/ds of softmax(s z) is -s Var(z) under those weights: an identity, hence never positive."""
    q, k = random_qk(n, seed)
    scale = torch.tensor(s, dtype=torch.float64, requires_grad=True)
    w = weights([], scale * q, k, causal=False)
    z = q @ k.T / math.sqrt(K)
    variance = (w * z**2).sum(dim=1) - (w * z).sum(dim=1) ** 2
    (slope,) = torch.autograd.grad(entropy(w).sum(), scale)
    assert slope.item() == pytest.approx(-s * variance.sum().item(), rel=1e-6, abs=1e-9)
    assert slope.item() <= 1e-9


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_a_homogeneous_kernel_does_not_feel_the_length_of_the_query(seed, c):
    """Weights, not only their entropy; so no temperature does anything. elu + 1 and Taylor do feel it, and NaLa."""
    q, k = random_qk(9, seed)
    relu = [build("linear_relu")]
    torch.testing.assert_close(weights(relu, c * q, k), weights(relu, q, k), rtol=1e-9, atol=1e-12)
    scaled = weights([*relu, build("yarn_temperature", slope=0.7)], q, k)
    torch.testing.assert_close(scaled, weights(relu, q, k), rtol=1e-6, atol=1e-9)
    for name in ("linear_elu", "linear_taylor", "nala"):
        assert (weights([build(name)], 3 * q, k) - weights([build(name)], q, k)).abs().max() > 1e-4


def of_length(name: str, length: float, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """(R,) entropies of R queries of this length, each on 32 keys of its own."""
    at = placed(32, "last", Geometry(16, 1, 1, M), torch.device("cpu"))
    unit, x = torch.eye(32, dtype=q.dtype).expand(1, len(q), 1, 32, 32), q[None, :, None]
    asked = (length * q / q.norm(dim=-1, keepdim=True))[None, :, None, None]
    return entropy(attend(asked, k[None, :, None], unit, x, at, [(build(name), {})], block=0))[0, :, 0, 0]


def test_nala_stops_sharpening_at_a_floor():
    """Mean entropy of random queries and keys, d = 16, 32 keys: 3.01 falls to 2.58 as |q| goes from .01 to 10, and
    no further; the standard error of these means is about 0.006. It is not monotone in each draw."""
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2000, 16, generator=generator, dtype=torch.float64)
    k = torch.randn(2000, 32, 16, generator=generator, dtype=torch.float64)
    by_length = [of_length("nala", length, q, k) for length in (0.01, 0.3, 1.0, 3.0, 10.0, 100.0)]
    means = [one.mean().item() for one in by_length]
    assert means[0] == pytest.approx(3.01, abs=0.03)
    assert means[-2] == pytest.approx(2.58, abs=0.03)
    torch.testing.assert_close(by_length[-1], by_length[-2], rtol=0, atol=1e-6)
    assert by_length[-1].min() > 0.3
    risen = torch.stack([after > before + 1e-9 for before, after in itertools.pairwise(by_length)])
    assert 0.001 < risen.any(dim=0).double().mean() < 0.03
    softmax = (10 * (q / q.norm(dim=-1, keepdim=True))[:, None] @ k.transpose(1, 2)).softmax(dim=-1)
    assert entropy(softmax)[:, 0].mean() < 0.5


# ------------------------------------------------------------------------------------------------ numerators alone
@pytest.mark.parametrize("causal", [True, False])
def test_nala_turns_its_numerator_alone(causal):
    """Against complex numbers; rows do not sum to one, and some weights are negative."""
    n = 10
    q, k = random_qk(n, 3)
    found = weights([build("nala_rope", base=100.0)], q, k, causal)
    theta = 100.0 ** (-np.arange(K) / K)
    for i in range(n):
        seen = range(i + 1 if causal else n)
        top, bottom = [], []
        for j in seen:
            phi_q, phi_k = (np.array(one) for one in features("nala", q[i].numpy(), k[j].numpy()))
            pairs = (phi_q[0::2] + 1j * phi_q[1::2]) * np.conj(phi_k[0::2] + 1j * phi_k[1::2])
            top.append((pairs * np.exp(1j * (i - j) * theta)).real.sum())
            bottom.append(phi_q @ phi_k)
        # what is added to the normaliser: 1e-6
        np.testing.assert_allclose(found[i, : len(seen)].numpy(), np.array(top) / (sum(bottom) + 1e-6), atol=2e-6)
    assert (found < -1e-3).any()
    assert (found.sum(dim=1) - 1).abs().max() > 1e-2


# ------------------------------------------------------------------------------------------------ together with others
@pytest.mark.parametrize("name", [*NAMES, "nala_rope"])
def test_a_bias_is_decay(name):
    """e^(-slope |i - j|) times what it was, over the sum of what it was times that."""
    q, k = random_qk(9, 4)
    bias, plain = build("harmonic", slope=0.7), weights([build(name)], q, k)
    found = weights([build(name), bias], q, k)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 9))])
    decay = torch.from_numpy(np.exp(-0.7 * harmonic[np.abs(np.arange(9)[:, None] - np.arange(9))]))
    kernel = weights([build("nala")], q, k) if name == "nala_rope" else plain
    expected = plain * decay / (kernel * decay).sum(dim=1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_what_scores_pairs_by_itself_is_refused():
    for pair in (("linear_elu", "rerope"), ("streaming", "nala"), ("linear_relu", "linear_taylor")):
        with pytest.raises(ConfigError, match=f"{pair[0]} and {pair[1]} exclude each other, both fill scores"):
            ModelConfig(methods=pair)
    for pair, slot in ((("nala_rope", "rope"), "position"), (("nala_rope", "entmax15"), "normaliser")):
        with pytest.raises(ConfigError, match=f"exclude each other, both fill {slot}"):
            ModelConfig(methods=pair)
    with pytest.raises(ConfigError, match="lam"):
        build("nala", lam=1.0)
    ModelConfig(methods=("rope", "linear_elu", "harmonic", "softmax_plus_one"))
