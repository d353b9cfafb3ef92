"""The numbers that the claims are about.

power_*, exponential_*, reach_*   differences of mean excess between two arms, nats: the largest over sources and arms
single_exact                      excess less that of the exact read-out at the same slope, each over what context
                                  tells, of ALiBi or the harmonic bias, the largest either way
slope_exact                       best slope of trained models less that of the exact read-out, the largest either way
slope_tracks                      slope of the regression of the best slope on a, of each replicate
blocks_ideal, single_bound        ratios of costs summed over powers of pi, of each replicate
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Exact, Max
from testbed.studies.positional_prior.claims import STUDY
from testbed.studies.positional_prior.config import EXPONENTIAL, FALLING, SINGLE, WEAKEST
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

    off = np.array([data.exact[s].best_brier for s in powers]) - exponents
    trained = np.stack([data.best_slope(s) for s in powers], axis=1)
    apart = [data.mean(trained[:, i] - data.exact[s].best) for i, s in enumerate(powers)]
    centred = exponents - exponents.mean()
    unread = [
        data.mean(data.inside(arm, SINGLE) / data.information(SINGLE) - data.exact[SINGLE].unread[arm])
        for arm in WEAKEST
    ]
    numbers: dict[str, Evidence] = {
        "power_alibi": less("harmonic", ("alibi",), powers),
        "power_rest": less("harmonic", ("nope", "rope"), powers),
        "power_learned": less("kerple_log", ("alibi",), powers),
        "exponential_harmonic": less("alibi", ("harmonic",), (EXPONENTIAL,)),
        "exponential_rest": less("alibi", ("nope", "rope"), (EXPONENTIAL,)),
        "single_rope": less("rope", FALLING, (SINGLE,)),
        "single_exact": Max(part for one in unread for part in (one, -one)),
        "slope_is_a": Exact(float(off[np.abs(off).argmax()])),
        "slope_tail": Exact(float((off - 1)[np.abs(off - 1).argmax()])),
        "slope_exact": Max(part for one in apart for part in (one, -one)),
        "slope_tracks": data.mean(trained @ centred / (centred @ centred)),
        "reach_rope": less_beyond("harmonic", "rope", powers),
        "reach_alibi": less_beyond("harmonic", "alibi", powers),
        "reach_small": Max(data.mean(data.beyond("harmonic", s) / data.information_beyond(s)) for s in powers),
        "reach_exponential": less_beyond("alibi", "harmonic", (EXPONENTIAL,)),
        "blocks_ideal": Max(data.mean(whole(data, s, "ideal")) for s in design.tails),
        "blocks_cheap": Max(data.mean(lost(data, s)) for s in design.tails),
        "single_dear": data.mean(lost(data, SINGLE)),
        "single_bound": data.mean(whole(data, SINGLE, "as_middle")),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def whole(data: Data, source: str, what: str) -> Floats:
    """(R,) costs over the bound, or over what the ideal read-out pays, both summed over powers; nan where that is 0."""
    blocks = data.blocks[source]
    below = blocks[what].sum(axis=1)
    return np.asarray(blocks["cost"].sum(axis=1) / np.where(below > 0, below, np.nan))


def lost(data: Data, source: str) -> Floats:
    """(R,) cost at the steepest pi, as a share of what context tells."""
    return np.asarray(data.blocks[source]["cost"][:, -1] / data.information(source))


ABOUT: dict[str, tuple[str, ...]] = {
    "power_alibi": ("harmonic", "alibi"),
    "power_rest": ("harmonic", "nope", "rope"),
    "power_learned": ("kerple_log", "alibi"),
    "slope_exact": ("harmonic",),
    "slope_tracks": ("harmonic",),
    "reach_rope": ("harmonic", "rope"),
    "reach_alibi": ("harmonic", "alibi"),
    "reach_small": ("harmonic",),
}
"""Arms that must have learnt the power laws before a claim on them is decided, winners and losers alike."""


def unlearnt(study: "PositionalPrior", data: Data) -> dict[str, list[str]]:
    """For every claim, the arms on sources that it rests on and that did not learn them.

    On the single lag no prior that only falls can learn; ALiBi and the harmonic bias must have left the uniform law,
    from which the exact read-out is not far.
    """
    design, share = study.design, study.bounds.gate
    wanted = {name: [(arm, s) for arm in arms for s in design.powers] for name, arms in ABOUT.items()}
    both = [("alibi", EXPONENTIAL), ("harmonic", EXPONENTIAL)]
    wanted |= dict.fromkeys(("exponential_harmonic", "reach_exponential"), both)
    wanted |= {"exponential_rest": [(arm, EXPONENTIAL) for arm in ("alibi", "nope", "rope")]}
    fits = [("alibi" if s == EXPONENTIAL else "harmonic", s) for s in design.tails]
    wanted |= dict.fromkeys(("blocks_ideal", "blocks_cheap"), fits)
    wanted |= {name: [("rope", SINGLE)] for name in ("single_rope", "single_dear", "single_bound")}
    found = {
        f"{STUDY}.{name}": [f"{arm} on {s}" for arm, s in pairs if not data.learnt(arm, s, share)]
        for name, pairs in wanted.items()
    }
    still = [f"{arm} on {SINGLE}" for arm in WEAKEST if not data.learnt(arm, SINGLE, 1 - study.bounds.moved)]
    return found | {f"{STUDY}.single_exact": still}
