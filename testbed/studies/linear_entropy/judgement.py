"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.judge import Evidence, Student
from testbed.studies.linear_entropy.claims import claims, entropy_arms, evidence
from testbed.studies.linear_entropy.data import Data, gather, learnt
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy


def judgement(study: "LinearEntropy", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some source or replicate are missing")
    found = checks(data)
    numbers = evidence(study, data)
    lost = [arm for arm in data.arms if not learnt(data, study, arm)]

    def gated(name: str) -> Evidence:
        """Nothing is decided by features where too little was learnt."""
        exact = numbers[name].n_independent is None
        return numbers[name] if exact or not lost else Student(numbers[name].estimate, float("inf"), 1)

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    excess = min(float(arrays["excess"].min()) for arrays in data.arms.values())
    beyond = max(float((shown - entropy).max()) for entropy, shown in data.exact.values())
    null = max(float(arrays["probe"][:, 1].max()) for arrays in data.arms.values())
    return (
        Check("h_l is exact", data.bracket < 1e-9, f"widest bracket {data.bracket:.1e} nats"),
        Check("no state shows more than it holds", beyond < 1e-9, f"largest S_ntp - S {beyond:.1e} nats"),
        Check("no excess is negative", excess > -1e-6, f"least {excess:.1e} nats"),
        Check("shuffled beliefs are not predicted", null < 0.05, f"largest mean R^2 of a null {null:.3f}"),
    )


def notes(study: "LinearEntropy", data: Data, lost: list[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for one in study.exact:
        line = data.line(one.name)
        low, high = line.curvature_interval
        said.append(
            f"{one.name} ({one.role}): r = {line.pearson:.4f}, largest residual {line.largest_residual:.1%} of the"
            f" range, curvature {line.curvature:.3f} [{low:.3f}, {high:.3f}]."
        )
    for arm in entropy_arms(study):
        for suffix, word in (("", "trained"), ("_untrained", "untrained")):
            r, residual, _ = data.lines(arm, data.arms[arm]["kde" + suffix])
            a, b = data.interval(r), data.interval(residual)
            said.append(
                f"{arm}, {word}: |r| of the loss with the kernel entropy {a[0]:.3f} [{a[1]:.3f}, {a[2]:.3f}], largest"
                f" residual {b[0]:.1%} [{b[1]:.1%}, {b[2]:.1%}]."
            )
    highest = max(study.tuning.learning_rates)
    edge = [arm for arm, rate in data.rates.items() if rate == highest]
    return (
        *said,
        "The law of the next token is an affine image of the state on these arms, so that features that predict must"
        " hold the state up to the readout's softmax; the probe asks whether they do so linearly.",
        f"Learning rates at the upper edge of the grid: {', '.join(edge) if edge else 'none'}.",
        f"Too little learnt for a verdict: {', '.join(lost) if lost else 'no arm'}.",
    )
