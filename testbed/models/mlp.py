"""An ensemble of MLPs on bits and a question, every weight with a leading member axis E.

E member, B sample, L bits, Q questions, I = L + Q inputs. Members may see different numbers l of bits: all are laid out
for L bits, those beyond a member's l are given to it as zeros, and the weights that would read them start at zero. Such
a weight has no gradient, so a member is, sum for sum, the network that has l inputs and no more.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.methods import Initial
from testbed.models.flat import Layout
from testbed.models.mlp_config import MLPConfig


class MLP:
    """The networks of one config on L bits and Q questions; weights are named views of a flat (E, P) buffer."""

    def __init__(self, config: MLPConfig, n_bits: int, n_questions: int) -> None:
        self.config, self.n_bits, self.n_questions = config, n_bits, n_questions
        self.layers = config.layers(n_bits, n_questions)
        self.layout = Layout(
            {
                name: Initial(shape, 1.0, decay=True)
                for i, (inputs, outputs, _) in enumerate(self.layers)
                for name, shape in ((f"weight_{i}", (inputs, outputs)), (f"bias_{i}", (outputs,)))
            }
        )

    def initial_row(self, seed: int, context_length: int) -> Tensor:
        """(P,) float32 weights of a fresh member that sees `context_length` bits; a function of its own seed alone.

        Weights and biases are uniform in +- 1 / sqrt(inputs), torch's rule for linear layers, with the inputs that the
        member has; members of one seed draw the same directions whatever they see.
        """
        if not 0 <= context_length <= self.n_bits:
            raise ValueError(f"context_length: given {context_length}, must be 0 .. {self.n_bits}")
        row = torch.zeros(self.layout.row_length)
        named = {name: view[0] for name, view in self.layout.views(row[None]).items()}
        generator = torch.Generator().manual_seed(seed)
        for i, (inputs, _, _) in enumerate(self.layers):
            unseen = self.n_bits - context_length if i == 0 else 0
            bound = 1.0 / math.sqrt(max(inputs - unseen, 1))
            for name in (f"weight_{i}", f"bias_{i}"):
                view = named[name]
                view.copy_((2.0 * torch.rand(view.shape, generator=generator) - 1.0) * bound)
            if unseen:
                named["weight_0"][context_length : self.n_bits] = 0.0
        return row

    def logits(self, weights: dict[str, Tensor], inputs_EBI: Tensor) -> Tensor:
        """(E, B) ln q(1) - ln q(0) for bits, nearest first and zero where not seen, then the question's unit vector."""
        late = self.config.kind == "bi_mlp"
        x = inputs_EBI[..., : self.n_bits] if late else inputs_EBI
        for i, (_, _, activated) in enumerate(self.layers):
            if late and i == 2:
                x = torch.cat([x, inputs_EBI[..., self.n_bits :]], dim=-1)
            x = torch.baddbmm(weights[f"bias_{i}"][:, None, :], x, weights[f"weight_{i}"])
            if activated:
                x = F.leaky_relu(x, self.config.slope)
        return x[..., 0]

    def features(self, weights: dict[str, Tensor], bits_EBL: Tensor) -> Tensor:
        """(E, B, bottleneck) features of bi_mlp, which the question does not enter. ValueError for mlp."""
        if self.config.kind != "bi_mlp":
            raise ValueError("kind: mlp has no feature that is free of the question; take bi_mlp")
        x = bits_EBL
        for i in (0, 1):
            x = torch.baddbmm(weights[f"bias_{i}"][:, None, :], x, weights[f"weight_{i}"])
            if self.layers[i][2]:
                x = F.leaky_relu(x, self.config.slope)
        return x
