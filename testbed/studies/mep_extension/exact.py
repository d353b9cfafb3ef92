"""Exact marginals: what every scheme loses on every token of every source, and what it makes of one token fewer."""

import numpy as np

from testbed.maxent import marginal_of, token_divergences
from testbed.studies.mep_extension import laws, schemes
from testbed.studies.mep_extension.config import ExactArm
from testbed.studies.mep_extension.laws import Floats

SHORTENED = ("windows", "pairs_all")
"""The two schemes of which C12 asks whether their law keeps itself when the last token is dropped."""


def exact(arm: ExactArm, rng: np.random.Generator) -> dict[str, Floats]:
    """divergence (source, scheme, n): E_p KL(p(x_t | x_<t) || q(x_t | x_<t)), nats. shortened (source, 2): total
    variation between the extension to n tokens, its last one summed out, and that to n - 1. formula (chain, overlap):
    largest difference from the closed form of windows. entropy (source,): H(p)."""
    t = arm.context_length
    sources, options = laws.names_of(t), schemes.names_of(t)
    divergence = np.zeros((len(sources), len(options), 2 * t))
    shortened = np.zeros((len(sources), len(SHORTENED)))
    entropy = np.zeros(len(sources))
    formula = np.zeros((t + 1, t))
    for i, source in enumerate(sources):
        law = laws.law_of(source, arm, rng)
        entropy[i] = _entropy(law)
        for j, option in enumerate(options):
            divergence[i, j] = token_divergences(law, schemes.extended(option, law, t))
        for j, option in enumerate((schemes.window(t - 1), "pairs_all")):
            shortened[i, j] = _shortened(option, law, t)
        if source.startswith("markov"):
            for s in range(t):
                expected = window_losses(law, t, s)
                found = divergence[i, options.index(schemes.window(s))]
                formula[i, s] = np.abs(found - expected).max()
    return {"divergence": divergence, "shortened": shortened, "formula": formula, "entropy": entropy}


def window_losses(law: Floats, context_length: int, overlap: int) -> Floats:
    """(n,): the token at offset j of a new block sees s + j - 1 tokens and loses h_(s+j-1) - h_(t-1), with
    h_m = H(X_t | m tokens before it) of a stationary law, by its blocks alone."""
    blocks = [_entropy(marginal_of(law, tuple(range(m)))) if m else 0.0 for m in range(law.ndim + 1)]
    h = np.diff(blocks)
    found = np.zeros(law.ndim)
    for t in range(context_length, law.ndim):
        found[t] = h[overlap + (t - context_length) % (context_length - overlap)] - h[t]
    return found


def _shortened(option: str, law: Floats, context_length: int) -> float:
    longer = schemes.solved(schemes.constraints_of(option, law, context_length)).sum(axis=-1)
    shorter = schemes.solved(schemes.constraints_of(option, law.sum(axis=-1), context_length))
    return float(np.abs(longer - shorter).sum() / 2)


def _entropy(law: Floats) -> float:
    some = law[law > 0]
    return float(-np.sum(some * np.log(some)))
