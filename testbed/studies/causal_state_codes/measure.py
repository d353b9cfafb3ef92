"""What is measured on a member: clusters of its streams, codes of its units, factors in its streams.

Everything is read behind `first_position` tokens or more of fresh sequences, with the weights as they are and as they
were before training: a replicate's untrained network is its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features import (
    diffusion_spectral_entropy,
    final_features,
    matrix_entropy,
    rank_me,
    residual_streams,
)
from testbed.measures.features.activation_codes import activation_codes
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.studies.causal_state_codes.coding import code_arrays
from testbed.studies.causal_state_codes.config import Clusters, Probe
from testbed.studies.causal_state_codes.factoring import factor_arrays
from testbed.studies.causal_state_codes.sources import UNIFILAR, Arm, beliefs_of, law_classes, source_of, sure_states
from testbed.training import first_sequence

if TYPE_CHECKING:
    import torch

    from testbed.models.transformer import Transformer
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Arrays = dict[str, Floats]

BIT = float(np.log(2.0))
DEFAULT_BANDWIDTH, DEFAULT_TIME = 10.0, 1.0
"""s and t of the authors' code, of features as they are."""


def records_of(
    cells: Sequence[Cell], members: "Mapping[str, TrainedMember]", context: MeasureContext
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        assert isinstance(probe, Probe)
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        arrays: Arrays = {}
        scores: dict[str, Metric] = {**member.scores} if done else {}
        if done and probe.kind == "member":
            arrays = member_arrays(member, probe, context.device)
            scores["worth"] = worth(probe.arm, member.spec.context_length)
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)


def worth(arm: Arm, length: int) -> float:
    """h_0 - h_T, nats: what context is worth."""
    h = np.asarray(source_of(arm).conditional_entropies(length).value)
    return float(h[0] - h[length])


def member_arrays(member: "TrainedMember", probe: Probe, device: str) -> Arrays:
    """Arrays by name: `clusters`' with those of both ends stacked first, `codes`', `factors`' (see there)."""
    spec = member.spec
    tokens = spec.source.sample(probe.n_sequences, spec.context_length, probe.seed, first_sequence("probe"))
    model, weights = member.opened(device)
    first = model.layout.views(model.layout.initial_row(spec.initial_seed)[None].to(device))
    rngs = [np.random.default_rng([probe.seed, part]) for part in range(3)]  # the same places at every width
    found: Arrays = {}
    start = probe.first_position
    if probe.clusters is not None:
        streams = [residual_streams(model, one, tokens).astype(np.float64) for one in (weights, first)]
        read = [final_features(model, one, tokens).astype(np.float64) for one in (weights, first)]
        found |= cluster_arrays(probe.arm, streams, read, tokens, start, probe.clusters, rngs[0])
    if probe.codes is not None:
        codes = [activation_codes(model, one, tokens) for one in (weights, first)]
        laws = output_laws(model, weights, tokens)
        found |= code_arrays(probe.arm, codes, laws, tokens, start, probe.codes, rngs[1])
    if probe.factors is not None:
        last = [residual_streams(model, one, tokens)[-1].astype(np.float64) for one in (weights, first)]
        found |= factor_arrays(probe.arm, last, tokens, start, probe.factors, rngs[2])
    return found


def output_laws(model: "Transformer", weights: "Mapping[str, torch.Tensor]", tokens: NDArray[np.integer]) -> Floats:
    """(N, L + 1, V) laws of the next token behind the begin symbol and each token."""
    import torch

    device = weights["embedding"].device
    begin = torch.full((len(tokens), 1), model.begin, dtype=torch.int64)
    seen = torch.cat([begin, torch.from_numpy(tokens.astype(np.int64))], dim=1).to(device)
    with torch.no_grad():
        laws = torch.softmax(model.logits(weights, seen[None], "all")[0].double(), dim=-1)
    return np.asarray(laws.cpu().numpy(), dtype=np.float64)


def cluster_arrays(
    arm: Arm,
    streams: list[Floats],
    read: list[Floats],
    tokens: NDArray[np.integer],
    first: int,
    reading: Clusters,
    rng: np.random.Generator,
) -> Arrays:
    """Of each end, trained and untrained; entropies in bits, of the last stream where nothing else is said; `read` is
    what the read-out is given, behind the final norm.

    sweep (2, bandwidths)          DSE at the time of the rule
    rule (2,), within (2, 4)       DSE at the rule's bandwidth; the largest of the rows of one state, of one law of the
                                   next token, of one law and last token, of one last token
    read_rule, read_within         likewise, behind the final norm
    layers (2, depth + 1)          DSE at the rule of each stream
    default (2,)                   DSE at the authors' s and t, of the stream as it is
    growth (2, sizes)              DSE at the rule of the first rows of more and more
    noise (3, 1 + noises)          trained: DSE, log2 RankMe, matrix entropy with no noise, and with more and more
    exact (sizes,)                 DSE at the rule of the exact beliefs in place of a stream
    share ()                       of places whose belief is sure of its state; of a unifilar arm no others are read
    """
    beliefs = beliefs_of(arm, tokens)[:, first:]
    flat = beliefs.reshape(-1, beliefs.shape[-1])
    states = sure_states(flat) if arm in UNIFILAR else np.zeros(len(flat), dtype=np.int64)
    rows = rng.permutation(np.flatnonzero(states >= 0))
    short, labels = rows[: reading.n_rows], states[rows[: reading.n_rows]]
    kinds = partitions(arm, labels, tokens[:, first - 1 :].ravel()[rows[: reading.n_rows]])
    lists: dict[str, list[object]] = {}
    for end, behind in zip(streams, read, strict=True):
        places = end[:, :, first:].reshape(len(end), -1, end.shape[-1])
        last = scaled(places[-1][short])
        normed = scaled(behind[:, first:].reshape(-1, end.shape[-1])[short])
        for name, value in (
            ("sweep", [bits(last, s, reading.time) for s in reading.bandwidths]),
            ("rule", bits(last, reading.bandwidth, reading.time)),
            ("within", [largest_within(last, one, reading) for one in kinds]),
            ("read_rule", bits(normed, reading.bandwidth, reading.time)),
            ("read_within", [largest_within(normed, one, reading) for one in kinds]),
            ("layers", [bits(scaled(one[short]), reading.bandwidth, reading.time) for one in places]),
            ("default", diffusion_spectral_entropy(places[-1][short], DEFAULT_BANDWIDTH, DEFAULT_TIME) / BIT),
            ("growth", growth(places[-1][rows], reading)),
        ):
            lists.setdefault(name, []).append(value)
    arrays = {name: np.array(values, dtype=np.float64) for name, values in lists.items()}
    trained = streams[0][-1][:, first:].reshape(-1, streams[0].shape[-1])
    arrays["noise"] = noisy(trained[short], reading, rng)
    arrays["exact"] = growth(flat[rows], reading)
    arrays["share"] = np.asarray((states >= 0).mean())
    return arrays


def partitions(arm: Arm, states: Integers, last: NDArray[np.integer]) -> list[Integers]:
    """Of each place the numbers of its state, law, law and last token, last token; (n,) each."""
    laws = law_classes(arm)[states] if arm in UNIFILAR else states
    tokens = last.astype(np.int64)
    return [states, laws, laws * source_of(arm).vocab_size + tokens, tokens]


def scaled(rows: Floats) -> Floats:
    """Centred rows of root-mean-square length 1."""
    centred = rows - rows.mean(axis=0)
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return centred / radius if radius > 0 else centred


def bits(rows: Floats, bandwidth: float, time: float) -> float:
    """DSE in bits."""
    return diffusion_spectral_entropy(rows, bandwidth, time) / BIT


def largest_within(rows: Floats, labels: Integers, reading: Clusters) -> float:
    """The largest DSE of the rows of one label, in the units of the whole cloud; bits."""
    found = [rows[labels == one] for one in np.unique(labels)]
    return max((bits(one, reading.bandwidth, reading.time) for one in found if len(one) > 1), default=0.0)


def growth(rows: Floats, reading: Clusters) -> Floats:
    """(sizes,) DSE at the rule of the first n rows, all in the units of the largest cloud; nan where rows lack."""
    units = scaled(rows[: reading.sizes[-1]])
    found = [bits(units[:n], reading.bandwidth, reading.time) if n <= len(rows) else np.nan for n in reading.sizes]
    return np.array(found)


def noisy(rows: Floats, reading: Clusters, rng: np.random.Generator) -> Floats:
    """(3, 1 + noises) bits: DSE, log2 RankMe and matrix entropy of rows with normal noise added.

    Noise is the same but for its size. DSE is of the cloud in units of the clean one; the others take the rows as they
    are, not centred, as their authors do.
    """
    centred = rows - rows.mean(axis=0)
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    drawn = rng.standard_normal(rows.shape) / np.sqrt(rows.shape[1])
    found = []
    for size in (0.0, *reading.noises):
        moved = rows + size * radius * drawn
        entropy = bits((moved - rows.mean(axis=0)) / radius, reading.bandwidth, reading.time)
        found.append((entropy, np.log2(rank_me(moved)), matrix_entropy(moved) / BIT))
    return np.array(found).T
