"""The study `predictive_surplus`: does the state that predicts the next token know the tokens after it?

2507.19247 explains drafting heads (EAGLE: a small head guesses the token after next from the last layer and the token
just written) by what a model's state tells of later tokens beyond the next,

    Surplus_K = I(H_t; W_(t+1 .. t+K-1) | W_t),

and holds that training on the next token alone aligns the states with the eigenspaces of predictive similarity,
K(x, x') = <p(. | x), p(. | x')>. Here both are exact. Of the full past the surplus is sum_(0 < j < K) (h_j - h) (ours):

    order 1    zero: a drafting head must gain nothing by the state, however well the model is trained. Heads are
               fitted to exact laws, so that here they gain nothing by whatever they are shown: an identity of the
               source, which refutes that a state helps wherever it predicts well
    order 3    large, and the next token's law gives the state away
    RRXOR      large, but states that differ have one law of the next token: next-token prediction does not ask the last
               layer to tell them apart. What it tells of the surplus is read off by a logistic drafting head, held out
               by history, from the last layer, from all streams, and from the untrained network's last layer; the
               exact next-token law tells what prediction alone demands. The same head reads the exact law of
               the future, which shows what it can read at all
    Mess3      overlap of features with the top eigenvectors of K over all histories: of all whitened features (their
               span), and of as many principal components, trained and untrained

What was fixed when. Claims, horizon and bounds were settled before any member with the sizes of the config was judged;
steps, sizes and widths on seeds below 100, on which surpluses of RRXOR were seen too; verdicts come from seeds from 100
on, learning rates from seeds of their own. After that run two things were changed, and no other verdict moved: gains of
order 1, all of some 1e-16 nats, count as zero, as the bootstrap gave such numbers no interval; and the grids of rates
of the two chains go one step further down, where their rates had come to lie at the edge (that of order 1 still does;
its members have learnt the chain to 1e-4 nats).
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.predictive_surplus.config import DRAFTED, ROLES, Arm, Bounds, Reading, Role
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("predictive_surplus")
class PredictiveSurplus(SeededStudy):
    """Does the last layer know of later tokens what the source says there is to know, and no more where there is none?

    Probed surplus against the exact one, and alignment with the eigenspaces of predictive similarity.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "What the last layer knows of later tokens"
    papers: ClassVar[tuple[str, ...]] = ("2507.19247",)

    memoryless: Arm = Field(description="a chain of order 1 over two symbols: no surplus")
    chain: Arm = Field(description="two symbols, a longer memory that next-token laws give away")
    hidden: Arm = Field(description="two symbols, states of one next-token law and different futures")
    spectral: Arm = Field(description="three symbols or more, whose features are held against the eigenspaces")
    context_length: int = Field(10, ge=2, le=14, description="tokens that a member sees")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: each has its own first weights and tokens")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate")
    windows_per_step: int = Field(32, ge=1, le=2**20, description="windows drawn a step")
    model: ModelConfig = Field(ModelConfig(), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="steps are the arm's, the rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning_seeds: int = Field(3, ge=1, le=64, description="replicates of each rate, which only the choice sees")
    reading: Reading = Field(Reading(), description="how layers are read")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for role in ROLES:
            source = self.arm(role).source
            if (role in DRAFTED) != (source.vocab_size == 2):
                word = "two symbols" if role in DRAFTED else "three symbols or more"
                raise ValueError(f"{role}.source: given {source.vocab_size} symbols, must have {word}")
            if not (source.stationary and source.judges_all):
                raise ValueError(f"{role}.source: given {source.type_name}, must be stationary and judged everywhere")
        if self.reading.spectral_context > self.context_length:
            raise ValueError(
                f"reading.spectral_context: given {self.reading.spectral_context}, must be at most context_length"
                f" {self.context_length}"
            )
        if self.spectral.source.vocab_size**self.reading.spectral_context > 2**16:
            raise ValueError("reading.spectral_context: more than 65,536 histories")
        if self.model.block != "standard":
            raise ValueError(f"model.block: given {self.model.block}, residual streams are those of standard blocks")
        return self

    def arm(self, role: Role) -> Arm:
        """The arm of a role."""
        found: Arm = getattr(self, role)
        return found

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning first; members once their arm's rate is chosen."""
        from testbed.studies.predictive_surplus.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.predictive_surplus.measure import records_of

        return records_of(cells, members, context)
