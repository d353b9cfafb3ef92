"""Planted worlds: losses with known means in place of trained networks, judged as those of the study are.

A member's loss is R(l) + M x(l, D), x the excess of the world and M a factor of its seed (lognormal, 5 %), with noise
of its own (lognormal, 3 %). Number of l counts from 0 to 1 along the grid, that of D from 0 (least) to 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.parity_replication.claims import PREFIX, claims, evidence
from testbed.studies.parity_replication.config import PROTOCOLS, Role
from testbed.studies.parity_replication.grid import ROLES
from testbed.studies.parity_replication.results import Measured, Point, Shown
from testbed.studies.parity_replication.transformer_claims import held
from testbed.studies.parity_replication.transformer_grid import sizes
from testbed.training.mlp_path import RULES

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

Excess = Callable[[float, float], float]
"""Mean excess in nats at a place (length, size) of the grid, both in [0, 1]."""
SEED_SPREAD, MEMBER_SPREAD = 0.05, 0.03
LARGE = 0.6
"""About ln 2: the excess of what is not learnt at all."""


@dataclass(frozen=True)
class Planted:
    """What a world says of the excess: of the designed tasks, of the control's, what the stop adds to both, and that of
    the paper's own network (`shown`: length visible, size 0 for few samples and 1 for endless ones)."""

    designed: Excess
    control: Excess
    stop: Excess
    shown: Excess
    fails: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


def _steep(length: float, size: float) -> float:
    """Large at long contexts, the more so at small sizes; at the largest size less than any step of the risk."""
    return 0.03 * length + LARGE * length * (1 - size) ** 1.6


def _nothing(length: float, size: float) -> float:
    return 0.002


def _shown(length: float, size: float) -> float:
    """With few samples long visible contexts cost more than they tell; with endless ones nothing is missed."""
    return 0.002 + (1 - size) * 2 * LARGE * max(0.0, length - 0.5)


def _plateau(length: float, size: float) -> float:
    """Runs of long contexts end before anything is learnt, at medium sizes."""
    return LARGE if length > 0.5 and 0.0 < size < 1.0 else 0.0


WORLDS: Mapping[str, Planted] = {
    "replicates": Planted(_steep, _steep, _plateau, _shown),
    "no_optimum": Planted(
        _nothing,
        _nothing,
        lambda length, size: 0.0,
        _nothing,
        fails=("interior", "grows", "rises", "irrelevant", "stop_costs", "stop_shortens", "shown_interior"),
    ),
    "no_stopping": Planted(_steep, _steep, lambda length, size: 0.0, _shown, fails=("stop_costs", "stop_shortens")),
    "spurious": Planted(
        _steep,
        lambda length, size: LARGE * (1 - length),
        _plateau,
        _shown,
        fails=("control", "irrelevant"),
    ),
    "far_bits_unused": Planted(
        _steep,
        _steep,
        _plateau,
        lambda length, size: 1.5 * LARGE * length,
        fails=("shown_bayes", "shown_tasks", "shown_longest", "shown_interior"),
        unsaid=("shown_interior",),
    ),
}
"""A world, and of which claims it is the control; of the others it expects that they hold."""


def worlds(study: "ParityReplication") -> list[World]:
    """One world in which every claim holds that can, and for each claim one in which it fails."""
    return [_world(study, name, planted) for name, planted in WORLDS.items()]


def _world(study: "ParityReplication", name: str, planted: Planted) -> World:
    named = claims(study)
    few = len(study.designed.sizes) < 3  # no medium size, hence no stop

    def expected(claim: Claim) -> str | None:
        what = claim.id.removeprefix(PREFIX).removesuffix("_released").removesuffix("_sound")
        if what == "a3":
            return "fails"
        if what in planted.unsaid or (few and what.startswith("stop")):
            return None
        return "fails" if what in planted.fails else "holds"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted_data(study, planted, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {claim.id: expected(claim) for claim in named}, draw)  # type: ignore[misc]


def planted_data(study: "ParityReplication", planted: Planted, rng: np.random.Generator, n: int) -> Measured:
    """The measurements of a study in this world."""
    data = Measured(n)
    for protocol in PROTOCOLS:
        for role in ROLES:
            tasks = study.task_set(role)
            for number, size in enumerate(tasks.sizes):
                point = Point(role, protocol, size)
                place = number / max(len(tasks.sizes) - 1, 1)
                for rule, excess in _excess(planted, role, place, len(tasks.lengths), rng, n).items():
                    data.metrics[point, f"{rule}_excess"] = excess
                    data.metrics[point, f"{rule}_loss"] = np.array(tasks.risks) + excess
    for samples in sizes(study):
        data.shown[samples] = _planted_shown(study, planted.shown, 1.0 if samples is None else 0.0, rng, n)
    return data


def _planted_shown(study: "ParityReplication", law: Excess, size: float, rng: np.random.Generator, n: int) -> Shown:
    """The paper's own network; each task's excess is that of its length."""
    risks, n_tasks = np.array(study.transformer.tasks.risks), held(study).shape[1]
    shape = min(n, study.transformer.n_seeds), len(risks)
    mean = np.array([law(length, size) for length in np.linspace(0.0, 1.0, len(risks))])
    factor = np.exp(SEED_SPREAD * rng.standard_normal((shape[0], 1)) + MEMBER_SPREAD * rng.standard_normal(shape))
    excess = mean * factor
    by_task = np.repeat(excess[:, :, None], n_tasks, axis=2)
    return Shown(risks + excess, excess, by_task, np.zeros((*shape, 2)), np.zeros(shape))


def _excess(
    planted: Planted, role: Role, size: float, n_lengths: int, rng: np.random.Generator, n: int
) -> dict[str, np.ndarray]:
    """(n, n_lengths) excess at each rule; what the stop adds, it adds on top of the same member."""
    law = planted.designed if role == "designed" else planted.control
    places = np.linspace(0.0, 1.0, n_lengths)
    mean = np.array([law(length, size) for length in places])
    stop = np.array([planted.stop(length, size) for length in places])
    factor = np.exp(SEED_SPREAD * rng.standard_normal((n, 1)) + MEMBER_SPREAD * rng.standard_normal((n, n_lengths)))
    added = stop * np.exp(SEED_SPREAD * rng.standard_normal((n, n_lengths)))
    return {rule: mean * factor + (added if rule == "stopped" and role == "designed" else 0.0) for rule in RULES}
