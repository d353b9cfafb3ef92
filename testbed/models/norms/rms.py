"""RMS norm."""

from typing import TYPE_CHECKING, ClassVar

from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("rms")
class RMSNorm(Norm):
    """g x / sqrt(mean x^2 + 1e-5) over the coordinates (Zhang & Sennrich 2019, 1910.07467)."""

    folds_gain: ClassVar[bool] = True

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        from testbed.models.rms_norm import rms_norm

        return rms_norm(x_EMD)
