"""The clique complex: which sets of positions are constrained, and how many independent numbers that makes.

Sets of positions are bit masks here (bit i: position i), which Python intersects in one operation.
"""

import heapq
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations

from testbed.core import ResourceError
from testbed.maxent.constraint import Positions

MOST_FACES = 2**22
KEPT_STRUCTURES = 256
"""Answers about the last so many lists of cliques are kept: a study solves the same ones for many laws."""


def mask_of(positions: Iterable[int]) -> int:
    """The bit mask of a set of positions.

    >>> mask_of((0, 2))
    5
    """
    mask = 0
    for position in positions:
        mask |= 1 << position
    return mask


def positions_of(mask: int) -> Positions:
    """The positions in a bit mask, rising."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return tuple(found)


@lru_cache(maxsize=KEPT_STRUCTURES)
def maximal(cliques: tuple[Positions, ...]) -> tuple[int, ...]:
    """Numbers of the cliques that no other contains, the first of equal ones."""
    masks = [mask_of(clique) for clique in cliques]
    holders = holders_of(cliques)
    kept = []
    for number, clique in enumerate(cliques):
        mask = masks[number]
        rivals = min((holders[position] for position in clique), key=len)
        if not any(
            masks[other] & mask == mask and (masks[other] != mask or other < number)
            for other in rivals
            if other != number
        ):
            kept.append(number)
    return tuple(kept)


def holders_of(cliques: tuple[Positions, ...]) -> dict[int, list[int]]:
    """For every position the numbers of the cliques that have it."""
    holders: dict[int, list[int]] = {}
    for number, clique in enumerate(cliques):
        for position in clique:
            holders.setdefault(position, []).append(number)
    return holders


@lru_cache(maxsize=KEPT_STRUCTURES)
def shared_faces(cliques: tuple[Positions, ...]) -> tuple[tuple[Positions, tuple[int, ...]], ...]:
    """Every set of positions that is the intersection of two cliques, with all the cliques that have it."""
    masks = [mask_of(clique) for clique in cliques]
    holders = holders_of(cliques)
    near = [sorted({j for position in clique for j in holders[position]}) for clique in cliques]
    shared = dict.fromkeys(masks[i] & masks[j] for i, others in enumerate(near) for j in others if j < i)
    found = [(positions_of(mask), mask) for mask in shared]
    return tuple((face, tuple(i for i in holders[face[0]] if masks[i] & mask == mask)) for face, mask in found)


def faces(cliques: Sequence[Positions]) -> list[Positions]:
    """Every set of positions that lies in some clique, the empty one first, then by size and position."""
    total = sum(2 ** len(clique) for clique in cliques)
    if total > MOST_FACES:
        raise ResourceError(f"the faces of {len(cliques)} cliques are up to {total}, over the limit of {MOST_FACES}")
    found: set[Positions] = {()}
    for clique in cliques:
        for size in range(1, len(clique) + 1):
            found.update(combinations(clique, size))
    return sorted(found, key=lambda face: (len(face), face))


def complex_rank(cliques: tuple[Positions, ...], vocab_size: int) -> int:
    """Independent numbers in the tables of these cliques, normalisation included:

        sum over faces F of (V - 1)^|F|,   the empty face counting 1

    (drop symbol 0 in every position: the indicators of what is left are a basis). An exact integer.

    >>> complex_rank(((0, 1), (1, 2), (0, 2)), 2)    # 12 cells
    7
    """
    tree = junction_tree(cliques)
    if tree is not None:
        separators = sum(vocab_size ** (link[2].bit_count()) for link in tree)
        return sum(vocab_size ** len(cliques[i]) for i in maximal(cliques)) - separators + (0 if cliques else 1)
    return sum((vocab_size - 1) ** len(face) for face in faces([cliques[i] for i in maximal(cliques)]))


@lru_cache(maxsize=KEPT_STRUCTURES)
def junction_tree(cliques: tuple[Positions, ...]) -> tuple[tuple[int, int, int], ...] | None:
    """(parent, child, separator mask) in an order that grows a tree from the first clique, or None: not decomposable.

    Maximum cardinality search on the hypergraph of maximal cliques: take next the clique with the most positions seen;
    the set is decomposable iff what it shares with all earlier ones lies in one of them, and then in the one that
    brought the last of those positions (Tarjan & Yannakakis 1984, sec. 4). Cliques that share nothing with those before
    hang on the first with an empty separator.
    """
    kept = maximal(cliques)
    holders: dict[int, list[int]] = {}
    for number in kept:
        for position in cliques[number]:
            holders.setdefault(position, []).append(number)
    seen_count = dict.fromkeys(kept, 0)
    brought_by: dict[int, int] = {}
    rank_of: dict[int, int] = {}
    masks = {number: mask_of(cliques[number]) for number in kept}
    links: list[tuple[int, int, int]] = []
    heap = [(0, number) for number in kept]  # rising, hence a heap; the most seen first, the earliest of equals
    while heap:
        count, child = heapq.heappop(heap)
        if child in rank_of or -count < seen_count[child]:  # a later entry holds its present count
            continue
        rank_of[child] = len(rank_of)
        shared = [position for position in cliques[child] if position in brought_by]
        if shared:
            parent = max((brought_by[position] for position in shared), key=rank_of.__getitem__)
            separator = mask_of(shared)
            if separator & ~masks[parent]:
                return None
            links.append((parent, child, separator))
        elif len(rank_of) > 1:
            links.append((kept[0], child, 0))
        for position in cliques[child]:
            if position not in brought_by:
                brought_by[position] = child
                for other in holders[position]:
                    seen_count[other] += 1
                    if other not in rank_of:
                        heapq.heappush(heap, (-seen_count[other], other))
    return tuple(links)


def span(clique: Positions) -> int:
    """Distance between the first and the last position."""
    return clique[-1] - clique[0]


def bandwidth(cliques: Sequence[Positions]) -> int:
    """The largest span: positions further apart than this meet in no clique."""
    return max((span(clique) for clique in cliques), default=0)


def regime(cliques: Sequence[Positions], context_length: int) -> str:
    """R1 where every clique lies in a window of T positions, so that a length-T model can supply it, else R2."""
    return "R1" if bandwidth(cliques) <= context_length - 1 else "R2"
