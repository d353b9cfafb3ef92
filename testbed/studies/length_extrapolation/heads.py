"""What is measured of every head: attention of the place that predicts a sequence's last token, which sees n keys."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.measures.attention import attention_weights
from testbed.measures.attention_metrics import shape_drift
from testbed.measures.extrapolation import last_attention_rows
from testbed.sources import Source
from testbed.sources.recall.fillers import Fillers
from testbed.sources.recall.key_value_recall import KeyValueRecall
from testbed.sources.recall.needle import Needle
from testbed.sources.source import Floats, Tokens
from testbed.training.batches import with_begin
from testbed.training.member import TrainedMember

MEASURES = ("entropy", "logit_std", "r_value", "key_mass", "drift")
"""Arrays of a record, (depth, heads) each; `key_mass` where the source says which keys are relevant, `drift` where its
statements may change places."""
DRIFT_SEQUENCES = 32
"""Sequences over which the drift is averaged, at most."""


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
    needle              the statement whose key is asked for
    fillers             the informative tokens
    """
    if isinstance(source, Needle):
        keys = np.zeros(tokens.shape, dtype=np.bool_)
        keys[np.arange(len(tokens)), source.asked_sites(tokens)] = True
        return keys
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


def appended(source: Needle, tokens: Tokens, m: int) -> Tokens:
    """(N, L): the same sequences, the statement asked for among the last m - 2, whichever of them it changes with.

    The last m tokens are then a sequence of the source of length m, to which the others were added, further back: their
    distances from the question are the same with them and without.
    """
    last = tokens.shape[1] - 2
    site = source.asked_sites(tokens)
    rows = np.arange(len(tokens))
    place = np.where(site >= last - (m - 2), site, last - 1 - site % (m - 2))
    found = tokens.copy()
    found[rows, site], found[rows, place] = tokens[rows, place], tokens[rows, site]
    return found


@torch.no_grad()
def drift_measures(
    member: TrainedMember, source: Source, tokens: Tokens, methods: Any, device: str
) -> dict[str, Floats]:
    """{"drift": (depth, heads)}: KL(p_m || p_n among the original tokens, renormalised), nats, as others join them.

    p_m is the attention on m tokens without the others, the begin symbol left out in both. In one layer, appended keys
    divide the weights among the originals by one number, so that the drift is zero but for multipliers that answer to
    n: with lambda relative to m, p_n is p_m^lambda, renormalised. Nothing for sources that rest on the order of their
    tokens, and for methods that are calibrated.
    """
    if not isinstance(source, Needle):
        return {}
    m = member.spec.data.max_context + 1
    trained, weights = member.opened(device)
    model = trained.with_methods(methods)
    if model.calibrated_methods:
        return {}
    where = torch.device(device)
    long = appended(source, tokens[:DRIFT_SEQUENCES], m)

    def row(part: Tokens) -> torch.Tensor:
        window = with_begin(torch.from_numpy(part[:, :-1].astype(np.int64))[None].to(where), model.begin)
        last = torch.tensor([part.shape[1] - 1])
        return attention_weights(model, weights, window, last)[:, 0, :, :, 0, 1:].double()  # (depth, N, heads, tokens)

    before, after = row(long[:, -m:]), row(long)
    before = before / before.sum(dim=-1, keepdim=True)
    originals = torch.arange(after.shape[-1] - (m - 1), after.shape[-1], device=where)
    drift = shape_drift(before, after, originals).mean(dim=1)
    return {"drift": drift.cpu().numpy()}
