"""The claims, fixed before the runs that decide; `evidence` has their numbers.

Where several sources or arms share a claim, its number is the one that speaks against it most.
"""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import OWN, Claim, Region
from testbed.studies.positional_prior.config import EXPONENTIAL

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

PAPER = "2410.18441"
STUDY = "positional_prior"
MATCHED, OTHER = "the matched prior wins", "the other prior wins"
"""Planted worlds."""
READING = "positional embedding with harmonic series, abstract; this project's reading, the formulas are not at hand"
BLOCKS = "PrFlashAttention, abstract; this project's reading, the formulas are not at hand"
CONTROL = "controls, and what the exact side says"
CARD = "the survey's prediction m ~ a for a bias by harmonic numbers; the paper's formulas are not at hand"
Unit = Literal["nats", "share", "slope", "slope per exponent", "ratio"]

TITLES = {
    "nope": "no positions",
    "rope": "RoPE",
    "alibi": "ALiBi",
    "harmonic": "harmonic",
    "rope_harmonic": "RoPE x harmonic",
    "kerple_log": "KERPLE log",
    "kerple_power": "KERPLE power",
}


def source_title(name: str) -> str:
    """A source's name for the reader."""
    return f"power law, a = {name.removeprefix('power_')}" if name.startswith("power_") else f"{name} lag law"


def claims(study: "PositionalPrior") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    design, bounds, n = study.design, study.bounds, study.n_seeds
    shape = f"one layer, one head, T = {design.length}, {study.training.steps} steps, {n} replicates"
    powers = f"power-law lags, a = {', '.join(f'{one:g}' for one in design.exponents)}; {shape}"
    exponential = f"exponential lags, scale {design.scale:g}; {shape}"
    single = f"a single lag {design.lag}; {shape}"
    tails = f"power-law and exponential lags; {shape}"
    middle = design.middle.removeprefix("power_")

    def claim(
        name: str, statement: str, region: Region, margin: float, unit: Unit, scope: str, place: str = READING,
        exact: bool = False,
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=OWN if place in (CONTROL, CARD) else PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{MATCHED if name == 'slope_tail' else OTHER}'; {CONTROLS[name]}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
            exact_truth=exact,
        )

    less, beyond = Region(upper=-bounds.lower), Region(upper=-bounds.beyond)
    return (
        claim("power_alibi", "On power-law lags the harmonic bias has less excess over Bayes than ALiBi, each at its"
              " best slope.", less, bounds.lower, "nats", powers),
        claim("power_rest", "On power-law lags the harmonic bias has less excess than no positions and than RoPE.",
              less, bounds.lower, "nats", powers),
        claim("power_learned", "On power-law lags KERPLE's logarithm has less excess than ALiBi.", less, bounds.lower,
              "nats", powers, CONTROL),
        claim("exponential_harmonic", "On exponential lags ALiBi has less excess than the harmonic bias.", less,
              bounds.lower, "nats", exponential, CONTROL),
        claim("exponential_rest", "On exponential lags ALiBi has less excess than no positions and than RoPE.", less,
              bounds.lower, "nats", exponential, CONTROL),
        claim("single_rope", "On a single lag every prior that only falls has more excess than RoPE.",
              Region(upper=-bounds.single), bounds.single, "nats", single, CONTROL),
        claim("single_exact", "On a single lag trained models with ALiBi or the harmonic bias have the excess of the"
              f" exact read-out at their slope, within {bounds.unread:.0%} of what context tells.",
              Region.around(0.0, bounds.unread), bounds.unread, "share", single, CONTROL),
        claim("slope_is_a", "Exact: the harmonic read-out has the least Brier excess at the slope m = a.",
              Region.around(0.0, bounds.slope), bounds.slope, "slope", powers, CARD, exact=True),
        claim("slope_tail", "Exact: it has it at m = 1 + a, the fall of the lag law.", Region.around(0.0, bounds.slope),
              bounds.slope, "slope", powers, CONTROL, exact=True),
        claim("slope_exact", f"Trained models have the least excess within {bounds.slope:g} of the slope of the exact"
              " read-out.",
              Region.around(0.0, bounds.slope), bounds.slope, "slope", powers, CONTROL),
        claim("slope_tracks", f"The best slope of trained models rises with a, by {bounds.rise:g} a unit at least.",
              Region(lower=bounds.rise), bounds.rise, "slope per exponent", powers, CARD),
        claim("reach_rope", f"Beyond T, up to {design.reach} T, the harmonic bias has less excess than RoPE on"
              " power-law lags.", beyond, bounds.beyond, "nats", powers),
        claim("reach_alibi", f"Beyond T, up to {design.reach} T, it has less excess than ALiBi there.", beyond,
              bounds.beyond, "nats", powers),
        claim("reach_small", f"Its excess beyond T is at most {bounds.reach:.0%} of what context tells.",
              Region(upper=bounds.reach), bounds.reach, "share", powers),
        claim("reach_exponential", f"Beyond T, up to {design.reach} T, ALiBi has less excess than the harmonic bias on"
              " exponential lags.", beyond, bounds.beyond, "nats", exponential, CONTROL),
        claim("blocks_ideal", f"Dropping blocks costs trained models at most {bounds.as_ideal:g} times what it"
              " costs the exact read-out.",
              Region(upper=bounds.as_ideal), bounds.as_ideal - 1, "ratio", tails, CONTROL),
        claim("blocks_cheap", f"Keeping near blocks and few far ones (power {study.reading.powers[-1]:g}) loses at most"
              f" {bounds.cheap:.0%} of what context tells.", Region(upper=bounds.cheap), bounds.cheap, "share", tails,
              BLOCKS),
        claim("single_dear", f"On a single far lag it loses {bounds.dear:.0%} at least.", Region(lower=bounds.dear),
              bounds.dear, "share", single, CONTROL),
        claim("single_bound", f"There it costs more than the bound by the mass that the power law (a = {middle}) would"
              " lose in the same blocks.", Region(lower=1.0), 0.0, "ratio", single, CONTROL),
    )  # fmt: skip


CONTROLS = {
    "power_alibi": f"{EXPONENTIAL} lags, on which ALiBi is expected to have less",
    "power_rest": "the single lag, on which the harmonic bias is expected to have more",
    "power_learned": f"{EXPONENTIAL} lags, on which the logarithm is expected to have more",
    "exponential_harmonic": "power-law lags, on which the harmonic bias is expected to have less",
    "exponential_rest": "the single lag, on which ALiBi is expected to have more",
    "single_rope": "power-law lags, on which priors that fall are expected to have no more",
    "single_exact": "a model that finds the lag by the tokens; models still at the uniform law decide nothing",
    "slope_is_a": "m = 1 + a",
    "slope_tail": "m = a",
    "slope_exact": "slopes that do not move with a",
    "slope_tracks": "slopes that do not move with a",
    "reach_rope": "the length of training, where RoPE is expected to be nearer",
    "reach_alibi": f"{EXPONENTIAL} lags, on which ALiBi is expected to have less",
    "reach_small": "RoPE beyond T, whose excess is expected to be larger",
    "reach_exponential": "power-law lags, on which the harmonic bias is expected to have less",
    "blocks_ideal": "the single lag, on which the model is expected to pay more than the exact read-out",
    "blocks_cheap": "the single lag, on which the same blocks are expected to be dear",
    "single_dear": "power-law and exponential lags, on which the same blocks are expected to be cheap",
    "single_bound": "power-law lags, whose cost is expected within the bound",
}
