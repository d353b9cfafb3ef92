"""The classes of sources: how each is drawn, its exact R(l), and whether its R(l) is a power law in the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source, build

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Drawn = tuple[dict[str, Any], float]
"""A source's config, and its exponent gamma (nan where it has none)."""
NONE = float("nan")


@dataclass(frozen=True)
class Kind:
    """One class.

    name, label     in records, in figures
    power           R(l) - h ~ l^-gamma as l -> infinity, with gamma known
    draw            (generator, most keys) -> config and gamma
    window          first and last length at which it is judged; None: the study's. Sources of short memory have
                    nothing left at the study's, and the parities are judged where the paper looked
    horizon         length from which h_l = h to 1e-6 nats; None where there is none. Beyond it h_l is not computed
    state           S(l), the entropy of the Bayes state, is known
    stairs          R(l) is flat between the lengths 2^j - 1: it is judged at these
    """

    name: str
    label: str
    power: bool
    draw: Callable[[np.random.Generator, int], Drawn]
    window: tuple[int, int] | None = None
    horizon: int | None = None
    state: bool = False
    stairs: bool = False


def _santa_fe(rng: np.random.Generator, most_keys: int) -> Drawn:
    b = float(rng.uniform(0.3, 0.7))
    n_keys = int(min(2.0 ** (32 * b) / 4, most_keys))  # rarer keys would all have the least weight, 2^-32
    return {"type": "santa_fe", "n_keys": n_keys, "hilberg_exponent": b}, 1.0 - b


def _renewal(rng: np.random.Generator, most_keys: int) -> Drawn:
    t = float(rng.uniform(1.3, 2.5))
    return {"type": "renewal", "max_gap": 2**18, "survival_exponent": t}, t


def _selector(rng: np.random.Generator, most_keys: int) -> Drawn:
    gamma = float(rng.uniform(0.3, 1.2))
    return {"type": "selector_lag", "law": "power", "max_lag": 65534, "exponent": gamma, "noise": 0.05}, gamma


def _coin(rng: np.random.Generator, most_keys: int) -> Drawn:
    a = float(rng.choice([0.5, 1.0, 2.0, 3.0]))
    return {"type": "dirichlet_iid", "vocab_size": 2, "concentration": a}, 1.0


def _staircase(rng: np.random.Generator, most_keys: int) -> Drawn:
    gamma = float(rng.uniform(0.3, 1.0))
    return {"type": "staircase", "h_profile": {"exponent": gamma, "amplitude": 0.6, "n_lags": 16}}, gamma


def _markov(rng: np.random.Generator, most_keys: int) -> Drawn:
    seed, order = int(rng.integers(2**31)), int(rng.integers(3, 7))
    return {"type": "markov", "vocab_size": 2, "order": order, "seed": seed}, NONE


def _even(rng: np.random.Generator, most_keys: int) -> Drawn:
    return {"type": "even", "p": float(rng.uniform(0.2, 0.8))}, NONE


def _exponential(rng: np.random.Generator, most_keys: int) -> Drawn:
    scale = float(np.exp(rng.uniform(np.log(30), np.log(1000))))
    return {"type": "selector_lag", "law": "exponential", "max_lag": 65534, "scale": scale, "noise": 0.05}, NONE


def _of_survival(survival: Floats) -> dict[str, Any]:
    """A selector whose distance exceeds l with these probabilities, l = 0 .. K."""
    return {"type": "selector_lag", "probabilities": -np.diff(survival), "noise": 0.05}


def _stretched(rng: np.random.Generator, most_keys: int) -> Drawn:
    power, scale = float(rng.uniform(0.3, 0.6)), float(np.exp(rng.uniform(np.log(30), np.log(300))))
    survival = np.exp(-((np.arange(32769) / scale) ** power))
    survival[-1] = 0.0
    return _of_survival(survival), NONE


def _logarithm(rng: np.random.Generator, most_keys: int) -> Drawn:
    longest = int(rng.integers(8192, 32768))
    survival = 1.0 - np.log1p(np.arange(longest + 1)) / np.log1p(longest)
    survival[-1] = 0.0
    return _of_survival(survival), NONE


def _linear(rng: np.random.Generator, most_keys: int) -> Drawn:
    return {"type": "selector_lag", "law": "linear", "max_lag": int(rng.integers(1024, 8192)), "noise": 0.05}, NONE


def _step(rng: np.random.Generator, most_keys: int) -> Drawn:
    """Parity-like: nothing is known until the last of K bits is seen, then all of it."""
    lag = int(rng.integers(32, 1024))
    return {"type": "noisy_xor", "taps": (1, lag), "noise": 0.05}, NONE


def _mixing(rng: np.random.Generator, most_keys: int) -> Drawn:
    b, flip = float(rng.uniform(0.3, 0.7)), float(np.exp(rng.uniform(np.log(1e-3), np.log(1e-2))))
    n_keys = int(min(2.0 ** (32 * b) / 4, most_keys / 8))
    return {"type": "santa_fe", "n_keys": n_keys, "hilberg_exponent": b, "bits": "mixing", "flip": flip}, NONE


def _parity(variant: str) -> Callable[[np.random.Generator, int], Drawn]:
    return lambda rng, most_keys: ({"type": "sparse_parity", "variant": variant}, NONE)


SHORT = (1, 64)
KINDS = {
    kind.name: kind
    for kind in (
        Kind("santa_fe", "Santa Fe", True, _santa_fe, state=True),
        Kind("renewal", "renewal", True, _renewal, state=True),
        Kind("selector", "selector, power", True, _selector, state=True),
        Kind("coin", "unknown coin", True, _coin, state=True),
        Kind("staircase", "staircase, power", True, _staircase, stairs=True),
        Kind("markov", "Markov, order 3-6", False, _markov, SHORT, horizon=6, state=True),
        Kind("even", "even process", False, _even, SHORT, horizon=160),
        Kind("exponential", "selector, exponential", False, _exponential),
        Kind("stretched", "selector, stretched", False, _stretched),
        Kind("logarithm", "selector, logarithm", False, _logarithm),
        Kind("linear", "selector, linear", False, _linear),
        Kind("step", "XOR of two lags", False, _step),
        Kind("mixing", "Santa Fe, mixing", False, _mixing),
        Kind("parity_a", "parity A", False, _parity("A"), (20, 100), horizon=522, state=True),
        Kind("parity_b", "parity B", False, _parity("B"), (11, 60), horizon=60, state=True),
    )
}
POWERS = tuple(name for name, kind in KINDS.items() if kind.power)
OTHERS = tuple(name for name, kind in KINDS.items() if not kind.power)
LONG_STATES, SHORT_STATES = ("santa_fe", "coin", "selector"), ("markov", "renewal", "parity_a")
"""Classes whose state grows without end up to the lengths asked for, and those whose state's entropy is bounded."""


def source_of(kind: Kind, number: int, most_keys: int) -> tuple[Source, float]:
    """The source that draw `number` of a class gives, and its exponent."""
    config, gamma = kind.draw(np.random.default_rng([*kind.name.encode(), number]), most_keys)
    return build(config), gamma


def window_of(kind: Kind, start: int, longest: int, points: int) -> Integers:
    """The lengths at which a class is judged."""
    first, last = kind.window or (start, longest)
    if kind.stairs:
        steps = 2 ** np.arange(1, 17, dtype=np.int64) - 1
        return np.asarray(steps[(steps >= first - 1) & (steps <= last)])
    return np.unique(np.rint(np.geomspace(first, last, points)).astype(np.int64))


def exact_risk(kind: Kind, source: Source, lengths: Integers) -> tuple[Floats, float, float, float]:
    """h_l at the lengths, h_0, h, and the width of what is not exact, nats."""
    last = int(lengths.max()) if kind.horizon is None else min(int(lengths.max()), kind.horizon)
    truth, rate = source.conditional_entropies(last), source.entropy_rate()
    width = float(np.max(truth.upper - truth.lower) + (rate.upper - rate.lower))
    h = np.asarray(truth.value)
    return h[np.minimum(lengths, last)], float(h[0]), float(rate.value), width
