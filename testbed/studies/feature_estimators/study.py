"""The study `feature_estimators`: do estimators on features measure the entropy of the state that the features hold?

Shi et al. 2025 (2502.01481) estimate an "intrinsic entropy" on hidden features by a Gaussian kernel density (Fig. 2),
by sums of log eigenvalues and by counts of eigenvalues above a threshold (Fig. 7, 9). Here features are made from a
state whose entropy is known, S = l ln 2, and each estimator is given its own affine scale, fitted on the baseline. It
passes (C4) if S is found within 5 % of its range there and after what changes no state: rescaling, an affine map, fewer
samples, another setting of its own, another encoding of the same state. A generous reading forgives units: the scale is
fitted anew under all of these but the encoding. A probe of the state is the positive control.

Beside it the kernel entropy alone: in many dimensions it is a log-determinant, whatever the law (Fig. F5).
Nothing is trained; the same estimators on trained features are the study `linear_entropy`'s.

What was fixed when. Conditions and the 5 % were derived beforehand; estimators were tried on single clouds of their
own seeds, on which the dials were set; verdicts come from replicates from 100 on. The sweep over samples, dimensions
and units was added after them, on random numbers of its own; no verdict rests on it.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.feature_estimators.config import Bounds, Clouds, Kernel, Probe, Sweep
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("feature_estimators")
class FeatureEstimators(Study):
    """Estimators of entropy and dimension on features whose state is known exactly, under changes that leave it alone.

    Nothing is trained.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Estimators on features against the exact entropy of the state"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    clouds: Clouds = Field(Clouds(), description="features of known state")
    kernel: Kernel = Field(Kernel(), description="the kernel entropy and its identity")
    sweep: Sweep = Field(Sweep(), description="rows, dimensions and units, one changed at a time")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="independent draws of all features")
    first_replicate: int = Field(0, ge=0, le=10**9, description="number of the first: other draws")

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Three for each replicate: clouds, the kernel entropy alone, and the sweep."""
        probes = [Probe(kind="clouds", replicate=number, clouds=self.clouds) for number in self.numbers]
        probes += [Probe(kind="kernel", replicate=number, kernel=self.kernel) for number in self.numbers]
        probes += [Probe(kind="sweep", replicate=number, sweep=self.sweep) for number in self.numbers]
        return [Cell(self.type_name, self.version, probe) for probe in probes]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        import numpy as np

        from testbed.studies.feature_estimators.estimators import cloud_values, sweep_values
        from testbed.studies.feature_estimators.kernel import kernel_arrays

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            rng = np.random.default_rng([*probe.kind.encode(), probe.replicate])
            if probe.clouds is not None:
                arrays = {"values": cloud_values(probe.clouds, rng)}
            elif probe.sweep is not None:
                arrays = {"values": sweep_values(probe.sweep, rng)}
            else:
                assert probe.kernel is not None
                arrays = kernel_arrays(probe.kernel, rng)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)
