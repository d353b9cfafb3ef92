"""Tables from counts: loss of every scheme at N sequences, the split into bias and estimation error, and crossings."""

import numpy as np

from testbed.maxent import ConstraintSet, divergence, token_divergences
from testbed.studies.mep_extension import laws, schemes
from testbed.studies.mep_extension.config import CountsArm, CrossingArm
from testbed.studies.mep_extension.laws import Floats
from testbed.studies.mep_extension.schemes import back_off_law, extended

SMOOTHED = ("window_kt", "back_off", "back_off_dirichlet", "back_off_all")
"""Baselines with smoothing of their own: the window with half a count in every cell; back-off from T - 1 tokens (what
the window reads) by escapes or with a Dirichlet strength of V; from all tokens before, by escapes."""
MOST_SANDWICH_CELLS = 2**9


def predictor_names(arm: CountsArm) -> tuple[str, ...]:
    return (*arm.schemes, *SMOOTHED)


def counts(arm: CountsArm, rng: np.random.Generator) -> dict[str, Floats]:
    """Over samples of every size N, means of

    loss (source, predictor, N): nats per new token behind a true prefix; estimation (source, scheme, N): KL(q* || qhat)
    of all tokens; pythagoras (source, scheme, N): largest |KL(p || qhat) - KL(p || q*) - KL(q* || qhat)|.
    Once for each law: bias (source, scheme): nats per new token of q*; rank (source, scheme): r, independent equations
    without normalisation; sandwich (source, scheme): tr(F^-1 S), or r where V^n is too large for it.
    """
    t, n_schemes = arm.context_length, len(arm.schemes)
    shape = (len(arm.sources), n_schemes, len(arm.sizes))
    loss = np.zeros((len(arm.sources), len(predictor_names(arm)), len(arm.sizes)))
    estimation, pythagoras = np.zeros(shape), np.zeros(shape)
    bias, rank, sandwich = np.zeros(shape[:2]), np.zeros(shape[:2]), np.zeros(shape[:2])
    for i, source in enumerate(arm.sources):
        law = laws.law_of(source, arm, rng)
        best = [extended(name, law, t) for name in arm.schemes]
        for j, name in enumerate(arm.schemes):
            constraints = schemes.constraints_of(name, law, t)
            bias[i, j] = new_token_loss(law, best[j], t)
            rank[i, j] = constraints.rank - 1
            small = law.size <= MOST_SANDWICH_CELLS
            sandwich[i, j] = parameter_noise(constraints, law, best[j]) if small else rank[i, j]
        for k, (size, draws) in enumerate(zip(arm.sizes, arm.draws, strict=True)):
            for _ in range(draws):
                seen = rng.multinomial(size, law.reshape(-1)).reshape(law.shape).astype(np.float64)
                fitted = [extended(name, with_uniform(seen), t, counted=True) for name in arm.schemes]
                fitted += [smoothed(name, seen, t) for name in SMOOTHED]
                loss[i, :, k] += [new_token_loss(law, one, t) / draws for one in fitted]
                for j in range(n_schemes):
                    error = divergence(best[j], fitted[j])
                    estimation[i, j, k] += error / draws
                    off = abs(divergence(law, fitted[j]) - divergence(law, best[j]) - error)
                    pythagoras[i, j, k] = max(pythagoras[i, j, k], off)
    return {
        "loss": loss,
        "estimation": estimation,
        "pythagoras": pythagoras,
        "bias": bias,
        "rank": rank,
        "sandwich": sandwich,
    }


def crossing(arm: CrossingArm, rng: np.random.Generator) -> dict[str, Floats]:
    """difference (N,): mean loss of the neighbour-pair chain less that of the window, nats per new token. predicted:
    the N at which bias and r / 2N of the two are equal.

    A new token's conditional table over s tokens costs V^s (V - 1) / 2N, so that with b the bias of the chain,
    N = (V^(T-1) - V) (V - 1) / 2 b.
    """
    v, t = arm.vocab_size, arm.context_length
    low, high = arm.bias
    window = schemes.window(t - 1)
    for _ in range(10_000):
        law = laws.chain_law(laws.markov_kernel(rng, v, 2, arm.alpha), 2 * t)
        bias = new_token_loss(law, extended("chain", law, t), t)
        if low <= bias <= high:
            break
    else:
        raise ValueError(f"bias: of 10,000 chains none has h_1 - h_2 within {arm.bias}; widen it or change alpha")
    difference = np.zeros(len(arm.sizes))
    for k, size in enumerate(arm.sizes):
        for _ in range(arm.draws):
            tables = with_uniform(rng.multinomial(size, law.reshape(-1)).reshape(law.shape).astype(np.float64))
            small, large = (new_token_loss(law, extended(name, tables, t), t) for name in ("chain", window))
            difference[k] += (small - large) / arm.draws
    predicted = (v ** (t - 1) - v) * (v - 1) / (2 * bias)
    return {"difference": difference, "predicted": np.array(predicted), "bias": np.array(bias)}


def crossing_size(sizes: Floats, difference: Floats) -> float:
    """The N at which a difference b - a / N changes its sign for the last time: N times it is a line in N, read
    between the two sizes around it; nan where the sign never changes."""
    scaled = difference * sizes
    below = np.flatnonzero((scaled[:-1] < 0) & (scaled[1:] >= 0))
    if not len(below):
        return float("nan")
    k = below[-1]
    share = -scaled[k] / (scaled[k + 1] - scaled[k])
    return float(sizes[k] + share * (sizes[k + 1] - sizes[k]))


def with_uniform(seen: Floats) -> Floats:
    """Relative frequencies with one sequence of the uniform law among them: every table is mixed with the uniform one
    by the share 1 / (N + 1), so that none has a zero and all stay marginals of one law."""
    return np.asarray((seen + 1.0 / seen.size) / (seen.sum() + 1.0))


def smoothed(name: str, seen: Floats, context_length: int) -> Floats:
    """The baselines that smooth by themselves."""
    if name == "window_kt":
        half = 0.5 * seen.shape[0] ** context_length / seen.size  # a half in every cell of a window's table
        return extended(schemes.window(context_length - 1), (seen + half) / (seen + half).sum(), context_length)
    reach = seen.ndim if name == "back_off_all" else context_length - 1
    return back_off_law(seen, reach, float(seen.shape[0]) if name == "back_off_dirichlet" else None)


def new_token_loss(law: Floats, fitted: Floats, context_length: int) -> float:
    """X: mean over t >= T of E_p KL(p(x_t | x_<t) || q(x_t | x_<t)), the prefix being true; nats per token."""
    return float(token_divergences(law, fitted)[context_length:].mean())


def parameter_noise(constraints: ConstraintSet, law: Floats, best: Floats) -> float:
    """tr(F^-1 S) with F and S the covariances of the constrained statistics under q* and under p.

    2N E KL(q* || qhat) tends to it: r where p is in the family (F = S), another number where it isn't (the correction
    of White 1982 and Takeuchi 1976).
    """
    symbols = np.indices(law.shape).reshape(law.ndim, -1)
    rows = []
    for one in (constraints.constraints[i] for i in constraints.maximal):
        cell = np.ravel_multi_index([symbols[p] for p in one.positions], one.table.shape)
        rows.append(cell == np.arange(one.table.size)[:, None])
    features = np.concatenate(rows).astype(np.float64)
    means = features @ best.reshape(-1)
    under_best, under_law = ((features * q.reshape(-1)) @ features.T - np.outer(means, means) for q in (best, law))
    return float(np.trace(np.linalg.pinv(under_best, rcond=1e-10, hermitian=True) @ under_law))
