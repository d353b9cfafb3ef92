"""What is measured at each cell: levels of a law of chains, and how far a model is from each predictor."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.induction_phases.config import Arm, Probe, Reading
from testbed.studies.induction_phases.last_symbol import counts_last_losses
from testbed.studies.induction_phases.levels import counts_last_law, exact_binary_levels, has_exact, sampled_levels
from testbed.studies.induction_phases.predictors import bigram_law, divergence, straight_way, unigram_laws
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.sources import Source

Floats = NDArray[np.float64]
FEW_SYMBOLS, SHORT = 3, 64
"""Up to which the least loss of laws of the counts and the last symbol is sampled: beyond, cases are too many."""


def levels_record(cell: Cell, arm: Arm, length: int, reading: Reading) -> Record:
    """Arrays (length,) of mean losses at every position; (length, n) for each smoothing. Sampled ones come with
    `*_rows`, means of sequences: (N,) or (N, n) over all positions and, as `*_later`, without the first."""
    arrays: dict[str, Floats] = {}
    exact = has_exact(arm, length)
    if exact:
        arrays |= exact_binary_levels(length, reading.smoothings)
        del arrays["law_of_counts_last"]
    else:
        for name, losses in sampled_levels(arm, length, reading.smoothings, reading.n_level_sequences).items():
            arrays[name] = losses.mean(axis=0)
            arrays[f"{name}_rows"], arrays[f"{name}_later"] = losses.mean(axis=1), losses[:, 1:].mean(axis=1)
        if arm.prior == "dirichlet" and arm.vocab_size <= FEW_SYMBOLS and length <= SHORT:
            arrays["counts_last"] = counts_last_losses(arm.source, length, reading.n_last_sequences)
    rate = arm.source.entropy_rate()
    metrics: dict[str, Metric] = {"exact": exact, "rate": float(rate.value)}
    metrics["rate_error"] = float(np.max(rate.standard_error)) if rate.standard_error is not None else 0.0
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


@dataclass(frozen=True, eq=False)
class Reference:
    """Fresh sequences of one replicate, and the laws that a model is held against on them.

    tokens        (N, T)
    bayes         (N, T, K)
    predictors    by name, (N, T, K)
    numbers       excess of each predictor over Bayes, `straight_*`, and the smoothing with the least excess
    """

    tokens: NDArray[np.int64]
    bayes: Floats
    predictors: dict[str, Floats]
    numbers: dict[str, float]


@lru_cache(maxsize=4)
def reference(source: "Source", seed: int, length: int, reading: Reading, has_counts_last: bool) -> Reference:
    """The sequences and laws of one replicate."""
    k = source.vocab_size
    tokens = draw_sequences(source, "probe", seed, reading.n_sequences, length).tokens.astype(np.int64)
    bayes, bigram = source.predict(tokens), bigram_law(tokens, k)
    counted = dict(zip(reading.smoothings, unigram_laws(tokens, k, reading.smoothings), strict=True))
    best = min(counted, key=lambda one: float(divergence(bayes, np.log(counted[one])).mean()))
    laws = {
        "uniform": np.full_like(bigram, 1.0 / k),
        "unigram": counted[reading.smoothings[0]],
        "smoothed": counted[best],
        "bigram": bigram,
    }
    if has_counts_last:
        laws["counts_last"] = counts_last_law(tokens)
    numbers = {f"level_{name}": float(divergence(bayes, np.log(law)).mean()) for name, law in laws.items()}
    numbers |= {f"straight_{name}": straight_way(laws[name], bigram) for name in ("unigram", "smoothed")}
    return Reference(tokens, bayes, laws, numbers | {"smoothing": float(best)})


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """At the end `excess` on the replicate's evaluation stream; along the path `path_excess`, the divergence of each
    predictor from the model as `path_NAME`, and the attention's `path_previous` and `path_induction`."""
    probe, spec = cell.probe, member.spec
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "heldout", "paired", "paired_error")}
    if probe.reading is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    assert probe.chains is not None
    known = reference(spec.source, probe.seed, probe.length, probe.reading, has_exact(probe.chains, probe.length))
    found: dict[str, list[float]] = {name: [] for name in ("excess", *known.predictors, "previous", "induction")}
    for point in range(len(member.path["step"])):
        log_q = member.sequence_log_laws(known.tokens, device, point)
        found["excess"].append(float(divergence(known.bayes, log_q).mean()))
        for name in known.predictors:
            found[name].append(float(divergence(known.predictors[name], log_q).mean()))
        scores = attention_scores(member, known.tokens[: probe.reading.n_watched], device, point)
        for name, score in zip(("previous", "induction"), scores, strict=True):
            found[name].append(score)
    arrays = {f"path_{name}": np.array(values) for name, values in found.items()}
    arrays["path_step"] = member.path["step"]
    return Record(cell.key, cell.study, cell.resolved(), member.status, {**metrics, **known.numbers}, arrays)


def attention_scores(
    member: TrainedMember, tokens: NDArray[np.int64], device: str, point: int | None = None
) -> tuple[float, float]:
    """How much attention the first layer pays to the token before, and the last one to tokens that follow an earlier
    copy of the query's; both less what uniform attention would pay, largest head, mean over queries."""
    import torch

    from testbed.measures.attention_scores import rows_of

    model, weights = member.opened(device, point)
    begin = np.full((len(tokens), 1), model.begin)
    seen = torch.from_numpy(np.concatenate([begin, tokens[:, :-1]], axis=1)).to(device)
    first, last = [], []
    for rows in rows_of(model, weights, seen[None]):
        if rows.block == 0:
            first.append(rows.weights[0])
        if rows.block == member.spec.model.depth - 1:
            last.append(rows.weights[0])
    return _score(torch.cat(first), before(seen)), _score(torch.cat(last), followers(seen))


def before(seen: "Tensor") -> "Tensor":
    """(N, T, T): key j is the token before query i, the begin symbol left out."""
    import torch

    n, length = seen.shape
    i, j = torch.arange(length)[:, None], torch.arange(length)[None]
    return ((j == i - 1) & (j >= 1)).expand(n, length, length).to(seen.device)


def followers(seen: "Tensor") -> "Tensor":
    """(N, T, T): key j follows an earlier copy of the token at query i."""
    import torch

    length = seen.shape[1]
    copies = seen[:, :, None] == seen[:, None, :]  # [i, j]: same token
    after = torch.zeros_like(copies)
    after[:, :, 1:] = copies[:, :, :-1]
    i, j = torch.arange(length)[:, None], torch.arange(length)[None]
    return after & ((j <= i) & (j >= 2) & (i >= 1)).to(seen.device)


def _score(weights: "Tensor", wanted: "Tensor") -> float:
    """Mean attention on the wanted keys less their share of the visible ones, over queries that have any; of the head
    with the most. weights (N, H, T, T), wanted (N, T, T)."""
    import torch

    length = wanted.shape[-1]
    share = wanted.sum(dim=-1) / torch.arange(1, length + 1, device=wanted.device)
    paid = (weights * wanted[:, None]).sum(dim=-1)  # (N, H, T)
    there = wanted.any(dim=-1)[:, None]
    gain = ((paid - share[:, None]) * there).sum(dim=(0, 2)) / there.sum()
    return float(gain.max())
