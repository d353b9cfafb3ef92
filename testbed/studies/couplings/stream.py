"""Pairs of streams and their directed information: exact from blocks, and estimated from texts."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.directed_information import (
    block_information,
    conditional_information,
    directed_information,
    feedback_information,
    pair_blocks,
    plug_in_transfer,
    transfer_entropy,
)
from testbed.sources import HiddenMarkovSource, MarkovSource, Source
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.config import Streams

SIZES = (2, 2)
DIRECTIONS = ("forward", "backward")


def stream_source(kind: str, coupling: float, leave: Floats, follow: Floats) -> Source:
    """Pairs (x, y), written as 2 x + y, of coupling c; `leave` (2,) and `follow` (2, 2) are what is random.

    driven         X leaves x with probability leave[x]. Y becomes X's last symbol with probability c, else it moves by
                   its own rows `follow`
    feedback       so does Y, and X becomes Y's last symbol with probability c, else it moves as before
    common cause   Z moves as X did. X is Z with probability c and else a fair coin, Y the same of the Z before: neither
                   acts on the other, but X hears of Z first
    """
    moves = np.array([[1.0 - leave[0], leave[0]], [leave[1], 1.0 - leave[1]]])
    if kind == "common cause":
        heard = coupling * np.eye(2) + (1.0 - coupling) / 2.0
        matrix, emissions = np.zeros((4, 4)), np.zeros((4, 4))  # states 2 Z + the Z before
        for z in range(2):
            for before in range(2):
                emissions[2 * z + before] = np.outer(heard[z], heard[before]).ravel()
                matrix[2 * z + before, [z, 2 + z]] = moves[z]
        return HiddenMarkovSource(matrix=matrix, emissions=emissions)
    kernel = np.zeros((4, 4))
    for x in range(2):
        for y in range(2):
            of_y = (1.0 - coupling) * follow[y] + coupling * np.eye(2)[x]
            of_x = (1.0 - coupling) * moves[x] + coupling * np.eye(2)[y] if kind == "feedback" else moves[x]
            kernel[2 * x + y] = np.outer(of_x, of_y).ravel()
    return MarkovSource(kernel)


def stream_arrays(settings: "Streams", kind: str, rng: np.random.Generator) -> dict[str, Floats]:
    """Of one random pair of streams, at each coupling (C,), nats a token:

    forward, backward    what step n adds to I(X^n -> Y^n) and to I(Y^(n-1) -> X^n)
    lagged               I(Y_(i-1); X_i)
    transfer             (C, 2) transfer entropies of order 1, forward and backward
    law                  (C,) of the three sums over n steps: |forward + backward - I(X^n; Y^n)|

    and of texts of a driven pair at the judged coupling, lengths (L,): raw, corrected (L, 2), means over texts of the
    estimates of `transfer`.
    """
    leave, follow = rng.uniform(0.05, 0.3, 2), rng.dirichlet([2.0, 2.0], 2)
    found: dict[str, list[Floats | float]] = {}
    for coupling in settings.couplings:
        blocks = pair_blocks(stream_source(kind, coupling, leave, follow), SIZES, settings.steps)
        for name, value in exact(blocks).items():
            found.setdefault(name, []).append(value)
    arrays = {name: np.array(values) for name, values in found.items()}
    if kind != "driven":
        return arrays
    source = stream_source(kind, settings.judged_coupling, leave, follow)
    return arrays | estimates(settings, source, int(rng.integers(2**62)))


def exact(blocks: Floats) -> dict[str, Floats | float]:
    """The numbers of one law of blocks."""
    shorter = blocks.sum(axis=(-2, -1))
    forward, backward = directed_information(blocks), feedback_information(blocks)
    return {
        "forward": forward - directed_information(shorter),
        "backward": backward - feedback_information(shorter),
        "lagged": conditional_information(blocks, [1], [2], []),
        "transfer": np.array([transfer_entropy(blocks, 1, forward=way == "forward") for way in DIRECTIONS]),
        "law": abs(forward + backward - block_information(blocks)),
    }


def estimates(settings: "Streams", source: Source, seed: int) -> dict[str, Floats]:
    """Means over texts of every length, each text by itself; the first tokens of a text are those of a shorter one."""
    tokens = source.sample(settings.n_texts, settings.lengths[-1], seed=seed).astype(np.int64)
    x, y = np.divmod(tokens, SIZES[1])
    values = np.zeros((len(settings.lengths), 2, settings.n_texts, 2))
    for place, length in enumerate(settings.lengths):
        for text in range(settings.n_texts):
            one, other = x[text : text + 1, :length], y[text : text + 1, :length]
            values[place, 0, text] = plug_in_transfer(one, other, SIZES)
            values[place, 1, text] = plug_in_transfer(other, one, SIZES)
    means = values.mean(axis=2)
    return {"raw": means[..., 0], "corrected": means[..., 1]}
