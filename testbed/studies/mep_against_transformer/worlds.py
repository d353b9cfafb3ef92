"""Planted worlds: losses of known means in place of measured ones, through the same numbers and judge.

Every entry of a replicate is its mean times 1 + 0.1 z + 0.01 z', z one normal number a replicate and table, z' one an
entry. Exact tables and predictions have no noise.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.mep_against_transformer.claims import ANY_SET, DERIVED, WORSE, claims
from testbed.studies.mep_against_transformer.data import Data, axes_of
from testbed.studies.mep_against_transformer.evidence import evidence
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

FAILS: dict[str, tuple[str, ...]] = {
    DERIVED: ("c10_any", "c10_pairs", "c17_early", "c17_order", "few_crossing"),
    ANY_SET: (
        "c10_cannot",
        "c10_window",
        "c10_skip",
        "c10_back_off",
        "model_window",
        "c17_harmless",
        "c17_safe",
        "few_counts",
    ),
    WORSE: ("c10_any", "c10_ties", "c10_pairs", "c17_early", "c17_order", "few_crossing"),
}
NOISELESS = ("exact", "predicted")
PREDICTED = 300.0
Mean = Callable[..., float]


def worlds(study: "MepAgainstTransformer") -> list[World]:
    """Where the derivations are right; where each is wrong; and where the carried model is worse on every source."""
    return [_world(study, name) for name in FAILS]


def _world(study: "MepAgainstTransformer", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "fails" if one.id.rpartition(".")[2] in FAILS[name] else "holds" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "MepAgainstTransformer", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    axes = axes_of(study)
    tables = {
        name: _sown(axes[name], mean, rng, n_replicates, 0.0 if name in NOISELESS else 1.0)
        for name, mean in _means(study, world).items()
    }
    return Data(tables, np.ones(n_replicates, dtype=np.bool_), study.context_length, {}, {})


def _sown(axes: Axes, mean: Mean, rng: np.random.Generator, n_replicates: int, noise: float) -> Table:
    shape = tuple(len(labels) for labels in axes.values())
    values = np.empty(shape)
    for index in np.ndindex(*shape):
        values[index] = mean(**{name: axes[name][at] for name, at in zip(axes, index, strict=True)})
    shared = rng.standard_normal((n_replicates, *(1 for _ in shape)))
    own = rng.standard_normal((n_replicates, *shape))
    return Table(axes, values * (1.0 + noise * (0.1 * shared + 0.01 * own)))


def _means(study: "MepAgainstTransformer", world: str) -> dict[str, Mean]:
    derived = world != ANY_SET
    cannot = {one.name: 4 * study.bounds.gain for one in study.of_role("window cannot")}
    pairwise = {one.name for one in study.tasks if one.pairwise}
    gain, bounds = study.bounds.gain, study.bounds
    sliding = f"windows_{study.context_length - 1}"

    def reach(task: str) -> float:
        return cannot.get(task, 0.0) if derived else 0.0

    def loss(task: str, scheme: str, t: int) -> float:
        if not derived:
            return 4 * gain if scheme == sliding else 4 * gain - 5 * bounds.own
        behind = 6 * gain if world == WORSE and task not in cannot else 0.1 * gain
        return reach(task) + behind + (0.0 if scheme == sliding else 2 * gain)

    def long(task: str, t: int) -> float:
        return 0.1 * gain if derived else 4 * gain

    def counted(task: str, scheme: str, t: int) -> float:
        if not derived:
            return 4 * gain if scheme == "pairs_all" else 10 * gain
        return 0.1 * gain if scheme != "pairs_all" or task in pairwise else 10 * gain

    def policies(task: str, steps: int, policy: str) -> float:
        early = steps == study.budget.early[0]
        if policy == "autoregressive":
            return 0.0 if derived else 6 * bounds.harmless
        if derived:
            return 5 * bounds.harmless if early else 0.2 * bounds.harmless
        return 5.8 * bounds.harmless if early else 0.0

    def distances(task: str, steps: int, distance: str) -> float:
        return (5 if derived else 0.2) * bounds.order

    def line(factor: float) -> Mean:
        return lambda size: 0.01 * (1.0 - factor * PREDICTED / size)

    off = bounds.crossing**3
    return {
        "own": lambda task, t: 0.1 * bounds.gate,
        "exact": lambda task, t: reach(task),
        "loss": loss,
        "long": long,
        "counted": counted,
        "policies": policies,
        "distances": distances,
        "few": line(off if derived else 1.0),
        "few_counted": line(1.0 if derived else off),
        "predicted": lambda: PREDICTED,
    }
