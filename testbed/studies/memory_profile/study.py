"""The study `memory_profile`: what makes a source hard at one entropy rate, and how far back D tokens let one see.

**Profiles.** Someya et al. 2025 (2506.05136) hold that of languages of one entropy those with a higher m-local entropy
h_(m-1) are harder to learn; Borenstein et al. 2024 (2406.04289) look for what predicts the KL of trained models on
random automata. A random automaton moves everything at once. Here three bits of one noise are copies at three lags:
h and h_0 are the same for all sources, h_(m-1) counts the lags of at least m, the excess entropy E their sum, and the
two are crossed (`profiles`). Since sum_m (h_m - h) is E, a statement about "the profile at fixed E" must name its m.

    recency        transformers with a penalty on distance (ALiBi)
    rotary         with rotary positions
    absolute       with learnt embeddings of places, which know no order before training
    exchangeable   the same on lags in the farther half of the window, where no bit shows twice: tokens seen are
                   independent and uniform, the target reads three places, and places are alike at first; so the law of
                   every learning curve is the same for all such sources, and no profile can predict anything

Difficulty is the exact excess at the end, and the step at which it falls below a share of h_0 - h. Each replicate draws
lags, weights and tokens of its own; its number is Spearman's partial correlation over its sources.

**The horizon law.** Cagnetta et al. 2026 (2602.07488) predict from h_n - h ~ n^-gamma and correlations ~ t^-beta that
D tokens show correlations up to n*(D) ~ D^(1/(2 beta)) and the loss falls as D^-(gamma/(2 beta)). On text the two
exponents cannot be moved. Here both are exact, and their relation differs from family to family (`families`): gamma = 2
beta, about 2 beta - 1, beta + 1, and that of a grammar; beta infinite for parities, zero for the Santa Fe process. Four
learners without a network are held against it, among them the tables for which n* is provably logarithmic
(`testbed.theory.TabularLaw`): a map of where the law is valid. The study `optimal_context_laws` asks which law names
the best context length of a learner; here the exponents are judged.

What was fixed when. Families, learners, profiles, sizes and bounds were settled on seeds below 100. All claims of both
halves were seen there at five replicates, among them that the recency arm follows h_(m-1), that rotary places do in
steps but not in the last excess, that screened pairs fall on copies as the law says and dense pairs slower; the claims
on learners that pay for every lag (parameter_*) were added then. Ranges of exponents were moved, before any loss was
compared, so that the horizon stays within the longest context; parities and their twins came to be seen in windows
drawn apart, since in one stream copies cost tables more. Verdicts come from seeds drawn for them (laptop and above),
learning rates from a third set. One learning rate serves all sources of an arm. After that run two figures' intervals
and ranges and one note were changed.

What the bits' copies leave open. A near lag shows again at its multiples, so that sources with near lags hold more
two-point correlation in sight; for the main arms h_(m-1) and that go together. The exchangeable arm is free of it.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.memory_profile.config import MAIN, Arm, ArmName, Bounds, Horizon, Networks, Profiles
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("memory_profile")
class MemoryProfile(SeededStudy):
    """At one entropy rate, which property of the profile h_l predicts difficulty, and where the horizon law is valid.

    Transformers on staircases of crossed m-local and excess entropy; tables, trees and pairs on seven families.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Profiles of memory and the horizon law"
    papers: ClassVar[tuple[str, ...]] = ("2506.05136", "2406.04289", "2602.07488")

    recency: Arm = Field(description="a penalty on distance")
    rotary: Arm = Field(description="rotary positions")
    absolute: Arm = Field(description="learnt embeddings of places; also the exchangeable arm's")
    profiles: Profiles = Field(Profiles(), description="the sources of transformers")
    horizon: Horizon = Field(Horizon(), description="data and learners of the horizon law")
    networks: Networks = Field(Networks(), description="transformers on datasets of D targets; none unless named")
    windows_per_step: int = Field(48, ge=1, le=2**20, description="windows drawn a step")
    model: ModelConfig = Field(ModelConfig(), description="the transformer, without its positions")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="its learning rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning_seeds: int = Field(3, ge=1, le=64, description="replicates of each rate, which only the choice sees")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.methods != ModelConfig().methods:
            raise ValueError("model.methods: positions are the arms' own; leave it out")
        for name in ("split", "far_split"):
            if getattr(self.profiles, name) > self.profiles.window:
                raise ValueError(f"profiles.{name}: must be at most the window, {self.profiles.window}")
        if len(self.horizon.sizes) < 4:
            raise ValueError("horizon.sizes: four are needed for an exponent")
        return self

    def prepare(self) -> None:
        from testbed.studies.memory_profile.profiles import check_cells

        check_cells(self.profiles)
        if 2 ** (self.horizon.copy_lags - 1) < 4 or self.horizon.tree_rules > self.horizon.tree_symbols:
            raise ConfigError("horizon.tree_rules: must be at most tree_symbols")

    def arm(self, name: ArmName) -> Arm:
        """The arm of a name; exchangeable sources are learnt by the absolute arm."""
        found: Arm = getattr(self, name if name in MAIN else "absolute")
        return found

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Families and the tuning first; members once their arm's rate is chosen."""
        from testbed.studies.memory_profile.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.memory_profile.measure import records_of

        return records_of(self, cells, members)
