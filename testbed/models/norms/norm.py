"""The `Norm` contract: what stands before attention, MLP and head of the standard block, as a small frozen value.

E M D name the axes member, places of all windows, model dimension.
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
"""A norm's own parameters and state by name, (E, *shape), those of its place."""


class Norm(Tagged):
    """One normalisation of the residual stream, at every place where one stands."""

    version: ClassVar[int] = 1
    folds_gain: ClassVar[bool] = False
    """Whether a learned gain follows, one a coordinate, which is multiplied into the matrix behind it."""

    def counts_windows(self, width: int) -> bool:
        """Whether it keeps statistics, in which every window of a step counts alike."""
        return any(not one.learned for one in self.parameters(width).values())

    def check(self, width: int) -> None:
        """Raise ConfigError where this norm does not fit the width."""
        return

    def parameters(self, width: int) -> dict[str, Initial]:
        """Parameters by name, one copy a place, beside a folded gain; those that are not `learned` are what `apply`
        keeps of past steps."""
        return {}

    @abstractmethod
    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        """(E, M, D); in training what is not learned among the parameters may be changed in place, by operations alone
        that a recorded graph can hold."""


norms: Registry[Norm] = Registry("models.norms", "norm")
norm: Callable[[str], Callable[[type[Norm]], type[Norm]]] = norms.register
"""Class decorator that gives a norm its type name."""

AnyNorm = Annotated[Norm, BeforeValidator(norms.build), PlainSerializer(tagged_to_json)]
