"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.causal_state_codes.claims import claims
from testbed.studies.causal_state_codes.data import (
    PARTITIONS,
    TRAINED,
    UNTRAINED,
    Data,
    Floats,
    gather,
    plateau,
    regret,
    rival_accuracy,
)
from testbed.studies.causal_state_codes.evidence import (
    BIT,
    evidence,
    laws_bits,
    learnt_shares,
    noise_errors,
    partition_bits,
    shown,
    states_bits,
)
from testbed.studies.causal_state_codes.grid import CODED, PAIRED, TIE
from testbed.studies.causal_state_codes.sources import TITLES, complexity
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

TOLD = 0.1
"""Mean gain on the majority that states dealt out at random may have: votes are few where codes are."""
OWN_AXES = 0.9
"""InfoM that exact beliefs side by side have at least in their own axes."""


def judgement(study: "CausalStateCodes", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing or diverged")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "CausalStateCodes", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    clustered = [data.at[arm] for arm in study.clustered]
    tokens = max(float(np.abs(one["layers"][:, :, 0] - 1.0).max()) for one in clustered)
    exact = max(float(np.abs(data.of(arm, "exact")[:, -1] - states_bits(arm)).max()) for arm in study.clustered)
    coded = {arm: data.at[arm] for arm in CODED}
    voted = ("accuracy", "units", "last", "suffix", "tokens", "law", "ceiling")
    over = max(float(-regret(data, arm, one[name]).min()) for arm, one in coded.items() for name in voted)
    told = max(float((one["null"] - one["majority"]).mean()) for one in coded.values())
    own = float(data.of("product", "own").mean())
    return (
        Check("two tokens are two clusters of the embedding", tokens < 1e-3, f"off by {tokens:.1e} bits"),
        Check("exact sure beliefs are S clusters", exact < 1e-3, f"off by {exact:.1e} bits"),
        Check("no vote beats the Bayes accuracy", over < 1e-9, f"largest excess {over:.1e}"),
        Check("states dealt out at random are not told", told < TOLD, f"largest mean gain on the majority {told:.3f}"),
        Check("exact beliefs side by side are modular in their own axes", own >= OWN_AXES, f"mean InfoM {own:.3f}"),
    )


def notes(study: "CausalStateCodes", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    return (*cluster_notes(study, data), *code_notes(study, data), *factor_notes(data), *training_notes(study, data))


def cluster_notes(study: "CausalStateCodes", data: Data) -> list[str]:
    b, reading = study.bounds, study.reading.clusters
    said = []
    for arm in study.clustered:
        rule, read = data.of(arm, "rule"), data.of(arm, "read_rule")
        errors = noise_errors(study, data, arm).mean(axis=0)
        longest = plateau(data.of(arm, "sweep")[:, TRAINED], laws_bits(arm), b.bits, reading)
        counts = ", ".join(
            f"{name} in {int(shown(study, data, arm, name).sum())} (untrained"
            f" {int(shown(study, data, arm, name, UNTRAINED).sum())}; behind the final norm"
            f" {int(shown(study, data, arm, name, behind=True).sum())})"
            for name in PARTITIONS
        )
        said.append(
            f"{TITLES[arm]}: log2 S {states_bits(arm):.3f}, log2 of laws {laws_bits(arm):.3f}, of laws and tokens"
            f" {partition_bits(arm, 'law and token'):.3f}, C_mu {complexity(arm) / BIT:.3f} bits; median DSE at the"
            f" rule {np.median(rule[:, TRAINED]):.3f} (untrained {np.median(rule[:, UNTRAINED]):.3f}), behind the final"
            f" norm {np.median(read[:, TRAINED]):.3f} ({np.median(read[:, UNTRAINED]):.3f});"
            f" {pieces(rule[:, TRAINED], b.bits)}, behind the final norm {pieces(read[:, TRAINED], b.bits)}. Of"
            f" {study.n_seeds} runs clusters are classes of equal {counts}. Means by layer:"
            f" {', '.join(f'{one:.2f}' for one in data.of(arm, 'layers')[:, TRAINED].mean(axis=0))}."
            f" At the authors' s = 10, t = 1: {data.of(arm, 'default')[:, TRAINED].mean():.2f}"
            f" ({data.of(arm, 'default')[:, UNTRAINED].mean():.2f}). Within {b.bits:g} bits of log2 of laws over"
            f" {longest.mean():.2f} decades of s on end. Noise up to s moves DSE by {errors[0]:.3f}, log2 RankMe by"
            f" {errors[1]:.3f}, matrix entropy by {errors[2]:.3f} bits; places that are sure"
            f" {data.of(arm, 'share').mean():.0%}."
        )
    growth = data.of("mess3", "growth")[:, TRAINED].mean(axis=0)
    exact = data.of("mess3", "exact").mean(axis=0)
    sizes = ", ".join(str(one) for one in reading.sizes)
    said.append(
        f"Mess3, {sizes} places: DSE {', '.join(f'{one:.3f}' for one in growth)} of the stream,"
        f" {', '.join(f'{one:.3f}' for one in exact)} of the exact beliefs: at fixed s it says nothing of a fractal."
    )
    return said


def code_notes(study: "CausalStateCodes", data: Data) -> list[str]:
    b, reading = study.bounds, study.reading.codes
    said = []
    for arm in CODED:
        at = data.at[arm]
        bayes, rival = at["bayes"].mean(), rival_accuracy(data, arm)
        gap, won = (at["bayes"] - rival).mean(), (at["accuracy"][:, TRAINED] - rival).mean()
        way = f" From the best that needs no training to Bayes: {won / gap:.0%} of the way." if gap > b.regret else ""
        reached = int((regret(data, arm, at["accuracy"])[:, TRAINED] <= b.regret).sum())
        some = ", ".join(
            f"{m}: {one:.3f} ({two:.3f})"
            for m, one, two in zip(reading.units, at["units"].mean(axis=0), at["last"].mean(axis=0), strict=True)
        )
        said.append(
            f"{TITLES[arm]}: Bayes accuracy {bayes:.3f}; codes {at['accuracy'][:, TRAINED].mean():.3f} (within"
            f" {b.regret:g} in {reached} of {study.n_seeds} runs), untrained {at['accuracy'][:, UNTRAINED].mean():.3f};"
            f" votes by the longest common suffix {at['suffix'].mean():.3f}, by Hamming distance of tokens"
            f" {at['tokens'].mean():.3f}, by the network's law by twentieths {at['law'][:, 0].mean():.3f}, as it is"
            f" {at['law'][:, 1].mean():.3f}, by the exact beliefs {at['ceiling'].mean():.3f}.{way}"
            f" Codes of so many units, and so many last tokens: {some}."
            f" Histories that share codes {at['redundancy'][:, TRAINED].mean():.2f} (untrained"
            f" {at['redundancy'][:, UNTRAINED].mean():.2f})."
        )
    return said


def factor_notes(data: Data) -> list[str]:
    said = []
    for arm in PAIRED:
        at = data.at[arm]
        mean = {name: np.nanmean(at[name], axis=0) for name in ("raw", "pca", "kept", "overlap", "mess3", "window")}
        none = int(np.isnan(at["raw"][:, UNTRAINED, 0]).sum())
        said.append(
            f"{TITLES[arm]}: InfoM, C of own axes {both(mean['raw'][TRAINED])} (untrained"
            f" {both(mean['raw'][UNTRAINED])}; unknown in {none} runs), of {mean['kept'][TRAINED]:.1f} principal"
            f" components {both(mean['pca'][TRAINED])} ({both(mean['pca'][UNTRAINED])}), where InfoM of exact beliefs"
            f" side by side is {np.nanmean(at['side_by_side']):.2f}, of their outer product"
            f" {np.nanmean(at['joint']):.2f}. InfoE of Mess3's factor {mean['mess3'][TRAINED]:.3f} (untrained"
            f" {mean['mess3'][UNTRAINED]:.3f}; off the window's tokens {mean['window']:.3f}). cos² between the"
            f" factors' directions {mean['overlap'][TRAINED]:.3f} (untrained {mean['overlap'][UNTRAINED]:.3f})."
        )
    return said


def training_notes(study: "CausalStateCodes", data: Data) -> list[str]:
    grid, shares = study.recipe.learning_rates, learnt_shares(study, data)
    edge = [TITLES[arm] for arm, rate in data.rates.items() if rate in (grid[0], grid[-1])]
    chosen = ", ".join(f"{TITLES[arm]}: {rate:g}" for arm, rate in data.rates.items())
    excess = ", ".join(
        f"{TITLES[arm]} {one['excess'].mean():.1%} ({shares[arm]:.0%} learnt)" for arm, one in data.at.items()
    )
    return [
        f"Mean excess after {study.context_length} tokens, of what context is worth, and the share of runs below"
        f" {study.bounds.gate:.0%} of it: {excess}. All runs count.",
        f"Learning rates, on whole trainings, losses within {TIE:g} nats alike: {chosen}. Gradients are not clipped.",
        *([f"Notice: the rate lies at an edge of the grid for {', '.join(edge)}."] if edge else []),
    ]


def pieces(values: Floats, off: float) -> str:
    """How many runs have DSE at log2 of a whole number of clusters, in words."""
    whole = np.round(2.0**values)
    near = np.abs(values - np.log2(whole)) <= off
    counted = [f"{int(k)} clusters in {int((near & (whole == k)).sum())} runs" for k in np.unique(whole[near])]
    return ", ".join(counted) or "a whole number of clusters in no run"


def both(values: Sequence[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in values)
