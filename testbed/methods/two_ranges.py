"""Rotary positions that treat near and far keys differently: ReRoPE, leaky ReRoPE, Self-Extend, LM-Infinite, sinks."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Parameters, Placement, method
from testbed.methods.rope import RotaryPositions, turned

if TYPE_CHECKING:
    from torch import Tensor


class TwoRanges(RotaryPositions):
    """Base: pairs that `is_far` names are scored with other positions. Explicit path.

    q and k come rotated by their own positions; the far scores turn them on by the difference. Keys behind the query,
    which bidirectional models see, are scored as their mirror image: query and key change places, so that the far
    distance changes its sign alone.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"scores"})

    @property
    def mirrors(self) -> bool:
        """Whether far keys behind the query are scored as mirror images of those before it."""
        return True

    def is_far(self, at: Placement) -> "Tensor":
        """(T, T) bool: pairs scored at the far positions."""
        raise NotImplementedError

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        """Positions of queries and keys in far scores, float; for keys before the query."""
        raise NotImplementedError

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        import torch

        at = context.at
        asks = at.keys_T.device.type == "cpu" and not torch.compiler.is_compiling()  # a GPU would be waited for
        far_TT = self.is_far(at) & context.visible_TT
        frequencies = self.frequencies(context.q_EBHTK.shape[-1], at.n_keys, at.geometry.train_length)
        for behind in (False, True):
            pairs_TT = far_TT & ((at.distances_TT < 0) == behind) if self.mirrors else far_TT & (not behind)
            if (behind and at.counts_up and not at.sees_all) or (asks and not bool(pairs_TT.any())):
                continue  # no such pair: not a number would change
            if behind:
                far_keys_T, far_queries_T = self.far_positions(replace(at, queries_T=at.keys_T, keys_T=at.queries_T))
            else:
                far_queries_T, far_keys_T = self.far_positions(at)
            q = turned(context.q_EBHTK, far_queries_T - at.queries_T, frequencies)
            k = turned(context.k_EBHTK, far_keys_T - at.keys_T, frequencies)
            a_EBHTT = torch.where(pairs_TT, q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), a_EBHTT)
        return a_EBHTT


class BeyondWindow(TwoRanges):
    """Base: far pairs are those more than w apart."""

    window: int | None = Field(None, gt=0, description="w; left out: half the training length")

    def window_of(self, at: Placement) -> int:
        """The distance up to which pairs are near."""
        return max(at.geometry.train_length // 2, 1) if self.window is None else self.window

    def is_far(self, at: Placement) -> "Tensor":
        return at.distances_TT.abs() > self.window_of(at)


@method("rerope")
class ReRoPE(BeyondWindow):
    """Distances are cut off at w: min(i - j, w), either sign (Su 2023). A no-op in windows up to w.

    Best at w = m/4 .. m/2; it collapses at w = m.

    `released_code`: as in the code of 2501.08570, w = m unless given, distances from w on become w - 1, and keys behind
    the query, which bidirectional models see, get that of keys before it, with the same sign.
    """

    version: ClassVar[int] = 2
    released_code: bool = Field(False, description="window and far distances of the code of 2501.08570")

    def window_of(self, at: Placement) -> int:
        return at.geometry.train_length if self.released_code and self.window is None else super().window_of(at)

    @property
    def mirrors(self) -> bool:
        return not self.released_code

    def is_far(self, at: Placement) -> "Tensor":
        return at.distances_TT.abs() > self.window_of(at) - self.released_code

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        queries_T = at.queries_T.float() * 0.0 + float(self.window_of(at) - self.released_code)
        return queries_T, at.keys_T.float() * 0.0


@method("leaky_rerope")
class LeakyReRoPE(BeyondWindow):
    """Distances beyond w grow k times slower: w + (i - j - w) / k (Su 2023).

    k = 1 is RoPE, k = infinity ReRoPE; k < 1 in training and plain RoPE afterwards is the inverse form.
    """

    k: float = Field(16.0, gt=0, description="slowing of distances beyond the window")

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        w = self.window_of(at)
        return at.queries_T / self.k + (w - w / self.k), at.keys_T / self.k


@method("self_extend")
class SelfExtend(BeyondWindow):
    """Far pairs stand at floor(i / G) + w - floor(w / G) and floor(j / G): leaky ReRoPE on whole numbers.

    Jin et al. 2024 (2401.01325).
    """

    group: int = Field(16, gt=0, description="G, positions merged into one")

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        w = self.window_of(at)
        return (at.queries_T // self.group + w - w // self.group).float(), (at.keys_T // self.group).float()


@method("lm_infinite")
class LMInfinite(TwoRanges):
    """The first tokens and a band of m keys are visible, distances are cut off at m (Han et al. 2023, 2308.16137).

    `released_code`: plain RoPE, because the code of 2501.08570 tests a misspelt name. A no-op for windows up to m.
    """

    version: ClassVar[int] = 2
    first: int = Field(5, ge=0, description="keys at the start that every query sees")
    released_code: bool = Field(False, description="never runs, as in the code of 2501.08570")

    def mask(self, at: Placement) -> "Tensor | None":
        if self.released_code:
            return None
        return (at.distances_TT.abs() < at.geometry.train_length) | (at.key_order_T < self.first)

    def is_far(self, at: Placement) -> "Tensor":
        return (at.distances_TT.abs() > at.geometry.train_length) & (not self.released_code)

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        return at.queries_T.float() * 0.0 + float(at.geometry.train_length), at.keys_T.float() * 0.0


@method("streaming")
class StreamingSinks(TwoRanges):
    """The first `sinks` keys and the last W are visible, at their positions in that cache.

    Xiao et al. 2023 (2309.17453). A query beyond the cache stands at position sinks + W - 1, so no distance exceeds the
    training length where W = m - sinks, the default. A no-op up to m.

    `released_code`: as in the code of 2501.08570, W = m unless given, positions stay absolute, so that sinks are out of
    range, and the first queries see every key (in bidirectional models).
    """

    version: ClassVar[int] = 2

    needs_even_head_dim: ClassVar[bool] = True
    sinks: int = Field(4, ge=0, description="keys at the start that stay")
    recent: int | None = Field(None, gt=0, description="W, the last keys that stay; left out: m - sinks")
    released_code: bool = Field(False, description="sinks keep their distances, as in the code of 2501.08570")

    def window_of(self, at: Placement) -> int:
        if self.recent is not None:
            return self.recent
        return at.geometry.train_length if self.released_code else max(at.geometry.train_length - self.sinks, 1)

    def mask(self, at: Placement) -> "Tensor":
        seen_TT = (at.distances_TT.abs() < self.window_of(at)) | (at.key_order_T < self.sinks)
        return seen_TT | (at.query_order_T < self.sinks)[:, None] if self.released_code else seen_TT

    def is_far(self, at: Placement) -> "Tensor":
        beyond_T = at.query_order_T >= self.sinks + self.window_of(at)
        return beyond_T[:, None] & (at.key_order_T < self.sinks) & (not self.released_code)

    def far_positions(self, at: Placement) -> "tuple[Tensor, Tensor]":
        return at.queries_T.float() * 0.0 + float(self.sinks + self.window_of(at) - 1), at.keys_T.float()
