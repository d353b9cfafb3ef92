"""Planted worlds: labelled arrays with known means, in place of measured ones, through the same numbers and judge.

Every entry of a replicate is its mean times 1 + 0.1 z + 0.01 z', with z one normal number a replicate and array
(replicates are paired) and z' one an entry: what is zero stays zero. Ranks have no noise.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.mep_extension.claims import DERIVED, OPPOSITE, claims
from testbed.studies.mep_extension.closed import closed_forms
from testbed.studies.mep_extension.config import ClosedForms, CountsArm, CrossingArm, ExactArm
from testbed.studies.mep_extension.data import Data, axes_of, closed_axes, replicates_of
from testbed.studies.mep_extension.evidence import LOW_ORDER, PAIRWISE, WINDOW_WINS, evidence, well_specified
from testbed.studies.mep_extension.laws import Floats
from testbed.studies.mep_extension.schemes import is_short_reach
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

FAILS = {
    "c1_any_source",
    "c2_beats_truncation",
    "c3_three",
    "c5_captures",
    "c8_tables",
    "c8_equations",
    "c12_pairs",
    "c13_split",
    "c13_one_way",
    "c14_equations",
    "c18_misspecified",
    "c19_small_n",
    "counts_back_off_kt",
    "counts_gmep_chains",
}
"""The claims that fail in the world as derived, and hold in its opposite; the others the other way round."""
NOISELESS = ("rank", "sandwich")
Mean = Callable[..., float]


def worlds(study: "MepExtension") -> list[World]:
    """One in which the derivations are right, and one in which each of them is wrong."""
    return [_world(study, name) for name in (DERIVED, OPPOSITE)]


def _world(study: "MepExtension", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "fails" if (one.id.rpartition(".")[2] in FAILS) == (name == DERIVED) else "holds" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study.bounds, planted(study, name == DERIVED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "MepExtension", derived: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    t = study.exact.context_length
    arms: dict[str, dict[str, Table]] = {}
    for arm, settings in study.random_arms.items():
        if isinstance(settings, ExactArm):
            means: dict[str, Mean] = _exact_means(t, derived)
        elif isinstance(settings, CountsArm):
            means = _count_means(settings, derived)
        elif isinstance(settings, CrossingArm):
            means = _crossing_means(derived)
        else:
            means = _group_means(settings.growth_lengths, derived)
        axes = axes_of(settings)
        arms[arm] = {
            name: _sown(axes[name], mean, rng, n_replicates, 0.0 if name in NOISELESS else 1.0)
            for name, mean in means.items()
        }
    return Data(replicates_of(range(n_replicates)), arms, _closed(study.closed_forms, derived), t)


def _sown(axes: Axes, mean: Mean, rng: np.random.Generator, n_replicates: int, noise: float) -> Table:
    shape = tuple(len(labels) for labels in axes.values())
    values = np.empty(shape)
    for index in np.ndindex(*shape):
        values[index] = mean(**{name: axes[name][at] for name, at in zip(axes, index, strict=True)})
    shared = rng.standard_normal((n_replicates, *(1 for _ in shape)))
    own = rng.standard_normal((n_replicates, *shape))
    return Table(axes, values * (1.0 + noise * (0.1 * shared + 0.01 * own)))


def _exact_means(t: int, derived: bool) -> dict[str, Mean]:
    def window_loss(source: str, overlap: int) -> float:
        order = int(source.rpartition("_")[2]) if source.startswith("markov") else (2 if source in LOW_ORDER else t)
        if derived:
            return 0.05 * max(order - overlap, 0)
        return 0.005 if order <= overlap else 0.0

    def loss(source: str, scheme: str, t: int) -> float:
        best = window_loss(source, t_context - 1)
        if scheme.startswith("windows_"):
            return window_loss(source, int(scheme.removeprefix("windows_")))
        if is_short_reach(scheme):
            return best + 0.02 if derived else 0.0
        if scheme == "pairs_all":
            return (0.0 if source in PAIRWISE else 0.05 + 0.05 * (source in WINDOW_WINS)) if derived else 0.0055
        return 0.05

    t_context = t

    def shortened(source: str, scheme: str) -> float:
        return 0.005 if (scheme == "pairs_all") == derived else 0.0

    return {"divergence": loss, "shortened": shortened}


def _group_means(lengths: tuple[int, ...], derived: bool) -> dict[str, Mean]:
    ladder = {"no_third": 0.5, "split_both": 0.4, "split_left": 0.3, "split_right": 0.3, "both_ways": 0.1}

    def triangle(law: str, option: str) -> float:
        return (0.1 if option == "triangle" else 0.2) if derived else 0.1

    def smep(law: str, reading: str) -> float:
        return ladder[reading] if derived else (0.005 if reading == "no_third" else 0.01)

    def one_way(case: str) -> float:
        return 0.1 if (case == "one way, chain") == derived else 0.0

    def growth(order: int, n: int) -> float:
        return 0.01 * (n / lengths[0] if derived else 1.0)

    return {"triangle": triangle, "smep": smep, "one_way": one_way, "growth": growth}


def _count_means(arm: CountsArm, derived: bool) -> dict[str, Mean]:
    derived_loss = {"chain": 0.01, "pairs_all": 0.01, "window_kt": 0.04, "back_off": 0.06, "back_off_dirichlet": 0.06}
    opposite_loss = {"chain": 0.09, "pairs_all": 0.03, "window_kt": 0.12, "back_off": 0.1, "back_off_dirichlet": 0.1}

    def loss(source: str, scheme: str, size: int) -> float:
        if not derived:
            if source == "markov_1" and scheme == "chain":
                return 0.15
            if source in ("logit_2", "potts") and scheme == "pairs_all":
                return 0.2
            return opposite_loss.get(scheme, 0.08)
        if source == "markov_3" and scheme in ("chain", "pairs_all"):
            return 0.2
        return derived_loss.get(scheme, 0.1)

    def rank(source: str, scheme: str) -> float:
        return 20.0

    def sandwich(source: str, scheme: str) -> float:
        return 30.0 if derived and not well_specified(source, scheme) else 20.0

    def estimation(source: str, scheme: str, size: int) -> float:
        return (sandwich(source, scheme) if derived else 30.0) / (2 * size)

    return {"loss": loss, "estimation": estimation, "rank": rank, "sandwich": sandwich}


def _crossing_means(derived: bool) -> dict[str, Mean]:
    at = 300.0 if derived else 900.0

    def difference(size: int) -> float:
        return 0.01 * (1.0 - at / size)

    return {"difference": difference, "predicted": lambda: 300.0, "bias": lambda: 0.01}


def _closed(settings: ClosedForms, derived: bool) -> dict[str, Table]:
    values: dict[str, Floats] = {name: array.copy() for name, array in _computed(settings).items()}
    if not derived:
        values["parity"][:] = 0.1
        values["copies"][:] = 0.1
        values["coverage"][:] = 2.0
        values["blocks"][:] = 1.5
        values["tables"][:] = settings.table_lengths
        values["tables"][-2:] = np.square(settings.table_lengths)
        values["equations"][:] = settings.equation_lengths
    return {name: Table(axes, values[name]) for name, axes in closed_axes(settings).items()}


@lru_cache(maxsize=4)
def _computed(settings: ClosedForms) -> dict[str, Floats]:
    return closed_forms(settings)
