"""The study `approximation_law`: how does the excess fall with the dataset, and what does irrelevant context cost?

Claims of Shi et al. 2025 (2502.01481, Eq. 4 and App. D): L_approx = A(l) / D^alpha(l), alpha = c / dim(l) (C6), and
more context raises it (C7). 1/alpha = a + b dim tells the rivals apart: a = 0 is the paper's (noise-free
interpolation), a = 1 noisy regression (Stone 1982: alpha = 2s / (2s + d)), a = 1 and b = 0 a learner that has found
the teacher's form.

The source `manifold` has exactly d relevant coordinates and its exact law at every point. Learners are shown that law
(noise-free) or labels drawn from it. Neighbours on the torus are the calibrated control: their exponents are theorems.
The manifold's teacher is a sum of functions of one coordinate each, inside a cosine: a learner that finds this out pays
for 2 d + 1 numbers and escapes the d-dimensional rate ("informed"); a network may find part of it, so that what is
measured of networks speaks of networks on such teachers. Networks are perceptrons fitted where they are measured: the
transformer of this package reads tokens, not coordinates, so that no trained member is kept.

What was fixed when. The rivals and the line were derived beforehand. Sizes, steps and the held-out share were
settled on replicates 0 to 2 and 1000 to 1002; verdicts come from replicates from 100 on at laptop scale.
There the learner that knows the form was left undecided, as its excess at one sample has a chi-square's spread with few
degrees of freedom; it was measured again on fresh samples, several in each replicate, and nothing else was changed.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.approximation_law.config import Bounds, Irrelevant, Manifolds, NetworkConfig, Probe, Tuning
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("approximation_law")
class ApproximationLaw(Study):
    """Is alpha = c / dim? Excess against dataset size for learners that are blind to form, informed, or networks.

    And what context costs that no answer rests on. All excess is the exact mean KL.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The approximation law"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    manifolds: Manifolds = Field(Manifolds(), description="smooth laws of d coordinates, and how they are learnt")
    irrelevant: Irrelevant = Field(Irrelevant(), description="context that no answer rests on")
    network: NetworkConfig = Field(NetworkConfig(), description="perceptrons")
    informed_draws: int = Field(
        4, ge=1, le=1000, description="samples of each size for the learner that knows the form, in each replicate"
    )
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each arm is chosen")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="independent sources, samples and first weights")
    first_replicate: int = Field(0, ge=0, lt=500_000, description="number of the first: other sources and samples")

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Learners without a rate and the tuning first; networks once their rate is tuned."""
        from testbed.studies.approximation_law.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.approximation_law.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
