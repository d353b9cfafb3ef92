"""Planted worlds: excesses through the same numbers and judge, with the spread that earlier replicates had.

as claimed   batch norm's gap grows with the stay in `burst` alone, from .5e-3 to 20e-3 nats; of 16 sequences that share
             statistics in place of 4, a sixth of it is left; PowerNorm leaves 3 % of it, with and without scaling
otherwise    the gap is the same for all stays in `burst` and grows in `flat`; how many sequences share statistics does
             not count; PowerNorm leaves nine tenths of the gap
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.normalisers.claims import CLAIMED, OTHER, claims
from testbed.studies.normalisers.config import FAMILIES
from testbed.studies.normalisers.data import BATCH, Data, Floats
from testbed.studies.normalisers.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

SHARED = 0.55
"""Spread of layer norm's log excess over replicates, as measured."""
BASE = {"burst": (1.7e-3, 19e-3), "flat": (2.6e-3, 27e-3)}
"""Layer norm's excess at the shortest and the longest stay."""
GAP_NOISE = {"burst": (0.3e-3, 7e-3), "flat": (0.4e-3, 8e-3)}
"""Spread of batch norm's gap there, as measured."""
POWER_NOISE = 3e-3
"""Spread of PowerNorm's gap at the longest stay, as measured."""


def worlds(study: "Normalisers") -> list[World]:
    """In each of two worlds, which claims hold is known."""
    return [_world(study, name) for name in (CLAIMED, OTHER)]


def expected(study: "Normalisers", world: str) -> dict[str, Word | None]:
    """The right verdicts."""
    return {one.id: "holds" if world == CLAIMED else "fails" for one in claims(study)}


def _world(study: "Normalisers", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def planted(study: "Normalisers", world: str, rng: np.random.Generator, n: int) -> Data:
    """The numbers of one draw of a world."""
    claimed, stays = world == CLAIMED, study.bursts.stays
    place = np.log2(np.array(stays))
    place = (place - place[0]) / (place[-1] - place[0])

    def along(ends: tuple[float, float]) -> Floats:
        return np.asarray(np.exp(np.log(ends[0]) + place * np.log(ends[1] / ends[0])))

    def noise(size: float, *shape: int) -> Floats:
        return np.asarray(size * rng.standard_normal(shape))

    norms: dict[tuple[str, str], Floats] = {}
    for family in FAMILIES:
        layer = along(BASE[family]) * np.exp(noise(SHARED, n, 1))
        grows = claimed == (family == "burst")
        if grows:
            mean = np.asarray(0.5e-3 + 19.5e-3 * place)
        else:
            mean = np.full(len(stays), 0.5e-3 if claimed else 12e-3)
        spread = along(GAP_NOISE[family])
        gap = np.maximum(mean + spread * rng.standard_normal((n, len(stays))), 0.1 * mean)
        norms[family, "layer"], norms[family, "batch"] = layer, layer + gap
        if family == "burst":
            last = layer[:, -1:]
            left = (0.03 if claimed else 0.9) * gap[:, -1:]
            norms[family, "rms"] = last + noise(POWER_NOISE / 2, n, 1)
            norms[family, "batch_scaled"] = norms[family, "rms"] + gap[:, -1:]
            norms[family, "power_bare"] = last + left + noise(POWER_NOISE, n, 1)
            norms[family, "power"] = norms[family, "rms"] + left + noise(POWER_NOISE, n, 1)
            for other in study.others:
                norms[family, other] = last + noise(POWER_NOISE, n, 1)
    part_layer = 4e-3 * np.exp(noise(SHARED, n))
    scale = np.array([1.0 if not claimed else (study.parts.sizes[0] / one) ** 1.3 for one in study.parts.sizes])
    part_gap = scale * 15e-3 * np.exp(noise(SHARED, n, 1)) * np.exp(noise(0.2, n, len(scale)))
    told = np.full((n, len(stays)), 0.3)
    return Data(
        norms=norms,
        told=dict.fromkeys(FAMILIES, told),
        bayes=dict.fromkeys(FAMILIES, np.full((n, len(stays)), 1.1)),
        fluctuation={
            "burst": np.tile(0.07 + 0.1 * place, (n, 1)), "flat": np.tile(0.07 + 0.01 * place, (n, 1)),
        },
        leak={key: noise(2e-3, *value.shape) for key, value in norms.items() if key[1] in BATCH},
        part_layer=part_layer,
        part_batch=part_layer[:, None] + part_gap,
        part_told=np.full(n, 0.3),
        part_leak=noise(2e-3, n, len(scale)),
        part_fluctuation=np.tile(0.17 * np.sqrt(4 / np.array(study.parts.sizes)), (n, 1)),
    )  # fmt: skip
