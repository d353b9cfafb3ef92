"""Memories of M states: what `testbed.models.segments` hands on between two parts is one of M, so log2 M bits at most.

    S -> C_c,   c = argmin_i |s - s_i|,   s = sum over blocks of P_b vec(S_b) / spread_b

C_1 .. C_M are states of all blocks together, means of classes of the states that some windows leave (k-means on the
sketch s, started as k-means++; Arthur & Vassilvitskii 2007), each block in proportion to its own spread. The sketch
only chooses classes: whatever it is, all that passes is c, whose bits are at most log2 M, of a set, of the order of its
elements and of anything else together. Nothing needs to be estimated for that bound.

Axes   E member (one here)   B batch   H head   F feature   V value dimension   M states   S size of the sketch
"""

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from testbed.models.segments import States

SKETCH = 32
"""Numbers of the sketch, or those of the states where these are fewer."""
ROUNDS = 8
"""Of k-means."""
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Sketched:
    """States at one cut, (1, B, H, F, V + 1) of each block, with their sketch (B, S) and the spreads it goes by."""

    states: States
    spreads: tuple[float, ...]
    points: Tensor

    @classmethod
    def of(cls, states: States, spreads: tuple[float, ...] | None = None) -> "Sketched":
        """The sketch of states, by spreads of their own unless others are given."""
        if spreads is None:
            spreads = tuple(spread_of(one) for one in states)
        parts = []
        for block, (one, spread) in enumerate(zip(states, spreads, strict=True)):
            flat = one.detach()[0].flatten(1)
            parts.append(flat @ projection(block, flat.shape[1], flat.device) / spread)
        return cls(states, spreads, torch.stack(parts).sum(dim=0))


@dataclass(frozen=True, eq=False)
class Book:
    """The states that may be handed on at one cut.

    states    of each block, (M, H, F, V + 1)
    points    (M, S) their sketches
    spreads   by which they are sketched
    """

    states: States
    points: Tensor
    spreads: tuple[float, ...]

    @classmethod
    def fit(cls, left: Sketched, n_states: int, seed: int) -> "Book":
        """The book of at most so many states, off those that windows leave; one of each where there are fewer."""
        classes_B = nearest_means(left.points, n_states, seed)
        n = int(classes_B.max()) + 1
        states = [_means(one.detach()[0], classes_B, n) for one in left.states]
        return cls(states, _means(left.points, classes_B, n), left.spreads)

    def codes(self, left: Sketched) -> Tensor:
        """(B,) which of the M states is handed on for each."""
        return torch.cdist(left.points, self.points).argmin(dim=1)

    def handed(self, codes_B: Tensor) -> States:
        """These of the M states."""
        return [one[codes_B][None] for one in self.states]


@dataclass
class BoundedMemory:
    """The books of all cuts for one number of states.

    `fit` is given as `hand` to a network that reads some windows: at each cut it makes the book of the states that are
    left there, behind cuts that are bounded already, and hands on from it. Then `keep`, or `through`, which hands on
    the same with the gradient of the states as they were (straight through).
    """

    n_states: int
    seed: int = 0
    books: dict[int, Book] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_states < 1:
            raise ValueError(f"n_states: given {self.n_states}, must be at least 1")

    def fit(self, cut: int, states: "States | Sketched") -> States:
        """Make the book of this cut, and hand on from it."""
        left = states if isinstance(states, Sketched) else Sketched.of(states)
        self.books[cut] = Book.fit(left, self.n_states, self.seed + cut)
        return self.keep(cut, left)

    def keep(self, cut: int, states: "States | Sketched") -> States:
        """One of M states for each window."""
        book = self.books[cut]
        left = states if isinstance(states, Sketched) else Sketched.of(states, book.spreads)
        return book.handed(book.codes(left))

    def through(self, cut: int, states: States) -> States:
        """Likewise, for training."""
        pairs = zip(states, self.keep(cut, states), strict=True)
        return [one + (handed - one).detach() for one, handed in pairs]


def spread_of(state: Tensor) -> float:
    """The root of the whole variance of one block's states over windows."""
    flat = state.detach()[0].flatten(1)
    return max(float((flat - flat.mean(dim=0)).square_().sum() / len(flat)) ** 0.5, TINY)


@lru_cache(maxsize=16)
def projection(block: int, size: int, device: torch.device) -> Tensor:
    """(N, S) of independent normal numbers, the same wherever it is asked for."""
    generator = torch.Generator().manual_seed(block)
    n = min(SKETCH, size)
    return (torch.randn(size, n, generator=generator) * n**-0.5).to(device)


def nearest_means(points_BS: Tensor, n_classes: int, seed: int) -> Tensor:
    """(B,) classes 0 .. at most n_classes - 1, none of them empty: k-means."""
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(points_BS), (1,), generator=generator))]
    scale = points_BS.square().sum(dim=1).mean().clamp(min=TINY)
    squares_B = (points_BS - points_BS[chosen[0]]).square().sum(dim=1)
    while len(chosen) < n_classes:
        left_B = torch.where(squares_B > 1e-9 * scale, squares_B, 0.0).double().cpu()
        if not float(left_B.sum()) > 0:
            break  # every point has a class of its own kind
        chosen.append(int(torch.multinomial(left_B, 1, generator=generator)))
        squares_B = torch.minimum(squares_B, (points_BS - points_BS[chosen[-1]]).square().sum(dim=1))
    means = points_BS[chosen]
    for _ in range(ROUNDS):
        classes_B = torch.cdist(points_BS, means).argmin(dim=1)
        counts = torch.bincount(classes_B, minlength=len(means))
        found = _means(points_BS, classes_B, len(means))
        means = torch.where(counts[:, None] > 0, found, means)
    return torch.unique(torch.cdist(points_BS, means).argmin(dim=1), return_inverse=True)[1]


def _means(rows: Tensor, classes_B: Tensor, n: int) -> Tensor:
    """(n, ...) means of the rows of each class; 0 where there is none."""
    counts = torch.bincount(classes_B, minlength=n).clamp(min=1).to(rows.dtype)
    sums = rows.new_zeros(n, *rows.shape[1:]).index_add_(0, classes_B, rows)
    return sums / counts.view(-1, *[1] * (rows.ndim - 1))
