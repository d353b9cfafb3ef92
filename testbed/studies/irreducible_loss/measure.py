"""What is computed without training: curves of tables and regressions, and what fits make of them.

All arrays have a first axis over draws. truth: the Bayes loss of the window; rate: the entropy rate.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source, build
from testbed.studies.irreducible_loss.classes import KINDS, source_of, window_law
from testbed.studies.irreducible_loss.config import Probe, Sizes
from testbed.studies.irreducible_loss.curves import (
    counts_of,
    cross_entropy,
    lag_features,
    marginal,
    n_parameters,
    regression_loss,
    risk,
    table_loss,
)
from testbed.studies.irreducible_loss.limits import smoothed_errors, two_size_limit
from testbed.studies.irreducible_loss.reading import RISE, read, row_of

Floats = NDArray[np.float64]
Arrays = dict[str, Floats]


def measured(probe: Probe) -> Arrays:
    """The arrays of a question; its random numbers depend on question, class and draw alone."""
    questions = {
        "table": tables,
        "regression": regressions,
        "two_sizes": two_sizes,
        "other_stream": other_streams,
    }
    rows = []
    for number in range(probe.first_draw, probe.first_draw + probe.draws):
        rng = np.random.default_rng([*probe.what.encode(), *probe.kind.encode(), number])
        rows.append(questions[probe.what](probe, source_of(KINDS[probe.kind], number), rng))
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return arrays | _fits(arrays)


def _fits(arrays: Arrays) -> Arrays:
    """Limits of every sweep whose losses are there: `NAME_power` and `NAME_stretched`, (R, 5)."""
    found = {}
    for name in [one.removesuffix("_losses") for one in arrays if one.endswith("_losses")]:
        laws = ("power", "stretched") if name == "early" else ("power",)
        for law, limits in read(arrays[f"{name}_sizes"], arrays[f"{name}_losses"], laws).items():
            found[f"{name}_{law}"] = limits
    return found


def tables(probe: Probe, source: Source, rng: np.random.Generator) -> Arrays:
    """truth, early_sizes (n,), early_losses (n, S), and the same for late; and rate, of the rare classes."""
    kind = KINDS[probe.kind]
    law = window_law(source, kind.window)
    found: Arrays = {"truth": np.asarray(risk(law))}
    if kind.role == "rare":  # of hidden chains it takes a second
        found["rate"] = np.asarray(float(source.entropy_rate().value))
    for name in ("early", "late"):
        sizes = sizes_of(getattr(probe.sweeps, name), n_parameters(law))
        found[f"{name}_sizes"] = sizes
        found[f"{name}_losses"] = _table_losses(law, law, sizes, probe.sweeps.runs, rng)
    return found


def regressions(probe: Probe, source: Source, rng: np.random.Generator) -> Arrays:
    """truth, floor (the least loss of any regression on the window's lags), late_sizes, late_losses."""
    kind, sweeps = KINDS[probe.kind], probe.sweeps
    law = window_law(source, kind.window)
    v = law.shape[1]
    features = lag_features(kind.window, v)
    sizes = sizes_of(sweeps.late, (v - 1) * (kind.window * (v - 1) + 1))
    losses = [
        [
            regression_loss(counts_of(law, int(n), rng).astype(np.float64), features, law, sweeps.penalty)
            for _ in range(sweeps.runs)
        ]
        for n in sizes
    ]
    return {
        "truth": np.asarray(risk(law)),
        "floor": np.asarray(regression_loss(law, features, law, 1e-9)),
        "late_sizes": sizes,
        "late_losses": np.array(losses),
    }


def two_sizes(probe: Probe, source: Source, rng: np.random.Generator) -> Arrays:
    """truth, rate, and for rich and poor: numbers (m,), targets (m,), losses (m,), errors (m,), limit (6,): the columns
    of a limit with the exponent of N, and that of D."""
    law = window_law(source, KINDS[probe.kind].window)
    v = law.shape[1]
    found: Arrays = {"truth": np.asarray(risk(law)), "rate": np.asarray(float(source.entropy_rate().value))}
    for name in ("rich", "poor"):
        sizes = sizes_of(getattr(probe.sweeps, name), n_parameters(law))
        counts = [[counts_of(law, int(n), rng) for _ in range(probe.sweeps.runs)] for n in sizes]
        numbers, losses, errors = [], [], []
        for order in range(1, KINDS[probe.kind].window + 1):
            shorter = np.asarray(marginal(law, v, order), dtype=np.float64)
            runs = np.array([[table_loss(marginal(one, v, order), shorter) for one in row] for row in counts])
            numbers.append(np.full(len(sizes), float(n_parameters(shorter))))
            losses.append(runs.mean(axis=1))
            errors.append(smoothed_errors(sizes, runs))
        n, d = np.concatenate(numbers), np.tile(sizes, len(numbers))
        y, e = np.concatenate(losses), np.concatenate(errors)
        limit = two_size_limit(n, d, y, e, RISE)
        found |= {f"{name}_numbers": n, f"{name}_targets": d, f"{name}_values": y, f"{name}_errors": e}
        found[f"{name}_limit"] = np.array([*row_of(limit), limit.theta[1]])
    return found


def other_streams(probe: Probe, source: Source, rng: np.random.Generator) -> Arrays:
    """For the sharper and the flatter stream q of the learnt p, as `NAME_cross` = -sum q ln p, `NAME_entropy` of q,
    NAME_sizes, NAME_losses; and the truth of p and ln V."""
    kind, sweeps = KINDS[probe.kind], probe.sweeps
    law = window_law(source, kind.window)
    found: Arrays = {"truth": np.asarray(risk(law)), "uniform": np.asarray(np.log(law.shape[1]))}
    sizes = sizes_of(sweeps.other, n_parameters(law))
    for name, inverse in zip(("sharper", "flatter"), sweeps.inverse_temperatures, strict=True):
        stream = build({"type": "tempered", "component": source, "inverse_temperature": inverse})
        other = window_law(stream, kind.window)
        found |= {
            f"{name}_cross": np.asarray(cross_entropy(other, law)),
            f"{name}_entropy": np.asarray(risk(other)),
            f"{name}_sizes": sizes,
            f"{name}_losses": _table_losses(law, other, sizes, sweeps.other_runs, rng),
        }
        first = sizes_of(sweeps.early, n_parameters(law))
        found[f"{name}_first"] = _table_losses(law, other, first, sweeps.other_runs, rng)
    return found


def sizes_of(sizes: Sizes, n_numbers: int) -> Floats:
    """(n,) whole numbers of targets."""
    return np.maximum(np.rint(np.array(sizes.factors) * n_numbers), 1.0)


def _table_losses(law: Floats, tested: Floats, sizes: Floats, runs: int, rng: np.random.Generator) -> Floats:
    """(n, S): training sets of p, loss on `tested`."""
    return np.array([[table_loss(counts_of(law, int(n), rng), tested) for _ in range(runs)] for n in sizes])
