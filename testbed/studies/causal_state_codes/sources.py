"""The sources: unifilar machines whose causal states are known, Mess3 with its fractal, a product and its control."""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source
from testbed.sources.combinators.product import ProductSource
from testbed.sources.hidden.even import EvenProcess
from testbed.sources.hidden.golden_mean import GoldenMean
from testbed.sources.hidden.hidden_markov import HiddenMarkovSource
from testbed.sources.hidden.mess3 import Mess3
from testbed.sources.hidden.rrxor import RRXOR
from testbed.sources.hidden.zero_one_random import ZeroOneRandom
from testbed.sources.machine import MachineSource

Floats = NDArray[np.float64]

Arm = Literal["golden_mean", "even", "triple", "zero_one_random", "rrxor", "mess3", "product", "coupled"]
UNIFILAR: tuple[Arm, ...] = ("golden_mean", "even", "triple", "zero_one_random", "rrxor")
TITLES: dict[Arm, str] = {
    "golden_mean": "golden mean",
    "even": "even process",
    "triple": "blocks of three",
    "zero_one_random": "0, 1, random",
    "rrxor": "RRXOR",
    "mess3": "Mess3",
    "product": "product",
    "coupled": "coupled",
}
RARE = 0.3
"""P(a block of 1s begins) of `triple`."""
PULLS = (0.1, 0.5, 0.9)
"""P(1) of the free second token of `coupled`, by the first machine's state."""
SURE = 1e-9
"""A belief is sure of its state if nothing else has more than this."""


@cache
def source_of(arm: Arm) -> Source:
    """The source of an arm."""
    made: dict[Arm, Source] = {
        "golden_mean": GoldenMean(p=0.5),
        "even": EvenProcess(p=0.5),
        "triple": triple(RARE),
        "zero_one_random": ZeroOneRandom(),
        "rrxor": RRXOR(),
        "mess3": Mess3(),
        "product": ProductSource(Mess3(), GoldenMean(p=0.5)),
        "coupled": coupled(PULLS),
    }
    return made[arm]


def triple(p: float) -> HiddenMarkovSource:
    """1s come in blocks of a length that three divides; at each place between blocks one begins with probability p.

        0 1 1 1 0 0 1 1 1 1 1 1 ...     (three causal states, two tokens; inside a block the next token is sure)

    The stationary law is (1, p, p) / (1 + 2 p): C_mu is well below log S for rare blocks. Two of the states have one
    law of the next token.
    """
    transitions = np.zeros((2, 3, 3))
    transitions[0, 0, 0] = 1.0 - p
    transitions[1, 0, 1] = p
    transitions[1, 1, 2] = transitions[1, 2, 0] = 1.0
    return HiddenMarkovSource(transitions)


def coupled(pulls: tuple[float, ...]) -> HiddenMarkovSource:
    """No product, on the product's tokens: after a 0 the second token is 1 with a probability that the state of the
    first machine, Mess3, sets; after a 1 it is 0. States are (first, second), the second's is its last token."""
    first = Mess3().transitions
    v, s, _ = first.shape
    transitions = np.zeros((2 * v, 2 * s, 2 * s))
    for state, pull in enumerate(pulls):
        for last, ones in ((0, pull), (1, 0.0)):
            for token, weight in ((0, 1.0 - ones), (1, ones)):
                moved = first[:, state, :] * weight  # (V, S)
                transitions[token::2, 2 * state + last, token::2] += moved
    return HiddenMarkovSource(transitions)


def beliefs_of(arm: Arm, tokens: NDArray[np.integer]) -> Floats:
    """(N, L + 1, S) exact law of the hidden state behind 0 .. L tokens."""
    source = source_of(arm)
    assert isinstance(source, MachineSource)
    return source.beliefs(tokens)


def factor_beliefs(arm: Arm, tokens: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """(N, L + 1, 3) and (N, L + 1, 2): exact laws of the two machines' states; of `coupled` the marginals."""
    source = source_of(arm)
    if isinstance(source, ProductSource):
        first, second = zip(source.components, source.decode(tokens), strict=True)
        return first[0].beliefs(first[1]), second[0].beliefs(second[1])  # type: ignore[attr-defined]
    both = beliefs_of(arm, tokens).reshape(*tokens.shape[:1], tokens.shape[1] + 1, 3, 2)
    return both.sum(axis=3), both.sum(axis=2)


def sure_states(beliefs: Floats) -> NDArray[np.int64]:
    """(...) the state that a belief is sure of, -1 where it is not."""
    return np.where(beliefs.max(axis=-1) > 1.0 - SURE, beliefs.argmax(axis=-1), -1)


def n_states(arm: Arm) -> int:
    """S of a machine."""
    source = source_of(arm)
    assert isinstance(source, MachineSource)
    return source.n_states


def complexity(arm: Arm) -> float:
    """C_mu of a unifilar arm, nats."""
    source = source_of(arm)
    assert isinstance(source, MachineSource)
    return float(source.statistical_complexity().value)


def token_classes(arm: Arm) -> NDArray[np.int64]:
    """(n, 2) all pairs of a state and a token that can have led into it, of a unifilar arm."""
    source = source_of(arm)
    assert isinstance(source, MachineSource)
    tokens, states = np.nonzero(source.transitions.sum(axis=1))
    return np.stack([states, tokens], axis=1)


def law_classes(arm: Arm) -> NDArray[np.int64]:
    """(S,) number of each state's next-token law among the different ones."""
    source = source_of(arm)
    assert isinstance(source, MachineSource)
    _, classes = np.unique(np.round(source.edges.emissions(source.vocab_size), 9), axis=0, return_inverse=True)
    return np.asarray(classes.reshape(-1), dtype=np.int64)
