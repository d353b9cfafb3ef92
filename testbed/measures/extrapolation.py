"""A trained member in longer windows and under other methods than it was trained with, on its own weights.

The training length that methods are told stays that of training.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.attention import AttentionRows, attention_rows, calibrate
from testbed.measures.law_scores import accuracy, brier_excess
from testbed.measures.places import spread_places
from testbed.models.transformer import Calibrated, Transformer
from testbed.sources.source import Source
from testbed.training.batches import with_begin
from testbed.training.ensemble import log_sequence_laws
from testbed.training.evaluation import clustered_mean
from testbed.training.member import TrainedMember
from testbed.training.sequences import SequenceSet, draw_sequences, judged_laws


def log_laws_at(
    member: TrainedMember,
    tokens: NDArray[Any],
    judged: NDArray[np.bool_],
    methods: Iterable[Any] | None = None,
    calibration_tokens: NDArray[Any] | None = None,
    chunk: int = 65_536,
    device: str = "cpu",
) -> NDArray[np.float64]:
    """(n, V): ln q of the member at the judged positions of sequences (N, L) of any length, in np.nonzero's order.

    methods               in place of those trained with, as values, names or tables; they must learn the same
                          parameters
    calibration_tokens    (N, >= m - 1) sequences on which calibrated methods are calibrated, m the training length
    chunk                 positions that one forward pass holds

    Raises ConfigError where the methods do not fit the weights, calibration needs tokens, or a bidirectional model
    would see what it is asked to predict.
    """
    if tokens.shape != judged.shape or not judged.any():
        raise ConfigError(f"judged: need some of tokens {tokens.shape}, given {int(judged.sum())} of {judged.shape}")
    if not member.spec.model.causal and judged[:, :-1].any():
        raise ConfigError("judged: a bidirectional model sees every token but the last; judge that alone")
    model, weights, calibrated, where = _ready(member, methods, calibration_tokens, device)
    with torch.no_grad():
        return log_sequence_laws(model, weights, tokens, judged, where, chunk, calibrated)


def last_attention_rows(
    member: TrainedMember,
    tokens: NDArray[Any],
    methods: Iterable[Any] | None = None,
    keys: NDArray[np.bool_] | None = None,
    calibration_tokens: NDArray[Any] | None = None,
    device: str = "cpu",
) -> AttentionRows:
    """Attention of the place that predicts the last token of sequences (N, L), which sees L keys: one row a head.

    methods, calibration_tokens    as for `log_laws_at`
    keys                           (N, L) bool, tokens whose weight is `key_mass`; the last is predicted, never a key
    """
    model, weights, calibrated, where = _ready(member, methods, calibration_tokens, device)
    window = torch.from_numpy(tokens[:, :-1].astype(np.int64)).to(where)
    asked = None
    if keys is not None:
        if keys.shape != tokens.shape or keys[:, -1].any():
            raise ConfigError(f"keys: given {keys.shape}, need {tokens.shape} without the last token, which is no key")
        asked = torch.nn.functional.pad(torch.from_numpy(keys[:, :-1]), (1, 0))[None].to(where)  # begin symbol first
    queries = torch.tensor([tokens.shape[1] - 1])
    return attention_rows(model, weights, with_begin(window[None], model.begin), queries, asked, (), calibrated)


def _ready(
    member: TrainedMember, methods: Iterable[Any] | None, calibration_tokens: NDArray[Any] | None, device: str
) -> tuple[Transformer, dict[str, torch.Tensor], Calibrated | None, torch.device]:
    """The model under these methods, the member's weights, and what calibrated methods read off them."""
    model, weights = member.opened(device, methods=methods)
    where = torch.device(device)
    if not model.calibrated_methods:
        return model, weights, None, where
    needed = model.geometry.train_length - 1
    if calibration_tokens is None or calibration_tokens.shape[1] < needed:
        names = ", ".join(sorted(model.calibrated_methods))
        raise ConfigError(
            f"calibration_tokens: {names} is read off the trained model; give sequences of {needed} tokens"
        )
    seen = torch.from_numpy(calibration_tokens[:, :needed].astype(np.int64)).to(where)
    with torch.no_grad():
        return model, weights, calibrate(model, weights, with_begin(seen[None], model.begin)), where


@dataclass(frozen=True)
class LengthScores:
    """What is said of a member at one length, in nats; errors are clustered by sequence.

    excess           mean exact KL(p || q) over the judged positions looked at
    cross_entropy    mean of -ln q of their tokens
    brier, accuracy  mean Brier score above that of p, and chance that the token likeliest by q comes, exactly under p
    n_judged         how many they were, in all sequences
    """

    length: int
    n_judged: int
    excess: float
    excess_error: float
    cross_entropy: float
    cross_entropy_error: float
    brier: float
    brier_error: float
    accuracy: float
    accuracy_error: float


def excess_at(
    member: TrainedMember,
    source: Source,
    length: int,
    n_sequences: int,
    seed: int,
    methods: Iterable[Any] | None = None,
    max_judged: int = 256,
    n_calibration: int = 64,
    chunk: int = 65_536,
    device: str = "cpu",
) -> LengthScores:
    """Mean exact KL on fresh sequences of `length` tokens of a source, the member's own or another of the same V.

    Sequences 0 .. n_sequences - 1 of the source's evaluation stream. At most `max_judged` of the positions that any
    sequence judges are looked at, one drawn from each of as many equal parts, the same in all sequences; the error is
    that of the sequences, given these positions. Calibrated methods are calibrated on `n_calibration` sequences of the
    training source's probe stream.
    """
    if source.vocab_size != member.spec.source.vocab_size:
        raise ConfigError(f"source: has {source.vocab_size} symbols, the member {member.spec.source.vocab_size}")
    if source.takes_inputs:
        raise ConfigError(f"source: {source.type_name} has real-valued inputs, which the transformer does not read")
    if not source.writes_length(length):
        raise ConfigError(f"length: {source.type_name} writes no sequences of {length} tokens")
    drawn = draw_sequences(source, "evaluation", seed, n_sequences, length)
    columns = np.flatnonzero(drawn.judged.any(axis=0))
    if len(columns) == 0:
        raise ConfigError(f"length: {source.type_name} judges nothing in {n_sequences} sequences of {length} tokens")
    looked_at = np.zeros(length, dtype=np.bool_)
    looked_at[columns[spread_places(len(columns), max_judged, seed)]] = True
    judged = drawn.judged & looked_at
    methods = None if methods is None else tuple(methods)
    calibration = None
    if member.opened(methods=methods)[0].calibrated_methods:
        spec = member.spec
        calibration = draw_sequences(spec.source, "probe", seed, n_calibration, spec.data.max_context + 1).tokens
    log_q = log_laws_at(member, drawn.tokens, judged, methods, calibration, chunk, device)
    laws = judged_laws(source, drawn.tokens, judged)
    one = SequenceSet(drawn.tokens, judged, laws, len(laws))
    excess = clustered_mean(one.divergences(log_q), one.row)
    loss = clustered_mean(-log_q[np.arange(len(log_q)), one.token], one.row)
    brier = clustered_mean(brier_excess(laws, log_q), one.row)
    right = clustered_mean(accuracy(laws, log_q), one.row)
    return LengthScores(length, len(laws), *excess, *loss, *brier, *right)
