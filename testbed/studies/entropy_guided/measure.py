"""What is measured of each member: KL at every place, the entropy of every row, overload and collapse."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.entropy_guided.config import HMAX, Probe
from testbed.studies.entropy_guided.exact import tails
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from testbed.sources import Source

Floats = NDArray[np.float64]
THETA = "method.entropy_guided.theta"


@lru_cache(maxsize=4)
def sequences(source: "Source", seed: int, n: int, length: int) -> tuple[NDArray[np.int64], Floats]:
    """Fresh sequences (N, T) of a replicate and their Bayes laws (N, T, V), the same for all arms."""
    tokens = draw_sequences(source, "probe", seed, n, length).tokens.astype(np.int64)
    return tokens, source.predict(tokens)


def row_entropies(member: TrainedMember, tokens: NDArray[np.int64], device: str) -> Floats:
    """(L, N, H, T) entropy of the row that predicts each token, nats."""
    import torch

    from testbed.measures.attention import attention_entropies

    model, weights = member.opened(device)
    begin = np.full((len(tokens), 1), model.begin, dtype=np.int64)
    inputs = torch.from_numpy(np.concatenate([begin, tokens[:, :-1]], axis=1))[None].to(device)
    with torch.no_grad():
        found: Floats = attention_entropies(model, weights, inputs)[:, 0].double().cpu().numpy()
    return found


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """`excess` on the evaluation stream; of judged members also the arrays

    curve, told (T,)          KL(p || q), and KL of p from the uniform law, at every place; halves (2,): KL on either
                              half of the sequences
    entropy (L, H, T)         mean entropy of rows
    {over, under}_{hmax} (L, H)  overload and collapse, shares of rows
    theta (L, H)              at the end, where there is a penalty
    path (points,)            excess along training

    A member that diverged is looked at where it last was finite.
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if probe.n_sequences is None:
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    source, length = member.spec.source, member.spec.sequence_length
    tokens, laws = sequences(source, probe.seed, probe.n_sequences, length)
    log_p = np.log(laws)
    divergence = np.sum(laws * (log_p - member.sequence_log_laws(tokens, device)), axis=-1)
    told = np.sum(laws * (log_p + np.log(source.vocab_size)), axis=-1)
    entropy = row_entropies(member, tokens, device)
    arrays = {
        "curve": divergence.mean(axis=0),
        "told": told.mean(axis=0),
        "halves": np.array([divergence[::2].mean(), divergence[1::2].mean()]),
        "entropy": entropy.mean(axis=1),
        "path": member.path["excess"],
    }
    for hmax in HMAX:
        over, under = tails(entropy, hmax)
        arrays |= {f"over_{hmax}": over.mean(axis=1), f"under_{hmax}": under.mean(axis=1)}
    weights = member.opened()[1]
    if THETA in weights:
        arrays["theta"] = weights[THETA][0].double().numpy()
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
