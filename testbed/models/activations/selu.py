"""SELU, the activation of self-normalising networks."""

from typing import TYPE_CHECKING

from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 1.0507009873554805
SLOPE = 1.6732632423543772


@activation("selu")
class Selu(Activation):
    """SCALE x for x > 0, SCALE SLOPE (e^x - 1) below (Klambauer et al. 2017, 1706.02515).

    With inputs of mean 0 and variance 1 and weights of variance 1 / fan-in, outputs have mean 0 and variance 1 again.
    """

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        import torch.nn.functional as F

        return F.selu(x_EMD)
