"""A member trained on masked tokens, at other lengths and under other methods, against the exact law of what is hidden.

As in `testbed.measures.extrapolation`, which is about the next token: on the member's own weights, and the training
length that methods are told stays that of training. A sequence of n tokens has n + 1 keys with the begin symbol, and
every query sees them all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.attention import calibrate
from testbed.models.transformer import Transformer
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Source
from testbed.training.batches import with_begin
from testbed.training.ensemble import log_masked_laws
from testbed.training.evaluation import clustered_mean
from testbed.training.masking import MaskedSet, draw_sites, hidden_laws
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

Hidden = tuple[NDArray[Any], NDArray[np.bool_]]
"""Sequences (N, L), and which of their tokens are hidden."""


def masked_log_laws(
    member: TrainedMember,
    tokens: NDArray[Any],
    masked: NDArray[np.bool_],
    methods: Iterable[Any] | None = None,
    calibration: Hidden | None = None,
    chunk: int = 65_536,
    device: str = "cpu",
) -> NDArray[np.float64]:
    """(n, V): ln q of the member for the tokens hidden in sequences (N, L) of any length, in np.nonzero's order.

    methods        in place of those trained with, as values, names or tables; they must learn the same parameters
    calibration    sequences of the training length, and what is hidden in them, for methods that are calibrated
    chunk          places that one forward pass holds

    Raises ConfigError where the member was not trained on masked tokens, the methods do not fit its weights, or
    calibration is missing.
    """
    if tokens.shape != masked.shape or not masked.any():
        raise ConfigError(f"masked: need some of tokens {tokens.shape}, given {int(masked.sum())} of {masked.shape}")
    model, weights = _opened(member, methods, device)
    where = torch.device(device)
    with torch.no_grad():
        calibrated = None
        if model.calibrated_methods:
            length = model.geometry.train_length - 1
            if calibration is None or calibration[0].shape[1] != length:
                names = ", ".join(sorted(model.calibrated_methods))
                raise ConfigError(
                    f"calibration: {names} is read off the trained model; give sequences of {length} tokens and what is"
                    " hidden in them"
                )
            seen = np.where(calibration[1], model.vocab_size + 1, calibration[0].astype(np.int64))
            calibrated = calibrate(model, weights, with_begin(torch.from_numpy(seen)[None].to(where), model.begin))
        return log_masked_laws(model, weights, tokens, masked, where, chunk, calibrated)


def _opened(
    member: TrainedMember, methods: Iterable[Any] | None, device: str
) -> tuple[Transformer, dict[str, torch.Tensor]]:
    """The member's model with these methods, and its weights."""
    spec = member.spec
    if spec.data.batch != "masked":
        raise ConfigError(f"member: trained with data.batch = {spec.data.batch}; masked laws need data.batch = masked")
    return member.opened(device, methods=methods)


@dataclass(frozen=True)
class MaskedScores:
    """What is said of a member at one length, in nats; errors are clustered by sequence.

    n_hidden         hidden tokens looked at, in all sequences
    excess           mean exact KL(p || q), p the law of a hidden token given all that are seen
    cross_entropy    mean of -ln q of the tokens
    bayes            mean entropy of p: the loss of who knows the source, at these positions
    """

    length: int
    n_hidden: int
    excess: float
    excess_error: float
    cross_entropy: float
    cross_entropy_error: float
    bayes: float
    bayes_error: float


def masked_excess_at(
    member: TrainedMember,
    source: Source,
    length: int,
    n_sequences: int,
    seed: int,
    methods: Iterable[Any] | None = None,
    n_masked: int = 1,
    n_calibration: int = 64,
    chunk: int = 65_536,
    device: str = "cpu",
) -> MaskedScores:
    """Mean exact KL on fresh sequences of `length` tokens of a source, the member's own or another of the same V.

    Sequences 0 .. n_sequences - 1 of the source's evaluation stream, `n_masked` of the judged tokens of each hidden,
    drawn uniformly: the same sequences and hidden tokens for every member and method. One hidden token is what
    2501.08570 evaluates with, whatever the share in training. Calibrated methods are calibrated on `n_calibration`
    sequences of the training source's probe stream, with as many tokens hidden as in training.
    """
    if source.vocab_size != member.spec.source.vocab_size:
        raise ConfigError(f"source: has {source.vocab_size} symbols, the member {member.spec.source.vocab_size}")
    if not source.writes_length(length):
        raise ConfigError(f"length: {source.type_name} writes no sequences of {length} tokens")
    if n_masked < 1:
        raise ConfigError(f"n_masked: given {n_masked}, must be at least 1")
    drawn = draw_sequences(source, "evaluation", seed, n_sequences, length)
    masked = draw_sites(drawn.judged, n_masked, "evaluation", seed)
    methods = None if methods is None else tuple(methods)
    calibration = None
    if _opened(member, methods, "cpu")[0].calibrated_methods:
        spec = member.spec
        probe = draw_sequences(spec.source, "probe", seed, n_calibration, spec.context_length)
        calibration = probe.tokens, draw_sites(probe.judged, spec.data.n_masked, "probe", seed)
    log_q = masked_log_laws(member, drawn.tokens, masked, methods, calibration, chunk, device)
    laws = hidden_laws(source, drawn.tokens, masked)
    one = MaskedSet(drawn.tokens, masked, laws, len(laws))
    excess = clustered_mean(one.divergences(log_q), one.row)
    loss = clustered_mean(-log_q[np.arange(len(log_q)), one.token], one.row)
    return MaskedScores(length, len(laws), *excess, *loss, *clustered_mean(law_entropies(laws), one.row))
