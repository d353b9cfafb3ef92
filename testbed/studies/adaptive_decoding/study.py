"""The study `adaptive_decoding`: is the small model's entropy a reason to ask the large one?

Simonds 2025 (2502.06833) decodes with two models: the large one writes where the rolling mean of the next-token entropy
exceeds a threshold, the small one elsewhere. What a call is worth at a position is KL(p || q_S) - KL(p || q_L), which
the paper cannot know; here p is exact, so that every switcher has an exact frontier, between the line of random calls
and the oracle's.

For a small model that is the Bayes law of a part s of what the large one sees, and a large one that is calibrated too,
the Bayes law of all that it sees (ours),

    E[gain | s] = H_S(s) - E[H_L | s]

what the small one does not know is what the large one knows, and what neither does. It does not hold of models that
miss these laws; `as_theory` asks how far trained ones are from it. Switching by entropy is right where the second part
varies little between positions, and wrong where it varies more than the first:

    signal   two regimes with symbols of their own: an easy chain of order 1 of little entropy, a hard one of order 2.
             Where the model of one token is unsure, two tokens tell more
    noise    the same hard chain; the easy one is nearly uniform. Entropy is highest where there is nothing to know, and
             lower where the small model is wrong

Small models are a transformer that sees one token, whose exact law is known, and a narrow one that sees all. Switchers:
the rolling entropy (window of 5 tokens; the least stay of a model that the paper names too is measured beside it), the
entropy of the source's own law, and two that are fitted alike, without any truth, to ln q_L - ln q_S at tokens of other
sequences: the last symbol alone, and a linear probe on the small model's last layer. DiffAdapt reads the regime of a
problem off hidden states; that such a probe should route is this project's salvage of it. Here a regime is named by its
last symbol, so that a probe is measured against that: of the one-token model the two are one by construction. Of the
paper's constants the window alone is known, at second hand: least stay, thresholds, which model's entropies are
averaged (here the small one's, also while the large one writes) and quality as a share of the gain are this project's
reading.

Both sources are built for what they show: the hard regime and the easy one of `signal` have the same entropy rate, so
that the source's own entropy tells them hardly apart; regimes announce themselves by their symbols, so that one token
tells which of them writes, and the hard one is drawn so that there is something to gain. How far entropy helps
elsewhere depends on how the two parts of the identity go together there, which `dial` shows on the way from the one
source to the other.

What was fixed when. Sources, claims, bounds and sizes were settled on exact laws of replicates 0 to 7 and 40 to 69 and
on members of replicates 0, 1 and 20 to 25, on which every number that is judged had been seen. Then `everywhere`, our
unconditional reading, was added, after numbers that contradict it had been seen, and the large model's grid of rates
was moved. Replicates 300 to 311 were judged with those claims, and their verdicts seen. After that, with their numbers
in sight, claims were mended: the last symbol was put beside the probes, whose skill alone had been claimed, and the
margins `alike` and `near` of equality set, where differences of 0.001 and 0.035 had been seen; own text was scored by
KL(p || q) against random calls that are measured, where KL(q || p) against a straight line had been set by tokens the
source hardly ever writes; shifts of the share of calls were taken threshold by threshold, where a mean could cancel
them; the paper's 0.967 was added as a claim of its own. All other bounds are the earlier ones. Verdicts come from
replicates from 400 on, rates from replicates of their own. After that run nothing but words was changed: that random
calls keep their share of the gain is exact by the law of two tokens, not by the source's law after a text of the pair's
own (see `writing`).
"""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.adaptive_decoding.config import Arm, Bounds, Design, Name, Reading
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember

MOST_STRINGS = 2**21
"""Strings over which exact frontiers are summed, at most."""


@study("adaptive_decoding")
class AdaptiveDecoding(SeededStudy):
    """Does the entropy of a small model tell where a large one helps, or only where nobody knows?

    Frontiers of excess over Bayes against the share of large calls, exact and trained, against the oracle.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Entropy-adaptive decoding against the oracle frontier"
    papers: ClassVar[tuple[str, ...]] = ("2502.06833",)

    design: Design = Field(Design(), description="the sources of a replicate")
    length: int = Field(32, ge=8, le=4096, description="tokens of a sequence")
    window: Arm = Field(
        Arm(model=ModelConfig(width=16, depth=1), steps=400, per_step=256),
        description="small model that sees one token",
    )
    narrow: Arm = Field(
        Arm(model=ModelConfig(width=8, depth=1, mlp_ratio=0)), description="small model that is narrow and sees all"
    )
    large: Arm = Field(Arm(model=ModelConfig(width=32, depth=2)), description="the large model")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="steps are the arm's, the rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning_seeds: int = Field(3, ge=1, le=64, description="replicates of each rate, which only the choice sees")
    reading: Reading = Field(Reading(), description="switchers and what they are tried on")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        d, r = self.design, self.reading
        if r.dial[-1] >= math.log(d.symbols):
            raise ValueError(f"reading.dial: given up to {r.dial[-1]}, must stay below ln {d.symbols}")
        if not r.dial[0] <= d.signal < d.noise <= r.dial[-1]:
            raise ValueError(
                f"reading.dial: given {r.dial[0]} to {r.dial[-1]}, must reach from design.signal = {d.signal} to"
                f" design.noise = {d.noise}, where trained models are drawn"
            )
        if (2 * d.symbols) ** max(r.window, 2) > MOST_STRINGS:
            raise ValueError(
                f"reading.window: given {r.window}; {2 * d.symbols} symbols have more than {MOST_STRINGS} strings of it"
            )
        if self.length <= 2 * self.reading.window:
            raise ValueError(
                f"length: given {self.length}, must be more than 2 reading.window = {2 * self.reading.window}"
            )
        return self

    def arm(self, name: Name) -> Arm:
        """A model by its name."""
        found: Arm = getattr(self, name)
        return found

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning first; members once their rate is chosen."""
        from testbed.studies.adaptive_decoding.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.adaptive_decoding.measure import records_of

        return records_of(cells, members, context)
