"""Attention that may attend to nothing: softmax + 1, a learned sink, and a gate on what is read."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("softmax_plus_one")
class SoftmaxPlusOne(Method):
    """Weights e^a / (1 + sum e^a): a softmax with one more key, of logit 0 and without value (Miller 2023).

    A row sums to sigmoid(ln sum e^a), which tends to 0 where all its logits do to minus infinity. Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})
    excludes: ClassVar[frozenset[str]] = frozenset({"sums_of_rows"})

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        return _beside(a_EBHTT, a_EBHTT.new_zeros(()))


@method("learned_sink")
class LearnedSink(Method):
    """Weights e^a / (e^s + sum e^a), s learned for each block and head, from `start` on.

    The form of gpt-oss (OpenAI 2025, 2508.10925): a key without value whose logit no query changes. softmax_plus_one
    is s = 0, the softmax s = -infinity. Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})
    excludes: ClassVar[frozenset[str]] = frozenset({"sums_of_rows"})
    start: float = Field(0.0, ge=-100, le=100, description="s at the start of training, nats")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {"sink": Initial((geometry.heads,), std=0.0, mean=self.start, per_block=True)}

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        return _beside(a_EBHTT, parameters["sink"][:, None, :, None, None])


def _beside(a_EBHTT: "Tensor", sink: "Tensor") -> "Tensor":
    """The softmax of keys and sink, read at the keys."""
    log_sum = a_EBHTT.logsumexp(dim=-1, keepdim=True)
    return (a_EBHTT - log_sum.logaddexp(sink)).exp()


@method("gated_output")
class GatedOutput(Method):
    """What each head reads is multiplied by sigmoid(w . x), w learned for each block and head.

    x is the block's normed input at the query. The gate a head of Qiu et al. 2025 (2505.06708), after attention and
    before the output matrix. It goes by the query alone, and can shut a head off without a sink. Weights as measured
    are those before the gate.
    """

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        shape, std = (geometry.width, geometry.heads), geometry.width**-0.5
        return {"gate": Initial(shape, std=std, per_block=True, decay=True)}

    def output(self, o_EBHTK: "Tensor", x_EBTD: "Tensor", parameters: Parameters) -> "Tensor":
        gate_EBTH = (x_EBTD @ parameters["gate"][:, None]).sigmoid()
        return o_EBHTK * gate_EBTH.transpose(-1, -2)[..., None]
