"""The gated attention unit against loops in float64, and every method's hooks in it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods import methods
from testbed.models import ModelConfig, attention
from testbed.models.transformer import Transformer
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.trainer import train

V, M = 3, 6
TINY = ModelConfig(block="gau", width=6, depth=2, key_size=4)
VARIANTS = [
    TINY,
    TINY.replace(depth=1, tied_head=True),
    TINY.replace(causal=False),
    TINY.replace(methods=("nope",), expansion=3),
    TINY.replace(methods=("rope", "infoscale"), heads=3, width=12, key_size=None),
]


def perturbed(model: Transformer, n_members: int) -> Tensor:
    """Rows away from the start, so that scales are generic too."""
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(n_members)])
    return rows + 0.3 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(3))


def tokens(n_members: int, batch: int, length: int) -> Tensor:
    drawn = torch.randint(0, V, (n_members, batch, length), generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.full((n_members, batch, 1), V), drawn], dim=2)


# ------------------------------------------------------------------------------------------------ the slow twin
def norm(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean() + 1e-5).sqrt()


def swish(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def turned(x: Tensor, t: int) -> Tensor:
    """The pair (2i, 2i + 1) turned by t 10000^(-2i/s)."""
    s = len(x)
    parts = []
    for i in range(s // 2):
        angle = t * 10_000.0 ** (-2 * i / s)
        a, b = x[2 * i], x[2 * i + 1]
        parts += [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
    return torch.stack(parts)


def plain_gau(config: ModelConfig, w: dict[str, Tensor], window: list[int]) -> Tensor:
    """(T, V) logits of one member and one window: query by query, key by key."""
    names = {one.type_name for one in config.methods}
    e, s = config.expansion * config.width, config.key_size or config.width // config.heads
    xs = [norm(w["embedding"][token]) for token in window]
    for block in range(config.depth):
        w_in = w[f"{block}.qkv"]
        projected = [swish(x @ w_in) for x in xs]
        u, v, z = zip(*[(p[:e], p[e : 2 * e], p[2 * e :]) for p in projected], strict=True)
        assert len(z[0]) == s
        q, k = ([one * w[f"{block}.{name}_scale"] for one in z] for name in ("q", "k"))
        if "rope" in names:
            q, k = ([turned(one, t) for t, one in enumerate(many)] for many in (q, k))
        after = []
        for i in range(len(window)):
            seen = range(i + 1) if config.causal else range(len(window))
            scale = 1 / math.sqrt(s)
            if "infoscale" in names:
                scale *= math.sqrt((1 - len(seen) ** (-2 / s)) / (1 - M ** (-2 / s)))
            p = torch.stack([scale * (q[i] @ k[j]) for j in seen]).exp()
            attended = sum(p[n] / p.sum() * v[j] for n, j in enumerate(seen))
            after.append(norm(xs[i] + (u[i] * attended) @ w[f"{block}.attention_out"]))
        xs = after
    head = w["embedding"][:-1].T / math.sqrt(config.width) if config.tied_head else w["head"]
    return torch.stack([x @ head for x in xs])


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("length", [0, 1, 4])
def test_logits_and_gradients_equal_the_plain_loops(config, length):
    model = Transformer(config, V, M)
    rows, windows = perturbed(model, 2), tokens(2, 2, length)
    gradients = torch.zeros_like(rows)
    found = model.logits(model.layout.leaves(rows, gradients), windows, "all")
    found.log_softmax(dim=-1)[..., 0].sum().backward()
    for member in range(2):
        leaf = rows[member : member + 1].double().requires_grad_()
        weights = {name: view[0] for name, view in model.layout.views(leaf).items()}
        expected = torch.stack([plain_gau(config, weights, window.tolist()) for window in windows[member]])
        torch.testing.assert_close(found[member].double(), expected, rtol=1e-4, atol=1e-5)
        expected.log_softmax(dim=-1)[..., 0].sum().backward()
        torch.testing.assert_close(gradients[member].double(), leaf.grad[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("length", [0, 1, 5])
def test_reading_some_places_equals_reading_all(config, length):
    model = Transformer(config, V, M)
    weights, windows = model.layout.views(perturbed(model, 2)), tokens(2, 3, length)
    everywhere = model.logits(weights, windows, "all")
    torch.testing.assert_close(model.logits(weights, windows), everywhere[:, :, -1], rtol=1e-5, atol=1e-5)
    some = torch.tensor(sorted({0, length // 2, length}))
    torch.testing.assert_close(model.logits(weights, windows, some), everywhere[:, :, some], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", VARIANTS)
def test_members_are_themselves_in_company(config):
    model = Transformer(config, V, M)
    rows, windows = perturbed(model, 4), tokens(4, 5, 5)
    together = model.logits(model.layout.views(rows), windows)
    for member in range(4):
        part = slice(member, member + 1)
        alone = model.logits(model.layout.views(rows[part]), windows[part])
        torch.testing.assert_close(together[part], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("banded", [True, False])
def test_long_windows_take_another_kernel_to_the_same_values(causal, banded, monkeypatch):
    """q and k padded to the size of the values."""
    chosen = ("rope", {"type": "banded", "reach": 3}) if banded else ("rope",)
    model = Transformer(TINY.replace(causal=causal, methods=chosen), V, M)
    weights, windows = model.layout.views(perturbed(model, 2)), tokens(2, 3, 7)
    before = [model.logits(weights, windows, read) for read in ("all", "last")]
    monkeypatch.setattr(attention, "UNFUSED_KEYS", 2)
    for read, expected in zip(("all", "last"), before, strict=True):
        torch.testing.assert_close(model.logits(weights, windows, read), expected, rtol=1e-5, atol=1e-5)


def test_methods_see_one_head_of_the_key_size():
    geometry = ModelConfig(block="gau", width=32, heads=4).geometry(M)
    assert (geometry.width, geometry.heads, geometry.head_dim) == (32, 1, 8)
    assert ModelConfig(block="gau", width=32, key_size=20).geometry(M).head_dim == 20
    layout = Transformer(
        ModelConfig(block="gau", width=8, depth=1, key_size=6, methods=("qk_norm", "rope")), V, M
    ).layout
    shapes = {entry.name: entry.shape for entry in layout.entries}
    assert shapes["0.qkv"] == (8, 2 * 16 + 6)
    assert shapes["0.attention_out"] == (16, 8)
    assert shapes["method.qk_norm.g"] == (1, 1)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", [name for name in methods.names() if name != "learned"])
def test_every_method_works_in_it_beyond_the_training_length(name, causal):
    """Finite logits at 3 m, the same wherever they are read, and finite gradients."""
    values = {"banded": {"reach": 3}}.get(name, {})
    if name in ("pose", "random_positions", "cream"):
        values = {"target_length": 32}
    one = methods.build({"type": name, **values})
    others = () if "position" in one.slots else ("rope",)
    if one.needs_all_queries and not causal:
        with pytest.raises(ConfigError, match="take causal = true"):
            TINY.replace(causal=False, methods=(one, *others))
        return
    model = Transformer(TINY.replace(causal=causal, methods=(one, *others)), V, M)
    rows, windows = perturbed(model, 2), tokens(2, 2, 3 * M - 1)
    gradients = torch.zeros_like(rows)
    weights = model.layout.leaves(rows, gradients)
    calibrated = {name: one.calibrate(torch.ones(2, 2, 1), model.geometry)} if one.is_calibrated else None
    everywhere = model.logits(weights, windows, "all", calibrated=calibrated)
    assert everywhere.isfinite().all()
    everywhere.log_softmax(dim=-1)[..., 0].sum().backward()
    assert gradients.isfinite().all()
    with torch.no_grad():
        last = model.logits(weights, windows, calibrated=calibrated)
    torch.testing.assert_close(last, everywhere[:, :, -1], rtol=1e-4, atol=1e-5)


def test_it_learns():
    """The excess falls; a member alone equals the member in company."""
    source = MarkovSource.random(vocab_size=3, order=2, seed=1)
    spec = TrainingSpec(
        source=source,
        context_length=4,
        data=DataConfig(max_context=4, targets_per_step=32),
        model=ModelConfig(block="gau", width=16, depth=2, heads=2),
        optimiser=OptimiserConfig(steps=150, learning_rate=1e-2),
        evaluation=EvaluationConfig(n_contexts=100, n_heldout=100, path_points=3),
        loss="all",
    )
    member, other = train([spec, spec.replace(initial_seed=1)])
    for one in (member, other):
        assert one.path["excess"][-1] < 0.5 * one.path["excess"][0]
    alone = train([spec])[0]
    assert np.allclose(alone.scores["excess"], member.scores["excess"], rtol=1e-2, atol=1e-4)


def test_queries_and_keys_start_as_one_vector_or_apart():
    """With scales of one every query's own key has cosine 1; drawn apart, the mean over queries is near that of none.

    The cosine of 2,000 independent normal scales, weighted alike, has a standard deviation below 0.06: 6 of them.
    """
    for start, cosine, error in (("ones", 1.0, 1e-6), ("normal", 0.0, 0.36)):
        model = Transformer(ModelConfig(block="gau", width=8, depth=1, key_size=2000, key_scales=start), V, M)
        views = model.layout.views(model.layout.initial_row(0)[None])
        z = torch.nn.functional.silu(torch.randn(50, 2000, generator=torch.Generator().manual_seed(1)))
        q, k = (z * views[f"0.{name}_scale"][0] for name in ("q", "k"))
        found = torch.nn.functional.cosine_similarity(q, k, dim=1).mean()
        assert found == pytest.approx(cosine, abs=error)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"key_size": 8}, "key_size: given 8, but block = standard has none"),
        ({"expansion": 3}, "expansion: given 3, but block = standard has none"),
        ({"key_scales": "normal"}, "key_scales: given normal, but block = standard has none"),
        ({"block": "gau", "mlp_ratio": 2}, "mlp_ratio: given 2, but block = gau has none"),
        ({"block": "gau", "initial_std": 0.02}, "initial_std: given 0.02, but block = gau has none"),
        ({"block": "gau", "key_size": 5}, "key_size: rotary positions need an even head dimension, not 5"),
        ({"causal": False, "methods": ("rope", "selective")}, "selective goes by the order of queries"),
        ({"block": "gated"}, "block"),
    ],
)
def test_impossible_shapes_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**values)
