"""The random hierarchy model: a grammar of fixed tree shape whose rules are drawn at random."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth
from testbed.sources.dyadic import quantise
from testbed.sources.hierarchical.branching import Branching, RuleBranching
from testbed.sources.hierarchical.tree_source import TreeSource
from testbed.sources.randomness import TOTAL, derive_seed, random_words
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import source

MAX_RULES = 2**16


@source("random_hierarchy")
class RandomHierarchy(TreeSource):
    """Random hierarchy model: each symbol is rewritten by one of m rules into s symbols, depth times over.

        2 -> 0 3 | 1 1          level 0, two of the 2 v rules
        0 -> 2 2 | 3 1   3 -> 0 1 | 1 3          level 1
        2  ->  0 3  ->  3 1 0 1                  a tree of depth 2: the tokens 3 1 0 1

    The rules of each level are v m different s-tuples, drawn uniformly from the v^s by `seed` and dealt to the symbols:
    children always determine their parent, so leaves and tree carry the same entropy,

        H(tree) = H(root) + (s^depth - 1) / (s - 1) H(rule)        = ln v + (s^depth - 1) / (s - 1) ln m if uniform
        h = H(tree) / s^depth

    Cagnetta & Wyart 2024 (2406.00048), Cagnetta et al. 2023 (2307.02129). Root and rules are uniform, exactly where v
    and m are powers of two, else to 2^-32. With `rule_exponent` a, the rule of rank k is used with probability
    ~ k^-a instead, at every level (Cagnetta, Kang & Wyart 2025, 2505.07067, have such laws).

    >>> source = RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=2)
    >>> round(source.tree_entropy().value, 4)  # 5 ln 2
    3.4657
    """

    vocab_size: int = Field(8, ge=2, le=4096, description="number of symbols v, the same at every level")
    n_rules: int = Field(2, ge=1, le=4096, description="rules of a symbol, m; at most v^(s-1)")
    rule_exponent: float = Field(0.0, ge=0, le=16, description="a in p(rule of rank k) ~ k^-a; 0: all alike")
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the rules")

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if self.n_rules > self.vocab_size ** (self.branching - 1):
            raise ValueError(
                f"n_rules: given {self.n_rules}, must be at most {self.vocab_size}^{self.branching - 1}; all rules are"
                f" different, and there are {self.vocab_size}^{self.branching} tuples for {self.vocab_size} symbols"
            )
        if self.n_rules * self.vocab_size > MAX_RULES:
            raise ValueError(f"n_rules: {self.vocab_size} x {self.n_rules} rules a level are over the limit of 2^16")
        if self.vocab_size**self.branching >= 2**63:
            raise ValueError(f"branching: {self.vocab_size}^{self.branching} tuples are over the limit of 2^63")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=4, n_rules=2, branching=2, depth=2, seed=1),
            cls(vocab_size=3, n_rules=2, branching=3, depth=1, seed=2, phase="random", rule_exponent=1.0),
            cls(vocab_size=2, n_rules=1, branching=2, depth=3, seed=3, phase="random"),  # the root is all there is
            cls(vocab_size=2, n_rules=2, branching=2, depth=2, phase="random"),  # all tuples are rules: iid tokens
            cls(vocab_size=8, n_rules=4, branching=2, depth=3),
        ]

    @property
    def rule_weights(self) -> NDArray[np.int64]:
        """(m,) integer weights over 2^32 of the rules of a symbol."""
        powers = np.arange(1, self.n_rules + 1, dtype=np.float64) ** -self.rule_exponent
        return quantise(powers / powers.sum())

    def rules(self, level: int) -> NDArray[np.int64]:
        """(v, m, s): the children that rule k of symbol a gives at this level, the root's level being 0."""
        v, m, s = self.vocab_size, self.n_rules, self.branching
        numbers = distinct_numbers(v * m, v**s, derive_seed(self.seed, "rules", level))
        digits = [numbers // v ** (s - 1 - child) % v for child in range(s)]
        return np.stack(digits, axis=1).reshape(v, m, s)

    def _make_levels(self) -> list[Branching]:
        return [RuleBranching(self.rules(level), self.rule_weights) for level in range(self.depth)]

    def tree_entropy(self) -> Truth:
        """H(tree) = H(root) + (s^depth - 1) / (s - 1) H(rule), exact."""
        n_nodes = (self.tree_length - 1) // (self.branching - 1)
        root, rule = (law_entropies(weights / float(TOTAL)) for weights in (self.tree.root_weights, self.rule_weights))
        return Truth.exact(float(root) + n_nodes * float(rule))


def distinct_numbers(n: int, below: int, seed: int) -> NDArray[np.int64]:
    """n different numbers of 0 .. below - 1, uniform, in random order: random numbers, repetitions left out.

    >>> sorted(distinct_numbers(4, 4, seed=0).tolist())
    [0, 1, 2, 3]
    """
    count = 2 * n
    while True:
        words = random_words(1, 2 * count, seed)[0].astype(np.uint64)
        numbers = ((words[0::2] << np.uint64(32)) | words[1::2]) % np.uint64(below)
        found, first = np.unique(numbers, return_index=True)
        if len(found) >= n:
            return numbers[np.sort(first)[:n]].astype(np.int64)
        count *= 2
