"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.study import Check, Judgement
from testbed.studies.tokenizers.claims import claims
from testbed.studies.tokenizers.data import TOKENS, Data, Numbers, gather, numbers
from testbed.studies.tokenizers.evidence import evidence
from testbed.studies.tokenizers.measure import ESTIMATORS, N_BLOCKS, ORDER

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""
ROUNDING = 1e-9
ENDS = 100.0
"""Nats that the two ends of a text may cost: see `code_difference`."""


def judgement(study: "Tokenizers", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    diverged = sum(r.status != "done" and r.probe["kind"] == "member" for r in records)
    data = gather(study, records)
    if data is None:
        detail = f"records are missing; {diverged} judged members diverged"
        return Judgement((), (Check("every record is there", False, detail),))
    found = checks(study, data)
    summary = numbers(study, data)
    said = evidence(study, summary)
    pairs = [(claim, said[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, summary, records))


def checks(study: "Tokenizers", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (
        _conservation(study, data),
        _code_lengths(study, data),
        _counted_lengths(study, data),
        _blocks(study, data),
        _above_the_rate(study, data),
        _members(data),
    )


def _both(texts: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    return texts[f"size_{name}"], texts[f"training_{name}"]


def _conservation(study: "Tokenizers", data: Data) -> Check:
    worst, n = 0.0, 0
    for texts in data.texts.values():
        for rate, length in zip(_both(texts, "rate"), _both(texts, "mean_length"), strict=True):
            h = texts["entropy_rate"].reshape(-1, *[1] * (rate.ndim - 1))
            worst = max(worst, float(np.abs(rate / (h * length) - 1.0).max()))
            n += rate.size
    return Check(
        "h of tokens = h of symbols x E[length], each from the exact law",
        worst < ROUNDING,
        f"largest relative difference {worst:.1e} of {n} tokenizers",
    )


def _code_lengths(study: "Tokenizers", data: Data) -> Check:
    worst = max(float(np.abs(one).max()) for texts in data.texts.values() for one in _both(texts, "code_difference"))
    return Check(
        "tokens and symbols of a text have one probability, but for its ends",
        worst < ENDS,
        f"they differ by at most {worst:.1f} nats over {study.texts.test_length} symbols; allowed {ENDS:.0f}",
    )


def _counted_lengths(study: "Tokenizers", data: Data) -> Check:
    from scipy.stats import t

    scores: list[np.ndarray] = []
    for texts in data.texts.values():
        parts = (_both(texts, name) for name in ("counted_length", "mean_length", "counted_error"))
        for counted, exact, error in zip(*parts, strict=True):
            difference = np.abs(counted - exact)
            none = (error == 0) & (difference < ROUNDING)  # blocks: every token has one length
            scores.append(np.where(none, 0.0, difference / np.where(error > 0, error, 1e-300)).ravel())
    z = np.concatenate(scores)
    bound = float(t.isf(FALSE_ALARM / 2 / len(z), N_BLOCKS - 1))
    return Check(
        "E[length] counted in texts is that of the exact law",
        bool(z.max() < bound),
        f"largest |t| {z.max():.2f} of {len(z)}, bound {bound:.2f} ({N_BLOCKS} blocks)",
    )


def _blocks(study: "Tokenizers", data: Data) -> Check:
    """Blocks of r symbols at k = 1: U = (1 - 1/r) h + H(symbol) / r."""
    arm = next(arm for arm in study.lag_arms if arm.order == 1)
    texts, at = data.texts[arm.name], list(arm.coders).index("grams")
    r = texts["size_mean_length"][:, at]
    closed = (1 - 1 / r) * texts["entropy_rate"][:, None] + texts["symbol_entropy"][:, None] / r
    worst = float(np.abs(texts["size_true"][:, at, :, 0] / r - closed).max())
    return Check(
        "unigrams over blocks at k = 1 cost what the formula says", worst < ROUNDING, f"off by {worst:.1e} nats"
    )


def _above_the_rate(study: "Tokenizers", data: Data) -> Check:
    """Exact h_0 >= .. >= h_3 >= h of tokens."""
    worst = 0.0
    for texts in data.texts.values():
        for true, rate in zip(_both(texts, "true"), _both(texts, "rate"), strict=True):
            worst = max(worst, float(np.diff(true, axis=-1).max()), float((rate - true[..., -1]).max()))
    return Check("entropies fall with context, to h at least", worst < ROUNDING, f"largest rise {worst:.1e} nats")


def _members(data: Data) -> Check:
    from scipy.stats import norm

    pairs = np.concatenate([one["paired"].reshape(-1, 2) for one in data.members.values()])
    z = np.abs(pairs[:, 0]) / np.maximum(pairs[:, 1], 1e-300)
    bound = float(norm.isf(FALSE_ALARM / 2 / len(z)))
    return Check(
        "cross-entropy = Bayes loss + excess on fresh windows",
        bool(z.max() < bound),
        f"largest |z| {z.max():.2f} of {len(z)} members, bound {bound:.2f}",
    )


def notes(study: "Tokenizers", data: Data, found: Numbers, records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    arms = (study.coin, *study.lag_arms)
    tried = study.learners.learning_rates
    chosen = {coder: rate for (coder, _), rate in data.rates.items()}
    edge = [coder for coder, rate in chosen.items() if rate == tried[-1]]
    rates = ", ".join(f"{coder} {rate:g}" for coder, rate in chosen.items())
    said = [
        f"{study.replicates} replicates of texts and of tokenizers trained on others, {len(study.member_numbers)} of"
        " transformers, each with a tokenizer, training data and initial weights of its own.",
        f"Learning rates, of {tried[0]:g} to {tried[-1]:g}: {rates}."
        + (f" At the upper edge: {', '.join(edge)}." if edge else ""),
    ]
    first, last = study.texts.training_lengths[0], study.texts.training_lengths[-1]
    said += [
        f"{arm.name}, {study.texts.fixed_size} tokens, {first} to {last} symbols of training, nats a token:"
        f" H(token) {_way(found.unigram[:, i])}; H(token | {ORDER}) exact {_way(found.true[:, i])}, plug-in"
        f" {_way(found.plug_in[:, i])}, NSB {_way(found.corrected[:, i])}."
        for i, arm in enumerate(arms)
    ]
    said += [_per_symbol(data.texts[arm.name], arm.name) for arm in arms]
    for i, arm in enumerate(study.lag_arms):
        drop = f"{arm.name}: fall of H(token | {ORDER}) a symbol to {arm.sizes[-1]} byte pairs: plug-in"
        said.append(
            f"{drop} {found.fall_plug_in[:, i].mean():.3f}, of which true {found.fall_true[:, i].mean():.3f} nats."
        )
    said += [_steps(study, found, i) for i in range(len(study.lag_arms))]
    too_small = [arm.name for arm in study.lag_arms if np.isnan(found.lzw[:, study.lag_arms.index(arm)]).any()]
    if too_small:
        said.append(
            f"The bound on LZW is empty (epsilon >= 1) at the smallest sizes of {', '.join(too_small)}: left out there."
        )
    for arm in arms:
        fewest = data.texts[arm.name]["training_vocab_size"].min()
        if fewest < study.texts.fixed_size:
            said.append(f"{arm.name}: the shortest training text of some replicate gives {fewest:.0f} tokens only.")
    return tuple(said)


def _per_symbol(texts: dict[str, np.ndarray], name: str) -> str:
    """H(token | 3) / E[length], exact and by every estimator, from the fewest to the most training data."""
    length = texts["training_mean_length"]
    parts = [f"exact {_way(texts['training_true'][..., ORDER] / length, 3)}"]
    for i, estimator in enumerate(ESTIMATORS):
        parts.append(f"{estimator} {_way(texts['training_estimates'][..., i, ORDER] / length, 3)}")
    return f"{name}, the same a symbol: H(token | {ORDER}) / E[length] {', '.join(parts)}."


def _way(values: np.ndarray, digits: int = 2) -> str:
    """ "3.35 to 3.89": from the fewest to the most training data, means over replicates."""
    return f"{values[:, 0].mean():.{digits}f} to {values[:, -1].mean():.{digits}f}"


def _steps(study: "Tokenizers", found: Numbers, arm: int) -> str:
    """Medians, and how many never got there."""
    n_steps = study.learners.optimiser.steps
    parts = []
    for i, context in enumerate(study.learners.contexts):
        parts.append(f"symbols T = {context}: {_median(found.steps[:, i, arm], n_steps)}")
    for i, coder in enumerate(TOKENS):
        parts.append(f"{coder} T = {study.learners.token_context}: {_median(found.token_steps[:, i, arm], n_steps)}")
    return f"{study.lag_arms[arm].name}: median step at which the loss is halfway to h: {', '.join(parts)}."


def _median(steps: np.ndarray, n_steps: int) -> str:
    never = int(np.isinf(steps).sum())
    middle = float(np.median(np.minimum(steps, n_steps)))
    return f"{middle:.0f}" + (f" ({never} of {len(steps)} never)" if never else "")
