"""How the regenerated numbers compare with the re-derivation's printed ones.

Closed forms must agree to the last digit printed. Simulated entries have two or three decimals and a sampling error of
their own: the corrected table 2.4 f rests on 6,000 rows, and the others, whose rows are not told, are taken to rest on
as many. An entry agrees if

    |found - printed| <= 4 sqrt(e^2 + e'^2) + half a unit of the last digit

with e our standard error and e' theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_theory import printed as spec
from testbed.studies.attention_theory.data import Data
from testbed.studies.tables import Table

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

ERRORS = 4.0  # standard errors within which simulated entries agree
SLIPS = {("2.2", "YaRN temperature, n = 256"), ("3.4", "g(32)")}
"""Slips of the print in its last digit: (0.1 ln 4 + 1)^2 = 1.29648 stands there as 1.297, g(32) = 0.55747 as 0.558."""


@dataclass(frozen=True)
class Comparison:
    """One printed entry. `error` combines both standard errors; 0 for a closed form. `unit`: of the last digit."""

    table: str
    entry: str
    printed: float
    found: float
    error: float
    unit: float

    @property
    def allowed(self) -> float:
        """Largest difference at which the two agree; a hundredth of a unit more, for rounded halves."""
        return ERRORS * self.error + 0.51 * self.unit

    @property
    def agrees(self) -> bool:
        return abs(self.found - self.printed) <= self.allowed

    @property
    def is_closed(self) -> bool:
        return self.error == 0.0

    @property
    def is_known_slip(self) -> bool:
        return (self.table, self.entry) in SLIPS

    def row(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "entry": self.entry,
            "printed": self.printed,
            "found": self.found,
            "standard_error_of_difference": self.error,
            "allowed_difference": self.allowed,
            "agrees": self.agrees,
            "known_slip": self.is_known_slip,
        }


def comparisons(study: "AttentionTheory", data: Data) -> list[Comparison]:
    """Every printed entry whose settings the study has."""
    return [one for part in (_factors, _gaps, _cosine_forms) for one in part(data)] + list(_simulated(study, data))


def _has(found: Table, where: dict[str, Any]) -> bool:
    return all(value in found.axes[name] for name, value in where.items())


def _exact(table: str, label: str, printed: float, found: Table, unit: float, **where: Any) -> Iterator[Comparison]:
    """A closed form, if the study computed it there."""
    if _has(found, where):
        yield Comparison(table, label, float(printed), float(found.at(**where)), 0.0, unit)


def _factors(data: Data) -> Iterator[Comparison]:
    closed = data.closed
    for d, row in spec.FACTORS.items():
        size = "infinity" if d > 10**6 else str(d)
        for n, printed in zip(spec.FACTOR_LENGTHS, row, strict=True):
            yield from _exact("2.2", f"d = {size}, n = {n}", printed, closed["infoscale_factor"], 1e-3, d=d, n=n)
    rivals = (
        ("log_factor", "log n", spec.LOG_FACTORS),
        ("yarn_factor", "YaRN temperature", spec.YARN_FACTORS),
    )
    for name, label, factors in rivals:
        for n, printed in zip(spec.FACTOR_LENGTHS, factors, strict=True):
            yield from _exact("2.2", f"{label}, n = {n}", printed, closed[name], 1e-3, n=n)
    for (d, n), printed in spec.SPHERE_FACTORS.items():
        yield from _exact("2.5", f"d = {d}, n = {n}", printed, closed["sphere_factor"], 1e-3, d=d, n=n)


def _gaps(data: Data) -> Iterator[Comparison]:
    for (gap, law), masses in spec.GAP_MASSES.items():
        for n, printed in zip(spec.LENGTHS, masses, strict=True):
            unit = 1e-3 if printed < 0.05 else 1e-2
            label = f"gap {gap:g}, {law}, n = {n}"
            yield from _exact("2.4 g", label, printed, data.closed["gap_mass"], unit, gap=gap, law=law, n=n)


def _cosine_forms(data: Data) -> Iterator[Comparison]:
    closed = data.closed
    for (c, d), peaks in spec.PEAKS.items():
        for alpha, printed in zip(spec.PEAK_ALPHAS, peaks, strict=True):
            label = f"c = {c}, d = {d}, alpha = {alpha}"
            unit = 1e-4 if d == 128 else 1e-3
            yield from _exact("3.2", label, printed, closed["peak"], unit, c=c, d=d, alpha=alpha)
    for distance, printed in spec.DECAY.items():
        yield from _exact("3.4", f"g({distance})", printed, closed["decay"], 1e-3, distance=distance)
    for (alpha, reach), masses in spec.WINDOW_MASSES.items():
        for n, printed in zip(spec.WINDOW_LENGTHS, masses, strict=True):
            label, where = f"M_{reach}, alpha = {alpha}, n = {n}", {"alpha": alpha, "reach": reach, "n": n}
            yield from _exact("3.4", label, printed, closed["window_mass"], 1e-3, **where)
    for alpha, entropies in spec.WINDOW_ENTROPIES.items():
        for n, printed in zip(spec.WINDOW_LENGTHS, entropies, strict=True):
            label = f"H, alpha = {alpha}, n = {n}"
            yield from _exact("3.4", label, printed, closed["window_entropy"], 1e-2, alpha=alpha, n=n)
    for n in spec.WINDOW_LENGTHS:
        label, where = f"self weight, alpha = 128, n = {n}", {"alpha": 128, "n": n}
        yield from _exact("3.4", label, spec.SELF_WEIGHT, closed["window_peak"], 1e-3, **where)


def _simulated(study: "AttentionTheory", data: Data) -> Iterator[Comparison]:
    arms = (study.gaussian_heads, study.random_keys, study.random_keys_many, study.single_key)
    if any((one.train_length, one.head_dim) != (spec.TRAIN_LENGTH, spec.HEAD_DIM) for one in arms):
        return
    heads, keys = data.arms["gaussian_heads"], data.arms["random_keys"]
    n_rows = {id(table): one.n_rows for arm, one in study.simulated.items() for table in data.arms[arm].values()}

    def entry(
        table: str, label: str, printed: float, found: Table, unit: float, where: dict[str, Any]
    ) -> Iterator[Comparison]:
        if _has(found, where):
            values = found.at(**where)
            share = study.replicates * n_rows[id(found)] / spec.ROWS  # our rows over theirs
            error = data.error(values) * float(np.sqrt(1.0 + share))
            yield Comparison(table, label, printed, float(values.mean()), error, unit)

    for std, laws in spec.ENTROPIES.items():
        for law, row in laws.items():
            for n, printed in zip(spec.LENGTHS, row, strict=True):
                label, where = f"sigma = {std:g}, {law}, n = {n}", {"std": std, "law": law, "n": n}
                yield from entry("2.4 c", label, printed, heads["entropy"], 1e-2, where)
    for std, row in spec.SOLVED_FACTORS.items():
        for n, printed in zip(spec.LENGTHS[1:], row, strict=True):
            label = f"sigma = {std:g}, solved factor, n = {n}"
            yield from entry("2.4 c", label, printed, heads["solved_factor"], 1e-2, {"std": std, "n": n})
    yield from _of_single_key(study, data, entry)
    for alpha, cosines in spec.COSINES.items():
        for n, printed in zip(spec.COSINE_LENGTHS, cosines, strict=True):
            arm = keys if n in study.random_keys.lengths else data.arms["random_keys_many"]
            label, where = f"alpha = {alpha}, n = {n}", {"law": "none", "alpha": alpha, "n": n}
            yield from entry("3.3", label, printed, arm["cosine"], 1e-3, where)
    for n, printed in spec.LARGEST_COSINES.items():
        yield from entry("3.3", f"largest cosine, n = {n}", printed, keys["largest_cosine"], 1e-3, {"n": n})
    for alpha, by_law in spec.SPHERE_ENTROPIES.items():
        for law, row in by_law.items():
            for n, printed in zip(spec.LENGTHS, row, strict=True):
                label, where = f"alpha = {alpha}, {law}, n = {n}", {"alpha": alpha, "law": law, "n": n}
                yield from entry("3.5", label, printed, keys["entropy"], 1e-2, where)


def _of_single_key(study: "AttentionTheory", data: Data, entry: Any) -> Iterator[Comparison]:
    settings, key = study.single_key, data.arms["single_key"]
    if (settings.shift, settings.noise) != (spec.KEY_SHIFT, spec.KEY_NOISE):
        return
    for law, losses in spec.KEY_LOSSES.items():
        for n, printed in zip(spec.LENGTHS, losses, strict=True):
            yield from entry("2.4 f", f"{law}, n = {n}", printed, key["loss"], 1e-3, {"law": law, "n": n})
    for law, mass in spec.KEY_MASSES.items():
        where = {"law": law, "n": spec.LENGTHS[-1]}
        yield from entry("2.4 f", f"mass, {law}, n = {spec.LENGTHS[-1]}", mass, key["mass"], 1e-2, where)
