"""Exact laws of masked tokens: by forward-backward for finite machines, else summed over all fillings."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import form_is_rounded
from testbed.sources.equivalent_states import EdgeList
from testbed.sources.machine_laws import transition_matrix
from testbed.sources.masked import FILLINGS
from testbed.sources.masked_checks import check_masked
from testbed.sources.source import Floats, Source, Tokens, require_law_memory
from testbed.sources.stationary import closed_classes

CHUNK_TOKENS = 2**22
"""Tokens of filled sequences that are looked at together."""


def masked_laws(source: Source, tokens: Tokens, masked: NDArray[np.bool_]) -> Floats:
    """`Source.predict_masked`, by whichever way the source allows."""
    given, hidden = check_masked(tokens, masked, source.vocab_size)
    require_law_memory(1, int(hidden.sum()), source.vocab_size)
    parts = machine_parts(source)
    if parts is not None:
        return laws_by_machine(parts, source.vocab_size, given, hidden)
    return laws_by_filling(source, given, hidden)


def most_filled(source: Source) -> int | None:
    """`Source.most_masked`: any number for a machine, else the largest m with V^m <= 2^16."""
    if source.takes_inputs:
        return 0
    if source.vocab_size == 1 or machine_parts(source) is not None:
        return None
    m = 0
    while source.vocab_size ** (m + 1) <= FILLINGS:
        m += 1
    return m


# -- finite machines
class Part(NamedTuple):
    """A closed class of states with the law of the first one and ln of the probability to be in it."""

    starts: NDArray[np.int64]
    symbols: NDArray[np.int64]
    targets: NDArray[np.int64]
    probabilities: Floats
    initial: Floats
    log_share: float


@lru_cache(maxsize=16)
def machine_parts(source: Source) -> list[Part] | None:
    """The source's machine, one part for each closed class that it can start in; None where it is no finite machine,
    or its weights as one would be rounded.

    Classes are kept apart so that one whose evidence falls 1e-308 below another's is not lost for good.
    """
    if form_is_rounded(source):
        return None
    try:
        edges, law = as_edges(source)
    except ConfigError:
        return None
    whole = EdgeList.of(edges)
    classes = [states for states in closed_classes(transition_matrix(whole)) if law[states].any()]
    if len(classes) < 2:
        classes = [np.arange(whole.n_states)]
    return [_part(whole.restrict(states), law[states]) for states in classes]


def _part(edges: EdgeList, law: Floats) -> Part:
    order = np.lexsort((edges.symbols, edges.origins))
    starts = np.searchsorted(edges.origins[order], np.arange(edges.n_states + 1))
    share = float(law.sum())
    columns = edges.symbols[order], edges.successors[order], edges.probabilities[order]
    return Part(starts.astype(np.int64), *columns, law / share, float(np.log(share)))


def laws_by_machine(
    parts: Sequence[Part], vocab_size: int, tokens: NDArray[np.int64], masked: NDArray[np.bool_]
) -> Floats:
    """Forward-backward in every part; the parts weighed by the evidence of what is seen, in log space."""
    from testbed.sources._kernels.masked import forward_backward

    read = np.where(masked, -1, tokens)
    laws, evidence = [], []
    for part in parts:
        law, seen = np.zeros((int(masked.sum()), vocab_size)), np.empty(len(tokens))
        forward_backward(*part[:4], part.initial, read, law, seen)
        laws.append(law)
        evidence.append(seen + part.log_share)
    if len(parts) == 1:
        return laws[0]
    scores = np.stack(evidence)
    with np.errstate(invalid="ignore"):
        shares = np.exp(scores - scores.max(axis=0))
        shares /= shares.sum(axis=0)
    row = np.nonzero(masked)[0]
    result = np.zeros_like(laws[0])
    for law, share in zip(laws, shares, strict=True):
        result += np.where(share[row, None] == 0, 0.0, share[row, None] * law)
    return result


# -- any source
def laws_by_filling(source: Source, tokens: NDArray[np.int64], masked: NDArray[np.bool_]) -> Floats:
    """Bayes' rule over the V^m sequences that m masked tokens can make, from `log_probs`; 2^16 of them at most.

    The last token masked alone is `predict`, at a cost that does not grow with V.
    """
    if source.takes_inputs:
        raise UndefinedError(
            f"predict_masked: the law of {source.type_name} is conditional on real-valued inputs, which masked tokens"
            " have none of"
        )
    length, counts = tokens.shape[1], masked.sum(axis=1)
    first = np.cumsum(counts) - counts
    result = np.empty((int(counts.sum()), source.vocab_size))
    for m in np.unique(counts[counts > 0]).tolist():
        rows = np.flatnonzero(counts == m)
        sites = np.nonzero(masked[rows])[1].reshape(len(rows), m)
        if m == 1:
            last = sites[:, 0] == length - 1
            if last.any():
                result[first[rows[last]]] = source.predict(tokens[rows[last]], positions=[length - 1])[:, 0]
            rows, sites = rows[~last], sites[~last]
        most = most_filled(source)
        if len(rows) and most is not None and m > most:
            raise UndefinedError(
                f"predict_masked: {source.type_name} is no finite machine, and {m} masked tokens over"
                f" {source.vocab_size} symbols make {source.vocab_size}^{m} sequences; at most 2^16 are summed over, so"
                f" mask at most {most} in a sequence"
            )
        for place, law in enumerate(_filled_laws(source, tokens[rows], sites)):
            result[first[rows] + place] = law
    return result


def _filled_laws(source: Source, tokens: NDArray[np.int64], sites: NDArray[np.int64]) -> list[Floats]:
    """For each of the m sites (n, m) the laws (n, V)."""
    (n, m), vocab_size = sites.shape, source.vocab_size
    fillings = vocab_size**m
    places = vocab_size ** np.arange(m - 1, -1, -1)
    scores = np.empty(n * fillings)
    step = max(1, CHUNK_TOKENS // max(tokens.shape[1], 1))
    for start in range(0, len(scores), step):
        row, filling = np.divmod(np.arange(start, min(start + step, len(scores))), fillings)
        filled = tokens[row]
        filled[np.arange(len(row))[:, None], sites[row]] = filling[:, None] // places % vocab_size
        with np.errstate(invalid="ignore", divide="ignore"):
            found = source.log_probs(filled)
        scores[start : start + len(row)] = np.where(np.isnan(found), -np.inf, found).sum(axis=1)
    scores = scores.reshape(n, fillings)
    with np.errstate(invalid="ignore"):  # -inf less -inf is nan: what is seen is impossible
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
    shaped = weights.reshape((n,) + (vocab_size,) * m)
    return [shaped.sum(axis=tuple(j for j in range(1, m + 1) if j != place + 1)) for place in range(m)]
