"""The `Method` contract: what can be varied in attention, as small frozen values that combine.

A method fills *slots*. Exclusive slots take one filler (`qk`, `position`, `normaliser`, `training_positions`, and any
name in `excludes`, such as `length_scale`); the others compose: `embed` adds, `qk` and `rotate` chain, `scale`
and `query_scale` multiply, `mask` intersects, `bias` adds, `keys`, `values`, `output`, `logits` and `reweigh` chain.
What changes q, k, v or what is read alone keeps the fused attention kernel, masks and biases pass through it as an
argument; `scores`, `logits`, `normalise` and `reweigh` take the explicit path, which forms the scores.

E B T H K D V name the axes member, batch, time, head, head dimension, model dimension, vocabulary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer

from testbed.core import ConfigError, Registry, Tagged, tagged_to_json

if TYPE_CHECKING:
    from torch import Tensor

Parameters = Mapping[str, "Tensor"]
"""A method's own parameters and calibrated values by name, one copy a member; those of the block where there are
several."""


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


@dataclass(frozen=True, eq=False)
class Placement:
    """Where queries and keys stand in the window.

    queries_T, keys_T            positions, what rotations and biases see: 0, 1, 2, ... unless a method trains on others
    query_order_T, key_order_T   rank in the window, what causality sees
    geometry                     sizes of the model
    queries                      which places the queries have: all, the last alone, or some
    """

    sees_all: ClassVar[bool] = False
    """Whether every query sees every key, as in bidirectional models."""

    queries_T: "Tensor"
    keys_T: "Tensor"
    query_order_T: "Tensor"
    key_order_T: "Tensor"
    geometry: Geometry
    queries: Literal["all", "last", "some"]

    @property
    def n_keys(self) -> int:
        return int(self.keys_T.shape[0])

    @property
    def counts_up(self) -> bool:
        """Whether positions are known to be 0, 1, 2, ... without reading them, for which a GPU would be waited for."""
        return self.keys_T is self.key_order_T

    @property
    def distances_TT(self) -> "Tensor":
        """(T, T): position of the query less that of the key."""
        return self.queries_T[:, None] - self.keys_T[None, :]


@dataclass(frozen=True, eq=False)
class AttentionContext:
    """What the explicit path shows a method.

    q_EBHTK, k_EBHTK    queries and keys, after `qk`, `rotate` and `scale`
    x_EBTD              what the queries were computed from: the block's normed input at their places
    at                  where they stand
    visible_TT          bool: causal mask and every method's mask
    block               number of the block
    """

    q_EBHTK: "Tensor"
    k_EBHTK: "Tensor"
    x_EBTD: "Tensor"
    at: Placement
    visible_TT: "Tensor"
    block: int


@dataclass(frozen=True)
class Initial:
    """How a learned parameter starts: normal with this standard deviation around `mean`.

    per_block    one copy for each block; hooks are given the one of their block
    learned      False for what a method keeps of past steps, float32 at any precision: it has no gradient, and a
                 forward pass that is to be trained changes it in place
    """

    shape: tuple[int, ...]
    std: float
    mean: float = 0.0
    decay: bool = False
    per_block: bool = False
    learned: bool = True


class Method(Tagged):
    """One variation of attention. Every hook has a neutral default."""

    version: ClassVar[int] = 1
    slots: ClassVar[frozenset[str]] = frozenset()
    """The slots this method fills."""
    excludes: ClassVar[frozenset[str]] = frozenset()
    """Names that no other method of the combination may share, beside the exclusive slots."""
    needs_even_head_dim: ClassVar[bool] = False
    """Works on pairs of coordinates."""

    needs_all_queries: ClassVar[bool] = False
    """Later queries depend on earlier ones' scores: the last block cannot compute the last query alone."""

    counts_windows: ClassVar[bool] = False
    """Counts every window of a training step alike: distinct ones, which have weights and padding, are refused."""

    @property
    def needs_all_keys(self) -> bool:
        """Reads keys behind the query too, as bidirectional models alone may."""
        return False

    @property
    def counts_whole_window(self) -> bool:
        """`scale` is given the window's length for every query instead of the query's own number of visible keys."""
        return False

    @property
    def scales_biases(self) -> bool:
        """`scale` multiplies what other methods' `bias` adds as well, not q . k alone."""
        return False

    def scale_dimension(self, geometry: Geometry) -> int:
        """What `scale` is given as the head dimension."""
        return geometry.head_dim

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        """Learned parameters of this method by name; they live in the model's flat buffer, one copy a member."""
        return {}

    def training_positions(self, window: int, step: int) -> NDArray[np.int64] | None:
        """(window,) increasing positions for the windows of a training step; None: 0, 1, 2, ..."""
        return None

    def reparametrise(self, name: str, matrix: "Tensor", parameters: Parameters) -> "Tensor":
        """A block's weight matrix (E, in, out), as it is used."""
        return matrix

    def embed(self, at: Placement, parameters: Parameters) -> "Tensor | None":
        """(E, T, D), added to the token embeddings of the keys."""
        return None

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        """q and k before positions enter, changed."""
        return q_EBHTK, k_EBHTK

    def rotate(self, x_EBHTK: "Tensor", positions_T: "Tensor", at: Placement, parameters: Parameters) -> "Tensor":
        """q or k, transformed by its positions."""
        return x_EBHTK

    def keys(self, k_EBHTK: "Tensor", at: Placement, rotated: bool, parameters: Parameters) -> "Tensor":
        """The keys as they are kept, changed: called before positions enter, and once more after (`rotated`)."""
        return k_EBHTK

    def values(self, v_EBHTK: "Tensor", at: Placement, parameters: Parameters) -> "Tensor":
        """The values as they are kept, changed."""
        return v_EBHTK

    def output(self, o_EBHTK: "Tensor", x_EBTD: "Tensor", parameters: Parameters) -> "Tensor":
        """What each head has read, changed; x is what the queries were computed from."""
        return o_EBHTK

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor | None":
        """(T,) or broadcastable to (E, 1, H, T, 1): multiplies the logits of a query with n visible keys."""
        return None

    def query_scale(self, x_EBTD: "Tensor", n_visible_T: "Tensor", parameters: Parameters) -> "Tensor | None":
        """Broadcastable to (E, B, H, T, 1): multiplies the logits of each query, from what it was computed of."""
        return None

    def mask(self, at: Placement) -> "Tensor | None":
        """(T, T) bool, True where a query may see a key; intersected with the causal mask."""
        return None

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor | None":
        """Broadcastable to (E, 1, H, T, T): added to the scaled logits."""
        return None

    # -- the explicit path, taken where some method of the combination overrides one of these
    def scores(self, context: AttentionContext, parameters: Parameters) -> "Tensor | None":
        """(E, B, H, T, T) logits in place of q . k / sqrt(K), before any bias; None: these. Fillers exclude `scores`,
        and so does what forms q . k again."""
        return None

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        """The scaled logits, changed: before biases are added for fillers of `position`, after that for all others;
        invisible keys are masked in the end."""
        return a_EBHTT

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor | None":
        """Weights from masked logits (invisible keys are -inf), for the slot `normaliser`; None: the softmax."""
        return None

    def reweigh(self, w_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        """The weights, changed."""
        return w_EBHTT

    # -- after training
    def calibrate(self, logit_std_LEH: "Tensor", geometry: Geometry) -> "dict[str, Tensor]":
        """Values read off a trained model once, at the training length, by name; hooks find them among their
        parameters. `logit_std_LEH`: standard deviation of each head's logits within a row, by block."""
        return {}

    @property
    def is_explicit(self) -> bool:
        """Whether this method needs the scores themselves."""
        return self.overrides("scores", "logits", "normalise", "reweigh")

    @property
    def is_calibrated(self) -> bool:
        """Whether this method reads values off a trained model."""
        return self.overrides("calibrate")

    @classmethod
    def overrides(cls, *hooks: str) -> bool:
        """Whether this method has one of these hooks of its own."""
        return _overrides(cls, hooks)


@lru_cache(maxsize=1024)
def _overrides(cls: type[Method], hooks: tuple[str, ...]) -> bool:
    return any(getattr(cls, name) is not getattr(Method, name) for name in hooks)


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
