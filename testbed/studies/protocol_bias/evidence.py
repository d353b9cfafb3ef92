"""The number of each claim (`claims`), from arrays over replicates.

An apparent optimum is a length of the grid, so that all replicates may agree: a mean would then have no spread and
claim certainty. Claims on it are shares of replicates, which are rigorous where all or none are hit.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.judge.proportion import Proportion
from testbed.studies.optimal_context_laws.data import optima
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.data import FACTORS, Data, Floats
from testbed.studies.protocol_bias.readings import apparent, block_factor

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

READ = ("order_loss", "order_block", "none_loss", "none_block")
INSIDE = 0.5
"""Block averages are judged at sizes where their optimum is predicted below this share of the longest context."""


def evidence(study: "ProtocolBias", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    found = _of_networks(study, data) | _of_tables(study, data) | _of_visible_lengths(study, data)
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share(study: "ProtocolBias", values: Floats) -> Evidence:
    """Of replicates in which (R,) values are at least half a doubling; nothing is decided where some are not known."""
    if not np.isfinite(values).all():
        return Proportion(0, 1, "seed")
    return Proportion(int(np.sum(values >= study.bounds.shift)), len(values), "seed")


def either(study: "ProtocolBias", values: Floats) -> Evidence:
    """The larger of the shares of replicates that move up, and that move down."""
    return Max([share(study, values), share(study, -values)])


def _of_networks(study: "ProtocolBias", data: Data) -> dict[str, Evidence]:
    sizes, networks = study.networks.sizes, study.networks
    found: dict[str, Evidence] = {
        factor: either(study, data.shift(study, "designed", sizes[0], factor))
        for factor in ("tied_steps", "early_stop", "together")
    }
    growth = {
        reading: data.optimum(study, "designed", sizes[-1], reading)
        - data.optimum(study, "designed", sizes[0], reading)
        for reading in ("sound", "together")
    }
    average, last = (
        data.shift(study, "designed", sizes[-1], reading) for reading in ("block_average", "trained_on_all")
    )
    on_control = networks.control_sizes
    appears = [data.optimum(study, "control", D, "sound") - np.log(networks.lengths[0]) for D in on_control]
    moved = [data.shift(study, "control", D, factor) for D in on_control for factor in FACTORS]
    return found | {
        "block_average": share(study, average),
        "block_reading": share(study, average - last),
        "block_training": share(study, -last),
        "whole_batches": Max([either(study, data.shift(study, "designed", D, "whole_batches")) for D in sizes]),
        "growth": share(study, growth["sound"]),
        "hidden_growth": share(study, growth["sound"] - growth["together"]),
        "control": Max([share(study, one) for one in appears]),
        "control_factors": Max([share(study, one) for one in moved]),
    }


def block_shift(study: "ProtocolBias", data: Data) -> Floats:
    """(R, n_D) ln l* of block averages less that at full context, of the learner without a network."""
    lengths = data.tables["lengths"][0]
    return optima(data.tables["power_block"], lengths) - optima(data.tables["power_loss"], lengths)


def inside(study: "ProtocolBias", data: Data) -> np.ndarray:
    """(n_D,) whether the block average's optimum is predicted well inside the grid; if nowhere, everywhere."""
    lengths = data.tables["lengths"][0]
    predicted = optima(data.tables["power_loss"], lengths).mean(axis=0) + block_factor(study.tables.exponent)
    kept = predicted <= np.log(INSIDE * lengths[-1])
    return np.asarray(kept if kept.any() else ~kept)


def _of_tables(study: "ProtocolBias", data: Data) -> dict[str, Evidence]:
    tables, lengths = data.tables, np.log1p(data.tables["lengths"][0])
    shift = block_shift(study, data)[:, inside(study, data)]

    def read(name: str) -> Floats:
        """(R, n_D) ln(1 + l*)."""
        return lengths[np.argmin(tables[name], axis=-1)]

    grid = study.tables.lengths
    moved = apparent(tables["whole"], grid, 0.0) - apparent(tables["nominal"], grid, 0.0)
    order = np.log1p(study.tables.reach)
    found = {name: read(name) - (order if name.startswith("order") else 0.0) for name in READ}
    return {
        "tables_block_average": data.mean(shift.mean(axis=1)),
        "tables_whole_batches": Max([either(study, one) for one in moved.T]),
        "tables_order": Max([either(study, one) for one in found["order_loss"].T]),
        "tables_beyond_order": Min([share(study, one) for one in found["order_block"].T]),
        "tables_control": Max([share(study, one) for name in ("none_loss", "none_block") for one in found[name].T]),
    }


def _of_visible_lengths(study: "ProtocolBias", data: Data) -> dict[str, Evidence]:
    delta, at = study.bounds.delta, study.visible.lengths.index(study.visible.train_length)
    masked, unmasked = data.visible["designed", "masked"], data.visible["designed", "unmasked"]

    def rise(excess: Floats) -> Evidence:
        return data.mean(excess[:, at] - excess[:, 0])

    return {
        "visible_masked_rises": rise(masked),
        "visible_unmasked_rises": rise(unmasked),
        "visible_only_unmasked": Min([rise(unmasked) - delta, delta - rise(masked)]),
        "visible_shift": data.mean(unmasked[:, 0] - masked[:, 0]),
        "visible_beyond": Min([data.mean(one[:, -1] - one[:, at]) for one in (masked, unmasked)]),
        "visible_control": rise(data.visible["control", "masked"]),
    }
