"""Planted worlds: excesses, moments and entropies through the same numbers and judge, with the spread that earlier
replicates had, stack by stack and source by source.

SELU steady, CRReLU ahead   without norms SELU's hidden units keep their moments, its stream grows less than GELU's and
                            its excess is layer norm's, GELU's is four times as large; activations differ by up to a
                            factor e^3, CRReLU has a seventh of GELU's excess and twice its speed, and excess rises with
                            entropy
SELU unsteady, all alike    with SELU moments and streams grow without bound and excess is four times layer norm's, with
                            GELU moments stay and excess is half of layer norm's; activations are alike up to the noise
                            of seeds, and entropies are in an order of their own
SELU worst, linear ahead    the same, but norms help: without them GELU has four times layer norm's excess and SELU
                            eight times; and a linear MLP is two seed noises ahead of the others on every source
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.activations.claims import AHEAD, ALIKE, LINEAR, STUDY, claims
from testbed.studies.activations.config import ARMS, SETTINGS, STACKS
from testbed.studies.activations.data import Data, Floats
from testbed.studies.activations.evidence import evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations

SHARED = {"order1": 0.5, "order2": 0.75, "mess3": 0.5, "counts": 0.15, "in_context": 0.3, "rrxor": 0.3}
"""Spread of GELU's log excess over replicates of a source, as measured; the last two are guesses."""
PAIR = {"order1": 0.3, "order2": 0.65, "mess3": 0.4, "counts": 0.12, "in_context": 0.3, "rrxor": 0.3}
"""Spread of the log ratio of two activations' excesses there, likewise."""
DEEP = 0.8
"""Spread of a stack's log excess, as measured with layer norm."""
ENTROPY = {"relu": 1.0, "relu2": 1.2, "crrelu": 0.8, "gelu": 1.8, "silu": 2.2, "selu": 2.6, "identity": 3.0}
EFFECT = {"relu": -0.8, "relu2": -0.5, "crrelu": -2.0, "gelu": 0.0, "silu": 0.3, "selu": 0.6, "identity": 1.0}
"""Log excess over GELU's where activations differ, in this order of entropies."""
ORDER = {"relu": 2.0, "relu2": 1.2, "crrelu": 2.4, "gelu": 1.4, "silu": 1.0, "selu": 1.8, "identity": 3.0}
"""Entropies where they say nothing; the linear MLP, where it is ahead, has the most."""
ENTROPY_NOISE = 0.3


def worlds(study: "Activations") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in (AHEAD, ALIKE, LINEAR)]


def expected(study: "Activations", world: str) -> dict[str, Word | None]:
    """The right verdicts; none on the linear MLP where it is like GELU, at the edge of its claim's region, nor on SELU
    where there is nothing to mend."""
    alike = {f"{STUDY}.{name}" for name in ("crrelu_gelu", "all_alike", "crrelu_steps")}
    found: dict[str, Word | None] = {
        one.id: "holds" if (one.id in alike) == (world != AHEAD) else "fails" for one in claims(study)
    }
    if world == ALIKE:
        found |= {f"{STUDY}.{name}": None for name in ("identity", "selu_excess", "selu_gelu")}
    if world == LINEAR:
        found |= {f"{STUDY}.all_alike": "fails", f"{STUDY}.norm_helps": "holds"}
    return found


def _world(study: "Activations", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def planted(study: "Activations", world: str, rng: np.random.Generator, n: int) -> Data:
    """The numbers of one draw of a world."""
    ahead, depths, sources = world == AHEAD, study.depths.depths, study.kinds.sources

    def noise(size: float, *shape: int) -> Floats:
        return np.asarray(np.exp(size * rng.standard_normal(shape)))

    over = {AHEAD: (1.0, 4.0), ALIKE: (4.0, 0.5), LINEAR: (8.0, 4.0)}[world]
    level = {"layer_gelu": 0.02, "none_selu": 0.02 * over[0], "none_gelu": 0.02 * over[1]}
    common = noise(DEEP, n, len(depths))
    deep: dict[str, Floats] = {stack: level[stack] * common * noise(0.3, n, len(depths)) for stack in STACKS}

    def moments(steady: bool) -> list[Floats]:
        """Variance 1 and mean 0, or both growing with every block."""
        found = []
        for depth in depths:
            grown = np.ones(depth) if steady else np.geomspace(2.0, 20.0, depth)
            centre = np.zeros(depth) if steady else np.full(depth, 0.5)
            variance = np.tile(grown, (n, 1)) * noise(0.05, n, depth)
            found.append(np.stack([centre + 0.02 * rng.standard_normal((n, depth)), variance], axis=1))
        return found

    steady, unsteady = moments(True), moments(False)
    units = {"layer_gelu": unsteady, "none_selu": steady if ahead else unsteady,
             "none_gelu": unsteady if ahead else steady}  # fmt: skip

    def streams(times: float) -> list[Floats]:
        return [np.geomspace(1.0, times, depth + 1) * noise(0.3, n, depth + 1) for depth in depths]

    times = {"layer_gelu": 100.0, "none_selu": 3.0 if ahead else 300.0, "none_gelu": 30.0}
    acts: dict[tuple[str, str, str], Floats] = {}
    steps: dict[tuple[str, str, str], Floats] = {}
    entropy: dict[tuple[str, str, str], Floats] = {}
    for x in sources:
        shared = noise(SHARED[x], n)
        for arm in ARMS:
            effect = EFFECT.get(arm, 0.0) if ahead else -2 * PAIR[x] * (arm == "identity" and world == LINEAR)
            for setting in SETTINGS:
                key = (setting, arm, x)
                acts[key] = 0.005 * np.exp(effect) * shared * noise(PAIR[x] / 2**0.5, n)
                steps[key] = (50.0 if ahead and arm == "crrelu" else 100.0) * noise(0.1, n)
                order = (ENTROPY if ahead else ORDER).get(arm, 1.8)
                entropy[key] = order + ENTROPY_NOISE * rng.standard_normal(n)
    return Data(
        deep=deep,
        deep_told=np.full((n, len(depths)), 0.4),
        stream={stack: streams(times[stack]) for stack in STACKS},
        units=units,
        units_start=units,
        units_small=units,
        acts=acts,
        steps=steps,
        entropy=entropy,
        told=dict.fromkeys(sources, np.full(n, 0.3)),
        epsilon=np.full(n, 0.01),
    )
