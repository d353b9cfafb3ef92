"""The exact chain of tokens of a dictionary.

A token w was cut where it was because no symbol that goes on with w followed. With s the state of the source, s w the
state behind w and p(w | s) the probability that w comes next:

    P(w | v, s) = [v w_1 is no string] p(w | s) e(w, s w) / e(v, s)
    e(w, s)     = 1 - sum of p(x | s) over the symbols x for which w x is a string
"""

import numpy as np

from testbed.sources.tokens.dictionary import Dictionary
from testbed.sources.tokens.token_chain import TokenChain, stationary_chain
from testbed.sources.tokens.unifilar import UnifilarMachine, check_states


def dictionary_chain(machine: UnifilarMachine, tokenizer: Dictionary) -> TokenChain:
    """The chain on (token, state of the source behind it)."""
    n_tokens = tokenizer.vocab_size
    goes_on = tokenizer.children[:-1] >= 0  # (V, K): token and symbol are a string
    exits = (~goes_on).astype(np.float64) @ machine.law.T  # (V, S): e(w, s), a sum over the symbols that do not go on
    chance, behind = (np.array(part) for part in zip(*map(machine.read, tokenizer.vocabulary), strict=True))
    first = np.array([string[0] for string in tokenizer.vocabulary])
    ends = chance * np.take_along_axis(exits, behind, axis=1)  # (V, S): p(w | s) e(w, s w)

    reached = np.zeros((n_tokens, machine.n_states), dtype=bool)
    token_of, source_of = np.nonzero(ends > 0)
    reached[token_of, behind[token_of, source_of]] = True
    token, state = np.nonzero(reached)
    check_states(len(token))
    number = np.full(reached.shape, -1)
    number[token, state] = np.arange(len(token))
    target = number[np.arange(n_tokens)[:, None], behind]  # (V, S)

    kernel = np.zeros((len(token), len(token)))
    for index, (w, s) in enumerate(zip(token.tolist(), state.tolist(), strict=True)):
        allowed = ~goes_on[w, first] & (ends[:, s] > 0)
        kernel[index, target[allowed, s]] = ends[allowed, s] / exits[w, s]
    return stationary_chain(token, kernel, tokenizer.lengths)
