"""The study `positional_prior`: does a prior over lags help where it is shaped like the lags of the source?

"RoPE x ALiBi with harmonic series" and probabilistic FlashAttention (Fulu Li 2024, 2410.18441) are known to this
project by the paper's summary alone, not by its formulas. What stands for them here is this project's reading: a bias
-m Harm(|i - j|), which weighs keys nearly like the power -m of their distance, with and without rotation; and keys
that are dropped in blocks, a block at distance r being kept with probability pi(r). ALiBi (Press et al. 2021) and
KERPLE (Chi et al. 2022, 2205.09921) are those of their own papers, ALiBi's slope being a number that is tuned as the
harmonic's is.

    sources     each token is copied from lag l with probability w_l or drawn afresh; w_l falls as a power l^-(1 +
                a), or exponentially, or is a single lag. Bayes laws and lag weights are exact, and go on beyond T
    priors      each arm's rate is tuned on the single lag and, with slopes in the middle of their grid, on the middle
                power law, whose rate it has on all lags that fall; then the slopes of ALiBi and of the harmonic bias on
                each of these. RoPE x harmonic has the latter's slopes; on the single lag all have the weakest, without
                a trial, as the exact side says. Arms of a replicate share sequences and first weights
    exact side  of a read-out whose weights are the prior itself (see `readout`): the slope of its least excess,
                which needs no training, and the bound on what dropped lags cost
    controls    exponential lags, on which the orders are expected to be reversed; a single lag, on which no prior that
                only falls can put more than one part in l of the weight, and on which far keys are all that matters

On the single lag the exact read-out of a falling prior is near the uniform law, and so is a model that learnt nothing:
that claim is decided only of models that left it. The bound by the dropped lag mass is a theorem for the exact
read-out, and a check; trained models stay within it on the single lag too, and it is loose, so that no claim is made of
it but the one that the bound of a power law does not serve the single lag.

One layer and one head: with two, differences of priors make priors of other shapes, and with two layers lags add up.
Logits see tokens as well: attention to repeated symbols makes up for part of a wrong prior, so that a trained model
may have less excess than the read-out at a slope that is off.

What was fixed when. Alphabet, share of fresh draws, length and width were settled on seeds 0 and 1, most of them with
the exponents 0, 0.5, 1 and 1.5. There it was seen that best slopes lie near those of the exact read-out, hence
neither at a nor at 1 + a; that RoPE does as well as the harmonic bias within T and fails beyond it; that beyond T
ALiBi at its better slopes is about as good as the harmonic bias on power-law lags; that on a single lag RoPE stays
half way in some runs; and, on seeds 0 to 2, that dropped blocks cost models about what they cost the read-out, but
twice as much on the single lag. Claims and bounds were written after that, as the survey had predicted and as these
runs suggested, whichever side that puts them on. Finer slopes, the number of steps, and one rate for all laws that
fall were set last, after a look at seeds 10 and 11 with fewer steps. Replicates 300 to 307 were then judged, and seen
in full. After them claims changed: on the single lag trained models are held against the exact read-out, where a claim
that uniform models passed had stood; a bound that trained models keep everywhere is no claim any more; the costs held
against a power law's bound are summed over powers; losers of a comparison must have learnt as well; planted worlds have
the spread of those replicates. Sources, priors, training and the other bounds stayed. Verdicts at laptop scale come
from seeds 400 on, run after that; nothing was changed on them but figures and wording.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.positional_prior.config import Bounds, Design, Reading, Slopes, Training
from testbed.studies.study import SeededStudy, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig
from testbed.training.member import TrainedMember


@study("positional_prior")
class PositionalPrior(SeededStudy):
    """Does attention gain from a prior over lags that is shaped like the source's?

    Harmonic, linear, learned and no biases on sources with power-law, exponential and single lags, up to four times the
    length of training, and blocks dropped by distance with the exact bound on what that costs.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Priors over lags, matched and mismatched"
    papers: ClassVar[tuple[str, ...]] = ("2410.18441",)

    design: Design = Field(Design(), description="the sources")
    slopes: Slopes = Field(Slopes(), description="fixed slopes that are tried")
    model: ModelConfig = Field(
        ModelConfig(width=16, depth=1, heads=1), description="the transformer; its methods are the arm's"
    )
    training: Training = Field(Training(), description="what all members share")
    tuning: Tuning = Field(
        Tuning(learning_rates=(3e-3, 1e-2, 3e-2), n_seeds=3, tie=5e-5),
        description="how rates and slopes are chosen: least excess at the length of training",
    )
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="the scoring")
    reading: Reading = Field(Reading(), description="what is looked at")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        model, length, reading = self.model, self.design.length, self.reading
        for name, given in (("depth", model.depth), ("heads", model.heads)):
            if given != 1:
                raise ValueError(f"model.{name}: given {given}, must be 1, what the claims are about")
        if model.methods != ModelConfig().methods:
            raise ValueError("model.methods: positions are the arms' own; leave it out")
        if (length - 1) // reading.block < reading.near + 3:
            raise ValueError(
                f"reading.block: given {reading.block}, too long for design.length {length}; of its blocks, three at"
                f" least must lie further than reading.near {reading.near}"
            )
        return self

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        from testbed.studies.positional_prior.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.positional_prior.measure import exact_record, member_record

        for cell in cells:
            if cell.training is None:
                yield exact_record(cell)
            else:
                yield member_record(cell, members[cell.training.training_key], context.device)
