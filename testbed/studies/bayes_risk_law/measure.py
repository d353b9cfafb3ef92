"""What is computed for each class of sources."""

import numpy as np

from testbed.core import UndefinedError
from testbed.measures.predictive_information import state_entropies
from testbed.studies.bayes_risk_law.classes import KINDS, Floats, Integers, exact_risk, source_of, window_of
from testbed.studies.bayes_risk_law.config import Probe, Reading, Rule
from testbed.studies.bayes_risk_law.fits import fall_of, power_fits, ruled


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a class over its draws; its random numbers depend on class and draw alone.

    lengths, late   (n,) the judged window and the late one
    risk, late_risk (R, n) exact h_l
    first, rate     (R,) h_0 and h
    width           (R,) of what is not exact
    truth           (R,) gamma, nan where there is none
    states          (R, n_states) S(l) at `state_lengths`; no columns where it is not known
    and what `read` gives
    """
    kind, reading = KINDS[probe.kind], probe.reading
    lengths = window_of(kind, reading.start, reading.longest, reading.points)
    late = window_of(kind, reading.late_start, reading.longest, reading.points)
    grid = np.unique(np.concatenate([lengths, late if kind.power else lengths]))
    state_lengths = state_grid(reading)
    risks, numbers, states = [], [], []
    for number in range(probe.first_replicate, probe.first_replicate + probe.replicates):
        source, gamma = source_of(kind, number, probe.most_keys)
        risk, first, rate, width = exact_risk(kind, source, grid)
        risks.append(risk)
        numbers.append((first, rate, width, gamma))
        states.append(_states(source, state_lengths) if kind.state else np.empty(0))
    whole = np.array(risks)
    first_, rate_, width_, truth = np.array(numbers).T
    risk = whole[:, np.searchsorted(grid, lengths)]
    arrays = {
        "lengths": lengths.astype(np.float64),
        "late": late.astype(np.float64),
        "risk": risk,
        "late_risk": whole[:, np.searchsorted(grid, late)] if kind.power else np.empty((len(whole), 0)),
        "first": first_,
        "rate": rate_,
        "width": width_,
        "truth": truth,
        "state_lengths": state_lengths.astype(np.float64),
        "states": np.array(states),
    }
    rng = np.random.default_rng([*probe.kind.encode(), probe.first_replicate, 1])
    return arrays | read(arrays, reading, probe.rule, rng)


def read(arrays: dict[str, Floats], reading: Reading, rule: Rule, rng: np.random.Generator) -> dict[str, Floats]:
    """What fits say of exact curves, and the rule of measured ones:

    measured            (R, n) risk and Gaussian errors, `noise` of each curve's fall
    exact_gamma, exact_limit    (R,) the power law fitted to the exact curve in the judged window
    late_gamma          (R,) likewise in the late window; nan where there is none
    and what `fits.ruled` gives
    """
    lengths, risk = arrays["lengths"], arrays["risk"]
    error = reading.noise * fall_of(risk)
    noisy = risk + error[:, None] * rng.standard_normal(risk.shape)
    gamma, limit, _ = power_fits(lengths, risk)
    late = np.full(len(risk), np.nan)
    if arrays["late_risk"].shape[1]:
        late = power_fits(arrays["late"], arrays["late_risk"])[0]
    return {
        "measured": noisy,
        "exact_gamma": gamma,
        "exact_limit": limit,
        "late_gamma": late,
    } | ruled(lengths, noisy, error, arrays["first"] - arrays["rate"], rule)


def state_grid(reading: Reading) -> Integers:
    """Lengths at which S(l) is kept: powers of 2 up to the longest."""
    return np.asarray(2 ** np.arange(int(np.log2(reading.longest)) + 1), dtype=np.int64)


def _states(source: object, lengths: Integers) -> Floats:
    try:
        truth = state_entropies(source, int(lengths.max()))  # type: ignore[arg-type]
    except UndefinedError:
        return np.empty(0)
    return np.asarray(truth.value)[lengths]
