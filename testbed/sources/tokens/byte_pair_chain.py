"""The exact chain of tokens of byte pairs: each merge takes a chain on tokens to a chain on tokens.

Let a before b become m, from left to right. After an a that stayed, no b follows; an a comes with the share of its
weight that is not followed by b, and m with the rest; and after m follows what followed the b in it. The same holds for
a = b: of a run of a's, every second joins the one before it.
"""

import numpy as np

from testbed.sources.tokens.byte_pairs import BytePairs
from testbed.sources.tokens.token_chain import TokenChain, stationary_chain
from testbed.sources.tokens.tokenizer import Floats, Integers
from testbed.sources.tokens.unifilar import UnifilarMachine, check_states

COMPACT_EVERY = 16  # merges between two sweeps for states that are not reached any more


def byte_pair_chain(machine: UnifilarMachine, tokenizer: BytePairs) -> TokenChain:
    """The chain on (token, state of the source behind it)."""
    token, kernel = symbol_chain(machine)
    for number, (first, second) in enumerate(tokenizer.merges):
        token, kernel = merged(token, kernel, first, second, tokenizer.n_symbols + number)
        if number % COMPACT_EVERY == 0:
            token, kernel = _reached(token, kernel)
        check_states(len(token))
    return stationary_chain(*_reached(token, kernel), tokenizer.lengths)


def symbol_chain(machine: UnifilarMachine) -> tuple[Integers, Floats]:
    """The source as a chain on (symbol, state behind it): symbols (S',) and kernel (S', S')."""
    state, symbol = np.nonzero(machine.law)
    pairs, target = np.unique(np.stack([symbol, machine.following[state, symbol]]), axis=1, return_inverse=True)
    from_state = np.zeros((machine.n_states, pairs.shape[1]))
    from_state[state, target.reshape(-1)] = machine.law[state, symbol]
    return pairs[0], from_state[pairs[1]]


def merged(token: Integers, kernel: Floats, first: int, second: int, new: int) -> tuple[Integers, Floats]:
    """The chain after the merge of `first` and `second`, which may be the same token."""
    left, right = np.flatnonzero(token == first), np.flatnonzero(token == second)
    joins = kernel[np.ix_(left, right)]  # (a, b): an a in this state is followed by b in that one
    used = joins.sum(axis=0) > 0
    right, joins = right[used], joins[:, used]
    if not right.size:
        return token, kernel
    behind_new = kernel[right]
    kept = kernel.copy()
    kept[np.ix_(left, right)] = 0.0  # an a that stayed is followed by no b
    stays = kept[left].sum(axis=1)  # 1 - joins, without the rounding of a difference: 0 where only b can follow
    kept[left] = np.divide(kept[left], stays[:, None], out=np.zeros_like(kept[left]), where=stays[:, None] > 0)
    rows = np.concatenate([kept, behind_new])
    into_first = rows[:, left]
    rows[:, left] = into_first * stays
    return np.append(token, np.full(len(right), new)), np.concatenate([rows, into_first @ joins], axis=1)


def _reached(token: Integers, kernel: Floats) -> tuple[Integers, Floats]:
    """Without the states that no other leads to."""
    while True:
        kept = np.flatnonzero(kernel.sum(axis=0) > 0)
        if len(kept) == len(token):
            return token, kernel
        token, kernel = token[kept], kernel[np.ix_(kept, kept)]
