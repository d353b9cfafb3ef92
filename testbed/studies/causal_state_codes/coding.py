"""Codes of hidden units against the causal state: k-nearest-neighbour votes, with their rivals and their ceiling."""

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.activation_codes import nearest_votes, neighbour_votes, redundancy_ratio
from testbed.studies.causal_state_codes.config import Codes
from testbed.studies.causal_state_codes.sources import UNIFILAR, Arm, beliefs_of, source_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

JUDGED_SHARE = 0.3
"""Of the distinct histories, at which the state is asked for; the others are known."""
GRAIN = 20.0
"""Probabilities are told apart by twentieths where the network's law stands for itself and not for its errors."""


def code_arrays(
    arm: Arm,
    codes: list[Bools],
    laws: Floats,
    tokens: NDArray[np.integer],
    first: int,
    reading: Codes,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Accuracies of the state given the context, all at the same places, whose histories are not among the known.

    accuracy (2,)     by codes (N, T + 1, m) of the trained and of the untrained network
    units (U,)        by codes of 1, 2, 4, .. of the trained network's units, drawn at random; mean over draws
    last (U,)         by the last 1, 2, 4, .. tokens: votes of those that have most of them in common, from the last on
    suffix ()         likewise by all tokens: votes of the longest common suffix
    tokens ()         by Hamming distance of the window's tokens, one-hot
    law (2,)          by the trained network's laws of the next token (N, T + 1, V), by twentieths; as they are
    ceiling ()        by the exact beliefs in place of codes: nearest neighbours in Euclidean distance
    null ()           by the trained codes, of known states that are dealt out at random
    bayes ()          of the belief's largest entry, which bounds all of them: the mean over the places judged
    majority ()       of the likeliest state of all
    redundancy (2,)   1 - distinct codes / distinct histories

    The state behind a known place is drawn from its exact belief, which is its law given the context; what is said at a
    judged place is scored by the belief there, b(said), so that no draw adds noise.
    """
    beliefs = beliefs_of(arm, tokens)[:, first:]
    size = beliefs.shape[-1]
    b = beliefs.reshape(-1, size)
    vocab = source_of(arm).vocab_size
    history, met = numbered_histories(tokens, first, vocab)
    judged_history = rng.random(history.max() + 1) < JUDGED_SHARE
    judged = rng.permutation(np.flatnonzero(judged_history[history]))[: reading.n_judged]
    known = rng.permutation(np.flatnonzero(~judged_history[history]))[: reading.n_known]
    states = np.minimum((rng.random((len(known), 1)) > b[known].cumsum(axis=1)).sum(axis=1), size - 1)
    k = min(reading.n_neighbours if arm in UNIFILAR else reading.n_neighbours_hidden, len(known))

    def by_codes(of_place: Bools, labels: Integers) -> float:
        said = neighbour_votes(of_place[known], labels, of_place[judged], size, k)
        return float(b[judged, said].mean())

    def by(distances: NDArray[np.floating] | Integers) -> float:
        return float(b[judged, nearest_votes(distances, states, size, k)].mean())

    flat = [one[:, first:].reshape(len(b), -1) for one in codes]
    window = token_window(tokens, vocab)[:, first:].reshape(len(b), -1)
    one_hot = np.eye(vocab + 1, dtype=np.bool_)[window].reshape(len(b), -1)
    common = common_suffix(window[judged], window[known])
    law = laws[:, first:].reshape(len(b), -1)
    orders = [rng.permutation(flat[0].shape[1]) for _ in range(reading.n_draws)]
    found = {
        "accuracy": np.array([by_codes(one, states) for one in flat]),
        "units": np.array([np.mean([by_codes(flat[0][:, one[:m]], states) for one in orders]) for m in reading.units]),
        "last": np.array([by(-np.minimum(common, m)) for m in reading.units]),
        "suffix": by(-common),
        "tokens": by_codes(one_hot, states),
        "law": np.array([by(squares(one[judged], one[known])) for one in (np.round(law * GRAIN), law)]),
        "ceiling": by(np.round(squares(b[judged], b[known]), 12)),
        "null": by_codes(flat[0], rng.permutation(states)),
        "bayes": b[judged].max(axis=1).mean(),
        "majority": b[judged].mean(axis=0).max(),
        "redundancy": np.array([redundancy_ratio(one[met]) for one in flat]),
    }
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def squares(asked: Floats, known: Floats) -> Floats:
    """(n, m) squared Euclidean distances of rows."""
    found = np.zeros((len(asked), len(known)))
    for one, other in zip(asked.T, known.T, strict=True):
        found += (one[:, None] - other) ** 2
    return found


def common_suffix(asked: Integers, known: Integers) -> Integers:
    """(n, m) how many of the last places rows (n, L) and (m, L) have in common, from the last one on."""
    running = np.ones((len(asked), len(known)), dtype=np.bool_)
    found = np.zeros(running.shape, dtype=np.int64)
    for one, other in zip(asked.T[::-1], known.T[::-1], strict=True):
        running &= one[:, None] == other
        found += running
    return found


def numbered_histories(tokens: NDArray[np.integer], first: int, vocab_size: int) -> tuple[Integers, Integers]:
    """Of all places behind `first` tokens or more: the number of each one's history, and where each is first met."""
    n, length = tokens.shape
    numbers = np.zeros((n, length + 1), dtype=np.uint64)
    for t in range(length):  # digits 1 .. V, so that lengths differ too; wraps only beyond 64 bits
        numbers[:, t + 1] = numbers[:, t] * np.uint64(vocab_size + 1) + tokens[:, t].astype(np.uint64) + np.uint64(1)
    _, met, history = np.unique(numbers[:, first:].ravel(), return_index=True, return_inverse=True)
    return np.asarray(history.reshape(-1), dtype=np.int64), np.asarray(met, dtype=np.int64)


def token_window(tokens: NDArray[np.integer], vocab_size: int) -> Integers:
    """(N, L + 1, L): which token stood L, .., 2, 1 places before; V if none did."""
    n, length = tokens.shape
    padded = np.concatenate([np.full((n, length), vocab_size), tokens.astype(np.int64)], axis=1)
    return np.stack([padded[:, t : t + length] for t in range(length + 1)], axis=1)
