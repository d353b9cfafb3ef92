"""What is measured at each cell: the excess at every place, in training and beyond, and what dropped blocks cost."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.positional_prior.blocks import dropped_excess, dropping, ideal_cost, kept_lags, price
from testbed.studies.positional_prior.config import EXPONENTIAL, SINGLE, Arm, Design, Probe, Reading
from testbed.studies.positional_prior.readout import brier_excesses, excesses, prior, vertex, weights
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from testbed.sources import Source

Floats = NDArray[np.float64]
EXACT_SEED = 7
"""Of the sequences over which divergences of the exact side are averaged."""
FINE = 120
"""Slopes of the fine grid in which its least point is looked for."""


def matched(source: str) -> Arm:
    """The arm on which blocks are dropped: the one that fits the source."""
    return {EXPONENTIAL: "alibi", SINGLE: "rope"}.get(source, "harmonic")  # type: ignore[return-value]


@lru_cache(maxsize=4)
def sequences(source: "Source", seed: int, reading: Reading, length: int) -> tuple[NDArray[np.int64], Floats]:
    """Fresh sequences (N, L) of a replicate and their Bayes laws (N, L, V), the same for all arms."""
    tokens = draw_sequences(source, "probe", seed, reading.n_sequences, length).tokens.astype(np.int64)
    return tokens, source.predict(tokens)


def exact_record(cell: Cell) -> Record:
    """Of ALiBi's and the harmonic bias `*_excess` at the slopes; of the latter, on a fine grid, `harmonic_fine`,
    `harmonic_fine_excess` and the exact `harmonic_fine_brier`; metrics `harmonic_best` and `harmonic_best_brier`, where
    the two are least, and `information`, what context tells.
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.design is not None
    assert probe.slopes is not None
    assert probe.n_exact is not None
    design, source = probe.design, probe.design.source(probe.source)
    tokens = source.sample(probe.n_exact, design.length, seed=EXACT_SEED).astype(np.int64)
    laws = source.predict(tokens)
    arrays: dict[str, Floats] = {}
    named: tuple[Arm, ...] = ("alibi", "harmonic")
    for arm in named:
        priors = prior(arm, probe.slopes.of(arm), design.length)
        arrays[f"{arm}_excess"] = excesses(source, tokens, laws, priors).mean(axis=0)
    grid = probe.slopes.harmonic
    fine = np.geomspace(grid[0] / 4, grid[-1] * 2, FINE)
    priors = prior("harmonic", fine, design.length)
    found, brier = excesses(source, tokens, laws, priors).mean(axis=0), brier_excesses(source, design.length, priors)
    arrays |= {"harmonic_fine": fine, "harmonic_fine_excess": found, "harmonic_fine_brier": brier}
    metrics: dict[str, Metric] = {
        "harmonic_best": float(vertex(fine, found)),
        "harmonic_best_brier": float(vertex(fine, brier)),
        "information": information(laws, source.vocab_size),
    }
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def information(laws: Floats, vocab_size: int) -> float:
    """Mean KL of the Bayes laws from the uniform one, that of no context: what context tells, nats."""
    return float(np.mean(np.sum(laws * np.log(laws * vocab_size), axis=-1)))


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """`excess` on the evaluation stream; of judged members also the arrays

    curve (L,)              excess at every place of the longest sequences
    told (L,)               what context tells there
    cost, ideal, bound,     (n_powers,) of the arm that fits the source: what dropping costs the model and the ideal
    mass, keys, as_middle   read-out, the bound, dropped lag mass and share of keys; the bound of the middle power law
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if probe.reading is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    assert probe.design is not None
    design, source = probe.design, member.spec.source
    tokens, laws = sequences(source, probe.seed, probe.reading, design.longest)
    log_p = np.log(laws)
    divergence = np.sum(laws * (log_p - member.sequence_log_laws(tokens, device)), axis=-1)
    told = np.sum(laws * (log_p + np.log(source.vocab_size)), axis=-1)
    arrays = {"curve": divergence.mean(axis=0), "told": told.mean(axis=0)}
    if probe.kind == "member" and probe.arm == matched(probe.source):
        arrays |= block_arrays(member, probe, design, tokens, laws, divergence, device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def block_arrays(
    member: TrainedMember,
    probe: Probe,
    design: Design,
    tokens: NDArray[np.int64],
    laws: Floats,
    divergence: Floats,
    device: str,
) -> dict[str, Floats]:
    """What dropping blocks costs at the length of training; `most` is the largest ideal divergence less its bound."""
    reading, source, length = probe.reading, member.spec.source, design.length
    assert reading is not None
    part = slice(reading.n_blocks), slice(length)
    middle, least = weights(design.source(design.middle), length), 1.0 / source.vocab_size
    rows: dict[str, list[float]] = {
        name: [] for name in ("cost", "ideal", "bound", "mass", "keys", "as_middle", "most")
    }
    for power in reading.powers:
        kept = kept_lags(reading, power, probe.seed, length)
        paid = price(weights(source, length), kept, least)
        method = dropping(reading, power, probe.seed)
        dropped = dropped_excess(member, tokens[part], laws[part], method, device)
        ideal = ideal_cost(source, tokens[part], laws[part], kept)
        for name, value in (
            ("cost", (dropped - divergence[part]).mean()),
            ("ideal", ideal.mean()),
            ("bound", paid.bound.mean()),
            ("mass", paid.mass.mean()),
            ("keys", paid.keys),
            ("as_middle", price(middle, kept, least).bound.mean()),
            ("most", (ideal - paid.bound).max()),
        ):
            rows[name].append(float(value))
    return {f"blocks_{name}": np.array(values) for name, values in rows.items()}
