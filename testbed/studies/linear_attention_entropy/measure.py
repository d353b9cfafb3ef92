"""What is measured at each cell: entropies of random rows, the price of soft weights, KL and head entropies."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.linear_attention_entropy.closed import demand, entropies
from testbed.studies.linear_attention_entropy.config import CONTEXT, KERNELS, MISSES, Design, Probe
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from testbed.sources import Source

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RISE, LARGE_RISE = 1e-9, 0.01
"""Nats by which an entropy must rise to count as risen, and as risen by more than a little."""
SURE = 0.9
"""Largest probability above which an answer's law is that of a key that was shown."""


def closed_record(cell: Cell) -> Record:
    """entropy (kernels, norms) means over draws; rises and large_rises (kernels,), shares of draws in which entropy
    rises between some neighbouring norms, and by more than LARGE_RISE; largest (kernels,), the largest such rise;
    change (kernels,), the largest change over norms; and for every T entropy_T, excess_T (W,), the price of soft
    weights over as many keys as queries of the second half see."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.reading is not None
    assert probe.design is not None
    found = entropies(probe.reading, probe.seed)
    arrays = {"entropy": found.mean(axis=2), **rises(found)}
    for length in probe.design.lengths:
        entropy, excess = demand(probe.design.vocab_size, visible(length))
        arrays |= {f"entropy_{length}": entropy, f"excess_{length}": excess}
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def rises(entropy: Floats) -> dict[str, Floats]:
    """By how much, and in what share of draws, (kernels, norms, draws) entropies rise with |q|, and change at all."""
    risen = np.diff(entropy, axis=1).max(axis=1)
    return {
        "rises": (risen > RISE).mean(axis=1),
        "large_rises": (risen > LARGE_RISE).mean(axis=1),
        "largest": np.maximum(risen, 0.0).max(axis=1),
        "change": np.ptp(entropy, axis=1).max(axis=1),
    }


def visible(length: int) -> int:
    """Keys, the begin symbol among them, that a query of the second half sees, in the mean, rounded, halves up."""
    return int(np.floor(np.mean(np.arange(length // 2, length) + 1) + 0.5))


@lru_cache(maxsize=4)
def fresh(source: "Source", seed: int, n: int, length: int) -> tuple[NDArray[np.int64], Bools, Floats]:
    """Fresh sequences (N, L) of a replicate, which places are judged, and Bayes laws (N, L, V), alike for all arms."""
    batch = draw_sequences(source, "probe", seed, n, length)
    tokens = batch.tokens.astype(np.int64)
    return tokens, batch.judged, source.predict(tokens)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """`excess` on the evaluation stream; of judged members, on fresh sequences, nats:

    lost, told   mean KL from the Bayes law, and of it from the uniform one; at places from T / 2 on (recall: answers)
    miss, hit    recall: mean KL of answers to keys that were not shown, and to others; `misses` and `hits` count them
    whole        recall: mean KL of answers on the source where no key is missing
    entropy      (layers,) of heads, mean over those places; not of weights that are no laws
    mass         copy: mean weight on the key to be copied
    added        HyperAttention in place of the softmax: mean KL more at those places
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if probe.reading is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    assert probe.design is not None
    design, source, task = probe.design, member.spec.source, probe.task
    length = design.length(task)
    tokens, judged, laws = fresh(source, probe.seed, probe.reading.n_sequences, length)
    log_p = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    divergence = kl(laws, log_p, member.sequence_log_laws(tokens, device))
    told = np.sum(laws * log_p, axis=-1) + np.log(source.vocab_size)
    arrays: dict[str, Floats] = {}
    if task == MISSES:
        missed = judged & (laws.max(axis=-1) < SURE)
        hits = judged & ~missed
        metrics |= {"lost": _mean(divergence, judged), "told": float(np.log(design.n_values))}
        metrics |= {"hit": _mean(divergence, hits), "hits": int(hits.sum()), "misses": int(missed.sum())}
        if missed.any():
            metrics["miss"] = _mean(divergence, missed)
        others, asked, known = fresh(design.source(task, missing=False), probe.seed, probe.reading.n_sequences, length)
        log_known = np.log(known, out=np.zeros_like(known), where=known > 0)
        metrics["whole"] = _mean(kl(known, log_known, member.sequence_log_laws(others, device)), asked)
    else:
        late = slice(length // 2, None)
        metrics |= {"lost": float(divergence[:, late].mean()), "told": float(told[:, late].mean())}
        if probe.arm in KERNELS:
            arrays["entropy"], mass = heads(member, design, task, tokens, device)
            if task not in CONTEXT:
                metrics["mass"] = mass
        if probe.arm == "softmax" and task in (design.central, *CONTEXT):
            other = sampled_laws(member, probe, tokens, device)
            metrics["added"] = float((kl(laws, log_p, other) - divergence)[:, late].mean())
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def kl(laws: Floats, log_p: Floats, log_q: Floats) -> Floats:
    """(N, L): KL(p || q)."""
    found: Floats = np.sum(laws * np.where(laws > 0, log_p - log_q, 0.0), axis=-1)
    return found


def _mean(values: Floats, where: Bools) -> float:
    return float(values[where].mean())


def heads(
    member: TrainedMember, design: Design, task: str, tokens: NDArray[np.int64], device: str
) -> tuple[Floats, float]:
    """(layers,) mean entropy of the head at queries of the second half; in the first layer, the mean weight on the key
    of the token T / 2 before the one to come."""
    import torch

    from testbed.measures.attention import attention_weights

    model, weights = member.opened(device)
    length = tokens.shape[1]
    seen = np.concatenate([np.full((len(tokens), 1), model.begin), tokens[:, :-1]], axis=1)
    queries = torch.arange(length // 2, length)
    rows = attention_weights(model, weights, torch.from_numpy(seen)[None].to(device), queries)[:, 0, :, 0].double()
    entropy = torch.special.entr(rows.clamp(min=0.0)).sum(dim=-1).mean(dim=(1, 2)).cpu().numpy()
    # the query at place t, whose token is t - 1, is asked for token t; token t - T / 2 stands at place t - T / 2 + 1
    own = rows[0][:, torch.arange(len(queries)), queries - length // 2 + 1]
    return entropy, float(own.mean())


def sampled_laws(member: TrainedMember, probe: Probe, tokens: NDArray[np.int64], device: str) -> Floats:
    """(N, L, V): ln q with HyperAttention in the softmax's place; its draws are the replicate's own."""
    import torch

    from testbed.training.ensemble import log_sequence_laws

    reading, design = probe.reading, probe.design
    assert reading is not None
    assert design is not None
    hyper = {
        "type": "hyper_attention",
        "block": reading.block,
        "samples": reading.samples,
        "least": reading.least,
        "seed": probe.seed,
    }
    model, weights = member.opened(device, methods=[*design.methods(probe.task, "softmax"), hyper])
    with torch.no_grad():
        laws = log_sequence_laws(model, weights, tokens, np.ones(tokens.shape, dtype=np.bool_), torch.device(device))
    return laws.reshape(*tokens.shape, -1)
