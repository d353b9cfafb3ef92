"""The study `tokenizers`: what cutting a text into tokens does to its entropies, to estimates of them, and to learning.

Rajaraman, Jiao & Ramchandran 2024 (2404.08335): on chains whose symbol depends on the one k before it, transformers
stay at the unigram loss without tokens and get past it with them, because a unigram model over tokens is near-optimal.
Erdogan et al. 2026 (2601.09039): with more training data a tokenizer's tokens become more diverse and, given some
earlier ones, more predictable.

Here the law of tokens is known exactly (`testbed.sources.tokens`): h of tokens = h of symbols x E[length] comes out of
it to rounding, and is a check. So the fall of an estimated entropy is split without remainder into what tokens absorbed
(the fall of the exact one) and what the estimate misses, and a fair coin, which has nothing to absorb, is the null.
Transformers are scored by their exact divergence and compared in nats a symbol; the plateau's length is the step at
which the loss is halfway from H(symbol) to h.

What was fixed when. Regions come from the papers and from tries of a few chains; a first run at laptop scale, on
replicates 0 to 7, was void, because it held texts' ends against the law of their middles. After it, and before the runs
that count: numbers that are exact for each tokenizer are judged by the worst case of a replicate, in place of the worst
of means; steps are averaged over k and T; symbols have one learning rate at all context lengths, so that lengths are
compared at equal rates; the grid of rates goes up to 0.1. Verdicts at laptop scale and above come from replicates 1000
on, and rates from replicates 500000 on. One claim was added when those of laptop scale had been seen: the fall of the
exact entropy per symbol of the source, which is zero to rounding in every replicate.

Shares of eight runs cannot be decided among so many claims, whatever they are, so that two claims on the plateau stay
undecided at laptop scale by design. Transformers can have replicates of their own (`learners.replicates`); with twelve
the planted worlds are told apart.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.study import Study, study
from testbed.studies.tokenizers.config import CODERS, Arm, Bounds, Learners, Role, Texts
from testbed.studies.tokenizers.grid import TUNING_OFFSET, Probe, judged_cells, text_cells, tuned_rate
from testbed.training.member import TrainedMember


@study("tokenizers")
class Tokenizers(Study):
    """Entropies of tokens, exact and estimated, and transformers with and without them, on chains of known order."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "What tokens absorb, and what they only seem to"
    papers: ClassVar[tuple[str, ...]] = ("2404.08335", "2601.09039", "2310.11628", "2407.17686")

    arms: tuple[Arm, ...] = Field(
        min_length=4, max_length=16, description="a coin, words, and lag chains of k = 1, 2.."
    )
    texts: Texts = Field(Texts(), description="texts of tokenizers and estimates")
    learners: Learners = Field(Learners(), description="the transformers")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="independent texts and tokenizers trained on others")
    first_replicate: int = Field(0, ge=0, lt=TUNING_OFFSET - 10_000, description="number of the first replicate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms: names must differ, given {', '.join(names)}")
        for role in ("coin", "words"):
            if [arm.role for arm in self.arms].count(role) != 1:
                raise ValueError(f"arms: there must be one of role {role}")
        orders = [arm.order for arm in self.lag_arms]
        if 1 not in orders or sum(order >= 2 for order in orders) < 2 or len(set(orders)) != len(orders):
            raise ValueError(f"arms: of role lag, orders 1 and two or more from 2 on are needed, given {orders}")
        if len({(arm.sizes, arm.source.vocab_size) for arm in (self.coin, *self.lag_arms)}) != 1:
            raise ValueError("arms: the coin and the lag arms must have one alphabet and the same sizes")
        if max(orders) > self.learners.contexts[0]:
            raise ValueError(f"learners.contexts: given {self.learners.contexts}, must reach back to k = {max(orders)}")
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the texts."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def member_numbers(self) -> range:
        """The numbers of the transformers of each setting."""
        learners = self.learners
        first = self.first_replicate if learners.first_replicate is None else learners.first_replicate
        return range(first, first + (learners.replicates or self.replicates))

    @property
    def lag_arms(self) -> tuple[Arm, ...]:
        """The chains that are learnt."""
        return tuple(arm for arm in self.arms if arm.role == "lag")

    @property
    def coin(self) -> Arm:
        """The null."""
        return self._only("coin")

    @property
    def words(self) -> Arm:
        """The lexicon."""
        return self._only("words")

    def _only(self, role: Role) -> Arm:
        return next(arm for arm in self.arms if arm.role == role)

    def arm(self, name: str) -> Arm:
        """The arm of this name."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"arms: there is none called {name}")

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Texts and tuning first; once a coder's learning rate is chosen, its members."""
        cells = list(text_cells(self))
        for coder in CODERS:
            rate, tuning = tuned_rate(self, coder, finished)
            cells += tuning
            if rate is not None:
                cells += judged_cells(self, coder, rate)
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.tokenizers.measure import member_record, texts_record

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            arm = self.arm(cell.probe.arm)
            if cell.training is None:
                yield texts_record(cell, arm, cell.probe)
            else:
                yield member_record(cell, members[cell.training.training_key], arm)
