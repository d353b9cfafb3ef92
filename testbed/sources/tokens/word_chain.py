"""The exact chain of word-pooled tokens.

Where a word begins, a known word comes with its probability, and otherwise the word is spelt out. Let u be what has
been spelt of a word, s the state of the source, and r(u, s) the probability that the word does not become a known one:

    P(x | u, s) = p(x | s) r(u x, s x) / r(u, s),      r(u, s) = sum over x of p(x | s) r(u x, s x)

with r = 0 where u x is a known word, 1 where x is the separator of another one and where no known word begins with u x.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources.tokens.token_chain import TokenChain, stationary_chain
from testbed.sources.tokens.tokenizer import Floats, Integers, String
from testbed.sources.tokens.unifilar import UnifilarMachine, check_states
from testbed.sources.tokens.words import WordPool

ROUNDING = 1e-15
State = tuple[int, int, int]
"""Token, what has been spelt of the word (0: it begins), state of the source."""


def word_chain(machine: UnifilarMachine, tokenizer: WordPool) -> TokenChain:
    """The chain on (token, what has been spelt of the word, state of the source)."""
    prefixes = _Prefixes.of(tokenizer)
    unknown = _chance_of_unknown(machine, prefixes, tokenizer.separator)
    words = [(tokenizer.n_symbols + rank, *machine.read(word)) for rank, word in enumerate(tokenizer.words)]

    def following(state: State) -> dict[State, float]:
        _, prefix, at = state
        law: dict[State, float] = {}
        if prefix == 0:
            law = {(token, 0, int(behind[at])): float(chance[at]) for token, chance, behind in words if chance[at] > 0}
        given = unknown[prefix, at] if prefix else 1.0
        for symbol in range(tokenizer.n_symbols):
            to, then = int(prefixes.goes_to[prefix, symbol]), int(machine.following[at, symbol])
            left = 1.0 if symbol == tokenizer.separator else unknown[to, then]
            chance = machine.law[at, symbol] * left / given
            if chance > 0 and not prefixes.ends_known[prefix, symbol]:
                law[symbol, to, then] = float(chance)
        return law

    starts: list[State] = [(tokenizer.separator, 0, at) for at in range(machine.n_states)]
    number = {state: index for index, state in enumerate(starts)}
    rows: list[dict[int, float]] = []
    states = list(starts)
    for state in states:  # grows as it is read
        law = following(state)
        for reached in law:
            if reached not in number:
                number[reached] = len(states)
                states.append(reached)
        rows.append({number[reached]: chance for reached, chance in law.items()})
    check_states(len(states))
    kernel = np.zeros((len(states), len(states)))
    for index, row in enumerate(rows):
        kernel[index, list(row)] = list(row.values())
    return stationary_chain(np.array([token for token, _, _ in states]), kernel, tokenizer.lengths)


@dataclass(frozen=True, eq=False)
class _Prefixes:
    """Prefixes of known words by number, shorter ones first; number 0 is the empty one, `dead` is none.

    goes_to      (dead + 1, K) the prefix one symbol longer; 0 behind the separator
    ends_known   (dead + 1, K) this symbol makes it a known word
    """

    goes_to: Integers
    ends_known: NDArray[np.bool_]

    @property
    def dead(self) -> int:
        return len(self.goes_to) - 1

    @classmethod
    def of(cls, tokenizer: WordPool) -> "_Prefixes":
        every: set[String] = {word[:n] for word in tokenizer.words for n in range(len(word))} | {()}
        number = {prefix: index for index, prefix in enumerate(sorted(every, key=lambda one: (len(one), one)))}
        dead = len(number)
        goes_to = np.full((dead + 1, tokenizer.n_symbols), dead)
        ends_known = np.zeros((dead + 1, tokenizer.n_symbols), dtype=bool)
        for prefix, index in number.items():
            for symbol in range(tokenizer.n_symbols):
                goes_to[index, symbol] = number.get((*prefix, symbol), dead)
        for word in tokenizer.words:
            ends_known[number[word[:-1]], word[-1]] = True
        goes_to[:, tokenizer.separator] = 0
        return cls(goes_to, ends_known)


def _chance_of_unknown(machine: UnifilarMachine, prefixes: _Prefixes, separator: int) -> Floats:
    """(dead + 1, S): r(u, s)."""
    found = np.ones((prefixes.dead + 1, machine.n_states))
    for prefix in reversed(range(prefixes.dead)):  # longer ones first
        total = np.zeros(machine.n_states)
        for symbol in range(machine.n_symbols):
            to = prefixes.goes_to[prefix, symbol]
            left = 1.0 if symbol == separator else found[to, machine.following[:, symbol]]
            total += machine.law[:, symbol] * np.where(prefixes.ends_known[prefix, symbol], 0.0, left)
        found[prefix] = np.where(total < ROUNDING, 0.0, total)  # rounding: a known word is sure to come
    return found
