"""Planted worlds: curves with known optima in place of measured ones, through the same readings and judge.

A curve over the grid is 0.1 + 0.05 |ln l - mu| nats, with noise of 3 % of a replicate and 0.007 nats of each point, so
that its optimum is exp(mu). In `biased` the factors lengthen l* at the smallest D and a masked model's excess rises
with visible context; in `harmless` neither happens, but whole batches, the control's protocol and the control's
models err instead.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.optimal_context_laws.measure import geometric_lengths
from testbed.studies.protocol_bias.claims import BIASED, HARMLESS, STUDY, claims
from testbed.studies.protocol_bias.config import ARMS, ROLES, Arm, Role
from testbed.studies.protocol_bias.data import READINGS, Data, Floats, Point, Reading
from testbed.studies.protocol_bias.evidence import evidence
from testbed.studies.protocol_bias.readings import block_factor

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

ONLY_HARMLESS = frozenset({"visible_unmasked_rises", "visible_only_unmasked"})
"""Claims that hold where nothing is biased, and fail in the other world."""


def worlds(study: "ProtocolBias") -> list[World]:
    """One in which the protocol decides, one in which it does not; every claim holds in one and fails in the other."""
    return [_world(study, name) for name in (BIASED, HARMLESS)]


def _world(study: "ProtocolBias", name: str) -> World:
    named = claims(study)

    def expected(claim: Claim) -> str:
        return "holds" if (claim.id.removeprefix(f"{STUDY}.") in ONLY_HARMLESS) == (name == HARMLESS) else "fails"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == BIASED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: expected(one) for one in named}, draw)  # type: ignore[misc]


def planted(study: "ProtocolBias", biased: bool, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    networks = study.networks
    losses: dict[Point, Floats] = {}
    for role in ROLES:
        for size in networks.sizes_of(role):
            for reading in READINGS:
                at = _place(biased, role, size == networks.sizes[0], reading, len(networks.lengths))
                losses[Point(role, size, reading)] = _curves(np.log(networks.lengths), at, rng, n)
    shown = min(n, len(study.seeds_of_visible))
    visible: dict[tuple[Role, Arm], Floats] = {
        (role, arm): _visible(study, biased, role, arm, rng, shown) for role in ROLES for arm in ARMS
    }
    return Data(tuple(range(n)), losses, _tables(study, biased, rng, n), visible)


def _place(biased: bool, role: Role, smallest: bool, reading: Reading, n_lengths: int) -> int:
    """Number of the length at which a curve has its optimum."""
    last = n_lengths - 1
    if role == "control":
        return 0 if biased else last if reading == "early_stop" else 1
    if not biased:
        return last if reading == "whole_batches" else 1
    if reading == "trained_on_all":
        return 0
    return (0 if smallest else 1) if reading in ("sound", "whole_batches") else last


def _curves(x: Floats, at: int, rng: np.random.Generator, n: int) -> Floats:
    """(n, n_l) curves with their optimum at place `at`."""
    common = np.exp(0.03 * rng.standard_normal((n, 1)))
    return (0.1 + 0.05 * np.abs(x - x[at])) * common + 0.007 * rng.standard_normal((n, len(x)))


def _tables(study: "ProtocolBias", biased: bool, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    tables = study.tables
    lengths = geometric_lengths(tables.longest)
    x, grid = np.log1p(lengths), np.log(tables.lengths)
    order, factor = float(np.log1p(tables.reach)), block_factor(tables.exponent)
    start = np.log(tables.longest) - 5.0 if tables.longest > 5000 else np.log(tables.longest) - 3.5

    def bowls(axis: Floats, centres: Floats) -> Floats:
        """(n, n_D, n_l) parabolas, noise of a tenth of a per cent."""
        curves = 1.0 + 0.1 * (axis - centres[:, None]) ** 2
        return curves * np.exp(1e-3 * rng.standard_normal((n, len(centres), 1)))

    d = np.linspace(0.0, 1.5, len(tables.sizes))
    same = np.zeros(len(tables.sizes))
    middle = np.full(len(tables.sizes), grid[len(grid) // 2])
    return {
        "lengths": np.tile(lengths.astype(np.float64), (n, 1)),
        "power_loss": bowls(x, start + d),
        "power_block": bowls(x, start + d + (factor if biased else 0.0)),
        "order_loss": bowls(x, same + order + (0.0 if biased else 1.5)),
        "order_block": bowls(x, same + order + (1.0 if biased else 0.0)),
        "none_loss": bowls(x, same if biased else same + 2.0),
        "none_block": bowls(x, same),
        "nominal": bowls(grid, middle),
        "whole": bowls(grid, middle if biased else np.full(len(middle), grid[-1])),
    }


def _visible(study: "ProtocolBias", biased: bool, role: Role, arm: Arm, rng: np.random.Generator, n: int) -> Floats:
    """(n, n_vis) excess: least 0.02 nats, steps of four deltas."""
    visible, step = study.visible, 4 * study.bounds.delta
    lengths = np.array(visible.lengths)
    inside = np.interp(np.log(lengths), np.log([lengths[0], visible.train_length]), [0.0, 1.0])
    beyond = (lengths > visible.train_length) * np.linspace(0.0, 1.0, len(lengths))
    rises = (role == "designed" and (arm == "masked") == biased) or (role == "control" and not biased)
    falls = role == "designed" and arm == "unmasked" and biased
    shape = 1.0 * inside * rises + 2.0 * (1.0 - inside) * falls
    if role == "designed":
        shape = shape + 2.0 * beyond * biased
    noise = np.exp(0.05 * rng.standard_normal((n, 1)) + 0.02 * rng.standard_normal((n, len(lengths))))
    return (0.02 + step * shape) * noise
