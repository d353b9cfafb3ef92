"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge.proportion import Proportion
from testbed.studies.markov_landscape.claims import claims
from testbed.studies.markov_landscape.config import MIRRORED, PANELS, VARIANTS, VARIED
from testbed.studies.markov_landscape.data import Bools, Data, Ends, gather
from testbed.studies.markov_landscape.evidence import caught, evidence, high, learnt
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

FALSE_ALARM = 1e-6
"""Nominal probability that a sound study fails its statistical check, as if z of every run were normal."""
ROUNDING, DYADIC = 1e-9, 1e-6
"""Of float64 sums; of chains whose weights are multiples of 2^-32."""


def judgement(study: "MarkovLandscape", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement.incomplete(said)
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims; the signs of the curvature among it, which follow from the closed form."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    off = data.off
    named = (
        ("the loss at the unigram point is H(pi)", "loss_off", ROUNDING),
        ("its gradient is zero", "gradient", ROUNDING),
        ("its Hessian is the closed form, zero elsewhere", "hessian_off", ROUNDING),
        ("h is the source's", "rate_off", DYADIC),
        ("H(pi) is the source's", "marginal_off", DYADIC),
    )
    above, below = data.side == 1, data.side == -1
    tied = np.stack([data.curvature["one_tied"], data.curvature["two_tied"]])
    untied = data.curvature["one_untied"][above | below]
    least, most = float(tied[:, above].min()), float(tied[:, below].max())
    return (
        *(Check(name, off[key] < size, f"off by {off[key]:.1e}") for name, key, size in named),
        Check(
            "tied, one layer or two: least eigenvalue above 0 where p + q > 1, below 0 where p + q < 1",
            least > 0 > most,
            f"at least {least:.2f} above and at most {most:.2f} below, units of |lambda| pi_0 pi_1",
        ),
        Check("untied: below 0 on both sides", float(untied.max()) < 0, f"at most {float(untied.max()):.2f}"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest z {largest:.2f}, bound {bound:.2f}"),
    )


def said(flags: Bools) -> str:
    """How many runs, with the interval of the share."""
    low, upper = Proportion(int(flags.sum()), len(flags), "run").interval((1 - LEVEL) / 2)
    return f"{int(flags.sum())} of {len(flags)} [{low:.2f}, {upper:.2f}]"


def notes(study: "MarkovLandscape", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    above, below, b, recipe = data.side == 1, data.side == -1, study.bounds, study.recipe
    maps = "; ".join(
        f"{name} {said(high(data.maps[name].at(above), b))} above the line,"
        f" {said(high(data.maps[name].at(below), b))} below"
        for name in PANELS
    )
    off_line = {name: data.maps[name].at(above | below) for name in PANELS}
    free = "; ".join(
        f"{name} {float(np.median(one.units[one.units <= b.stuck])):.3f}"
        for name, one in off_line.items()
        if (one.units <= b.stuck).any()
    )
    spots = "; ".join(
        f"{panel} {', '.join(f'{one} {said(high(data.spots[panel, one], b))}' for one in VARIANTS)}" for panel in VARIED
    )
    mirrors = ", ".join(f"{one} {said(learnt(data.mirrors[one], b))}" for one in MIRRORED)
    everything = [*off_line.values(), *data.spots.values()]
    up = np.concatenate([high(one, b) for one in everything])
    away = np.concatenate([one.away.ravel() for one in everything])[up]
    still = np.concatenate([caught(one, b) for one in everything])
    p, q = study.grid.spot
    return (
        f"Runs over {b.stuck:g} of the way from h to H(pi), of all, with {LEVEL:.0%} intervals of the share: {maps}.",
        f"At p = {p:g}, q = {q:g}: {spots}.",
        f"Learnt at its mirror image below the line, without norms: {mirrors}.",
        f"Of the {int(up.sum())} runs over {b.stuck:g}, {int(still.sum())} say pi (KL(pi || q) under {b.near:g} units):"
        + (f" median {np.median(away):.3f}, largest {away.max():.2f}." if up.any() else " none."),
        f"With layer norm such a run has not left by the last step; {between(data, VARIED[0])} of its"
        f" {len(VARIANTS) * study.n_spot} runs at p = {p:g}, q = {q:g} end between a quarter and three quarters of the"
        f" way (without norms {between(data, VARIED[1])}). Pairs of which one run alone is over {b.stuck:g}, with layer"
        f" norm: {'; '.join(alone(study, data, one) for one in ('wide', 'fast', 'long'))}.",
        f"Median of the other runs of the map, units of H(pi) - h: {free}.",
        f"The learning rate is the paper's and is not tuned: that runs stay at the unigrams is said of it alone. At"
        f" {recipe.fast_rate:g} in its place: variant fast, which need not act alike with norms and without.",
        "Initialisation: every weight normal with standard deviation"
        f" {recipe.std:g} ({recipe.wide_std:g} in variant wide), divided by sqrt(2 depth) where a matrix"
        " writes into the residual stream; biases zero. Gradients are not clipped.",
        f"Excess, after {recipe.context_length} tokens, is"
        f" {'a sum over all contexts' if data.off['excess_error'] == 0 else 'sampled over fresh windows'}, exact in"
        " each. The bound of the check on it is nominal: z of a run is not quite normal.",
    )


def between(data: Data, panel: str) -> int:
    """Runs of all variants that end in the middle: on their way."""
    found: list[Ends] = [ends for (name, _), ends in data.spots.items() if name == panel]
    return int(sum(((one.units > 0.25) & (one.units < 0.75)).sum() for one in found))


def alone(study: "MarkovLandscape", data: Data, variant: str) -> str:
    """With layer norm, how many pairs tell the plain run from its variant."""
    plain, other = (
        next(high(ends, study.bounds) for key, ends in data.spots.items() if key == ("one_tied", name))
        for name in ("plain", variant)
    )
    return f"plain {int((plain & ~other).sum())} and {variant} {int((other & ~plain).sum())}"
