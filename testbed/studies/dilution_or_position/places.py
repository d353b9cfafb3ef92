"""Which tokens are shown, and at which positions: the four corners between m keys in range and n keys far out.

A sequence of n tokens is n - 2 sites, the token that reads (the question, where there is one) and the answer. Of the
sites, m - 2 are kept: those that matter and others drawn uniformly, so that what is kept is a sequence of the source of
length m. Positions are the true ones, or in range: those of a training window, in order.

    corner     sites          positions
    base       m - 2 kept     in range                       what the model was trained on
    position   m - 2 kept     true, of length n              few keys, far positions
    dilution   all n - 2      in range: a site that was added stands where a kept neighbour, before or after, stands
    both       all n - 2      true                           the plain sequence of length n

Feeding the kept tokens alone is an oracle mask in every layer: nothing is computed from the others. In `dilution`
positions repeat but never fall, so that causal order and positions agree; a site's law of positions is uniform over the
training window's, like that of a kept one. The corner is fair for sources whose law does not depend on the order of
the sites (what reads positions to find its key would find several there), and in one layer it holds nothing untrained
but the number of keys. In deeper models keys at equal positions meet in earlier layers, which training never showed:
what that costs counts as dilution's.

Several sequences share their places: those that matter to one of them are distractors to the others, and as they are
uniform and independent, each sequence's distractors are a uniform draw.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources import Source
from testbed.sources.recall.fillers import Fillers
from testbed.sources.recall.needle import Needle
from testbed.sources.recall.reliability_classes import ReliabilityClasses
from testbed.sources.source import Tokens

Integers = NDArray[np.int64]

CORNERS = ("base", "position", "dilution", "both")
TAIL = 2
"""Tokens at the end that are always kept: the one that reads, and the answer."""
WITHOUT_NEEDED = 16
"""Sequences that share their places, where no site matters more than another."""


def needed_sites(source: Source, tokens: Tokens) -> Integers:
    """(N, k) the sites that the answer's law rests on; k = 0 where all sites count alike.

    Raises ConfigError for sources for which the study does not know.
    """
    if isinstance(source, Needle):
        return source.asked_sites(tokens)[:, None]
    if isinstance(source, Fillers) and source.marked and source.placement == "random" and source.tail == TAIL:
        informative = tokens[:, :-TAIL] < source.base.vocab_size
        return np.nonzero(informative)[1].reshape(len(tokens), source.n_informative)
    if isinstance(source, ReliabilityClasses):
        return np.empty((len(tokens), 0), dtype=np.int64)
    raise ConfigError(
        f"source: which sites matter is known for needle, marked fillers at random places and reliability_classes, not"
        f" for {source.type_name}"
    )


@dataclass(frozen=True)
class Group:
    """Sequences that share their places.

    rows    which sequences
    kept    (m - 2,) their kept sites, increasing
    """

    rows: slice
    kept: Integers

    def true_positions(self, length: int) -> Integers:
        """(m,) positions of begin symbol, kept sites and reading token in a sequence of `length` tokens."""
        return np.concatenate([[0], 1 + self.kept, [length - 1]])

    def shared_positions(self, in_range: Integers, length: int, rng: np.random.Generator) -> Integers:
        """(n,) positions in range for all that is read: kept sites in their order, added ones at a neighbour's."""
        n_sites = length - TAIL
        sites = np.arange(n_sites)
        before = np.searchsorted(self.kept, sites, side="right") - 1  # -1: ahead of the first kept site
        is_kept = self.kept[np.maximum(before, 0)] == sites
        # an added site goes to the kept one after it with a chance that falls evenly, from 1 ahead of the first to 0
        # behind the last: then every place of the window gets as many, in expectation
        forward = rng.random(n_sites) < 1 - (before + 1) / len(self.kept)
        slot = np.sort(before + (~is_kept & forward))  # within a gap those that stay behind come first
        return np.concatenate([in_range[:1], in_range[1 + slot], in_range[-1:]])


def groups_of(needed: Integers, length: int, train_length: int, rng: np.random.Generator) -> list[Group]:
    """All sequences in groups, each with m - 2 kept sites: those that matter to any of them, and a uniform draw.

    needed    (N, k) sites that matter, by sequence

    Raises ConfigError where more sites matter than are kept.
    """
    n_sequences, k = needed.shape
    n_sites, n_kept = length - TAIL, train_length - TAIL
    if k > n_kept:
        raise ConfigError(f"train_length: {train_length} tokens keep {n_kept} sites, and {k} matter")
    together = max(1, n_kept // (2 * k)) if k else WITHOUT_NEEDED
    groups = []
    for start in range(0, n_sequences, together):
        rows = slice(start, min(start + together, n_sequences))
        wanted = np.unique(needed[rows])
        order = rng.permutation(n_sites)
        others = order[~np.isin(order, wanted)][: n_kept - len(wanted)]
        groups.append(Group(rows, np.sort(np.concatenate([wanted, others]))))
    return groups


def reduced(tokens: Tokens, group: Group) -> Tokens:
    """(g, m): the group's sequences without the sites that are not kept."""
    mine = tokens[group.rows]
    return np.concatenate([mine[:, group.kept], mine[:, -TAIL:]], axis=1)
