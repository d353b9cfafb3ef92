"""The ways of carrying T tokens to 2T: constraint sets, and the baselines that need no solver.

R1: everything is read from T successive tokens, what a model of length T knows. R2: tables of positions further apart.

    windows_s         windows of T that overlap by s; s = T - 1 is sliding-window decoding, the baseline that is free
    two_sided         windows about a central block (SMEP, reading R-c)
    pairs_near        pairs at lags below T (GMEP in R1)
    unigram, chain    baselines: each position's own law; the neighbour-pair chain (last token only)
    kirkwood_near     baseline: Kirkwood's product of those pairs, not solved for; kirkwood_all: of all pairs
    conditional_near  baseline: conditional maximum entropy from pairs with the last T - 1 tokens; _all: with all before
    pairs_all         all pairs (GMEP); pairs_prefix: with the first T tokens' joint law
    blocks            all pairs of four groups of T / 2 (MEP that reaches 2T with tables of T tokens)

A sixth baseline, the true law of 2T tokens, loses nothing and needs no row.
"""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from testbed.maxent import (
    Blocks,
    Constraint,
    ConstraintSet,
    Family,
    JointMarginals,
    NotConvergedError,
    Pairs,
    Symmetrised,
    Windows,
    kirkwood_law,
    marginal_of,
)

Floats = NDArray[np.float64]
SHORT_REACH = ("unigram", "chain", "pairs_near", "two_sided", "kirkwood_near", "conditional_near")
"""R1, besides the windows."""
LONG_REACH = ("pairs_all", "pairs_prefix", "blocks", "kirkwood_all", "conditional_all")
LOOSE = 1e-6
"""Residual at which a counted law may stay: less than 1e-5 nats, where an estimate is off by 1e-3."""


def window(overlap: int) -> str:
    return f"windows_{overlap}"


def names_of(context_length: int) -> tuple[str, ...]:
    """Every scheme, R1 first."""
    return (*(window(s) for s in range(context_length - 1, -1, -1)), *SHORT_REACH, *LONG_REACH)


def is_short_reach(name: str) -> bool:
    """Whether a scheme lives in R1."""
    return name.startswith("windows_") or name in SHORT_REACH


def family_of(name: str, context_length: int) -> Family:
    """The cliques behind a name."""
    if name.startswith("windows_"):
        return Windows(overlap=int(name.removeprefix("windows_")))
    return {
        "two_sided": Symmetrised(reading="two_sided"),
        "chain": Pairs(max_lag=1),
        "pairs_near": Pairs(max_lag=context_length - 1),
        "pairs_all": Pairs(),
        "pairs_prefix": Pairs(prefix=True),
        "blocks": Blocks(n_groups=4),
    }[name]


def constraints_of(name: str, law: Floats, context_length: int) -> ConstraintSet:
    """The tables of a scheme, all marginals of one law of 2T tokens."""
    family = family_of(name, context_length)
    return family.constraints(JointMarginals(law), law.shape[0], context_length, law.ndim)


def extended(name: str, law: Floats, context_length: int, counted: bool = False) -> Floats:
    """(V,) * n: what a scheme makes of the marginals of a law, exact or `counted`."""
    if name == "unigram":
        singles = [marginal_of(law, (t,)) for t in range(law.ndim)]
        return np.asarray(reduce(np.multiply.outer, singles))
    if name.startswith("kirkwood_"):
        lag = context_length - 1 if name.endswith("near") else None
        pairs = Pairs(max_lag=lag).constraints(JointMarginals(law), law.shape[0], context_length, law.ndim)
        return kirkwood_law(pairs).probabilities
    if name.startswith("conditional_"):
        return conditional_law(law, context_length, name.endswith("near"))
    return solved(constraints_of(name, law, context_length), counted)


def solved(constraints: ConstraintSet, counted: bool = False) -> Floats:
    """(V,) * n: the law of largest entropy; in closed form, or by sweeps. Counted tables lie near the boundary, where
    sweeps are slow: there by Newton's method, and by L-BFGS, to 1e-6 of every marginal, if it fails."""
    if not counted or constraints.is_decomposable:
        return constraints.solve().probabilities
    try:
        return constraints.solve("newton").probabilities
    except NotConvergedError:
        return constraints.solve("lbfgs", tolerance=LOOSE).probabilities


def conditional_law(law: Floats, context_length: int, near: bool) -> Floats:
    """The first T tokens' own law, then for every new token conditional maximum entropy from pairs with those before.

    The law of largest entropy of the contexts' own joint table and the pairs with the new token has this conditional:
    with the contexts fixed, its entropy is theirs plus the conditional one (Berger, Della Pietra & Della Pietra 1996).
    """
    v = law.shape[0]
    joint = marginal_of(law, tuple(range(context_length)))
    for t in range(context_length, law.ndim):
        first = t - context_length + 1 if near else 0
        seen = marginal_of(law, tuple(range(first, t + 1)))
        new = t - first
        cliques = [tuple(range(new)), *((i, new) for i in range(new))]
        given = ConstraintSet(v, new + 1, [Constraint(c, marginal_of(seen, c)) for c in cliques])
        fitted = solved(given)
        totals = fitted.sum(axis=-1, keepdims=True)
        # a context of 1e-17 can be none to the solver: uniform there, which moves no divergence above rounding
        joint = joint[..., None] * np.where(totals > 0, fitted / np.where(totals > 0, totals, 1.0), 1.0 / v)
    return joint


def back_off_law(counts: Floats, reach: int, strength: float | None = None) -> Floats:
    """(V,) * n: back-off over context lengths up to `reach`, from counts of whole sequences (V,) * n.

    q_k(x | c) = (n(c x) + d q_(k-1)(x | c without its oldest token)) / (n(c) + d),  q_(-1) = 1 / V, with d the number
    of different symbols seen after c (method C of partial matching, blended; Witten & Bell 1991) or a given strength
    (the mean of a Dirichlet law around the shorter context's). Counts belong to a position, as the tables of the
    constraint sets do.
    """
    v = counts.shape[0]
    joint = np.ones(())
    for t in range(counts.ndim):
        here = counts.sum(axis=tuple(range(t + 1, counts.ndim)))
        law = np.full(v, 1.0 / v)
        for depth in range(min(t, reach) + 1):
            seen = here.sum(axis=tuple(range(t - depth)))
            total = seen.sum(axis=-1, keepdims=True)
            escape = (seen > 0).sum(axis=-1, keepdims=True) if strength is None else strength
            law = np.where(total > 0, (seen + escape * law) / np.maximum(total + escape, 1.0), law)
        joint = joint[..., None] * law
    return joint
