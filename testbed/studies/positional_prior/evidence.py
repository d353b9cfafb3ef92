"""The numbers that the claims are about.

power_*, exponential_*, reach_*   differences of mean excess between two arms, nats: the largest over sources and arms
single_unread                     excess over what context tells, the smallest over arms
slope_exact                       best slope of trained models less that of the exact read-out, the largest either way
slope_tracks                      slope of the regression of the best slope on a, of each replicate
blocks_bound, blocks_ideal        ratios of mean costs, over powers of pi together for the latter
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Exact, Max, Min
from testbed.studies.positional_prior.claims import STUDY
from testbed.studies.positional_prior.config import EXPONENTIAL, FALLING, SINGLE
from testbed.studies.positional_prior.data import Data, Floats

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior


def evidence(study: "PositionalPrior", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    design = study.design
    powers, exponents = design.powers, np.array(design.exponents)

    def less(arm: str, others: tuple[str, ...], sources: tuple[str, ...]) -> Evidence:
        return Max(data.mean(data.inside(arm, s) - data.inside(o, s)) for s in sources for o in others)

    def less_beyond(arm: str, other: str, sources: tuple[str, ...]) -> Evidence:
        return Max(data.mean(data.beyond(arm, s) - data.beyond(other, s)) for s in sources)

    off = [float(data.exact[s].best_brier["harmonic"]) for s in powers] - exponents
    trained = np.stack([data.best_slope(s) for s in powers], axis=1)
    apart = [data.mean(trained[:, i] - data.exact[s].best["harmonic"]) for i, s in enumerate(powers)]
    centred = exponents - exponents.mean()
    single = data.blocks[SINGLE]
    numbers: dict[str, Evidence] = {
        "power_alibi": less("harmonic", ("alibi",), powers),
        "power_rest": less("harmonic", ("nope", "rope"), powers),
        "power_learned": less("kerple_log", ("alibi",), powers),
        "exponential_harmonic": less("alibi", ("harmonic",), (EXPONENTIAL,)),
        "exponential_rest": less("alibi", ("nope", "rope"), (EXPONENTIAL,)),
        "single_rope": less("rope", FALLING, (SINGLE,)),
        "single_unread": Min(data.mean(data.inside(arm, SINGLE) / data.information(SINGLE)) for arm in FALLING),
        "slope_is_a": Exact(float(off[np.abs(off).argmax()])),
        "slope_tail": Exact(float((off - 1)[np.abs(off - 1).argmax()])),
        "slope_exact": Max(part for one in apart for part in (one, -one)),
        "slope_tracks": data.mean(trained @ centred / (centred @ centred)),
        "reach_rope": less_beyond("harmonic", "rope", powers),
        "reach_alibi": less_beyond("harmonic", "alibi", powers),
        "reach_small": Max(data.mean(data.beyond("harmonic", s) / data.information_beyond(s)) for s in powers),
        "reach_exponential": less_beyond("alibi", "harmonic", (EXPONENTIAL,)),
        "blocks_bound": Max(data.mean(one) for s in design.tails for one in ratios(data, s, "bound").T),
        "blocks_ideal": Max(data.mean(whole(data, s)) for s in design.tails),
        "blocks_cheap": Max(data.mean(lost(data, s)) for s in design.tails),
        "single_dear": data.mean(lost(data, SINGLE)),
        "single_bound": Min(data.mean(one) for one in (single["cost"] / single["as_middle"]).T),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def ratios(data: Data, source: str, what: str) -> Floats:
    """(R, n_powers) cost over the bound, or over what the ideal read-out pays."""
    return np.asarray(data.blocks[source]["cost"] / data.blocks[source][what])


def whole(data: Data, source: str) -> Floats:
    """(R,) costs over those of the ideal read-out, summed over powers."""
    blocks = data.blocks[source]
    return np.asarray(blocks["cost"].sum(axis=1) / blocks["ideal"].sum(axis=1))


def lost(data: Data, source: str) -> Floats:
    """(R,) cost at the steepest pi, as a share of what context tells."""
    return np.asarray(data.blocks[source]["cost"][:, -1] / data.information(source))


ABOUT: dict[str, tuple[str, ...]] = {
    "power_alibi": ("harmonic",),
    "power_rest": ("harmonic",),
    "power_learned": ("kerple_log",),
    "slope_exact": ("harmonic",),
    "slope_tracks": ("harmonic",),
    "reach_rope": ("harmonic", "rope"),
    "reach_alibi": ("harmonic", "alibi"),
    "reach_small": ("harmonic",),
}
"""Arms that must have learnt the power laws before a claim on them is decided."""


def unlearnt(study: "PositionalPrior", data: Data) -> dict[str, list[str]]:
    """For every claim, the arms on sources that it rests on and that did not learn them."""
    design, share = study.design, study.bounds.gate
    wanted = {name: [(arm, s) for arm in arms for s in design.powers] for name, arms in ABOUT.items()}
    wanted |= {name: [("alibi", EXPONENTIAL)] for name in ("exponential_harmonic", "exponential_rest")}
    wanted |= {"reach_exponential": [("alibi", EXPONENTIAL), ("harmonic", EXPONENTIAL)]}
    fits = [("alibi" if s == EXPONENTIAL else "harmonic", s) for s in design.tails]
    wanted |= dict.fromkeys(("blocks_bound", "blocks_ideal", "blocks_cheap"), fits)
    wanted |= {name: [("rope", SINGLE)] for name in ("single_rope", "single_dear", "single_bound")}
    return {
        f"{STUDY}.{name}": [f"{arm} on {s}" for arm, s in pairs if not data.learnt(arm, s, share)]
        for name, pairs in wanted.items()
    }
