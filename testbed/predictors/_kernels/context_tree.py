"""The context tree as it grows, target by target.

A target stands at place e of `text`; its context of d tokens is text[e-1], text[e-2], ..., text[e-d], nearest first.

A node that one target has reached is a *tail*: it keeps that target's place (`first`) and has no children, because
below it every law is uniform until a second target comes by, when one child and one count are made from the first
target. So a tree has about as many nodes as targets, whatever its depth.

The odds B of a node are kept as odds[s] 2^(512 scale[s]): where scale isn't 0 one of the two weights is 1 in float64,
and B is still exact when it comes back.

Counts and children of the pair (node, symbol) lie at `places[node V + symbol]`: that number itself in a small alphabet
(`keys` is empty), else where an open hash table of keys has it.
"""

import numpy as np
from numba import njit, uint64

LARGE, SMALL = 2.0**256, 2.0**-256
RESCALE_DOWN, RESCALE_UP = 2.0**-512, 2.0**512


@njit(cache=True, boundscheck=False)
def place_of(keys, key):
    """Where a key lies, or the free place where it would: the key itself where there is no table."""
    if keys.size == 0:
        return key
    mask = keys.size - 1
    at = int((uint64(key) * uint64(0x9E3779B97F4A7C15)) >> uint64(20)) & mask
    while keys[at] != key and keys[at] != -1:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def empty_tree(n_nodes, vocab_size, dense):
    """Room for some nodes: totals, first, odds, scale, keys, counts, children."""
    n_places = n_nodes * vocab_size
    keys = np.empty(0, np.int64)
    if not dense:
        n_places = 1
        while n_places < 4 * n_nodes:
            n_places *= 2
        keys = np.full(n_places, -1, np.int64)
    return (
        np.zeros(n_nodes, np.int32),
        np.full(n_nodes, -1, np.int64),
        np.empty(n_nodes, np.float64),
        np.zeros(n_nodes, np.int32),
        keys,
        np.zeros(n_places, np.int32),
        np.zeros(n_places, np.int32),
    )


@njit(cache=True)
def longer(array, size):
    grown = np.zeros(size, array.dtype)
    grown[: array.size] = array
    return grown


@njit(cache=True)
def rehashed(keys, counts, children):
    """The table at twice its size."""
    new_keys = np.full(2 * keys.size, -1, np.int64)
    new_counts, new_children = np.zeros(2 * keys.size, np.int32), np.zeros(2 * keys.size, np.int32)
    for old in range(keys.size):
        if keys[old] != -1:
            at = place_of(new_keys, keys[old])
            new_keys[at] = keys[old]
            new_counts[at] = counts[old]
            new_children[at] = children[old]
    return new_keys, new_counts, new_children


@njit(cache=True, boundscheck=False)
def claim(keys, counts, children, key):
    """The place of a key, made if it had none; and whether it was made."""
    at = place_of(keys, key)
    if keys.size == 0 or keys[at] == key:
        return at, 0
    keys[at] = key
    counts[at] = 0
    children[at] = 0
    return at, 1


@njit(cache=True, boundscheck=False)
def make_node(tree, node, vocab_size, prior_odds, prior_scale):
    """A node that no target has reached."""
    totals, first, odds, scale, keys, counts, children = tree
    totals[node] = 0
    first[node] = -1
    odds[node] = prior_odds
    scale[node] = prior_scale
    if keys.size == 0:
        counts[node * vocab_size : (node + 1) * vocab_size] = 0
        children[node * vocab_size : (node + 1) * vocab_size] = 0


@njit(cache=True, boundscheck=False)
def leaf_weight(odds, scale):
    """Posterior probability that a node is a leaf."""
    if scale == 0:
        return odds / (odds + 1.0)
    return 1.0 if scale > 0 else 0.0


@njit(cache=True, boundscheck=False)
def mix_law(tree, node, weight, vocab_size, constant, law):
    """law <- law + weight (the node's own law - law)."""
    totals, _, _, _, keys, counts, _ = tree
    normaliser = totals[node] + vocab_size * constant
    for x in range(vocab_size):
        key = node * vocab_size + x
        at = place_of(keys, key)
        count = counts[at] if keys.size == 0 or keys[at] == key else 0
        law[x] += weight * ((count + constant) / normaliser - law[x])


@njit(cache=True, boundscheck=False)
def observe(text, ends, vocab_size, depth, prior_odds, prior_scale, constant, log_mixture, laws, tree):
    """Take the targets at `ends` into an empty tree, one after the other; returns the tree.

    log_mixture (n,)      ln q of every target, before it is counted
    laws (n, V) or (0, V) q of every symbol there
    """
    totals, first, odds, scale, keys, counts, children = tree
    path = np.empty(depth + 1, np.int64)
    seen = np.empty(depth + 1, np.int64)  # places of the target's count at the nodes of the path
    most_entries = 4 * depth + 4  # that one target can make
    if keys.size > 0:
        keys[:] = -1
    make_node(tree, 0, vocab_size, prior_odds, prior_scale)
    n_nodes = 1
    n_entries = 0
    for i in range(ends.size):
        end = ends[i]
        if n_nodes + 2 * depth + 2 > totals.size:
            size = 2 * (totals.size + depth + 1)
            totals, first = longer(totals, size), longer(first, size)
            odds, scale = longer(odds, size), longer(scale, size)
            if keys.size == 0:
                counts, children = longer(counts, size * vocab_size), longer(children, size * vocab_size)
        while keys.size > 0 and 2 * (n_entries + most_entries) > keys.size:
            keys, counts, children = rehashed(keys, counts, children)
        tree = (totals, first, odds, scale, keys, counts, children)

        # down: the nodes of the path that were reached before; what lies below is uniform
        node = 0
        last = -1
        for d in range(depth + 1):
            if totals[node] == 0:
                totals[node] = 1
                first[node] = end
                break
            if first[node] >= 0:  # a tail: give it the count and the child of its one target
                other = first[node]
                first[node] = -1
                at, made = claim(keys, counts, children, node * vocab_size + text[other])
                n_entries += made
                counts[at] = 1
                if d < depth:
                    at, made = claim(keys, counts, children, node * vocab_size + text[other - 1 - d])
                    n_entries += made
                    children[at] = n_nodes
                    make_node(tree, n_nodes, vocab_size, prior_odds, prior_scale)
                    totals[n_nodes] = 1
                    first[n_nodes] = other
                    n_nodes += 1
            last = d
            path[d] = node
            seen[d], made = claim(keys, counts, children, node * vocab_size + text[end])
            n_entries += made
            if d < depth:
                at, made = claim(keys, counts, children, node * vocab_size + text[end - 1 - d])
                n_entries += made
                if children[at] == 0:
                    children[at] = n_nodes
                    make_node(tree, n_nodes, vocab_size, prior_odds, prior_scale)
                    n_nodes += 1
                node = children[at]

        if laws.shape[0] > 0:
            laws[i] = 1.0 / vocab_size
            for d in range(last, -1, -1):
                weight = leaf_weight(odds[path[d]], scale[path[d]]) if d < depth else 1.0
                mix_law(tree, path[d], weight, vocab_size, constant, laws[i])

        # up: mix, and take the target into odds and counts
        mixture = 1.0 / vocab_size
        for d in range(last, -1, -1):
            node = path[d]
            leaf = (counts[seen[d]] + constant) / (totals[node] + vocab_size * constant)
            counts[seen[d]] += 1
            totals[node] += 1
            if d == depth:
                mixture = leaf
                continue
            moved = odds[node] * (leaf / mixture)
            if scale[node] == 0:
                mixture = (odds[node] * leaf + mixture) / (odds[node] + 1.0)
            elif scale[node] > 0:
                mixture = leaf
            if moved > LARGE:
                moved *= RESCALE_DOWN
                scale[node] += 1
            elif moved < SMALL:
                moved *= RESCALE_UP
                scale[node] -= 1
            odds[node] = moved
        log_mixture[i] = np.log(mixture)
    return totals, first, odds, scale, keys, counts, children


@njit(cache=True)
def observe_rows(tokens, vocab_size, depth, prior_odds, prior_scale, constant, log_mixture, laws, dense):
    """Every row of tokens (N, L) in a tree of its own, judged from position `depth` on."""
    n_rows, length = tokens.shape
    ends = np.arange(depth, length)
    tree = empty_tree(min(4096, 2 * length + depth + 2), vocab_size, dense)
    nothing = np.empty((0, vocab_size))
    prior = (prior_odds, prior_scale, constant)
    for row in range(n_rows):
        of_row = laws[row] if laws.shape[0] > 0 else nothing
        tree = observe(tokens[row], ends, vocab_size, depth, *prior, log_mixture[row], of_row, tree)


@njit(cache=True, boundscheck=False)
def predict(text, queries, vocab_size, depth, prior_odds, prior_scale, constant, tree, laws):
    """laws (n, V) after the contexts `queries` (n, depth), oldest first, of a tree that is left as it is."""
    totals, first, odds, scale, keys, _, children = tree
    path = np.empty(depth + 1, np.int64)
    unmoved = leaf_weight(prior_odds, prior_scale)
    for i in range(queries.shape[0]):
        laws[i] = 1.0 / vocab_size
        node = 0
        last = -1
        for d in range(depth + 1):
            if totals[node] == 0:
                break
            if first[node] >= 0:  # its one target has reached as many nodes below it as the contexts share
                shared = d
                while shared < depth and text[first[node] - 1 - shared] == queries[i, depth - 1 - shared]:
                    shared += 1
                for below in range(shared, d - 1, -1):
                    weight = unmoved if below < depth else 1.0
                    for x in range(vocab_size):
                        count = 1.0 if text[first[node]] == x else 0.0
                        laws[i, x] += weight * ((count + constant) / (1.0 + vocab_size * constant) - laws[i, x])
                break
            path[d] = node
            last = d
            if d < depth:
                key = node * vocab_size + queries[i, depth - 1 - d]
                at = place_of(keys, key)
                if (keys.size > 0 and keys[at] != key) or children[at] == 0:
                    break
                node = children[at]
        for d in range(last, -1, -1):
            weight = leaf_weight(odds[path[d]], scale[path[d]]) if d < depth else 1.0
            mix_law(tree, path[d], weight, vocab_size, constant, laws[i])
