"""The claims of the study: where each number must lie. The numbers themselves are in `evidence`.

With w the weights of the four predictors and of the uniform law, lead = w(bi_ret) - w(bi_inf), and early and late parts
of training:

    single              least weight of both retrievals along all of training, N = 1
    few, many           late lead at the smallest family of more than one chain; minus the late lead at the largest
    inference_first     minus the early lead between; takeover: the late lead there
    passes              the smaller of what w(bi_ret) gains there from early to late, and what w(bi_inf) loses
    transience          KL(bi_inf || model) on new chains, late less early, between; continuum_kept: of the continuum
    unseen              late w(bi_ret) of a family that the continuum never saw
    singles_first       weight of both predictors by single tokens less that by pairs at the first point of the path
    boundary            ln N* late less early, N* where the lead changes sign, at an end of the grid where it does not;
                        same_boundary: by laws less by log-odds. Undecided where too many lie at an end
    interpolated        late KL(model || interpolation) between, as a share of KL(model || best single predictor)
    left                late KL(Bayes || model) in the family of many chains less that of the continuum, as a share of
                        KL(Bayes || bi_inf)

That the Bayes law of ever more chains tends to inference is no claim: no N makes a bound on its divergence the right
one, so that it could not fail. The notes and the figure `limit` show it.
"""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

PAPER = "2412.01003"
STUDY = "competition_of_predictors"
COMPETITION, REVERSE, UNIFORM, FALLING = "competition", "the reverse", "uniform first", "falling"
"""Planted worlds (`worlds`)."""


def claims(study: "CompetitionOfPredictors") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, task, reading = study.bounds, study.task, study.reading
    model = f"{study.model.depth} layers of width {study.model.width}, K = {task.vocab_size}, {task.length} tokens"
    late = f"from {reading.late[0]:.0%} to {reading.late[1]:.0%} of {study.optimiser.steps:,} steps"
    early = f"from {reading.early[0]:.0%} to {reading.early[1]:.0%} of {study.optimiser.steps:,} steps"
    phases, dynamics, ours = "algorithmic phases over N and training", "competition along training", "ours"

    def stated(
        name: str,
        statement: str,
        place: str,
        scope: str,
        control: str,
        region: Region,
        margin: float,
        unit: str = "weight",
        reading: Literal["quoted", "inferred"] = "inferred",
        world: str = REVERSE,
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=reading,
            scope=f"{model}; {scope}",
            control=f"world '{world}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    few, between, many = f"N = {task.few}", f"N = {task.between}", f"N = {task.many}"
    return (
        stated(
            "single",
            f"With one chain the model is retrieval throughout: weight {b.alone:g} or more from the first point on.",
            ours,
            "N = 1, all of training",
            "the continuum, where there is nothing to retrieve",
            Region(lower=b.alone),
            0.0,
        ),
        stated(
            "few",
            "With few chains retrieval by pairs ends ahead of inference by pairs.",
            phases,
            f"{few}, {late}",
            "many chains, where inference is ahead",
            Region(lower=b.lead),
            b.lead,
        ),
        stated(
            "many",
            "With many chains inference by pairs ends ahead of retrieval by pairs.",
            phases,
            f"{many}, {late}",
            "few chains, where retrieval is ahead",
            Region(lower=b.lead),
            b.lead,
        ),
        stated(
            "singles_first",
            "At the first point of the path predictors by single tokens outweigh those by pairs.",
            phases,
            f"{between}, {many} and the continuum, first point of the path",
            "a model that starts as the uniform law",
            Region(lower=b.lead),
            b.lead,
            world=UNIFORM,
        ),
        stated(
            "inference_first",
            "Between, inference by pairs is ahead of retrieval by pairs early in training.",
            dynamics,
            f"{between}, {early}",
            "few chains, where it need not be",
            Region(lower=b.lead),
            b.lead,
        ),
        stated(
            "takeover",
            "There retrieval by pairs is ahead late in training: inference is transient.",
            dynamics,
            f"{between}, {late}",
            "the continuum, where it cannot be",
            Region(lower=b.lead),
            b.lead,
        ),
        stated(
            "passes",
            "There weight passes from inference by pairs to retrieval by pairs, from early to late.",
            dynamics,
            f"{between}, {early} and {late}",
            "the continuum, where it cannot",
            Region(lower=b.lead),
            b.lead,
        ),
        stated(
            "transience",
            "There the divergence from inference on new chains, their exact Bayes law, rises from early to late.",
            dynamics,
            f"{between}, chains drawn anew, {early} and {late}",
            "the continuum, where it falls",
            Region(lower=b.rise),
            b.rise,
            "nats",
        ),
        stated(
            "continuum_kept",
            "Where every sequence has a chain of its own that divergence does not rise.",
            ours,
            f"the continuum, {early} and {late}",
            "between, if inference is transient there",
            Region(upper=b.rise),
            b.rise,
            "nats",
        ),
        stated(
            "unseen",
            "Retrieval by pairs of a family that was never seen has no weight.",
            ours,
            f"the continuum, {task.unseen} chains of another seed, {late}",
            "a family that was trained on",
            Region(upper=b.absent),
            0.0,
        ),
        stated(
            "boundary",
            "N*, up to which retrieval by pairs is ahead of inference by pairs, grows with training, by a quarter or"
            " more.",
            phases,
            f"ln N* held to N = {task.few} to {task.many}, {early} and {late}",
            "a boundary that stands or falls",
            Region(lower=b.boundary),
            b.boundary,
            "ln N",
            world=FALLING,
        ),
        stated(
            "same_boundary",
            "Weights by least squares of laws and of log-odds put the late N* at the same place, within a quarter.",
            ours,
            f"ln N* held to N = {task.few} to {task.many}, {late}",
            "readings that differ",
            Region.around(0.0, b.boundary),
            b.boundary,
            "ln N",
            world=FALLING,
        ),
        stated(
            "interpolated",
            f"Between, interpolation leaves {b.left:.0%} or less of the model's divergence from the best single one.",
            dynamics,
            f"{between}, family and new chains together, {late}",
            "a model that is none of them",
            Region(upper=b.left),
            0.0,
            "share",
        ),
        stated(
            "left",
            "With many chains the model does not have what retrieval would save: its excess over the family's Bayes"
            f" law, less that of the continuum over its own, is {b.share:.0%} or more of that of inference.",
            ours,
            f"{many}, {late}",
            "N = 1, where nothing is left",
            Region(lower=b.share),
            0.0,
            "share",
        ),
    )
