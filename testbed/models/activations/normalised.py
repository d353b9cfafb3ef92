"""A norm before the nonlinearity."""

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from testbed.methods import Initial
from testbed.models.activations.activation import Activation, AnyActivation, Parameters, activation
from testbed.models.activations.gelu import Gelu

if TYPE_CHECKING:
    from torch import Tensor


@activation("normalised")
class Normalised(Activation):
    """g(x / rms(x)) with a gain before g, over the hidden units: the first half of Normalize-and-Project.

    Lyle et al. 2024 (2407.01800); the second half is `optimiser.project`. The function is then the same for W_in and
    c W_in, whatever c > 0 (but for the 1e-5 that is added to the mean square): only the direction of W_in counts.
    """

    inner: AnyActivation = Field(Gelu(), description="the nonlinearity g")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "gain" in self.inner.parameters(1):
            raise ValueError(
                f"inner: given {self.inner.type_name}, which learns a gain of its own; take one that does not"
            )
        return self

    def parameters(self, hidden: int) -> dict[str, Initial]:
        return self.inner.parameters(hidden) | {"gain": Initial((hidden,), std=0.0, mean=1.0)}

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        from testbed.models.rms_norm import rms_norm

        return self.inner.apply(rms_norm(x_EMD) * parameters["gain"][:, None], parameters)
