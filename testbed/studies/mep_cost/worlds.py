"""Planted worlds: counts, seconds and bytes that follow powers of T, through the same numbers and judge.

Every entry of a pass is its mean times 1 + 0.1 z + 0.05 z', z one normal number a pass and table, z' one an entry.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.mep_cost.claims import DERIVED, OPPOSITE, claims
from testbed.studies.mep_cost.data import BY_VOCAB, Data, axes_of, closed_axes
from testbed.studies.mep_cost.evidence import evidence
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_cost.study import MepCost

HOLDS = {
    "c8_window_tables",
    "c8_fixed_lag",
    "c8_band_seconds",
    "c8_band_bytes",
    "c9_training",
    "c9_half_windows",
    "c9_half_crossing",
}
"""The claims that hold in the world as derived, and fail in its opposite; the others the other way round."""
Mean = Callable[..., float]


def worlds(study: "MepCost") -> list[World]:
    """One in which the derivations are right, and one in which each of them is wrong."""
    return [_world(study, name) for name in (DERIVED, OPPOSITE)]


def _world(study: "MepCost", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "holds" if (one.id.rpartition(".")[2] in HOLDS) == (name == DERIVED) else "fails" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == DERIVED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "MepCost", derived: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    axes, forms = axes_of(study), closed_axes(study)
    tables = {name: _sown(axes[name], mean, rng, n_replicates) for name, mean in _means(study, derived).items()}
    closed = {name: Table(forms[name], _laid(forms[name], mean)) for name, mean in _counts(derived).items()}
    return Data(tables, closed)


def _laid(axes: Axes, mean: Mean) -> np.ndarray:
    shape = tuple(len(labels) for labels in axes.values())
    values = np.empty(shape)
    for index in np.ndindex(*shape):
        values[index] = mean(**{name: axes[name][at] for name, at in zip(axes, index, strict=True)})
    return values


def _sown(axes: Axes, mean: Mean, rng: np.random.Generator, n_replicates: int) -> Table:
    values = _laid(axes, mean)
    shared = rng.standard_normal((n_replicates, *(1 for _ in values.shape)))
    own = rng.standard_normal((n_replicates, *values.shape))
    return Table(axes, values * (1.0 + 0.1 * shared + 0.05 * own))


def _means(study: "MepCost", derived: bool) -> dict[str, Mean]:
    steep, flat = (3.0, 1.0) if derived else (0.8, 2.0)
    longest, shared = study.transformers.lengths[-1], study.shared_lengths
    training = 0.01 * study.bounds.steps  # seconds at 2T

    def power(exponent: float) -> Mean:
        return lambda T: T**exponent

    def by_v(V: int) -> float:
        return float(V) ** steep

    def dense(T: int) -> float:
        # more than what training at T saves at the longest T, or less everywhere
        return training * (0.5 if derived else 0.01) * (T / shared[-1]) ** (3.0 if derived else -0.5)

    def step(T: int, model: str) -> float:
        saved = 1.2 if derived or longest > T else 0.9
        return 0.01 if model == "2T" else 0.01 / saved

    def decode(T: int, way: str) -> float:
        dear = 0.5 * training / (study.bounds.decoded * longest)
        cheap = (way == "half") == derived
        return dear * (1.0 if way == "cached" else 0.5 if cheap else 1.0 + T)

    means: dict[str, Mean] = {"dense": dense, "step": step, "decode": decode}
    for name, exponent in (
        ("windows", steep),
        ("band", flat),
        ("dense_bytes", steep),
        ("windows_bytes", steep),
        ("band_bytes", flat),
    ):
        means[name] = power(exponent)
    return means | {f"{kind}_by_v{suffix}": by_v for kind in BY_VOCAB for suffix in ("", "_bytes")}


def _counts(derived: bool) -> dict[str, Mean]:
    steep = 2.0 if derived else 1.0

    def pairs(family: str, V: int, T: int, number: str) -> float:
        if family == "pairs_lag_2":
            return float(T) ** (1.0 if derived else 2.0)
        return float(T) ** steep * float(V) ** steep

    def windows(family: str, V: int, T: int, number: str) -> float:
        return float(T) ** (1.0 if derived == (number == "tables") else 2.0) * float(V) ** steep

    def operations(shape: object, quantity: str) -> float:
        return 0.3 if derived else 0.6

    return {"pairs": pairs, "windows": windows, "operations": operations}
