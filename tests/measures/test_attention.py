"""Attention of whole models, looked at row by row: against loops, in pieces, and under other methods."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.measures.attention import (
    attention_entropies,
    attention_rows,
    attention_weights,
    calibrate,
    head_logit_std,
)
from testbed.measures.attention_cosines import CosineLaw, attention_cosines
from testbed.measures.attention_scores import attention_inputs, rows_of
from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.models.attention import attend
from testbed.models.transformer import Transformer
from testbed.theory import cosscale_peak, infoscale_ratio, random_cosine_density

V, M, E, B = 3, 6, 2, 3
PLAIN = ModelConfig(width=8, heads=2, depth=2)


def some(config: ModelConfig, T: int = 9, scale: float = 0.5) -> tuple[Transformer, dict[str, Tensor], Tensor]:
    model = Transformer(config, V, M)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(E)])
    rows = rows + scale * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
    drawn = torch.randint(0, V, (E, B, T - 1), generator=torch.Generator().manual_seed(2))
    return model, model.layout.views(rows), torch.nn.functional.pad(drawn, (1, 0), value=V)


def with_method(name: str, **values) -> ModelConfig:
    one = methods.build({"type": name, **values})
    return PLAIN.replace(methods=(one,) if "position" in one.slots else ("rope", one))


def turned(x: Tensor, t: int) -> Tensor:
    K = len(x)
    pairs = torch.view_as_complex(x.view(-1, 2)) * torch.exp(
        1j * t * 10_000.0 ** (-2 * torch.arange(K // 2, dtype=torch.float64) / K)
    )
    return torch.view_as_real(pairs).flatten()


@pytest.mark.parametrize("causal", [True, False])
def test_every_measure_by_loops(causal):
    """RoPE and InfoScale in both blocks: q and k as projected, the rest by hand in float64."""
    T = 9
    model, weights, tokens = some(PLAIN.replace(methods=("rope", "infoscale"), causal=causal), T)
    keys = torch.rand(E, B, T, generator=torch.Generator().manual_seed(3)) < 0.4
    found = attention_rows(model, weights, tokens, keys=keys, windows=(0, 2))
    inputs = attention_inputs(model, weights, tokens)
    assert found.entropy.shape == (2, E, B, 2, T)
    for block, e, b, h, i in np.ndindex(2, E, B, 2, T):
        q, k = inputs[block].q_EBHTK[e, b, h].double(), inputs[block].k_EBHTK[e, b, h].double()
        seen = list(range(i + 1 if causal else T))
        factor = infoscale_ratio(len(seen), M, 4) / 2.0
        a = np.array([float(turned(q[i], i) @ turned(k[j], j)) * factor for j in seen])
        p = np.exp(a - a.max())
        p /= p.sum()
        H = -np.sum(p * np.log(p))
        at = (block, e, b, h, i)
        assert found.n_visible[i] == len(seen)
        assert found.entropy[at] == pytest.approx(H, abs=1e-4)
        assert found.effective_keys[at] == pytest.approx(np.exp(H), rel=1e-3)
        assert found.participation[at] == pytest.approx(1 / np.sum(p**2), rel=1e-3)
        assert found.top_mass[at] == pytest.approx(p.max(), abs=1e-4)
        assert found.logit_std[at] == pytest.approx(a.std(), rel=1e-3, abs=1e-5)
        assert found.frozen[at] == (a.std() > math.sqrt(2 * math.log(len(seen))))
        distance = np.abs(i - np.array(seen))
        assert found.window_mass[0][at] == pytest.approx(p[distance == 0].sum(), abs=1e-4)
        assert found.window_mass[2][at] == pytest.approx(p[distance <= 2].sum(), abs=1e-4)
        assert found.key_mass[at] == pytest.approx(p[keys[e, b, seen].numpy()].sum(), abs=1e-4)
        if len(seen) > 1:
            assert found.relative_entropy[at] == pytest.approx(H / math.log(len(seen)), abs=1e-4)
            ordered, gaps = np.sort(p)[::-1], a.max() - np.sort(a)[::-1]
            assert found.top_two_gap[at] == pytest.approx(ordered[0] - ordered[1], abs=1e-4)
            assert found.logit_gap[at] == pytest.approx(gaps[1], rel=1e-3, abs=1e-5)
            scale = np.max(np.log(np.arange(2, len(seen) + 1)) / gaps[1:])
            assert found.critical_scale[at] == pytest.approx(scale, rel=1e-2)
        else:
            assert np.isnan(found.relative_entropy[at])
    assert found.mean("entropy") == pytest.approx(found.entropy.mean(axis=(2, 4)))
    assert np.isfinite(found.mean("relative_entropy")).all()


NAMES = [
    ("alibi", {}),
    ("banded", {"reach": 3}),
    ("entmax15", {}),
    ("rerope", {"window": 2}),
    ("lm_infinite", {}),
    ("affine", {}),
    ("selective", {}),
    ("ssmax", {}),
    ("asentmax", {}),
    ("cosscale", {"alpha": 8.0}),
    ("infoscale", {"count": "window"}),
    ("ssa", {"token": True}),
]


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("name, values", NAMES)
def test_weights_are_those_that_attention_uses(block, name, values):
    """Attention over the unit vectors as values is its weights; any piece size, any choice of queries."""
    T = 9
    config = with_method(name, **values).replace(block=block)
    model, weights, tokens = some(config, T)
    H = model.geometry.heads
    unit = torch.eye(T).expand(E, B, H, T, T)
    queries = torch.tensor([1, 4, 8])
    chosen = attention_weights(model, weights, tokens, queries)
    assert chosen.shape == (2, E, B, H, 3, T)
    for one in attention_inputs(model, weights, tokens):
        with torch.no_grad():
            used = attend(one.q_EBHTK, one.k_EBHTK, unit, one.x_EBTD, one.at, one.active, one.block)
        torch.testing.assert_close(chosen[one.block], used[..., queries, :], rtol=1e-4, atol=1e-5)
    whole = attention_rows(model, weights, tokens)
    for entries in (1, 150, 700):
        pieces = attention_rows(model, weights, tokens, queries, entries=entries)
        for name in ("entropy", "logit_std", "top_mass", "mass_width", "logit_gap"):
            expected = getattr(whole, name)[..., queries.numpy()]
            assert getattr(pieces, name) == pytest.approx(expected, rel=1e-3, abs=1e-5, nan_ok=True), name
        assert pieces.n_visible.tolist() == whole.n_visible[queries.numpy()].tolist()


def test_pieces_hold_no_square():
    model, weights, tokens = some(PLAIN, 40)
    sizes = [rows.logits.numel() for rows in rows_of(model, weights, tokens, entries=2000)]
    assert max(sizes) <= 2000
    assert sum(sizes) == 2 * E * B * 2 * 40 * 40


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", ["infoscale", "cosscale", "banded", "alibi", "entmax15", "qk_norm", "ssa"])
def test_entropies_with_and_without_rows_agree(block, causal, name):
    values = {"banded": {"reach": 3}, "ssa": {"token": True}}.get(name, {})
    config = with_method(name, **values).replace(block=block, causal=causal)
    model, weights, tokens = some(config, 20)
    found = attention_entropies(model, weights, tokens).numpy()
    assert found == pytest.approx(attention_rows(model, weights, tokens).entropy, abs=1e-4)


def test_affine_rows_have_no_entropy():
    model, weights, tokens = some(with_method("affine"))
    assert np.isnan(attention_rows(model, weights, tokens).entropy).any()


def test_what_cannot_be_asked_is_refused():
    model, weights, tokens = some(PLAIN)
    with pytest.raises(ConfigError, match="need places in 0 .. 8"):
        attention_rows(model, weights, tokens, torch.tensor([9]))
    with pytest.raises(ConfigError, match="keys: given"):
        attention_rows(model, weights, tokens, keys=torch.zeros(4, dtype=torch.bool))


# ------------------------------------------------------------------------------------------------ calibration
def test_the_logit_std_of_heads_by_loops():
    """Root mean variance over the second half of the window's rows; calibrated methods are left out."""
    model, weights, tokens = some(PLAIN, M)
    expected = torch.zeros(2, E, 2, dtype=torch.float64)
    for one in attention_inputs(model, weights, tokens):
        for e, h in np.ndindex(E, 2):
            variances = []
            for b, i in np.ndindex(B, M):
                if i >= M // 2:
                    q, k = one.q_EBHTK[e, b, h].double(), one.k_EBHTK[e, b, h].double()
                    a = [float(turned(q[i], i) @ turned(k[j], j)) / 2.0 for j in range(i + 1)]
                    variances.append(np.var(a))
            expected[one.block, e, h] = math.sqrt(np.mean(variances))
    found = head_logit_std(model, weights, tokens)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)
    other = model.with_methods(("rope", "headwise_lambda"))
    torch.testing.assert_close(head_logit_std(other, weights, tokens, entries=50), found)
    calibrated = calibrate(other, weights, tokens)
    assert torch.equal(calibrated["headwise_lambda"]["logit_std"], head_logit_std(other, weights, tokens))
    assert calibrate(model, weights, tokens) == {}
    with pytest.raises(ConfigError, match="takes the training length, 6"):
        calibrate(other, weights, tokens[..., :-1])


def test_members_are_calibrated_each_as_alone():
    model, weights, tokens = some(PLAIN.replace(block="gau"), M)
    both = head_logit_std(model, weights, tokens)
    for e in range(E):
        part = slice(e, e + 1)
        alone = head_logit_std(model, {name: view[part] for name, view in weights.items()}, tokens[part])
        torch.testing.assert_close(both[:, part], alone)


def test_a_calibrated_method_scales_long_windows_alone():
    model, weights, tokens = some(PLAIN, M)
    other = model.with_methods(("rope", "headwise_lambda"))
    calibrated = calibrate(other, weights, tokens)
    torch.testing.assert_close(other.logits(weights, tokens, calibrated=calibrated), model.logits(weights, tokens))
    _, _, long = some(PLAIN, 5 * M)
    plain = attention_rows(model, weights, long)
    scaled = attention_rows(other, weights, long, calibrated=calibrated)
    assert scaled.logit_std[0, ..., -1] == pytest.approx(
        plain.logit_std[0, ..., -1]
        * np.sqrt(1 + 2 * math.log(5) / np.maximum(head_logit_std(model, weights, tokens)[0].numpy(), 0.05) ** 2)[
            :, None
        ],
        rel=1e-3,
    )


# ------------------------------------------------------------------------------------------------ cosines
@pytest.mark.parametrize("name", ["nope", "rope", "cosscale"])
def test_cosines_by_loops(name):
    T, bins = 7, 50
    model, weights, tokens = some(with_method(name), T)
    found = attention_cosines(model, weights, tokens, bins=bins, entries=100)
    inputs = attention_inputs(model, weights, tokens)
    rotates = name != "nope"
    w = attention_weights(model, weights, tokens, torch.arange(T))
    for rotated in (False, True):
        for weighted in (False, True):
            for diagonal in (False, True):
                law = found.law(rotated=rotated, weighted=weighted, diagonal=diagonal)
                for block, e, h in np.ndindex(2, E, 2):
                    cosines, counts = [], []
                    for b in range(B):
                        q, k = inputs[block].q_EBHTK[e, b, h].double(), inputs[block].k_EBHTK[e, b, h].double()
                        for i in range(T):
                            for j in range(i + 1 if diagonal else i):
                                turn = rotated and rotates
                                u, v = (turned(q[i], i), turned(k[j], j)) if turn else (q[i], k[j])
                                cosines.append(float(u @ v / u.norm() / v.norm()))
                                counts.append(float(w[block, e, b, h, i, j]) if weighted else 1.0)
                    mean = np.average(cosines, weights=counts)
                    assert law.mean[block, e, h] == pytest.approx(mean, abs=1e-4)
                    histogram, _ = np.histogram(cosines, bins, (-1, 1), weights=counts)
                    # a cosine at the edge of a bin may fall on either side of it
                    assert np.abs(law.mass[block, e, h] - histogram / sum(counts)).sum() < 0.05
                    assert law.mass[block, e, h].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("alpha", [8.0, 32.0])
def test_the_mode_of_the_tilted_law_is_its_peak(alpha):
    """Li et al.'s eq. 18: the attended cosine of isotropic keys peaks at eta_1*, to a bin."""
    edges = np.linspace(-1, 1, 201)
    middle = (edges[:-1] + edges[1:]) / 2
    mass = random_cosine_density(middle, 128) * np.exp(alpha * middle)
    law = CosineLaw(edges, (mass / mass.sum())[None, None, None], np.zeros((1, 1, 1)))
    assert law.mode.item() == pytest.approx(cosscale_peak(alpha, 128), abs=0.01)
