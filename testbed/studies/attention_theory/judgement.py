"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from testbed.runs import Record
from testbed.studies.attention_theory.claims import claims
from testbed.studies.attention_theory.comparison import Comparison, comparisons
from testbed.studies.attention_theory.cosine_claims import WINDOW
from testbed.studies.attention_theory.data import Data, gather
from testbed.studies.attention_theory.evidence import evidence, within, worst_slope
from testbed.studies.attention_theory.laws import LAWS
from testbed.studies.attention_theory.printed import ROWS
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""


def judgement(study: "AttentionTheory", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    compared = comparisons(study, data)
    found = checks(study, data, compared)
    numbers = evidence(study.bounds, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, compared))


def checks(study: "AttentionTheory", data: Data, compared: Sequence[Comparison]) -> tuple[Check, ...]:
    """What must be true whatever the claims: identities, the sampler, and that each number can pass and fail."""
    return (
        _tables(compared),
        _no_ops(study, data),
        _exchangeability(study, data),
        _second_moments(study, data),
        _remoteness(data),
        *_controls(study, data),
    )


def _tables(compared: Sequence[Comparison]) -> Check:
    closed = [one for one in compared if one.is_closed]
    off = [one for one in closed if not one.agrees and not one.is_known_slip]
    slips = [f"{one.table}, {one.entry}" for one in closed if not one.agrees and one.is_known_slip]
    detail = f"{len(closed) - len(off) - len(slips)} of {len(closed)} printed entries agree"
    if slips:
        detail += f"; slips of the print: {'; '.join(slips)}"
    if off:
        detail += "; off: " + "; ".join(f"{o.table} {o.entry} is {o.found:.5g}, not {o.printed:g}" for o in off)
    return Check("closed forms give the printed tables to the last digit", not off, detail)


def _no_ops(study: "AttentionTheory", data: Data) -> Check:
    worst = 0.0
    for arm, settings in study.simulated.items():
        if settings.lengths[0] == settings.train_length:
            by_law = data.arms[arm]["entropy"].at(n=settings.train_length)  # (replicates, ..., law)
            worst = max(worst, float(np.ptp(by_law, axis=-1).max()))
    return Check("every law is a no-op at n = m", worst < 1e-12, f"largest change of entropy {worst:.1e} nats")


def _exchangeability(study: "AttentionTheory", data: Data) -> Check:
    """U5: keys of one law share attention equally on average, at any temperature.

    Bernstein's inequality for numbers in [0, 1] of mean p, whose variance is at most p (1 - p): rigorous at any n_rows.
    """
    settings = study.gaussian_heads
    originals = data.arms["gaussian_heads"]["originals"]
    n_rows = settings.n_rows * study.replicates
    found = originals.values.mean(axis=0)  # (sigma, law, n)
    share = settings.train_length / np.array(settings.lengths, dtype=np.float64)
    log_odds = np.log(2.0 * found.size / FALSE_ALARM)
    variance = share * (1.0 - share)
    radius = log_odds / (3 * n_rows) + np.sqrt((log_odds / (3 * n_rows)) ** 2 + 2 * variance * log_odds / n_rows)
    used = float(np.max(np.abs(found - share) / np.maximum(radius, 1e-300)))
    return Check(
        "the mass on m of n exchangeable keys is m / n",
        used < 1.0,
        f"{found.size} means over {n_rows} rows, the furthest at {used:.2f} of its Bernstein bound",
    )


def _second_moments(study: "AttentionTheory", data: Data) -> Check:
    """What was drawn has the right spread: E z^2 = 1 for normals, E eta^2 = 1/d with variance 2(d-1) / (d^2 (d+2))."""
    worst, n_means = 0.0, 0
    for arm, settings in study.simulated.items():
        if "second_moment" not in data.arms[arm]:
            continue
        n = np.array(settings.lengths) * settings.n_rows * study.replicates
        d = settings.head_dim
        mean, variance = (1.0, 2.0) if arm == "gaussian_heads" else (1 / d, 2 * (d - 1) / (d**2 * (d + 2)))
        z = (data.arms[arm]["second_moment"].values.mean(axis=0) - mean) / np.sqrt(variance / n)
        worst, n_means = max(worst, float(np.abs(z).max())), n_means + len(z)
    bound = float(norm.isf(FALSE_ALARM / 2 / n_means))
    return Check(
        "normals and cosines have their second moment",
        worst < bound,
        f"largest |z| {worst:.2f} of {n_means} means, bound {bound:.2f}",
    )


def _remoteness(data: Data) -> Check:
    largest = float(data.closed["remoteness"].values.max())
    return Check(
        "eta_1* tends to 1: 1 - eta_1* <= c / (2 alpha) up to alpha = 1e6",
        largest <= 1e-12,
        f"largest difference {largest:.1e}",
    )


def _controls(study: "AttentionTheory", data: Data) -> tuple[Check, ...]:
    """Each number of the paper's claims passes where the claim is planted and fails where it cannot hold."""
    bounds, heads = study.bounds, data.arms["gaussian_heads"]
    warm = within(heads["entropy"].axes["std"], 0.0, bounds.entropy_above_one_to)
    solved = [s for s in warm if s in heads["solved_entropy"].axes["std"]]
    unscaled = worst_slope(data, heads["entropy"], warm, law="none").estimate
    constant = worst_slope(data, heads["solved_entropy"], solved).estimate
    most = heads["entropy"].axes["n"][-1]
    fillers = heads["originals_over_fillers"].at(law="infoscale", n=most).mean(axis=0)
    diffuse = [float(fillers[i]) for i, s in enumerate(heads["entropy"].axes["std"]) if s in warm]
    keys = data.arms["random_keys"]["cosine"]
    rises = np.diff(keys.at(law="none", n=keys.axes["n"][-1]).mean(axis=0))
    mass = data.closed["window_mass"]
    flat = float(mass.at(alpha=mass.axes["alpha"][0], reach=WINDOW).min())
    return (
        Check(
            "C1's number sees a rising entropy and a constant one",
            constant <= bounds.slope < unscaled,
            f"{unscaled:.3f} unscaled, {constant:.1e} with the factor solved for each head; bound {bounds.slope:g}",
        ),
        Check(
            "C2's number sees focus where it is kept",
            min(diffuse) >= bounds.focus,
            f"at least {min(diffuse):.3f} of the attention where appended keys lie"
            f" {study.gaussian_heads.filler_gap:g} nats lower (heads of sigma <= {bounds.entropy_above_one_to:g})",
        ),
        Check(
            "C3's number sees a peak that has stopped",
            float(rises.min()) < bounds.peak_step,
            f"among {keys.axes['n'][-1]} random keys the least rise of the attended cosine is {rises.min():.4f}",
        ),
        Check(
            "C4's number sees attention without a window",
            flat < bounds.window,
            f"{flat:.3f} of it within distance {WINDOW} at alpha = {mass.axes['alpha'][0]:g}",
        ),
    )


def notes(study: "AttentionTheory", data: Data, compared: Sequence[Comparison]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    return (
        f"{study.replicates} streams of random numbers; in each the laws, lengths and heads see the same draws, and a"
        " shorter row is the beginning of the longer ones.",
        _print_note(compared),
        _slopes_note(study, data),
        _focus_note(study, data),
    )


def _print_note(compared: Sequence[Comparison]) -> str:
    simulated = [one for one in compared if not one.is_closed]
    off = [f"{one.table} {one.entry}: {one.found:.4g}, printed {one.printed:g}" for one in simulated if not one.agrees]
    return (
        f"{len(simulated) - len(off)} of {len(simulated)} simulated entries of the re-derivation's tables agree within"
        f" 4 standard errors and their rounding; the print is taken to rest on {ROWS:,} rows, which is known of 2.4 f"
        " alone" + (f". Off: {'; '.join(off)}." if off else ".")
    )


def _slopes_note(study: "AttentionTheory", data: Data) -> str:
    entropy = data.arms["gaussian_heads"]["entropy"]
    warm = within(entropy.axes["std"], 0.0, study.bounds.entropy_above_one_to)
    worst = [f"{law} {worst_slope(data, entropy, warm, law=law).estimate:.3f}" for law in LAWS]
    return (
        f"Largest |dH / d ln n| over heads of sigma <= {study.bounds.entropy_above_one_to:g}, nats: {', '.join(worst)}."
    )


def _focus_note(study: "AttentionTheory", data: Data) -> str:
    originals = data.arms["gaussian_heads"]["originals"]
    most = originals.axes["n"][-1]
    gain = originals.at(law="infoscale", n=most) - originals.at(law="none", n=most)
    middle, low, high = data.interval(gain.mean(axis=1))
    return (
        f"InfoScale's mass on the originals at n = {most} less the unscaled softmax's, mean over heads:"
        f" {middle:.5f} [{low:.5f}, {high:.5f}]; exchangeability makes it exactly 0 in truth."
    )
