"""The study `entropy_guided`: is high attention entropy waste? (Jha & Reagen 2025, 2501.03489)

The paper trains GPT-2 with and without layer norm and MLP activation. Without them many heads have an entropy above 3/4
of the largest, "entropic overload", and perplexity is worse; it takes the one for a cause of the other, and adds a
penalty on entropies that are far from theta Hmax, theta learned for each head, Hmax = ln T. On text nobody knows what
entropy a head should have. Here it is known, see `exact`:

    copy      a head of entropy 0 is needed
    coin      a head of the largest entropy that a causal row can have, ln i: overload is what the source asks for
    markov    one of either kind, in two layers

    lattice   layer norm and none x activations, without a penalty: overload and KL to the Bayes law, across cells and
              across runs of one
    penalty   beside the twin of the same sequences and first weights, in the two ends of the lattice
    defect    a causal row of i keys cannot have more than ln i, yet ln T is asked of all. With theta fixed at 1 it is
              early rows that would be penalised, where they are uniform, and there the slope of the entropy is zero: by
              itself that moves nothing. Theta, which is learned, does: the row of one key, whose entropy is 0 whatever
              the head does, is free only for theta <= tau. If early rows draw theta down, late ones are held under
              (theta + tau) ln T, and the defect costs in every row of more than T^(theta + tau) keys. What is seen at
              c = 1e-3 is consistent with this and no proof of it: with ln i, for which a uniform head is free for every
              theta from 1 - tau on, the tolerance tau ln i is narrower in early rows and the penalty has another
              strength, and theta's start at .5 is ours

The penalty is that of the released code, row by row, which the method `entropy_guided` follows. The paper's algorithm 1
takes the mean entropy of a head's rows instead; of that the largest value is ln(T!) / T, which is 3.878 for T = 128
where ln T is 4.852 (the largest value in the paper's figure 3 is 3.87), so that there ln T is no head's maximum either.
Overload is counted here over rows, with Hmax = ln T and with ln i; the paper counts heads, with the largest entropy
observed. Its learned temperatures and scaled MLPs are left out, and c acts on a sum over rows, so that its effect
depends on how many there are in a step: a dose is c at so many rows, here 384 at laptop scale, and a figure shows a
range of c. Claims on the penalty are judged at c = 1e-3, which pilots had shown to be strong; the smallest, 1e-5, is
the paper's c and no test of its dose.

Each cell on each source, with and without the penalty, has its own tuned rate, chosen on three runs. Those of SM + LN
on chains differ much, with 3.4, 4.9 and 11.3 thousandths of a nat at the rate that was chosen, and 4 of its 20 judged
runs are above the gate, which is on the mean. At laptop scale there are no cells with ReLU, and training ends after 300
steps, on chains 400, while KL still falls. Other heads than those needed are free, and with an MLP behind, weights that
depend on the averaged token do as well as even ones: the best entropies are sufficient, not necessary.

What was fixed when. Length, widths, steps and c were settled on runs 0 to 3, with rates of 3e-3 to 3e-2, in the two
ends of the lattice and, without a penalty, with GELU alone. There it was seen that at c = 1e-3 the penalty with ln T
raises the KL on the coin about tenfold and on chains in most runs, with theta at or near tau, started from .5, and
higher but below .55 from 1; that with ln i it raises the KL on the coin by less than a thousandth of a nat; that c =
1e-5 changes little; that copies are learnt by nearly all; and that on chains overload and KL may be related. Claims and
bounds were written after that, those of the defect and of head entropies with these numbers known; whether overload
tells KL, across cells or runs, had not been computed. Runs 300 to 315 were then judged, and seen in full: many rates
were at the upper edge of their grid, and other coefficients had the rate of the claims' c, so that the smallest was
held against runs at another rate. A fourth rate and a tuning for each coefficient were added; copies with the penalty
with ln i, of which nothing is claimed, were left out; replicates without a penalty became 20. No relation of overload
and KL was resolved, and the share that counts as telling was raised from .6 to .7 with that known. Runs 400 to 419 were
judged so.

Judged again, with all numbers of runs 400 to 419 known and no new training: the share is .6 again, as first fixed (the
notes say what .7 would give: "fails" on chains, of which .6 leaves both claims undecided); pairs that are tied in
overload, on copies a third to a half, no longer count as halves, and above a share of .2, a bound set with these shares
known, nothing is decided by the others; what the paper does not claim is named as ours; statements name the dose. No
other bound was changed, and no verdict but these: lattice_copy, lattice_markov and same_markov had failed and are
undecided. Verdicts on fresh runs, from 500 on, are still to be had. With 20 replicates .6 is hardly told from chance:
where overload is independent of KL on chains (a planted world, 60 draws), the claims on chains are left undecided in 92
to 97 %; with 80 replicates, in 40 draws, they fail in 90 % or more.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.core import Config
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.entropy_guided.config import Bounds, Lattice, Network, Penalty, Sources, Training
from testbed.studies.study import SeededStudy, study
from testbed.studies.tuning import Tuning
from testbed.training.member import TrainedMember


class Reading(Config):
    """What is looked at on fresh sequences, the same for all arms of a replicate."""

    n_sequences: int = Field(512, ge=4, le=10**6, description="for KL and entropies")
    n_contexts: int = Field(4096, ge=2, le=10**8, description="tokens on which the excess is followed and rates chosen")
    path_points: int = Field(8, ge=1, le=1000, description="evaluations along training, where spikes are looked for")


@study("entropy_guided")
class EntropyGuidedStudy(SeededStudy):
    """Is high attention entropy waste, and does a penalty on it help?

    Overload, collapse and KL to the Bayes law over a lattice of norm and activation, with and without the penalty, on
    sources whose best head entropy is known.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Entropic overload where the best head entropy is known"
    papers: ClassVar[tuple[str, ...]] = ("2501.03489",)

    sources: Sources = Field(Sources(), description="the sequences")
    network: Network = Field(Network(), description="the transformer; depth, norm and activation are the cell's")
    lattice: Lattice = Field(Lattice(), description="norms and activations")
    penalty: Penalty = Field(Penalty(), description="the regulariser")
    training: Training = Field(Training(), description="what all members share")
    tuning: Tuning = Field(
        Tuning(learning_rates=(3e-3, 1e-2, 3e-2), n_seeds=3, tie=1e-4), description="how rates are chosen: least excess"
    )
    reading: Reading = Field(Reading(), description="what is looked at")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        from testbed.studies.entropy_guided.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.entropy_guided.measure import member_record

        for cell in cells:
            assert cell.training is not None
            yield member_record(cell, members[cell.training.training_key], context.device)
