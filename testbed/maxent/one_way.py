"""Conditionals in place of joint tables: an experiment, since they leave the contexts' law free.

"q(a | b) = c(a | b)" is the homogeneous equation  E_q[1(a, b) - c(a | b) 1(b)] = 0. With p(x_0 | x_1) alone given, the
law of largest entropy has q(x_1) proportional to exp H(x_0 | x_1): contexts are tilted to those of high entropy,
whatever their true law. For a Markov chain, one-way conditionals around a triangle leave the marginal undetermined just
where the chain is exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from testbed.core import ConfigError
from testbed.maxent.checks import whole
from testbed.maxent.constraint import Floats, Positions, check_positions
from testbed.maxent.dense import check_cells
from testbed.maxent.errors import InfeasibleError, NotConvergedError
from testbed.maxent.law import DenseLaw, Law

MAX_ONE_WAY_CELLS = 2**12
MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class Conditional:
    """q(x_targets | x_given) = table, axes: targets, then given; sums to one over the targets."""

    targets: Positions
    given: Positions
    table: Floats

    def __post_init__(self) -> None:
        targets, context = check_positions(self.targets), check_positions(self.given)
        table = np.asarray(self.table, dtype=np.float64)
        name = f"conditional of positions {targets} given {context}"
        if set(targets) & set(context) or table.ndim != len(targets) + len(context) or len(set(table.shape)) > 1:
            raise ConfigError(f"{name}: table of shape {table.shape} must have an axis of length V for each position")
        totals = table.sum(axis=tuple(range(len(targets))))
        if not np.isfinite(table).all() or table.min() < 0 or np.abs(totals - 1).max() > 1e-9:
            raise ConfigError(f"{name}: must be probabilities that sum to one over the first {len(targets)} axes")
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "given", context)
        object.__setattr__(self, "table", table)


def one_way_law(vocab_size: int, length: int, conditionals: Iterable[Conditional], tolerance: float = 1e-10) -> Law:
    """The law of largest entropy with these conditionals, by Newton's method on the dual; V^n up to 2^12.

    `residual` is the largest |q(a, b) - c(a | b) q(b)|. Raises NotConvergedError where it stays above the tolerance,
    InfeasibleError where zeros of the conditionals exclude every sequence.
    """
    vocab_size, length = whole("vocab_size", vocab_size, 2), whole("length", length, 1)
    check_cells(vocab_size, length, MAX_ONE_WAY_CELLS, "the law under one-way conditionals")
    symbols = np.indices((vocab_size,) * length).reshape(length, -1)
    possible = np.ones(symbols.shape[1], dtype=np.bool_)
    features = []
    for one in conditionals:
        if max(*one.targets, *one.given) >= length or one.table.shape[0] != vocab_size:
            raise ConfigError(
                f"conditional of {one.targets} given {one.given}: does not fit V = {vocab_size}, n = {length}"
            )
        chance = one.table[tuple(symbols[p] for p in (*one.targets, *one.given))]
        possible &= chance > 0
        for values in np.ndindex(one.table.shape):
            context = np.all(
                [symbols[p] == v for p, v in zip(one.given, values[len(one.targets) :], strict=True)], axis=0
            )
            hit = context & np.all([symbols[p] == v for p, v in zip(one.targets, values, strict=False)], axis=0)
            features.append(hit - one.table[values] * context)
    if not possible.any():
        raise InfeasibleError("one_way_law: the zeros of the conditionals exclude every sequence; no law has them")
    matrix = np.array(features, dtype=np.float64).reshape(len(features), symbols.shape[1]).T[possible]
    parameters = np.zeros(matrix.shape[1])
    law, value = _law_and_dual(matrix, parameters)
    steps = 0
    while np.abs(law @ matrix).max(initial=0.0) > tolerance and steps < MAX_STEPS:
        means = law @ matrix
        hessian = ((matrix - means) * law[:, None]).T @ (matrix - means)
        step = -np.linalg.lstsq(hessian, means, rcond=1e-12)[0]
        size = 1.0
        while size > 1e-10:
            new_law, new_value = _law_and_dual(matrix, parameters + size * step)
            if new_value < value or np.abs(new_law @ matrix).max() < np.abs(means).max():
                break
            size /= 2
        parameters, law, value = parameters + size * step, new_law, new_value
        steps += 1
    dense = np.zeros(symbols.shape[1])
    dense[possible] = law
    residual = float(np.abs(law @ matrix).max(initial=0.0))
    found = DenseLaw(
        vocab_size=vocab_size, length=length, dense=dense, solver="newton", iterations=steps, residual=residual
    )
    if residual > tolerance:
        raise NotConvergedError(
            f"one_way_law: residual {residual:.3g} after {steps} steps, tolerance {tolerance:.3g}; there may be no law"
            " with these conditionals",
            found.with_report(status="not converged"),
        )
    return found


def _law_and_dual(features: Floats, parameters: Floats) -> tuple[Floats, float]:
    logs = features @ parameters
    largest = logs.max()
    law = np.exp(logs - largest)
    return law / law.sum(), float(largest + np.log(law.sum()))
