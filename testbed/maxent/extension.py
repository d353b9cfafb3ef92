"""`Extension`: a law of 2T tokens made from what is known of shorter stretches, and its next-token laws.

    scheme = Scheme(family={"type": "windows", "overlap": 3})
    longer = scheme.extend(WindowMarginals(block), vocab_size=2, context_length=4)
    longer.next((0, 1, 1, 0, 1))     # (V,): q(x_5 | x_0 .. x_4)

The tables come from a callable: exact marginals of a source, those of a trained model's T-token law, or counts
(`testbed.maxent.marginals`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Config, ConfigError
from testbed.maxent.checks import whole
from testbed.maxent.constraint import Constraint, Floats
from testbed.maxent.constraint_set import ConstraintSet, Disagreement, SolverName
from testbed.maxent.faces import regime
from testbed.maxent.families import AnyFamily, Marginals
from testbed.maxent.law import Law, checked_prefix, checked_tokens, log_of_tokens
from testbed.maxent.policies import Policy, solve_with_policy


class Scheme(Config):
    """How a model of T tokens is carried on: which tables, and what is made of them.

    autoregression  joint: one law of all n tokens, later ones summed out. each: for every t a law of t + 1 tokens from
                    the tables restricted to them, of which the last token's conditional is taken. The same for windows;
                    not for pairs, whose laws at different lengths are not marginals of each other.
    mixing          e: every table is mixed with the uniform law, (1 - e) mu + e / V^|c|, so that zeros of counts
                    become small and the multipliers finite
    """

    family: AnyFamily
    policy: Policy = Field("autoregressive", description="what is done where the tables disagree")
    solver: SolverName = Field("auto", description="where they agree")
    autoregression: Literal["joint", "each"] = "joint"
    mixing: float = Field(0.0, ge=0, le=1, description="share of the uniform law in every table")
    l2: float = Field(1e-3, gt=0, description="weight of the policy soft")

    def extend(
        self, marginals: Marginals, vocab_size: int, context_length: int, length: int | None = None
    ) -> "Extension":
        """The extension of what `marginals` supplies to `length` tokens (the family's own length if left out)."""
        given = self.family.constraints(marginals, vocab_size, context_length, length, allow_disagreement=True)
        return Extension(self, context_length, given.mixed(self.mixing) if self.mixing else given)


@dataclass(frozen=True, eq=False)
class Extension:
    """The law of n tokens that a scheme makes of its tables; solved when first asked."""

    scheme: Scheme
    context_length: int
    constraints: ConstraintSet

    @property
    def vocab_size(self) -> int:
        return self.constraints.vocab_size

    @property
    def length(self) -> int:
        """n, the tokens covered."""
        return self.constraints.length

    @property
    def regime(self) -> str:
        """R1: a model of T tokens can supply every table; R2: it cannot."""
        return regime(self.constraints.cliques, self.context_length)

    @property
    def separator_audit(self) -> tuple[Disagreement, ...]:
        """Where the tables disagree, and by how much."""
        return self.constraints.separator_audit

    @cached_property
    def law(self) -> Law:
        """The law of all n tokens."""
        return self._solve(self.constraints)

    def law_of(self, length: int) -> Law:
        """The law of `length` tokens from the tables restricted to them: not a marginal of `law` in general."""
        if whole("length", length, 1) > self.length:
            raise ConfigError(f"length: given {length}, must lie in 1 .. {self.length}")
        kept = []
        for one in self.constraints.constraints:
            inside = tuple(p for p in one.positions if p < length)
            if inside:
                kept.append(Constraint(inside, one.marginal(inside)))
        return self._solve(ConstraintSet(self.vocab_size, length, kept, allow_disagreement=True))

    def _solve(self, constraints: ConstraintSet) -> Law:
        return solve_with_policy(constraints, self.scheme.policy, solver=self.scheme.solver, l2=self.scheme.l2)

    @cached_property
    def _known(self) -> dict[int, Law]:
        """Laws of fewer tokens that have been asked for."""
        return {}

    def _law_at(self, t: int) -> Law:
        """The law that gives token t its conditional."""
        if self.scheme.autoregression == "joint" or t == self.length - 1:
            return self.law
        if t not in self._known:
            self._known[t] = self.law_of(t + 1)
        return self._known[t]

    def next(self, prefix: tuple[int, ...] | NDArray[np.integer[Any]]) -> Floats:
        """(V,): q(x_t | x_0 .. x_(t-1)) for a prefix of t < n tokens; nan after a prefix of probability zero."""
        read = checked_prefix(prefix, self.length)
        return self._law_at(len(read)).next_token(read)

    def predict(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        """(N, L, V): q(x_t | x_0 .. x_(t-1)) along sequences of L <= n tokens."""
        if self.scheme.autoregression == "joint":
            return self.law.predict(tokens)
        read = checked_tokens(tokens, self.vocab_size, self.length)
        out = np.empty((*read.shape, self.vocab_size))
        for t in range(read.shape[1]):
            out[:, t] = self._law_at(t).predict(read[:, : t + 1])[:, t]
        return out

    def log_probs(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        """(N, L): ln q(x_t | x_0 .. x_(t-1)), -inf where impossible, and ever after."""
        read = checked_tokens(tokens, self.vocab_size, self.length)
        return log_of_tokens(self.predict(read), read)
