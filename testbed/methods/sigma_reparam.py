"""sigmaReparam: weight matrices of a learned spectral norm."""

from typing import TYPE_CHECKING, ClassVar

from testbed.methods.method import Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor

MATRICES = ("qkv", "attention_out", "mlp_in", "mlp_out")


@method("sigma_reparam")
class SigmaReparam(Method):
    """Every matrix of a block is used as gamma W / sigma_max(W), gamma learned from 1 on.

    Zhai et al. 2023 (2303.06296). The largest singular value is exact here; the paper tracks it by power iteration.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"weights"})
    excludes: ClassVar[frozenset[str]] = frozenset({"weight_norm"})

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {f"gamma_{name}": Initial((1, 1), std=0.0, mean=1.0, per_block=True) for name in MATRICES}

    def reparametrise(self, name: str, matrix: "Tensor", parameters: Parameters) -> "Tensor":
        import torch

        largest_E = torch.linalg.matrix_norm(matrix.float(), ord=2).to(matrix.dtype)
        return parameters[f"gamma_{name}"] / largest_E[:, None, None] * matrix
