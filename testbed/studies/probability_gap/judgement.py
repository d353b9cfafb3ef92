"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.probability_gap import gap_statistics
from testbed.runs import Record
from testbed.studies.probability_gap.chains import STATEMENTS, TOLERANCE, UNPROVED, stationary_block
from testbed.studies.probability_gap.claims import claims
from testbed.studies.probability_gap.data import Data, gather
from testbed.studies.probability_gap.evidence import evidence
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

GOLDEN_GAP = (0.029217869399, 0.099654357372, 0.285594766912)
GOLDEN_MARGIN = (0.025175955780, 0.024992144486, 0.144306957896)
"""Of the order-2 chain, p(c | a, b) proportional to 1 + ((2a + 3b + 5c + abc) mod 7), m = 0, 1, 2."""


def judgement(study: "ProbabilityGap", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "ProbabilityGap", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (_golden(), _constant(study, data), _binary(study, data), _links(study, data), _plug_in(data), _seen(data))


def _golden() -> Check:
    a, b, c = np.indices((3,) * 3)
    weights = 1.0 + (2 * a + 3 * b + 5 * c + a * b * c) % 7
    kernel = (weights / weights.sum(axis=-1, keepdims=True)).reshape(9, 3)
    found = gap_statistics(stationary_block(kernel, 3))
    error = max(np.abs(found.gap - GOLDEN_GAP).max(), np.abs(found.margin - GOLDEN_MARGIN).max())
    return Check("gap and margin of the golden chain", bool(error < 1e-9), f"largest error {error:.1e}")


def _constant(study: "ProbabilityGap", data: Data) -> Check:
    worst = max(
        float(np.abs(np.diff(data.raw[one.label][name][..., one.order :], axis=-1)).max())
        for one in study.chains
        for name in ("gap", "margin", "entropy")
    )
    return Check("nothing changes beyond a chain's order", worst < 1e-9, f"largest change {worst:.1e}")


def _binary(study: "ProbabilityGap", data: Data) -> Check:
    arms = [data.raw[one.label] for one in study.random_chains if one.vocab_size == 2]
    worst = max(float(np.abs(arm["gap"] - arm["margin"]).max()) for arm in arms)
    return Check("with two symbols the margin is the gap", worst < 1e-12, f"largest difference {worst:.1e}")


def _links(study: "ProbabilityGap", data: Data) -> Check:
    """(V g - 1) / (V - 1) <= G <= g; -ln g <= H; Hellman-Raviv 2 ln 2 (1 - g) <= H; Fano; with g = E max."""
    worst = 0.0
    for one in study.chains:
        arm, size = data.raw[one.label], one.vocab_size
        guess, gap, entropy = arm["expected_max"], arm["gap"], arm["entropy"]
        error = np.clip(1.0 - guess, 1e-300, 1.0)
        of_error = -error * np.log(error) - guess * np.log(guess)
        for excess in (
            (size * guess - 1) / (size - 1) - gap,
            gap - guess,
            -np.log(guess) - entropy,
            2 * np.log(2) * error - entropy,
            entropy - of_error - error * np.log(max(size - 1, 1)),
        ):
            worst = max(worst, float(excess.max()))
    return Check("gap, guessing probability and entropy bound each other", worst < 1e-9, f"largest excess {worst:.1e}")


def _plug_in(data: Data) -> Check:
    least = min(
        float(np.diff(arm["plug_in"], axis=-1).min()) for name, arm in data.raw.items() if name.startswith("samples_")
    )
    return Check(
        "the plug-in gap never falls, whatever the data: the empirical law is a law",
        least > -1e-12,
        f"least step {least:.1e}",
    )


def _seen(data: Data) -> Check:
    least = min(float(flags.mean(axis=(0, 2)).min()) for flags in data.learner.values())
    return Check(
        "the numbers see laws that come from no one joint law",
        least > 0,
        f"at least {least:.1%} of the learners violate the averaged statements, in every kind of chain",
    )


def notes(study: "ProbabilityGap", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    violated = []
    for name in STATEMENTS:
        shares = [data.share(one, name) for one in study.chains]
        if any(share.successes for share in shares):
            violated.append(f"{name} {' / '.join(f'{share.estimate:.1%}' for share in shares)}")
    chains = ", ".join(str(one.n_chains) for one in study.chains)
    return (
        _take_home(study, data),
        f"{study.replicates} streams of random numbers, {chains} chains of each kind in each.",
        f"Share of chains that violate a statement ({' / '.join(one.label for one in study.chains)}):"
        f" {'; '.join(violated)}; the others none.",
        _search_note(study, data),
        _trained_note(study, data),
    )


def _take_home(study: "ProbabilityGap", data: Data) -> str:
    def most(statements: Sequence[str]) -> float:
        return max(data.share(one, name).estimate for one in study.random_chains for name in statements)

    model = data.trained.mean(axis=(0, 1))
    return (
        "Averaged over contexts the gap never falls and the entropy never rises with the context, of any law,"
        " by Jensen's"
        f" inequality ({most(('entropy_chain', 'averaged_gap')):.1%} of random chains violate it); read for"
        f" each context"
        f" it is false ({most(('every_context',)):.0%}), and of a trained transformer's laws too (gap {model[1]:.0%},"
        f" entropy {model[0]:.0%} of models)."
    )


def _trained_note(study: "ProbabilityGap", data: Data) -> str:
    raw, order = data.raw["trained"], study.trained.order
    falls, rises = -np.diff(raw["gap"]), np.diff(raw["entropy"])  # (R, n_models, M)
    off = np.abs(raw["gap"] - raw["source_gap"]).mean(axis=(0, 1))
    seen = [
        f"{float((falls[..., at] > TOLERANCE).any(axis=-1).mean()):.0%} and"
        f" {float((rises[..., at] > TOLERANCE).any(axis=-1).mean()):.0%}"
        for at in (slice(None, order), slice(order, None))
    ]
    return (
        f"{data.trained[..., 0].size} trained transformers ({study.trained.label}): mean gap off by"
        f" {', '.join(f'{one:.4f}' for one in off)} at m = 0 .. {len(off) - 1} from the chain's; largest fall of a"
        f" model's mean gap {falls.max():.4f}, of their entropies' rise {rises.max():.4f} nats. In {seen[0]} of models"
        f" gap falls and entropy rises in some step up to the order {order}, where the chain's own change, in {seen[1]}"
        " beyond it, where the chain's stay."
        f" Excess at M tokens {raw['excess'].mean():.4f} nats per token ({raw['excess'].max():.4f} at most)."
    )


def _search_note(study: "ProbabilityGap", data: Data) -> str:
    said = []
    draws = data.raw["search"]["draws"]
    for i, name in enumerate(UNPROVED):
        found = draws[np.isfinite(draws[:, i]), i]
        said.append(f"{name} {'never found' if not len(found) else f'{np.median(found):.0f}'}")
    return f"Median number of first-order chains drawn until a counterexample: {', '.join(said)}."
