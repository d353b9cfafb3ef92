"""The classes of sources, how each is drawn, and the exact law of a window and its next token.

common      a window's contexts are all met soon: a table's excess is V^l (V - 1) / 2D once D is large
linear      a chain of order 1, on which the regression on lags can be right
rare        their frequencies span orders of magnitude, and a learner meets new ones at every size; here h_l - h, what
            lies beyond the window, is large too
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source, build

Floats = NDArray[np.float64]
Role = Literal["linear", "common", "rare"]


@dataclass(frozen=True)
class Kind:
    """One class.

    name, label     in records, in figures
    window          l, tokens of context that a learner sees
    role            how frequent its contexts are
    draw            generator -> config
    mixing          h_l - h falls exponentially (True) or as a power (False) in l; None: not looked at for two sizes
    """

    name: str
    label: str
    window: int
    role: Role
    draw: Callable[[np.random.Generator], dict[str, Any]]
    mixing: bool | None = None


def _markov(vocab_size: int, order: int) -> Callable[[np.random.Generator], dict[str, Any]]:
    return lambda rng: {
        "type": "markov",
        "vocab_size": vocab_size,
        "order": order,
        "seed": int(rng.integers(2**31)),
    }


def _mess3(rng: np.random.Generator) -> dict[str, Any]:
    return {"type": "mess3", "x": float(rng.uniform(0.03, 0.1)), "a": float(rng.uniform(0.75, 0.9))}


def _noisy_chain(rng: np.random.Generator) -> dict[str, Any]:
    """Two states that change seldom, read through a noisy channel: transitions[x, s, s'] = p(s' | s) p(x | s')."""
    change, error = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.25)
    move = np.array([[1 - change, change], [change, 1 - change]])
    read = np.array([[1 - error, error], [error, 1 - error]])
    return {"type": "hidden_markov", "transitions": (move[None] * read[:, None, :]).tolist()}


def _coin(rng: np.random.Generator) -> dict[str, Any]:
    return {"type": "dirichlet_iid", "vocab_size": 2, "concentration": float(rng.choice([0.5, 1.0, 2.0]))}


def _renewal(rng: np.random.Generator) -> dict[str, Any]:
    return {"type": "renewal", "max_gap": 1024, "survival_exponent": float(rng.uniform(1.3, 2.5))}


def _santa_fe(rng: np.random.Generator) -> dict[str, Any]:
    return {"type": "santa_fe", "n_keys": 6, "hilberg_exponent": float(rng.uniform(0.3, 0.7))}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("markov1", "Markov, V = 3, order 1", 3, "linear", _markov(3, 1)),
        Kind("markov2", "Markov, V = 2, order 3", 6, "common", _markov(2, 3)),
        Kind("markov3", "Markov, V = 3, order 2", 3, "common", _markov(3, 2)),
        Kind("mess3", "Mess3", 4, "common", _mess3, mixing=True),
        Kind("noisy_chain", "noisy chain", 7, "common", _noisy_chain, mixing=True),
        Kind("coin", "unknown coin", 7, "rare", _coin, mixing=False),
        Kind("renewal", "renewal", 8, "rare", _renewal, mixing=False),
        Kind("santa_fe", "Santa Fe", 2, "rare", _santa_fe),
    )
}


COMMON = tuple(name for name, kind in KINDS.items() if kind.role == "common")
RARE = tuple(name for name, kind in KINDS.items() if kind.role == "rare")
MIXING = tuple(name for name, kind in KINDS.items() if kind.mixing)
MEMORY = tuple(name for name, kind in KINDS.items() if kind.mixing is False)
CHAINS = ("markov2", "markov3")
"""On which the regression is wrong, and which are tempered for another test stream."""
LINEAR = "markov1"
TRAINED = (*COMMON,)
"""On which transformers are trained."""


def source_of(kind: Kind, number: int) -> Source:
    """The source that draw `number` of a class gives."""
    return build(kind.draw(np.random.default_rng([*kind.name.encode(), number])))


def window_law(source: Source, length: int) -> Floats:
    """(V^l, V): exact probability of each window of l tokens, oldest first as a number in base V, and its next."""
    v = source.vocab_size
    words = np.stack(np.unravel_index(np.arange(v ** (length + 1)), (v,) * (length + 1)), axis=1)
    with np.errstate(invalid="ignore"):
        logs = np.asarray(source.log_probs(words.astype(np.uint8)), dtype=np.float64).sum(axis=1)
    law = np.where(np.isnan(logs), 0.0, np.exp(logs))  # past what cannot occur nothing is defined
    return np.asarray(law.reshape(-1, v))
