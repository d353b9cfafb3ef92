"""An ensemble of MLPs against a plain module for each member, which has the inputs that the member sees alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from testbed.models.mlp import MLP
from testbed.models.mlp_config import MLPConfig


class PlainMLP(nn.Module):
    """The network as one would write it: l bits, no ensemble."""

    def __init__(self, config: MLPConfig, context_length: int, n_questions: int) -> None:
        super().__init__()
        self.config = config
        layers = config.layers(context_length, n_questions)
        self.linear = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs, _ in layers)

    def forward(self, bits, question):
        slope, late = self.config.slope, self.config.kind == "bi_mlp"
        one, two, three, four = self.linear
        x = one(bits if late else torch.cat([bits, question], dim=1))
        x = two(nn.functional.leaky_relu(x, slope))
        x = three(torch.cat([x, question], dim=1) if late else x)
        return four(nn.functional.leaky_relu(x, slope))[:, 0]

    @torch.no_grad()
    def load(self, model: MLP, row: torch.Tensor, context_length: int) -> "PlainMLP":
        for name, view in model.layout.views(row[None]).items():
            kind, number = name.split("_")
            value = view[0]
            if name == "weight_0":
                value = torch.cat([value[:context_length], value[model.n_bits :]])
            layer = self.linear[int(number)]
            (layer.weight if kind == "weight" else layer.bias).copy_(value.T if kind == "weight" else value)
        return self


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["mlp", "bi_mlp"]),
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    n_questions=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_each_member_is_the_plain_network_of_its_own_length(kind, lengths, n_questions, seed):
    config = MLPConfig(kind=kind, hidden=9, bottleneck=5, readout=6, slope=0.01)
    model = MLP(config, 7, n_questions)
    rows = torch.stack([model.initial_row(seed + i, length) for i, length in enumerate(lengths)])
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (len(lengths), 11, 7), generator=generator).float()
    question = torch.eye(n_questions)[torch.randint(0, n_questions, (len(lengths), 11), generator=generator)]
    seen = (torch.arange(7) < torch.tensor(lengths)[:, None]).float()[:, None]
    found = model.logits(model.layout.views(rows), torch.cat([bits * seen, question], dim=-1))
    for i, length in enumerate(lengths):
        plain = PlainMLP(config, length, n_questions).load(model, rows[i], length)
        torch.testing.assert_close(found[i], plain(bits[i, :, :length], question[i]), rtol=1e-5, atol=1e-6)


def test_weights_begin_as_those_of_a_linear_layer_with_the_inputs_that_are_seen():
    model = MLP(MLPConfig(hidden=2000, bottleneck=3), 30, 4)
    weights = {name: view[0] for name, view in model.layout.views(model.initial_row(0, 12)[None]).items()}
    bound = 1 / math.sqrt(12 + 4)
    seen = torch.cat([weights["weight_0"][:12], weights["weight_0"][30:]])
    assert (weights["weight_0"][12:30] == 0).all()
    assert seen.abs().max() <= bound
    assert seen.abs().max() > 0.999 * bound
    assert abs(float(seen.std()) - bound / math.sqrt(3)) < 0.01 * bound
    assert weights["weight_1"].abs().max() <= 1 / math.sqrt(2000)


def test_a_member_is_a_function_of_its_own_seed_and_length():
    model = MLP(MLPConfig(hidden=4, bottleneck=3), 5, 2)
    assert torch.equal(model.initial_row(3, 4), model.initial_row(3, 4))
    assert not torch.equal(model.initial_row(3, 4), model.initial_row(4, 4))
    for length in (-1, 6):
        with pytest.raises(ValueError, match="context_length"):
            model.initial_row(0, length)


def test_the_public_networks_have_their_published_numbers_of_weights():
    """192,201 at l = 27 and 219,001 at l = 94, with 50 questions."""
    assert MLPConfig().n_weights(27, 50) == 192_201
    assert MLPConfig().n_weights(94, 50) == 219_001
    model = MLP(MLPConfig(), 94, 50)
    assert model.layout.n_weights == 219_001


def test_a_feature_does_not_see_the_question():
    config = MLPConfig(kind="bi_mlp", hidden=6, bottleneck=3, readout=4)
    model = MLP(config, 5, 2)
    weights = model.layout.views(model.initial_row(0, 5)[None])
    bits = torch.randint(0, 2, (1, 8, 5), generator=torch.Generator().manual_seed(0)).float()
    feature = model.features(weights, bits)
    assert feature.shape == (1, 8, 3)
    plain = PlainMLP(config, 5, 2).load(model, model.initial_row(0, 5), 5)
    wanted = plain.linear[1](nn.functional.leaky_relu(plain.linear[0](bits[0]), config.slope))
    torch.testing.assert_close(feature[0], wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="bi_mlp"):
        MLP(MLPConfig(hidden=4, bottleneck=3), 5, 2).features(weights, bits)
