"""Position-weighted multitask sparse parity: one announced task a sequence, each the parity of a few bits."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, Truth
from testbed.sources.bit_query import NEVER, BitQuerySource
from testbed.sources.bits import LN2
from testbed.sources.dyadic import check_rows
from testbed.sources.gf2 import rank
from testbed.sources.parity.tables import STORED_BITS_A, VARIANT_A, Tasks, variant_b, weights_b
from testbed.sources.randomness import in_range
from testbed.sources.source import Floats, source

MAX_TASKS = 65534
MAX_BIT = 2**20


@source("sparse_parity")
class SparseParitySource(BitQuerySource):
    """Fair bits, the number of a task, and the parity of that task's bits; bit 1 is the nearest.

        1 0 0 1 1 | task (5, 2) | 0        (bit 5 is 1, bit 2 is 1)

    Shi et al. 2025 (2502.01481), exactly, with task frequencies f_t:

        R(l) = h_l = ln 2 sum of f_t over the tasks with max bit > l
        S(l) = ln 2 rank{parities of the tasks with max bit <= l} over GF(2)      the Bayes state before the task
        S_ntp(l) = h_0 - h_l                                                      what of it the next token shows

    variant "A"   50 equally frequent tasks, 100 stored bits, as in the authors' public code (v1 to v3); its 7 tasks
                  beyond bit 100 have random labels, so R stays at 7/50 ln 2
    variant "B"   100 tasks over 60 bits, bits 11 .. 60 each the farther bit of two (v4); frequencies recovered from the
                  published risks, f ~ (i - 0.929)^-1.1535; nearer bits by a rule with `seed` (see `tables.variant_b`)
    tasks         any table of tuples of bits, with `frequencies` (uniform if left out)

    Two departures: tasks are drawn independently (the code takes task i mod 50 for sample i), and frequencies are
    rounded to 2^-32. `noise` flips labels; the papers have none.

    >>> SparseParitySource(variant="A").conditional_entropies(43).value[[20, 24, 43]].round(4)
    array([0.6931, 0.5545, 0.2634])
    """

    variant: Literal["A", "B"] | None = Field(None, description="a published task table")
    given_tasks: tuple[tuple[int, ...], ...] | None = Field(
        None, alias="tasks", description="for each task the bits whose parity it asks for, 1 the nearest"
    )
    frequencies: ArrayInput = Field(None, description="law of the task (T,); the variant's own, or uniform")
    n_bits: int | None = Field(
        None, ge=0, le=MAX_BIT, description="tasks beyond this bit get random labels; left out: 100 for A, none else"
    )
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the nearer bits of variant B")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.variant is None) == (self.given_tasks is None):
            raise ValueError("variant: give a variant or tasks, one of the two")
        for row, task in enumerate(self.given_tasks or ()):
            if not task or len(set(task)) < len(task) or min(task) < 1 or max(task) > MAX_BIT:
                raise ValueError(
                    f"tasks: task {row} is {list(task)}; it needs at least one bit, each once, from 1 to {MAX_BIT}"
                )
        if not 1 <= len(self.tasks) <= MAX_TASKS:
            raise ValueError(f"tasks: given {len(self.tasks)}, must be 1 .. {MAX_TASKS}")
        if self.frequencies is not None:
            if self.frequencies.shape != (len(self.tasks),):
                raise ValueError(f"frequencies: given shape {self.frequencies.shape}, must be ({len(self.tasks)},)")
            check_rows(self.frequencies, "frequencies")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        triangle = ((2, 1), (3, 2), (3, 1), (4,), (6, 4, 1))
        return [
            cls(tasks=triangle, frequencies=np.array([0.4, 0.3, 0.1, 0.1, 0.1])),
            cls(tasks=triangle, n_bits=3, noise=0.1),
            cls(tasks=((1,),)),
            cls(variant="A"),
            cls(variant="B", seed=1),
        ]

    # -- the law
    @cached_property
    def tasks(self) -> Tasks:
        if self.given_tasks is not None:
            return self.given_tasks
        return VARIANT_A if self.variant == "A" else variant_b(self.seed)

    @property
    def stored_bits(self) -> int | None:
        return STORED_BITS_A if self.n_bits is None and self.variant == "A" else self.n_bits

    def _frequencies(self) -> Floats:
        if self.frequencies is not None:
            given: Floats = self.frequencies
            return given
        return weights_b() if self.variant == "B" else np.full(len(self.tasks), 1.0 / len(self.tasks))

    # -- truths beyond those of every bit query
    def state_entropy(self, context: int) -> Truth:
        """S(l) = ln 2 times the GF(2) rank of the parities that l bits solve; exact.

        The Bayes state before the task is known is the list of the answers that the context gives; the answers to
        tasks of positive frequency, and none where noise 1/2 hides them all.
        """
        solved = self.depths <= in_range("context", context, NEVER - 1)
        if self.noise_weights[0] == self.noise_weights[1]:
            return Truth.exact(0.0)
        rows = (self.tasks[t] for t in np.flatnonzero(solved & (self.question_weights > 0)))
        return Truth.exact(LN2 * rank(sum(1 << bit for bit in task) for task in rows))

    def state_entropies(self, max_context: int) -> Truth:
        """(max + 1,) `state_entropy` after l = 0 .. max bits, exact."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        steps = np.unique(np.append(0, self.depths[self.depths < NEVER]))  # it rises at these alone
        entropies = np.array([float(self.state_entropy(int(depth)).lower) for depth in steps])
        return Truth.exact(entropies[np.searchsorted(steps, lengths, side="right") - 1])

    def shown_entropy(self, context: int) -> Truth:
        """S_ntp(l) = h_0 - h_l, exact: what the next token shows of the state."""
        solved = self.depths <= in_range("context", context, NEVER - 1)
        return Truth.exact((LN2 - self._answered_entropy) * float(self.question_law[solved].sum()))
