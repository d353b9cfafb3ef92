"""Soft cap: logits that saturate."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("soft_cap")
class SoftCap(Method):
    """Logits cap tanh(a / cap), biases included: no two logits of a row differ by 2 cap or more.

    Gemma 2 (2408.00118, section 2: cap 50 in attention). Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"logits"})
    cap: float = Field(50.0, gt=0, le=1e6, description="bound on the size of a logit")

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        return (a_EBHTT / self.cap).tanh() * self.cap
