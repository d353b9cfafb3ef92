"""The study `recall_order`: does it matter which set stands first (Just Read Twice, Arora et al. 2024, 2407.05483)?

Two sets one after the other, then whether they share an element. A reader who sees the text once must keep what tells
the first set from others, log2 C(n, m) bits for no error; so a small first set asks for less memory than a large one,
and where the text is written twice the reader can keep the smaller set whichever stands first.

    memory        a trained network is read part by part (`testbed.models.segments`): all that passes from one part to
                  the next is the states of its blocks. These are replaced, all blocks together, by the nearest of a
                  book of M (`testbed.models.bounded_memory`), so that log2 M bits pass and no more, of a set, of the
                  order of its elements and of all else: what the partitions of the exact side bound too. Books are
                  k-means of the network's own states, cut by cut behind cuts that are bounded already
    trained on    after its steps each network makes some more with the bound on, at numbers of states drawn anew, so
                  that it is not only when it is judged that it meets a bounded memory (`hardening`)
    order         the same sets with the small one first and with the large one first, paired by seed, over numbers of
                  states that lie between 1 and the C(n, m) of the large set; errors with the memory free subtracted
    repetition    the text written twice, each separator and the first question a cut. It must not help by harming: the
                  large set first may err no more than read once
    size          networks trained with a small state, learnt or not, in replicates whose larger network learnt
    softmax       attention whose memory grows with the text, at scales where it can be trained: its control is that it
                  learns both orders. A cache that is cut is a bounded memory like any other, so it is not cut
    exact side    the least error of any memory of M states, by going through all partitions of the sets of a small
                  universe, and bounds for larger ones (`partition`), below which no run may err; beside them the best
                  reader of what the networks hand on (`reader`)

A run that has not learnt in both orders with the memory free says nothing of it: claims are judged on the replicates
that did, and are open where fewer than a stated share did. That is a selection of runs, made before any bound; how many
there are stands in the notes, and a run that diverged has not learnt.

Not claimed: that errors halve at bits in the ratio of the bits needed, or lie on one curve against bits over bits
needed. Neither is true of the best memory there is, whose curves are drawn. Not tried: the paper's sweep of the ratio
of the sets' sizes, and its sizes of model. What a network hands on tells of the order of a set's elements too, of which
a large set has more, so the effect of order is that of sets as networks write them down, not of sets alone; how much of
it is the writing stands in the best reader's error.

The networks are small: two gated attention units with the feature map of Based (second-order Taylor), queries and keys
of one projection, without which runs of this length do not leave the plateau at ln 2. The sets are small, the small one
a single element: larger ones were not learnt in time. One block alone cannot tell the orders apart (a property test).

What was fixed when. An earlier form of this study, on replicates 300 to 307 and on exploratory seeds below 20, added
noise to the states of networks that had not been trained for it; its nominal bits, 16 to 64, exceeded those that there
are to tell, and nothing of it is used but this: which rates learn (5e-3, then the lower edge of the grid), that 500
steps leave some runs above the gate, that softmax attention and sets of 2 and 4 of 8 elements are learnt by too few
runs, and how much the logarithm of a halving point varies between runs. With these known the claims were written anew
for the memory of M states; bounds, middle, gate and the number of replicates were set with them, before any run of
this form. Then one pair was run, seed 50, read once, with 200 steps with the bound on: the large set first erred more
often from 8 states on, by about 0.2 over the middle, and 150 of these steps gave nearly what 200 did, for which they
were halved, to save time; and one run of the text written twice, the small set first, which erred in 0.15 of the
answers at 8 states and in 0.01 to 0.07 from 16 on. At laptop scale this form has not been run yet.
"""

from collections.abc import Iterator, Mapping
from math import comb
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.recall_order.config import ARMS, Arm, Bounds, Design, Memory, Network, Probe, Training
from testbed.studies.study import SeededStudy, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig
from testbed.training.member import TrainedMember


@study("recall_order")
class RecallOrder(SeededStudy):
    """Does it matter which of two sets a network with a bounded memory reads first, once and twice?

    Linear attention on set disjointness that hands on one of M states between the sets; the best memory of so many
    states; a small state; softmax attention.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Which set first: order, repetition and bits of memory"
    papers: ClassVar[tuple[str, ...]] = ("2407.05483",)

    design: Design = Field(Design(), description="the sets")
    arms: tuple[Arm, ...] = Field(ARMS, min_length=1, max_length=4, description="what is trained")
    network: Network = Field(Network(), description="the network")
    training: Training = Field(Training(), description="how it is trained")
    tuning: Tuning = Field(
        Tuning(learning_rates=(2e-3, 5e-3, 1e-2, 2e-2), n_seeds=8, tie=2e-3), description="how rates are chosen"
    )
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=1024, n_heldout=64, path_points=4, path_spacing="even"), description="the scoring"
    )
    memory: Memory = Field(Memory(), description="how memories are bounded")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.arms)) != len(self.arms) or "once" not in self.arms:
            raise ValueError(f"arms: given {', '.join(self.arms)}; each once at most, and once among them")
        if self.network.depth < 2:
            raise ValueError(
                f"network.depth: given {self.network.depth}; one block cannot tell the orders apart, take 2"
            )
        case = self.design.main
        if not self.memory.middle[1] < comb(case.n_elements, case.large):
            raise ValueError(
                f"memory.middle: given {self.memory.middle}, must lie under the {comb(case.n_elements, case.large)}"
                " sets that there are to tell"
            )
        return self

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        from testbed.studies.recall_order.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.recall_order.measure import exact_record, member_record

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            if cell.training is None:
                yield exact_record(cell)
            else:
                yield member_record(cell, members[cell.training.training_key], context.device)
