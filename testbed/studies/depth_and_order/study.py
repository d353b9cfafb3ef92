"""The study `depth_and_order`: how many layers read chains of order k in context (2407.17686, 2508.07208).

Every sequence is written by a chain of order k of its own, with rows from Dirichlet(1). The Bayes law counts what
followed the last k tokens before. Constructions say how many layers can do so; this trains every depth on every order.

    attention   without norm and MLP, one head: O(log2(k + 1)) layers (Rajaraman et al. 2024); ceil(log2(k + 1)) + 1 in
                this project's own construction; 2 with k heads. Built by hand here, in the very shape that is trained:
                a check has each of these networks equal to the readout of the law that it is built to hold, and what
                that readout loses stands in the notes. It is no claim: it could not come out otherwise
    full        with RMS norms and MLPs, one head: 2 layers for any k (Ekbote et al. 2025), 3 in Rajaraman et al. 2024.
                Two are built by hand as well, in this project's own way: tokens as the digits of a number
    one layer   claimed by this project to stay above (Ekbote et al. have that it cannot unless it is exponentially
                large, which may say nothing of two symbols, k <= 3 and 32 tokens); on tokens whose law is drawn without
                memory (k = 0) every depth must get there
    positions   one learned bias for each distance (`relative_bias`), as the constructions ask for: relative, and a
                weight that is a factor for the distance times one for the tokens

Constructions say what weights can do, not what training finds, and that fewer layers cannot is proved for none of these
sizes. An argument of this project's own for V = 2 and attention alone, two layers and one head, for k from 2 on: the
first layer weighs tokens by distance times content. Let a place's own token be given. A token before it that turns from
0 to 1 moves the weights that 0 and 1 get by u (-w0, w1), u the factor of its distance and w those of the tokens: so the
2^k pairs of weights lie at base + s (-w0, w1), s the sum of the factors of the places that hold a 1. To divide by the
sum of weights is a projection, which keeps lines and the order on them, and what is read lies on a line again. The
second layer scores keys linearly along it, and a sharp score picks none but the two ends. So these short arms are
claimed to stay above; of others that are one layer short (k >= 4, V > 2) it is a guess.

    gap         what the best counts of order k - 1 lose (see `levels`): the unit of all numbers
    there       a run whose excess at the end is below `there` of the gap. What one layer less has, the counts of order
                k - 1 and one token more, lies above that line; the readout of the constructions far below it. Ends are
                bimodal, there or stalled: claims are on the share of runs, `share` or more, with exact binomial bounds
    stays       the excess at the end, less what the last doubling of steps took off: were it to fall as much again. Of
                runs that have learnt something, below the counts of order 0: an untrained model would stay as well
    at rest     arms that fell by less than `rest` of the gap over the last doubling. A run that is neither there nor at
                rest has not failed: it is counted as still falling
    plateau     log steps that the loss takes through a band around the level of order k - 1, against the bands right
                above and right below it: slower than both, else it is a tail or a slope
    later       of the replicates whose run on order k - 1 lost half of its gap, those that took longer on order k
    wait        steps until half of the gap of order k is gone; of runs that do not get so far, more than they made

Learning rates are constant after the warm-up, and gradients are clipped at norm 1 (the default), which acts on curves
too.

What was fixed when. Lengths, the spread of the biases at the start (without it runs need more steps) and a first grid
of rates were settled on runs 0 to 3. On runs 0 to 2 with 1000 steps and a finer grid it was seen that all depths learn
k = 0, that two layers and more learn k = 1 and one layer does not; that attention alone with two layers is left with
three quarters of the gap at k = 2, two heads or a third layer with less; that of k = 3 little is learnt in 1000 steps;
and that the loss is hardly slower at the levels of lower orders than beside them. The lines `there` and `stays` were
set before, between what the counts of order k - 1 with one token more have and what constructions lose.

Runs 300 to 307 were judged and seen, with 400 steps at k = 1 and 1300 above, and claims on the mean run. Seen in them:
no run of a shape without a construction got there; where there is one, most did at k = 1 and at k = 2 those of three
whole blocks, some elsewhere; means of ends of which a few are stalled had intervals that decide nothing; 400 steps were
too few for one layer at k = 1, which still fell; and the rate of two heads lay at the edge of the grid. Steps, rates
and claims were changed after that: about twice the steps, four rates in place of three, shares of runs in place of
means, `later` on replicates that learnt the order before, and no claims on what is built by hand. Verdicts at laptop
scale come from runs 400 to 415: the claims, and that sixteen runs were to judge them, were fixed before any number of
these was looked at. The first eight were judged alone once, before the others were trained: of eight no share is
decided (0.5^8 times the number of open claims is above alpha / 2), and nothing was changed. If a fifth of runs stalls,
sixteen leave more than half of the claims on shares open still; shares next to a half, and how long the few wait that
learn k = 3, are for the larger scales. Two of the seven tuned rates lie at the upper edge of the grid again: those of
two heads and of two whole blocks.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.methods.relative_bias import RelativeBias
from testbed.models import ModelConfig
from testbed.models.norms.none import NoNorm
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.depth_and_order.config import Block, Bounds, Order, Probe, Rates, Reading, Shape
from testbed.studies.depth_and_order.construct import check_fits
from testbed.studies.depth_and_order.grid import all_cells
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("depth_and_order")
class DepthAndOrder(SeededStudy):
    """How many layers does it take to read a chain of order k in context?

    Transformers of every depth, attention alone or the whole block, on chains of every order drawn for each sequence.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Layers and the order of chains"
    papers: ClassVar[tuple[str, ...]] = ("2407.17686", "2508.07208")

    vocab_size: int = Field(2, ge=2, le=16, description="symbols V")
    length: int = Field(32, ge=8, le=4096, description="tokens of a sequence, every one of them predicted")
    orders: tuple[Order, ...] = Field(
        (Order(order=0, steps=150), Order(order=1, steps=800), Order(order=2, steps=2400), Order(order=3, steps=2400)),
        min_length=3,
        max_length=8,
        description="orders k = 0, 1, 2 .. of the chains, with the steps of training",
    )
    depths: tuple[int, ...] = Field((1, 2, 3), min_length=2, max_length=8, description="layers, from 1 on")
    headed: tuple[int, ...] = Field(
        (2,), max_length=8, description="orders k on which two layers of attention with k heads are tried as well"
    )
    width: int = Field(16, ge=4, le=4096, description="model dimension")
    mlp_ratio: int = Field(2, ge=1, le=64, description="hidden units of MLPs, where there are any, over the width")
    sequences_per_step: int = Field(32, ge=1, le=10**6, description="fresh sequences of a step")
    optimiser: OptimiserConfig = Field(
        OptimiserConfig(final_fraction=1.0), description="steps are the order's, the rate is tuned"
    )
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=8192, n_heldout=1024, path_points=32), description="scoring along training"
    )
    rates: Rates = Field(Rates(), description="how the learning rate is chosen")
    reading: Reading = Field(Reading(), description="what is read off")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: each has its own sequences and first weights")

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = [one.order for one in self.orders]
        if named != list(range(len(named))):
            raise ValueError(f"orders: given {named}; they are 0, 1, 2 and so on")
        if list(self.depths) != list(range(1, len(self.depths) + 1)):
            raise ValueError(f"depths: given {self.depths}; they are 1, 2 and so on")
        if self.rates.order not in named:
            raise ValueError(f"rates.order: given {self.rates.order}, must be among the orders {named}")
        for k in self.headed:
            if k not in named[2:] or self.width % k:
                raise ValueError(f"headed: given {k}; an order from 2 on that is trained, and that divides the width")
        for shape, order in self.built():
            check_fits(self.model(shape), self.vocab_size, order)
        return self

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Every block at every depth, one head."""
        blocks: tuple[Block, ...] = ("attention", "full")
        return tuple(Shape(block=block, depth=depth) for block in blocks for depth in self.depths)

    def steps(self, order: int) -> int:
        """Of training on chains of this order."""
        return self.orders[order].steps

    def arms(self) -> tuple[tuple[Shape, int], ...]:
        """Every model and order that are trained."""
        plain = tuple((shape, one.order) for one in self.orders for shape in self.shapes)
        return plain + tuple((Shape(block="attention", depth=2, heads=k), k) for k in self.headed)

    def built(self) -> tuple[tuple[Shape, int], ...]:
        """Networks built by hand, by the order that they read: of attention alone the least layers of one head, and two
        of k heads; of the whole block two layers, where there are two symbols."""
        found = [
            (shape, one.order)
            for one in self.orders[1:]
            for shape in self.shapes
            if shape.block == "attention" and shape.enough(one.order)
        ]
        least = {k: shape for shape, k in reversed(found)}
        whole = [Shape(block="full", depth=2)] if self.vocab_size == 2 else []
        return (
            *((least[k], k) for k in sorted(least)),
            *((Shape(block="attention", depth=2, heads=k), k) for k in self.headed),
            *((shape, one.order) for shape in whole for one in self.orders[1:]),
        )

    def model(self, shape: Shape) -> ModelConfig:
        """The transformer of a shape."""
        whole = ModelConfig(
            width=self.width,
            depth=shape.depth,
            heads=shape.heads,
            mlp_ratio=self.mlp_ratio,
            methods=(RelativeBias(),),
        )
        return whole if shape.block == "full" else whole.replace(mlp_ratio=0, norm=NoNorm())

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.depth_and_order.measure import built_record, levels_record, member_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind == "levels":
                yield levels_record(cell, probe)
            elif probe.kind == "built":
                yield built_record(cell, probe, context.device)
            else:
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key])
