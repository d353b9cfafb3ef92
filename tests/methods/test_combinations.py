"""Methods together: which exclude each other, that all others work, and that their effects are those of each."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, load_plugin
from testbed.methods import Geometry, Method, check_combination, methods
from testbed.methods.method import EXCLUSIVE_SLOTS
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.models.transformer import Transformer
from testbed.studies.configs import load_plugins, read_config
from testbed.theory import infoscale_ratio, yarn_temperature

M, T = 6, 18


def build(name: str, **values) -> Method:
    needed = {"banded": {"reach": 3}, "pose": {"target_length": 32}, "random_positions": {"target_length": 32}}
    return methods.build({"type": name, **needed.get(name, needed["pose"] if name == "cream" else {}), **values})


def claims(one: Method) -> frozenset[str]:
    return (one.slots & EXCLUSIVE_SLOTS) | one.excludes


def calibrated(model: Transformer) -> dict[str, dict[str, torch.Tensor]]:
    std = torch.ones(model.config.depth, 1, model.geometry.heads)
    return {one.type_name: one.calibrate(std, model.geometry) for one in model.config.methods if one.is_calibrated}


def assert_works(chosen: tuple[Method, ...], **shape) -> None:
    """Finite logits at 3 m, the same wherever they are read; finite gradients."""
    model = Transformer(ModelConfig(width=16, depth=2, methods=chosen, **shape), 3, M)
    tokens = torch.randint(0, 3, (1, 2, T), generator=torch.Generator().manual_seed(0))
    row = model.layout.initial_row(0)[None]
    gradients = torch.zeros_like(row)
    weights = model.layout.leaves(row, gradients)
    # running means in training (affine) would move between calls: warm them up, then look without gradients
    model.logits(weights, tokens, "all", calibrated=calibrated(model)).log_softmax(-1)[..., 0].sum().backward()
    assert gradients.isfinite().all()
    with torch.no_grad():
        everywhere = model.logits(weights, tokens, "all", calibrated=calibrated(model))
        assert everywhere.isfinite().all()
        for read, expected in (
            ("last", everywhere[:, :, -1]),
            (torch.tensor([3, 11, 17]), everywhere[:, :, [3, 11, 17]]),
        ):
            found = model.logits(weights, tokens, read, calibrated=calibrated(model))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


EVERY = [name for name in methods.names() if name != "learned"]  # ends at the training length


@pytest.mark.parametrize("name", EVERY)
def test_every_method_works_alone_and_beyond_the_training_length(name):
    one = build(name)
    others = () if "position" in one.slots else (build("rope"),)
    assert_works((one, *others), heads=2, causal=not one.needs_all_keys)


def test_every_pair_is_refused_with_both_names_or_allowed():
    """All of them; what is refused are two fillers of an exclusive slot, or two that exclude each other."""
    refused = 0
    for a, b in itertools.combinations_with_replacement(methods.names(), 2):
        one, other = build(a), build(b)
        shared = claims(one) & claims(other)
        if shared:
            refused += 1
            with pytest.raises(ConfigError, match=f"{a} and {b} exclude each other, both fill {min(shared)}"):
                check_combination((one, other))
        else:
            check_combination((one, other))
    assert refused > 100


@given(
    st.lists(st.sampled_from(EVERY), min_size=2, max_size=5, unique=True),
    st.sampled_from(["standard", "gau"]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_allowed_works(names, block, causal):
    """Methods are added as long as they go together; both blocks, both directions."""
    chosen: list[Method] = []
    for one in map(build, names):
        fits_direction = not (one.needs_all_queries and not causal) and not (one.needs_all_keys and causal)
        if fits_direction and not any(claims(one) & claims(other) for other in chosen):
            chosen.append(one)
    assert_works(tuple(chosen), block=block, causal=causal, heads=2 if block == "standard" else 1)


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
    with pytest.raises(ConfigError, match=f"exclude each other, both fill {slot}"):
        ModelConfig(methods=pair)


def test_what_may_be_combined_is():
    for chosen in (
        ("rope", "infoscale", "cosscale"),
        ("yarn", "yarn_temperature"),
        ("rerope", "log_n"),
        ("nope", "entmax15", "infoscale"),
        ("rope", "infoscale", {"type": "pose", "target_length": 128}),
        ("key_norm", "log_n", "nope"),
        ("cosa_fixed", "rerope", "log_n"),
        ("scale_invariant", "p_rope", "qk_norm"),
    ):
        ModelConfig(methods=chosen)


# ------------------------------------------------------------------------------------------------ effects together
def weights_by(chosen: list[Method], q: torch.Tensor, k: torch.Tensor, train_length: int = M) -> torch.Tensor:
    """(T, T) weights of one head."""
    n, K = q.shape
    at = placed(n, "all", Geometry(K, 1, 1, train_length), torch.device("cpu"))
    unit = torch.eye(n)[None, None, None]
    one = [x[None, None, None] for x in (q, k)]
    return attend(*one, unit, torch.zeros(1, 1, n, K), at, [(method, {}) for method in chosen], block=0)[0, 0, 0]


def plain_weights(logits: torch.Tensor) -> torch.Tensor:
    hidden = torch.ones_like(logits).triu(1).bool()
    return logits.double().masked_fill(hidden, -math.inf).softmax(dim=-1)


def turned(x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    z = torch.view_as_complex(x.double().reshape(len(x), -1, 2).contiguous())
    return torch.view_as_real(z * torch.exp(1j * torch.arange(len(x))[:, None] * theta)).flatten(-2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_infoscale_and_cosscale_multiply_in_any_order(order):
    """S3: alpha cos(R q, R k) I(n) / I(m)."""
    n, K, alpha = 16, 8, 20.0
    q, k = torch.randn(2, n, K, generator=torch.Generator().manual_seed(0))
    three = [build("rope"), build("cosscale", alpha=alpha), build("infoscale")]
    theta = 10_000.0 ** (-2 * torch.arange(K // 2, dtype=torch.float64) / K)
    u, w = (turned(x / x.norm(dim=-1, keepdim=True), theta) for x in (q, k))
    factor = torch.tensor([infoscale_ratio(i + 1, M, K) for i in range(n)])
    expected = plain_weights(alpha * factor[:, None] * (u @ w.T))
    torch.testing.assert_close(weights_by([three[i] for i in order], q, k).double(), expected, rtol=1e-3, atol=1e-6)


def test_yarn_bands_and_temperature_multiply():
    """B4 with S7: rotated by the blended frequencies, times (0.1 ln(n/m) + 1)^2."""
    n, K = 24, 8
    q, k = torch.randn(2, n, K, generator=torch.Generator().manual_seed(1))
    yarn = build("yarn", low=0.05, high=0.5)
    theta = torch.tensor(yarn.frequencies(K, n, M), dtype=torch.float64)
    a = turned(q, theta) @ turned(k, theta).T / math.sqrt(K) * yarn_temperature(n, M)
    found = weights_by([yarn, build("yarn_temperature")], q, k)
    torch.testing.assert_close(found.double(), plain_weights(a), rtol=1e-3, atol=1e-6)


class Penalty(Method):
    """A bias of a user's own."""

    type_name = "penalty"

    def bias(self, at, parameters):
        return -0.3 * at.distances_TT.float().abs()


def test_biases_reach_pairs_that_positions_score_anew():
    """Far pairs of ReRoPE are scored a second time; what others add stands on them too, and later methods see it."""
    n, K = 12, 8
    q, k = torch.randn(2, n, K, generator=torch.Generator().manual_seed(2))
    rerope = build("rerope", window=3)
    distance = torch.arange(n)[:, None] - torch.arange(n)
    without = weights_by([rerope], q, k).double().log()
    expected = plain_weights(without - 0.3 * distance)
    for chosen in ([rerope, Penalty()], [Penalty(), rerope]):
        torch.testing.assert_close(weights_by(chosen, q, k).double(), expected, rtol=1e-3, atol=1e-6)


# ------------------------------------------------------------------------------------------------ a user's own file
def test_a_new_method_is_one_file(tmp_path, monkeypatch):
    """Named beside the others in a config whose `plugins` name the file."""
    monkeypatch.setattr(methods, "_classes", dict(methods._classes))
    (tmp_path / "cooler.py").write_text(
        "from testbed.methods import Method, method\n"
        "from pydantic import Field\n\n"
        "@method('cooler')\n"
        "class Cooler(Method):\n"
        "    excludes = frozenset({'length_scale'})\n"
        "    factor: float = Field(0.5, gt=0)\n\n"
        "    def scale(self, n_visible_T, head_dim, train_length, parameters):\n"
        "        return self.factor + 0.0 * n_visible_T\n"
    )
    config = tmp_path / "mine.toml"
    config.write_text(
        'study = "any"\nplugins = ["cooler.py"]\n[model]\nwidth = 8\n'
        'methods = ["rope", {type = "cooler", factor = 0.25}]\n'
    )
    values = read_config(config)
    load_plugins(config, values)
    chosen = ModelConfig(**values["model"]).methods
    assert [one.type_name for one in chosen] == ["rope", "cooler"]
    assert_works(chosen, heads=2)
    n, K = 5, 4
    q, k = torch.randn(2, n, K, generator=torch.Generator().manual_seed(3))
    expected = plain_weights(0.25 * (q @ k.T) / math.sqrt(K))
    torch.testing.assert_close(weights_by([chosen[1]], q, k).double(), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match="cooler and infoscale exclude each other, both fill length_scale"):
        ModelConfig(methods=("cooler", "infoscale"))
    with pytest.raises(ConfigError, match="factor"):
        ModelConfig(methods=({"type": "cooler", "factor": -1},))
    load_plugin(tmp_path / "cooler.py")  # again: once is enough
