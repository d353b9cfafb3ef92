"""Sinks, gates and affine scaling against loops: what a row can leave unread, and what it cannot."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logsumexp

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble

E, B, H, K, M = 2, 3, 2, 4, 6
WIDTH = H * K


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def given_arrays(n: int, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, E, B, H, n, K, generator=generator, dtype=torch.float64)
    return q, k, v, torch.randn(E, B, n, WIDTH, generator=generator, dtype=torch.float64)


def read(one: Method, parameters, n: int, seed: int = 0, scale: float = 1.0, causal: bool = True, **others):
    """Attention of random arrays, and what a head's rows sum to."""
    q, k, v, x = given_arrays(n, seed)
    at = placed(n, "all", Geometry(WIDTH, H, 2, M), torch.device("cpu"), causal=causal)
    found, sums = (attend(scale * q, k, y, x, at, [(one, parameters)], block=0) for y in (v, torch.ones_like(v)))
    return found, sums[..., 0], scale * q @ k.transpose(-1, -2) / math.sqrt(K), v, x


@given(st.integers(0, 10**6), st.floats(0.01, 30.0), st.floats(-20.0, 20.0))
@settings(max_examples=12, deadline=None)
def test_a_sink_is_one_more_key_without_value(seed, scale, sink):
    """Its logit is 0 or s; rows sum to sigmoid(ln sum e^a - s), which the softmax's never do."""
    n = 5
    s = torch.full((E, H), sink, dtype=torch.float64) + torch.arange(H)
    for one, parameters, level in (
        (build("softmax_plus_one"), {}, np.zeros((E, H))),
        (build("learned_sink"), {"sink": s}, s.numpy()),
    ):
        found, sums, a, v, _ = read(one, parameters, n, seed, scale)
        for e, h, i in np.ndindex(E, H, n):
            row = np.append(a[e, 1, h, i, : i + 1].numpy(), level[e, h])
            w = np.exp(row - logsumexp(row))[:-1]
            np.testing.assert_allclose(found[e, 1, h, i].numpy(), w @ v[e, 1, h, : i + 1].numpy(), atol=1e-9)
            assert sums[e, 1, h, i].item() == pytest.approx(expit(logsumexp(row[:-1]) - level[e, h]), abs=1e-9)


def test_a_sink_far_below_is_the_softmax_and_far_above_shuts_the_head():
    low, high = (torch.full((E, H), level, dtype=torch.float64) for level in (-80.0, 80.0))
    plain, _, _, _, _ = read(build("soft_cap", cap=1e6), {}, 5)
    torch.testing.assert_close(read(build("learned_sink"), {"sink": low}, 5)[0], plain, rtol=1e-9, atol=1e-9)
    assert read(build("learned_sink"), {"sink": high}, 5)[0].abs().max() < 1e-20
    assert build("learned_sink", start=-2.0).parameters(Geometry(WIDTH, H, 2, M))["sink"].mean == -2.0


def test_the_gate_multiplies_what_a_head_reads():
    n = 6
    gate = torch.randn(E, WIDTH, H, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found, sums, a, v, x = read(build("gated_output"), {"gate": gate}, n)
    for e, b, h, i in np.ndindex(E, B, H, n):
        share = expit(float(x[e, b, i] @ gate[e, :, h]))
        w = a[e, b, h, i, : i + 1].softmax(dim=0)
        torch.testing.assert_close(found[e, b, h, i], share * (w @ v[e, b, h, : i + 1]))
        assert sums[e, b, h, i].item() == pytest.approx(share)
    assert not build("gated_output").is_explicit


# ------------------------------------------------------------------------------------------------ affine scaling
@given(
    st.integers(0, 10**6),
    st.sampled_from(["sigmoid", "lin_clip"]),
    st.lists(st.floats(0.0, 1.0), min_size=E * H, max_size=E * H),
    st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_affine_rows_sum_to_what_their_count_says(seed, gate, means, causal):
    """N = visible keys: alpha_ma, for every query, whatever its alpha. N = T: alpha + (alpha_ma - alpha) i / T, which
    is alpha_ma again where all keys are visible. alpha = 0 is an average, not nothing."""
    n = 7
    matrix = 3 * torch.randn(E, WIDTH, H, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mean = torch.tensor(means, dtype=torch.float64).view(E, H)
    parameters = {"gate": matrix, "mean": mean}
    found, sums, a, v, x = read(build("affine", gate=gate), parameters, n, seed, causal=causal)
    torch.testing.assert_close(sums, mean[:, None, :, None].expand(E, B, H, n))
    _, of_window, _, _, _ = read(build("affine", gate=gate, count="window"), parameters, n, seed, causal=causal)
    for e, h, i in np.ndindex(E, H, n):
        z = float(x[e, 0, i] @ matrix[e, :, h])
        alpha = expit(z) if gate == "sigmoid" else min(max(0.1 * z + 0.5, 0.0), 1.0)
        seen = i + 1 if causal else n
        expected = alpha + (means[e * H + h] - alpha) * seen / n
        assert of_window[e, 0, h, i].item() == pytest.approx(expected, abs=1e-9)
        w = alpha * a[e, 0, h, i, :seen].softmax(dim=0) + (means[e * H + h] - alpha) / seen
        torch.testing.assert_close(found[e, 0, h, i], w @ v[e, 0, h, :seen])


def test_affine_weights_are_negative_where_alpha_passes_its_mean():
    """A key of weight 0.1 among two, alpha = 1, alpha_ma = 0.56: 0.1 - 0.22."""
    a = torch.tensor([[0.9, 0.1]], dtype=torch.float64).log()
    at = placed(2, "last", Geometry(2, 1, 1, M), torch.device("cpu"))
    q, k = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64), a[None, None, None].transpose(-1, -2)
    parameters = {
        "gate": torch.full((1, 1, 1), 1e3, dtype=torch.float64),
        "mean": torch.full((1, 1), 0.56).double(),
    }
    unit, x = torch.eye(2, dtype=torch.float64)[None, None, None], torch.ones(1, 1, 1, 1, dtype=torch.float64)
    w = attend(q, k, unit, x, at, [(build("affine"), parameters)], block=0)[0, 0, 0, 0]
    assert w.tolist() == pytest.approx([0.9 - 0.22, 0.1 - 0.22])


def test_the_running_mean_is_kept_at_any_precision():
    """A narrow step reads a narrow copy of the weights; what it keeps of past steps is not lost with the copy."""
    source = MarkovSource.random(vocab_size=3, order=1, concentration=0.5, seed=1)
    means = {}
    for precision in ("float32", "bfloat16"):
        spec = TrainingSpec(
            source=source,
            context_length=5,
            data=DataConfig(n_targets=60, max_context=5, targets_per_step=8, seed=0),
            model=ModelConfig(width=8, depth=1, heads=2, methods=("rope", "affine")),
            optimiser=OptimiserConfig(steps=4, precision=precision),
        )
        ensemble = Ensemble([spec, spec.replace(initial_seed=1)])
        for step in range(4):
            ensemble.train_step(step)
        means[precision] = ensemble.model.layout.views(ensemble.weights_EP)["method.affine.mean"]
    assert means["float32"].min() > 0.05
    torch.testing.assert_close(means["bfloat16"], means["float32"], rtol=0.02, atol=0)


def test_what_is_not_finite_does_not_enter_the_running_mean():
    """A member that diverges keeps finite weights; its neighbour goes on."""
    n, mean = 4, torch.full((E, H), 0.25, dtype=torch.float64)
    q, k, v, x = given_arrays(n, 0)
    x[1] = torch.nan
    parameters = {"gate": torch.ones(E, WIDTH, H, dtype=torch.float64, requires_grad=True), "mean": mean}
    at = placed(n, "all", Geometry(WIDTH, H, 2, M), torch.device("cpu"))
    attend(q, k, v, x, at, [(build("affine"), parameters)], block=0)
    assert (mean[1] == 0.25).all()
    assert mean[0].isfinite().all()
    assert (mean[0] != 0.25).all()


def test_rivals_for_the_normaliser_are_refused():
    for pair in (("softmax_plus_one", "learned_sink"), ("affine", "softmax_plus_one"), ("learned_sink", "entmax15")):
        with pytest.raises(ConfigError, match=f"{pair[0]} and {pair[1]} exclude each other, both fill normaliser"):
            ModelConfig(methods=pair)
    ModelConfig(methods=("rope", "gated_output", "learned_sink"))
    for name, values in (("learned_sink", {"start": math.inf}), ("affine", {"count": "all"}), ("affine", {"rho": 1})):
        with pytest.raises(ConfigError, match=next(iter(values))):
            build(name, **values)
