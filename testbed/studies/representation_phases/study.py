"""The study `representation_phases`: when does the rank of representations fall, rise and fall again in training?

Li et al. 2025 (2509.23024) follow RankMe and alpha-ReQ of the last layer's last token through the pretraining of
language models, and find a collapse, an expansion ("entropy-seeking", with most memorised n-grams) and a second
contraction ("compression-seeking"). They say that these can emerge from two things together: skewed token frequencies,
and a width d far below the vocabulary size V.

    2 x 2       Zipf (exponent 1) or uniform tokens; d = V / 16, or d = V. Sources are drawn anew for each replicate,
                with unigrams that are exact, and with as much that a token tells in all corners (see `laws`)
    bigram      chains of order 1; V is kept and the width varied, and with it the number of parameters
    hidden      hidden chains of 16 states, of which every further token tells more, in place of chains of order 3,
                whose tables would be V^3 long; the width is kept and V varied. Scales `gpu` and `full`
    path        the stream after the last block, at the last place of n windows of the source, the same ones all along;
                n is 1024, 16 times the largest width, as RankMe of few rows is biased downwards. Points log-spaced
                from the first step on, and before it. After the warm-up the rate is constant and gradients are not
                clipped, so that no phase is a schedule's doing
    RankMe      of the covariance (exp of the entropy of its eigenvalues, centred), as the paper has it: its claims are
                judged by this one. Claims of this project's own on the dip speak of RankMe as its authors have it, of
                singular values of features that are not centred; the notes tell every count by both, and by alpha-ReQ
    phases      a detector of fall, rise and fall of ln RankMe, each by a tenth and beyond the path's own jitter (see
                `phases`), tried on paths of one turn with the same noise. A run that ends before it is known whether
                it has phases counts against whatever is said (see `pairing`)
    truths      KL(p || q) from the exact laws of unigrams, bigrams, trigrams and of all tokens seen

On uniform tokens an untrained network says the unigrams already, and has no such law to fall to at first: that a first
fall is missing there is in part a matter of where training begins. The notes tell how often RankMe rises and falls.

Layers (this project's own question, with the matrix entropy S(Z) that EntropyPrune follows over layers): in networks of
four blocks, is the block where S(Z) of the stream drops most the one where R^2 of the exact belief rises most? More
often than where one run's drop is held against another's rise, and than before training?

What was fixed when. Sources, sizes, steps, detector and first claims were settled on replicates 0 to 25, on which
RankMe was seen. Replicates 300 to 317 were judged once, by RankMe that is not centred and by shares of runs alone. All
numbers of theirs were known when the claims were set as they stand: RankMe of the covariance in place of the other;
phases with a bottleneck held against those without within a replicate, after they had been seen to be the rarer ones;
skew likewise; open ends; jitter read after the warm-up; the gate at 0.6 in place of 0.7, and a second one on the last
doubling of steps; drop and rise by layer held against re-paired runs; 44 replicates in place of 18; hidden sources left
to larger scales, as RankMe was still rising there. Learning rates are chosen on replicates of their own. Verdicts at
laptop scale come from replicates from 400 on, which nobody had seen. How the count of phases depends on the learning
rate is not measured; on replicates 0 to 25 wide networks fell again more often at higher rates than those chosen.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.representation_phases.config import (
    FAMILIES,
    Bounds,
    Family,
    FamilyName,
    Layers,
    Reading,
    Recipe,
    Size,
)
from testbed.studies.study import SeededStudy, study
from testbed.training.member import TrainedMember


@study("representation_phases")
class RepresentationPhases(SeededStudy):
    """Does the rank of representations fall, rise and fall in training where tokens are skewed and the network narrow?

    RankMe and alpha-ReQ along training in a 2 x 2, exact divergences beside them, and the layer of collapse.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Phases of the rank of representations"
    papers: ClassVar[tuple[str, ...]] = ("2509.23024", "EntropyPrune 2026")

    exponent: float = Field(1.0, gt=0, le=4, description="of skewed tokens: unigrams ~ rank^-s")
    families: tuple[FamilyName, ...] = Field(FAMILIES, min_length=1, max_length=2, description="kinds of sources")
    bigram: Family = Field(Family(), description="chains of order 1")
    hidden: Family = Field(
        Family(tight=Size(vocab_size=128, width=8), wide=Size(vocab_size=8, width=8), context_length=4),
        description="hidden chains",
    )
    recipe: Recipe = Field(Recipe(), description="the networks, and how they are trained")
    reading: Reading = Field(Reading(), description="how paths are read")
    layers: Layers = Field(Layers(), description="deeper networks")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @field_validator("families")
    @classmethod
    def _differ(cls, names: tuple[FamilyName, ...]) -> tuple[FamilyName, ...]:
        if len(set(names)) != len(names):
            raise ValueError(f"families: given {', '.join(names)}, must differ")
        return names

    def family(self, name: FamilyName) -> Family:
        """Sources of a kind."""
        found: Family = getattr(self, name)
        return found

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The trials first; runs once their rate is chosen."""
        from testbed.studies.representation_phases.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.representation_phases.measure import records_of

        return records_of(cells, members, context)
