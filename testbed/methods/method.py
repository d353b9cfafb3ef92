"""The `Method` contract: what can be varied in attention, as small frozen values that combine.

A method fills *slots*. Exclusive slots take one filler (`qk`, `position`, `normaliser`, `training_positions`, and any
name in `excludes`, such as `length_scale`); the others compose: `embed` adds, `rotate` chains, `scale` multiplies,
`mask` intersects, `bias` adds, `logits` and `reweigh` chain. What changes q and k alone keeps the fused attention
kernel, masks and biases pass through it as an argument; `logits`, `normalise` and `reweigh` take the explicit path,
which forms the scores.

E B T H K D V name the axes member, batch, time, head, head dimension, model dimension, vocabulary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, PlainSerializer

from testbed.core import ConfigError, Registry, Tagged, tagged_to_json

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """The sizes a method may need to know. `train_length` is the longest training window, begin symbol included."""

    width: int
    heads: int
    depth: int
    train_length: int

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class AttentionContext:
    """What the explicit path shows a method.

    q_EBHTK, k_EBHTK    queries and keys, after `rotate` and `scale`
    queries_T, keys_T   their positions
    visible             bool, broadcastable to (E, B, H, T, T): causal mask and every method's mask
    """

    q_EBHTK: "Tensor"
    k_EBHTK: "Tensor"
    queries_T: "Tensor"
    keys_T: "Tensor"
    visible: "Tensor"
    geometry: Geometry


@dataclass(frozen=True)
class Initial:
    """How a learned parameter starts: normal with this standard deviation around `mean`."""

    shape: tuple[int, ...]
    std: float
    mean: float = 0.0
    decay: bool = False


class Method(Tagged):
    """One variation of attention. Every hook has a neutral default."""

    version: ClassVar[int] = 1
    slots: ClassVar[frozenset[str]] = frozenset()
    """The slots this method fills."""
    excludes: ClassVar[frozenset[str]] = frozenset()
    """Names that no other method of the combination may share, beside the exclusive slots."""

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        """Learned parameters of this method by name; they live in the model's flat buffer, one copy a member."""
        return {}

    def embed(self, positions_T: "Tensor", parameters: Mapping[str, "Tensor"]) -> "Tensor | None":
        """(E, T, D), added to the token embeddings."""
        return None

    def rotate(self, x_EBHTK: "Tensor", positions_T: "Tensor", parameters: Mapping[str, "Tensor"]) -> "Tensor":
        """q or k, transformed by position (or by itself)."""
        return x_EBHTK

    def scale(
        self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Mapping[str, "Tensor"]
    ) -> "Tensor | None":
        """(T,) or broadcastable to (E, 1, H, T, 1): multiplies the logits of a query with n visible keys."""
        return None

    def mask(self, queries_T: "Tensor", keys_T: "Tensor") -> "Tensor | None":
        """(T, T) bool, True where a query may see a key; intersected with the causal mask."""
        return None

    def bias(self, queries_T: "Tensor", keys_T: "Tensor", parameters: Mapping[str, "Tensor"]) -> "Tensor | None":
        """Broadcastable to (E, 1, H, T, T): added to the scaled logits."""
        return None

    # -- the explicit path, taken where some method of the combination overrides one of these
    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Mapping[str, "Tensor"]) -> "Tensor":
        """The scaled and biased logits, changed; invisible keys are masked afterwards."""
        return a_EBHTT

    def normalise(
        self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Mapping[str, "Tensor"]
    ) -> "Tensor | None":
        """Weights from masked logits (invisible keys are -inf), for the slot `normaliser`; None: the softmax."""
        return None

    def reweigh(self, w_EBHTT: "Tensor", context: AttentionContext, parameters: Mapping[str, "Tensor"]) -> "Tensor":
        """The weights, changed."""
        return w_EBHTT

    @property
    def is_explicit(self) -> bool:
        """Whether this method needs the scores themselves."""
        hooks = ("logits", "normalise", "reweigh")
        return any(getattr(type(self), name) is not getattr(Method, name) for name in hooks)


EXCLUSIVE_SLOTS = frozenset({"qk", "position", "normaliser", "training_positions"})

methods: Registry[Method] = Registry("methods", "method")
method: Callable[[str], Callable[[type[Method]], type[Method]]] = methods.register
"""Class decorator that gives a method its type name."""

AnyMethod = Annotated[Method, BeforeValidator(methods.build), PlainSerializer(tagged_to_json)]


def check_combination(chosen: tuple[Method, ...]) -> None:
    """Refuse two fillers of an exclusive slot; the error names both."""
    owner: dict[str, Any] = {}
    for one in chosen:
        for claim in sorted((one.slots & EXCLUSIVE_SLOTS) | one.excludes):
            if claim in owner:
                raise ConfigError(
                    f"methods: {owner[claim]} and {one.type_name} exclude each other, both fill {claim}; keep one"
                )
            owner[claim] = one.type_name
