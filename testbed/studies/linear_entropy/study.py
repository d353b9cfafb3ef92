"""The study `linear_entropy`: is h_0 - h_l linear in the entropy S(l) of the Bayes state, and what do features show?

Claims of Shi et al. 2025 (2502.01481, sec. 2 and Fig. 2, 7, 9): S_ntp(P_l) = k S(P_l) + b with 0 < k < 1, called
confirmed where cross-entropy against an entropy estimated on hidden features has |r| >= .97 (C3); and that the features
of a trained model are the Bayes state (C5).

Where S(l) and h_l are both exact no estimate is needed: on two sources the law is true by construction, on the others
it is false, and |r| tells them apart badly. Then transformers are trained, the paper's estimators are put on their
features at each l, and held against untrained ones; a probe reads the exact Bayes state off the features.

What was fixed when. The |r| of .97 and the 2 % come from the paper and were set beforehand; steps and lengths were
settled on one member of each arm with seed 0; verdicts come from seeds from 100 on.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.studies.linear_entropy.config import Arm, Bounds, Estimators, Exact, Probe, Tuning
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("linear_entropy")
class LinearEntropy(SeededStudy):
    """Cross-entropy against the entropy of the state: exactly, and as estimated on the features of transformers.

    A correlation near 1 is held beside curvature and residuals, on sources where the linear law is true and false.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Cross-entropy against the entropy of the state"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    exact: tuple[Exact, ...] = Field(min_length=2, description="sources with exact S(l)")
    arms: tuple[Arm, ...] = Field(min_length=1, description="sources on which transformers are trained")
    estimators: Estimators = Field(Estimators(), description="what is estimated on features")
    geometry: str = Field("mess3", description="the arm whose features are held against the exact belief")
    counting: str = Field("coin", description="the arm whose Bayes state is a count")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: each has its own first weights and tokens")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate")
    windows_per_step: int = Field(32, ge=1, le=2**20, description="windows drawn a step")
    model: ModelConfig = Field(ModelConfig(mlp_ratio=2), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="its learning rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each arm is chosen")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for label, names in (("exact", [one.name for one in self.exact]), ("arms", [one.name for one in self.arms])):
            if len(set(names)) != len(names):
                raise ValueError(f"{label}: names must differ, given {', '.join(names)}")
        roles = {one.role for one in self.exact}
        if roles != {"true", "false"}:
            raise ValueError(f"exact: given roles {', '.join(sorted(roles))}; both true and false are needed")
        known = [arm.name for arm in self.arms]
        for name in ("geometry", "counting"):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: given {getattr(self, name)!r}; the arms are {', '.join(known)}")
        return self

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Exact sources and the tuning first; members once their rate is tuned."""
        from testbed.studies.linear_entropy.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.linear_entropy.measure import exact_arrays, member_arrays

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.exact is not None:
                yield Record(cell.key, cell.study, cell.resolved(), "done", {}, exact_arrays(probe.exact))
                continue
            assert cell.training is not None
            member = members[cell.training.training_key]
            arrays = {}
            if probe.arm is not None and probe.estimators is not None and member.status == "done":
                arrays = member_arrays(probe.arm, probe.estimators, member, probe.seed, context.device)
            scores: dict[str, Metric] = {**member.scores} if member.status == "done" else {}
            yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)
