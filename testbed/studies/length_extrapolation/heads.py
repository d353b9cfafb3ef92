"""What is measured of every head: attention of the place that predicts a sequence's last token, which sees n keys."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.extrapolation import last_attention_rows
from testbed.sources import Source
from testbed.sources.recall.fillers import Fillers
from testbed.sources.recall.key_value_recall import KeyValueRecall
from testbed.sources.source import Floats, Tokens
from testbed.training.member import TrainedMember

MEASURES = ("entropy", "logit_std", "r_value", "key_mass")
"""Arrays of a record, (depth, heads) each; `key_mass` where the source says which keys are relevant."""


def head_measures(
    member: TrainedMember, source: Source, tokens: Tokens, methods: Any, calibration: Tokens, device: str
) -> dict[str, Floats]:
    """{name: (depth, heads)}: means over sequences, nats.

    entropy      H = -sum p ln p
    logit_std    sigma, standard deviation of the visible logits, all multipliers in
    r_value      median of r = 1 / Lambda, the row's inverse temperature in units of its critical one: the two largest
                 weights are alike where r << 1, one key takes all where r >> 1 (Hayase & Karakida 2026, 2605.12697)
    key_mass     F, weight on the relevant keys
    """
    keys = relevant_keys(source, tokens)
    rows = last_attention_rows(member, tokens, methods, keys, calibration, device)
    r = 1.0 / rows.critical_scale[:, 0, :, :, 0]  # (depth, N, heads); zero where the largest logit is attained twice
    found = {
        "entropy": rows.mean("entropy")[:, 0],
        "logit_std": rows.mean("logit_std")[:, 0],
        "r_value": np.median(r, axis=1),
    }
    if keys is not None:
        found["key_mass"] = rows.mean("key_mass")[:, 0]
    return found


def relevant_keys(source: Source, tokens: Tokens) -> NDArray[np.bool_] | None:
    """(N, L) the tokens that the last one depends on; None where the source does not single any out.

    key_value_recall    the pair whose key is asked for last
    fillers             the informative tokens
    """
    if isinstance(source, KeyValueRecall):
        keys = np.zeros(tokens.shape, dtype=np.bool_)
        n = source.n_pairs(tokens.shape[1])
        shown = tokens[:, 0 : 2 * n : 2] == tokens[:, -2:-1]
        keys[:, 0 : 2 * n : 2] = keys[:, 1 : 2 * n : 2] = shown
        return keys
    if isinstance(source, Fillers) and source.marked:
        keys = tokens < source.base.vocab_size
        keys[:, -source.tail :] = False
        return keys
    return None
