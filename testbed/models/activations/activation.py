"""The `Activation` contract: the nonlinearity between the two matrices of an MLP, as a small frozen value.

E M D name the axes member, places of all windows, hidden units.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, PlainSerializer

from testbed.core import Registry, Tagged, tagged_to_json
from testbed.methods import Initial

if TYPE_CHECKING:
    from torch import Tensor

Parameters = Mapping[str, "Tensor"]
"""An activation's own parameters by name, (E, *shape), those of the block."""


class Activation(Tagged):
    """One nonlinearity, of every hidden unit by itself unless it says otherwise."""

    version: ClassVar[int] = 1

    def parameters(self, hidden: int) -> dict[str, Initial]:
        """Learned parameters by name, one copy a block; `hidden` units stand before and after it."""
        return {}

    @abstractmethod
    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        """(E, M, D): the activations of (E, M, D)."""


activations: Registry[Activation] = Registry("models.activations", "activation")
activation: Callable[[str], Callable[[type[Activation]], type[Activation]]] = activations.register
"""Class decorator that gives an activation its type name."""

AnyActivation = Annotated[Activation, BeforeValidator(activations.build), PlainSerializer(tagged_to_json)]
