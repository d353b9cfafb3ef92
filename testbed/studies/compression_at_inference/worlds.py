"""Planted worlds: divergences, losses and adapters of known kind in the place of measured ones.

as said              KL follows c (2^b - 1)^-2 on chains, and on copies until a margin is exceeded; KVQuant's choices
                     cost least; criteria and adapters are as good or bad as claimed
the other way round  KL falls as (2^b - 1)^-1 on all, and is broken where no margin is exceeded; every choice costs
                     more, criteria and adapters are the reverse
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.compression_at_inference.adapting import FAMILIES, Paths
from testbed.studies.compression_at_inference.claims import claims, evidence
from testbed.studies.compression_at_inference.config import CACHED, DROPPED, KEYS, SCHEMES, TURNING, Trained
from testbed.studies.compression_at_inference.data import Data, Floats
from testbed.studies.compression_at_inference.dropping import CRITERIA
from testbed.studies.compression_at_inference.statements import REVERSED, SAID
from testbed.studies.judge import Claim, Evidence, World

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

NOISE = 0.2
"""Of the logarithms of planted numbers."""
COST = {"token before": 3.0, "token after": 3.0, "uneven": 1 / 3, "values by channel": 3.0}
"""Factors on KL beside keys by channel before positions enter, and values by token, as said."""
AFTER = 2.0
FEW_BITS = 3
"""Bits up to which margins are exceeded on copies."""
REGRETS = {
    SAID: {
        "fillers": {"surprisal": 0.05, "classifier": 0.05, "leave_out": 0.02},
        "noise": {"surprisal": 2.0, "classifier": 0.05, "leave_out": 0.02},
        "alone": {"surprisal": 1.0, "classifier": 0.05, "leave_out": 0.02},
        "twice": {"surprisal": 0.01, "classifier": 0.05, "leave_out": 1.0},
    },
    REVERSED: {
        "fillers": {"surprisal": 0.8, "classifier": 0.8, "leave_out": 0.5},
        "noise": {"surprisal": 0.2, "classifier": 0.8, "leave_out": 0.5},
        "alone": {"surprisal": 0.5, "classifier": 0.8, "leave_out": 0.5},
        "twice": {"surprisal": 1.2, "classifier": 0.5, "leave_out": 0.4},
    },
}


def worlds(study: "CompressionAtInference") -> list[World]:
    """In one every claim holds, in the other none."""
    return [_world(study, SAID), _world(study, REVERSED)]


def _world(study: "CompressionAtInference", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {claim.id: "holds" if name == SAID else "fails" for claim in named}, draw)


def planted(study: "CompressionAtInference", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The numbers of one draw of a world."""
    n = study.dropping.context_length
    drops = {arm: _curves(REGRETS[world][arm], n, rng, n_replicates) for arm in DROPPED}
    drops["fillers"]["dial"] = np.ones((n_replicates, len(study.dropping.dial)))
    return Data(
        seeds=tuple(range(n_replicates)),
        bits=np.array(study.cache.bits),
        caches={arm: _cache(study, arm, world, rng, n_replicates) for arm in CACHED},
        nulls={arm: _null(study, n_replicates) for arm in CACHED},
        drops=drops,
        paths=tuple(_paths(world, rng) for _ in range(n_replicates)),
        nets={"excess": np.zeros((n_replicates, 2)), "uniform": np.ones(n_replicates)},
        tokens=(0.7, 0.9),
    )


def _null(study: "CompressionAtInference", n_replicates: int) -> dict[str, Floats]:
    """An untrained model, to which all roundings are alike."""
    bits = np.array(study.cache.bits)
    moved = np.broadcast_to(1e-4 * (2.0**bits - 1) ** -2, (n_replicates, len(SCHEMES), len(bits)))
    return {"divergence": moved, "noise": moved[:, : len(KEYS)]}


def _cache(
    study: "CompressionAtInference", arm: Trained, world: str, rng: np.random.Generator, n_replicates: int
) -> dict[str, Floats]:
    bits = np.array(study.cache.bits)
    shape = (n_replicates, len(SCHEMES), len(bits))
    said, after = world == SAID, [name.endswith("after") for name in SCHEMES]
    cost = np.array([COST.get(name, 1.0) for name in SCHEMES])
    turned = np.where([name == "channel after" for name in SCHEMES], AFTER, 1.0)
    if arm in TURNING:
        cost = cost * turned
    elif not said:
        cost = cost / turned**2
    cost = cost if said else 1 / cost
    moved = 1e-2 * cost[:, None] * (2.0**bits - 1) ** (-2.0 if said else -1.0)
    beyond = np.zeros(shape)
    if arm.startswith("copy"):
        beyond[..., (bits <= FEW_BITS) == said] = 0.01
        if said:
            moved = moved * np.where(bits <= FEW_BITS, 1e4, 1.0)
    elif not said:
        moved = moved**0.25
    spread = np.exp(NOISE * rng.standard_normal(shape))
    if said and arm not in TURNING:  # one operation: its numbers are the same
        names = tuple(SCHEMES)
        for by in ("channel", "token"):
            spread[:, names.index(f"{by} after")] = spread[:, names.index(f"{by} before")]
    by_channel = np.array([name.startswith("channel") for name in SCHEMES])
    noise = np.where(after & (by_channel if said else ~by_channel), 5.0, 1.0)[:, None] * spread
    return {
        "divergence": moved * spread,
        "added": moved * spread,
        "response": (1.0 if said else 2.0) * spread**0.01,
        "noise": noise[:, : len(KEYS)],
        "exceeded": beyond[:, : len(KEYS)],
        "excess": np.zeros(n_replicates),
        "uniform": np.ones(n_replicates),
        "decisive": np.ones(n_replicates),
    }


def _curves(regrets: dict[str, float], n: int, rng: np.random.Generator, n_replicates: int) -> dict[str, Floats]:
    """Losses that rise evenly with what is dropped, those of a criterion by its regret."""
    chance = np.linspace(0, 1, n + 1) * rng.uniform(0.2, 0.4, (n_replicates, 1))
    best = 0.1 * chance
    found = {"best": best, "chance": chance}
    for name in CRITERIA[:-2]:
        noise = 1e-3 * rng.standard_normal((n_replicates, 1))
        found[name] = best + (regrets.get(name, 0.1) + noise) * (chance - best)
    return found


def _paths(world: str, rng: np.random.Generator) -> Paths:
    """Families between an affine map and a rotation: bent outwards, straight, or inwards."""
    along = np.linspace(0, 1, 9)
    bend = {SAID: (0.4, 0.0, 0.0), REVERSED: (-0.4, 0.4, 0.4)}[world]
    best, worst = (0.99, 0.8) if world == SAID else (0.8, 0.799)
    carried = np.array([best + (worst - best) * along for _ in FAMILIES]) + 1e-4 * rng.standard_normal((3, 1))
    own = np.array([0.5 + 0.45 * along + one * along * (1 - along) for one in bend])
    own += 1e-3 * rng.standard_normal((3, 1))
    return Paths(carried, own, np.zeros_like(own), np.array([best, worst]), np.array([0.5, 0.95]))
