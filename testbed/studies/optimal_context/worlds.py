"""Planted worlds: an exact law plus a known perturbation in place of each trained model.

    q(x | c) ~ p(x | c) exp(sigma eps(c, x)),   eps standard normal,   KL(p || q) = sigma^2 / 2 Var_p(eps) + O(sigma^3)

so that with sigma^2 = 2 e / (1 - sum_x p^2) the mean excess is about e, and its spread over replicates is that of a
chi-square law with V^l (V - 1) degrees of freedom, like the excess of a table learner; it is independent over l and D,
so that the power found here is that of a study of such learners, not of one of networks. The losses then go through
the same rankings, evidence and judge as those of a study.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.sources import ContextLaw
from testbed.studies.judge import Claim, Evidence, Ranking, Replicates, World
from testbed.studies.optimal_context.claims import claims, evidence
from testbed.studies.optimal_context.config import Arm

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

ExcessLaw = Callable[[int, int], float]
"""Mean excess in nats at (context length, dataset size)."""

LARGEST_EXCESS = 0.5


def worlds(study: "OptimalContext") -> list[World]:
    """One world in which every claim holds, and for each claim one in which it fails."""
    designed = next(arm for arm in study.arms if arm.role == "designed")
    control = next(arm for arm in study.arms if arm.role == "control")
    names = [claim.id.rpartition(".")[2] for claim in claims(study.delta)]

    def table(length: int, size: int, arm: Arm = designed) -> float:
        vocab_size = arm.source.vocab_size
        return min(vocab_size**length * (vocab_size - 1) / (2 * size), LARGEST_EXCESS)

    def negligible(length: int, size: int) -> float:
        return table(0, designed.sizes[-1])

    def reversed_sizes(length: int, size: int) -> float:
        return table(length, designed.sizes[0] * designed.sizes[-1] // size)

    def capped(length: int, size: int) -> float:
        return table(length, size) + (LARGEST_EXCESS if length >= designed.order else 0.0)

    def on_control(length: int, size: int) -> float:
        return table(length, size, control)

    def handicapped(length: int, size: int) -> float:
        return on_control(length, size) + (LARGEST_EXCESS if length == 0 else 0.0)

    holds: dict[str, str | None] = dict.fromkeys(names, "holds")
    return [
        _world(study, "table learner", designed, control, table, on_control, holds),
        _world(
            study,
            "no_optimum",
            designed,
            control,
            negligible,
            on_control,
            holds | {"interior": "fails", "grows": "fails"},
        ),
        _world(
            study,
            "reversed",
            designed,
            control,
            reversed_sizes,
            on_control,
            holds | {"grows": "fails", "no_fall": "fails", "reaches_k": "fails"},
        ),
        _world(study, "capped", designed, control, capped, on_control, holds | {"reaches_k": "fails"}),
        _world(study, "spurious", designed, control, table, handicapped, holds | {"control": "fails"}),
    ]


def _world(
    study: "OptimalContext",
    name: str,
    designed: Arm,
    control: Arm,
    excess: ExcessLaw,
    control_excess: ExcessLaw,
    expected: Mapping[str, str | None],
) -> World:
    named = claims(study.delta, study.decided_at)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        n_control = round(n_replicates * len(study.kernels_of(control)) / len(study.kernels_of(designed)))  # as planned
        numbers = evidence(
            study.delta,
            designed.order,
            planted_rankings(designed, excess, rng, n_replicates),
            planted_rankings(control, control_excess, rng, n_control),
        )
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {claim.id: expected[claim.id.rpartition(".")[2]] for claim in named}, draw)  # type: ignore[misc]


def planted_rankings(arm: Arm, excess: ExcessLaw, rng: np.random.Generator, n_replicates: int) -> list[Ranking]:
    """Losses of perturbed exact laws on the arm's own kernels, one ranking for each dataset size."""
    replicates = Replicates.grid({"kernel": n_replicates}, seed=int(rng.integers(2**31)))
    loss = np.empty((len(arm.sizes), n_replicates, len(arm.lengths)))
    for kernel in range(n_replicates):
        risk, laws = exact_laws(arm, kernel)
        for length, law in zip(arm.lengths, laws, strict=True):
            for at, size in enumerate(arm.sizes):
                mean = excess(length, size)
                loss[at, kernel, length] = risk[length] + perturbed_excess(law.probabilities, law.laws, mean, rng)
    return [Ranking(one, replicates) for one in loss]


@lru_cache(maxsize=256)
def exact_laws(arm: Arm, kernel: int) -> tuple[np.ndarray, list[ContextLaw]]:
    """h_l and the exact laws of every context, for each length of the arm's grid."""
    source = arm.kernel(kernel)
    risk = np.asarray(source.conditional_entropies(arm.max_context).value)
    return risk, [source.context_law(length) for length in arm.lengths]


def perturbed_excess(probabilities: np.ndarray, laws: np.ndarray, mean: float, rng: np.random.Generator) -> float:
    """Exact excess of the perturbed law, in expectation about `mean` nats."""
    sigma = np.sqrt(2 * mean / (1 - np.sum(laws**2, axis=1, keepdims=True)))
    tilt = sigma * rng.standard_normal(laws.shape)
    log_normaliser = np.log(np.sum(laws * np.exp(tilt), axis=1))
    return float(probabilities @ (log_normaliser - np.sum(laws * tilt, axis=1)))
