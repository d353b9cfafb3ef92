"""The claims: whose matrices forget less, and who ages."""

from typing import TYPE_CHECKING

from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

STUDY = "conditioning"
KAPPA, NAP = "KappaTune 2025", "2407.01800"
AS_CLAIMED, OPPOSITE, BY_KIND = "as claimed", "the other way round", "kinds differ, kappa does not; all slopes fall"
AT_ONE = "at one level alone; norms count, kappa does not"
"""The planted worlds."""
COMPARED = {
    "low_high": ("low", "high"),
    "low_random": ("low", "random"),
    "in_kind": ("low_in_kind", "high_in_kind"),
    "flat_uneven": ("flat", "uneven"),
    "planted": ("planted_low", "planted_high"),
    "planted_kappa": ("planted_norm", "planted_high"),
}
"""Claims of forgetting: the arm that is said to forget less, and the other."""
CHOSEN = ("low_high", "low_random", "in_kind", "flat_uneven")
"""Of these, the ones that say something only where kappa is not what chance gave the weights."""
KINDS_ALONE = ("low_high", "low_random", "flat_uneven")
"""Of these, the ones that a difference between kinds of matrices makes true."""


def claims(study: "Conditioning") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, design, given, stream, n = study.bounds, study.design, study.forgetting, study.stream, study.n_seeds
    levels = " and ".join(f"{one:g}" for one in b.levels)
    tasks = (
        f"{design.vocab_size} symbols at order {design.order}, {study.model.depth} layers of width"
        f" {study.model.width}; {given.steps} steps, one rate; KL_B at {levels} of its first, the larger of the two"
        f" differences; {n} replicates"
    )
    other = study.stream_design
    streams = (
        f"{stream.n_tasks} renamed tasks of {stream.steps} steps, slopes and times from task {stream.skipped} on;"
        f" {other.vocab_size} symbols at order {other.order}, {study.stream_model.depth} layers of width"
        f" {study.stream_model.width}; {n} replicates"
    )
    share = f"at each level by {b.less:.0%} of KL(A || B) at least (this project's margin)"
    least = "Training the matrices of lowest kappa forgets less than"
    card = "choice of what is trained; this project's reading, known by its summary alone"

    def forgets(name: str, statement: str, paper: str, place: str) -> Claim:
        worlds = f"worlds '{OPPOSITE}' and '{AT_ONE}'" + ("" if name in KINDS_ALONE else f"; world '{BY_KIND}'")
        if name == "planted":
            worlds = f"world '{OPPOSITE}'; world '{BY_KIND}'"
        return Claim(
            id=f"{STUDY}.{name}",
            statement=f"{statement}, {share}.",
            paper=paper,
            place=place,
            reading="inferred",
            scope=tasks,
            control=worlds,
            region=Region(upper=-b.less),
            margin=b.less,
            decided_at=study.decided_at,
            unit="share of KL(A || B)",
        )

    def ages(name: str, statement: str, region: Region, margin: float, paper: str, unit: str) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=f"From task {stream.skipped} on, {statement}.",
            paper=paper,
            place="plasticity along a stream of tasks; this project's reading" if paper == NAP else "streams",
            reading="inferred",
            scope=streams,
            control=f"world '{OPPOSITE}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    slope, later = b.slope, b.later
    up, down, per = Region(lower=slope), Region(upper=-slope), "of ln time, per task"
    zero, late = Region.around(0.0, slope), Region(lower=later)
    most = f"by {later:g} of the logarithm at least"
    return (
        forgets("low_high", f"{least} those of highest", KAPPA, card),
        forgets("low_random", f"{least} matrices drawn at random", KAPPA, card),
        forgets(
            "in_kind",
            "Of each kind of matrix, training the lowest kappa forgets less than the highest",
            OWN,
            "kind held fixed",
        ),
        forgets(
            "flat_uneven",
            "Training the flattest matrices forgets less than the least flat",
            OWN,
            "the scale-free proxy",
        ),
        forgets(
            "planted",
            "Training matrices as they are forgets less than training them with kappa raised, and with it their norm,"
            " the function being the same",
            OWN,
            "kappa and norm raised at places drawn",
        ),
        forgets(
            "planted_kappa",
            "Training matrices of raised norm forgets less than training them with kappa raised as well, norms of pairs"
            " and function being the same",
            OWN,
            "kappa raised at places drawn, beyond the norm",
        ),
        ages("nap_young", f"NaP's slope is at most {slope:g} per task", Region(upper=slope), slope, NAP, per),
        ages("nap_flat", f"NaP's slope is zero, within {slope:g} per task either way", zero, slope, OWN, per),
        ages("layer_ages", f"the slope of layer norm alone is at least {slope:g}", up, slope, NAP, per),
        ages("bare_ages", f"the slope without norms is at least {slope:g}", up, slope, OWN, per),
        ages(
            "normalised_ages",
            f"the slope with NaP's normalisation and no projection is at least {slope:g}",
            up,
            slope,
            OWN,
            per,
        ),
        ages("nap_less", f"NaP's slope lies below layer norm's by {slope:g} at least", down, slope, NAP, per),
        ages(
            "decay_less",
            f"the slope of layer norm with weight decay of {stream.weight_decay:g} lies below that without by {slope:g}"
            " at least",
            down,
            slope,
            OWN,
            per,
        ),
        ages(
            "used_later",
            f"a used network with layer norm needs more steps than a fresh one, {most}",
            late,
            later,
            OWN,
            "of ln time",
        ),
        ages(
            "used_nap",
            f"a used network with NaP needs more steps than a fresh one, {most}",
            late,
            later,
            OWN,
            "of ln time",
        ),
    )
