"""The numbers that claims are about, gathered from records: first axis replicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.sources.tokens.tokenised import Kind
from testbed.studies.tokenizers.config import Arm, Coder
from testbed.studies.tokenizers.measure import ESTIMATORS, ORDER

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

Floats = NDArray[np.float64]
TOKENS: tuple[Coder, ...] = ("byte_pairs", "lzw")
"""What transformers read in place of symbols."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What replicates give, R of texts and M of members; arms are those of role lag, behind the coin if it is there.

    cost         (R, 1 + arms, coders, sizes) unigram cost over tokens less that over symbols, nats a symbol
    byte_pairs   (R, arms, sizes) unigram cost over byte pairs / h
    lzw          (R, arms, sizes) unigram cost over LZW tokens x (1 - epsilon) / h; nan where epsilon >= 1
    unigram, true, plug_in, corrected    (R, 1 + arms, training lengths) H of one token, and h_3 of tokens: exact,
                 plug-in, NSB; nats a token
    per_symbol   (R, 1 + arms, training lengths) exact h_3 of tokens / E[length], nats a symbol
    fall_true, fall_plug_in    (R, arms) fall of h_3 from symbols to the largest vocabulary, nats a symbol
    words        (R,) unigram cost over all words less h, nats a symbol
    steps        (M, contexts, arms) at which members on symbols are halfway; infinite if never
    token_steps  (M, coders, arms)
    final        (M, coders, arms) last loss of members on tokens / h
    """

    cost: Floats
    byte_pairs: Floats
    lzw: Floats
    unigram: Floats
    true: Floats
    plug_in: Floats
    corrected: Floats
    per_symbol: Floats
    fall_true: Floats
    fall_plug_in: Floats
    words: Floats
    steps: Floats
    token_steps: Floats
    final: Floats


@dataclass(frozen=True, eq=False)
class Data:
    """Records by arm: `texts[arm][name]` (R, ...) and `members[coder, context][name]` (R, arms, ...)."""

    texts: dict[str, dict[str, Floats]]
    members: dict[tuple[Coder, int], dict[str, Floats]]
    rates: dict[tuple[Coder, int], float]


def gather(study: "Tokenizers", records: Sequence[Record]) -> Data | None:
    """The records of every arm, setting and replicate; None where some are missing or diverged."""
    found = {
        (r.probe["kind"], r.probe["arm"], r.probe.get("coder"), r.probe.get("context"), r.probe["replicate"]): r
        for r in records
        if r.probe["kind"] != "tuning" and r.status == "done"
    }
    texts: dict[str, dict[str, Floats]] = {}
    for arm in study.arms:
        rows = [found.get(("texts", arm.name, None, None, number)) for number in study.numbers]
        if any(row is None for row in rows):
            return None
        whole = [row for row in rows if row is not None]
        texts[arm.name] = {name: np.array([row.arrays[name] for row in whole]) for name in whole[0].arrays}
        for name in ("entropy_rate", "symbol_entropy", "least_probability"):
            texts[arm.name][name] = np.array([row.metrics[name] for row in whole], dtype=np.float64)
    members: dict[tuple[Coder, int], dict[str, Floats]] = {}
    rates: dict[tuple[Coder, int], float] = {}
    for coder, context in study.learners.settings:
        table = [
            [found.get(("member", arm.name, coder, context, number)) for arm in study.lag_arms]
            for number in study.member_numbers
        ]
        if any(one is None for row in table for one in row):
            return None
        full = [[one for one in row if one is not None] for row in table]
        members[coder, context] = {
            "half_step": np.array([[_number(one.metrics["half_step"]) for one in row] for row in full]),
            "final": np.array([[one.metrics["final_loss"] for one in row] for row in full], dtype=np.float64),
            "bayes": np.array([[one.metrics["bayes_loss"] for one in row] for row in full], dtype=np.float64),
            "mean_length": np.array([[one.metrics["mean_length"] for one in row] for row in full], dtype=np.float64),
            "paired": np.array(
                [[[one.metrics["paired_difference"], one.metrics["paired_error"]] for one in row] for row in full],
                dtype=np.float64,
            ),
            "path": np.array([[one.arrays["path_loss"] for one in row] for row in full]),
            "step": np.array(full[0][0].arrays["path_step"]),
        }
        rates[coder, context] = float(full[0][0].probe["learning_rate"])
    return Data(texts, members, rates)


def _number(value: object) -> float:
    return np.inf if value is None else float(value)  # type: ignore[arg-type]


def numbers(study: "Tokenizers", data: Data) -> Numbers:
    """The numbers of the claims."""
    lag, coin = study.lag_arms, study.coin
    both = [data.texts[arm.name] for arm in (coin, *lag)]
    texts = both[1:]
    h = np.stack([one["entropy_rate"] for one in texts], axis=1)  # (R, arms)
    unigram = [one["size_true"][..., 0] / one["size_mean_length"] for one in both]  # each (R, coders, sizes)
    pairs = [one[:, _coder(arm, "byte_pairs")] for one, arm in zip(unigram[1:], lag, strict=True)]
    lzw = [one[:, _coder(arm, "lzw")] for one, arm in zip(unigram[1:], lag, strict=True)]
    plug_in, corrected = ESTIMATORS.index("plug_in"), ESTIMATORS.index("nsb")
    per_symbol = [one["size_true"][:, 0, :, ORDER] / one["size_mean_length"][:, 0] for one in texts]
    estimated = [one["size_estimates"][:, 0, :, plug_in, ORDER] / one["size_mean_length"][:, 0] for one in texts]
    length = study.learners.token_context
    tokens = [data.members[coder, length] for coder in TOKENS]
    return Numbers(
        cost=np.stack(
            [one - part["symbol_entropy"][:, None, None] for one, part in zip(unigram, both, strict=True)], 1
        ),
        byte_pairs=np.stack(pairs, axis=1) / h[..., None],
        lzw=np.stack(lzw, axis=1) * _share(study, data) / h[..., None],
        unigram=np.stack([one["training_true"][..., 0] for one in both], axis=1),
        true=np.stack([one["training_true"][..., ORDER] for one in both], axis=1),
        plug_in=np.stack([one["training_estimates"][..., plug_in, ORDER] for one in both], axis=1),
        corrected=np.stack([one["training_estimates"][..., corrected, ORDER] for one in both], axis=1),
        per_symbol=np.stack([one["training_true"][..., ORDER] / one["training_mean_length"] for one in both], axis=1),
        fall_true=np.stack([one[:, 0] - one[:, -1] for one in per_symbol], axis=1),
        fall_plug_in=np.stack([one[:, 0] - one[:, -1] for one in estimated], axis=1),
        words=_words(study, data),
        steps=np.stack([data.members["symbols", one]["half_step"] for one in study.learners.contexts], axis=1),
        token_steps=np.stack([one["half_step"] for one in tokens], axis=1),
        final=np.stack([one["final"] for one in tokens], axis=1) / h[0],  # h is of the source, the same in all
    )


def _coder(arm: Arm, coder: Kind) -> int:
    return arm.coders.index(coder)


def _share(study: "Tokenizers", data: Data) -> Floats:
    """(R, arms, sizes): 1 - epsilon, nan where it is not positive."""
    return np.stack([1.0 - epsilon(study, data.texts[arm.name], arm) for arm in study.lag_arms], axis=1)


def epsilon(study: "Tokenizers", texts: dict[str, Floats], arm: Arm) -> Floats:
    """(R, sizes): ln(1 / delta) / (0.99 ln d) for d tokens and least probability delta; nan where it is 1 or more."""
    sizes = np.array(arm.sizes, dtype=np.float64)
    found = -np.log(texts["least_probability"])[:, None] / (study.bounds.lzw_exponent * np.log(sizes))
    return np.asarray(np.where(found < 1, found, np.nan))


def _words(study: "Tokenizers", data: Data) -> Floats:
    arm = study.words
    one = data.texts[arm.name]
    at = _coder(arm, "words")
    return np.asarray(one["size_true"][:, at, -1, 0] / one["size_mean_length"][:, at, -1] - one["entropy_rate"])
