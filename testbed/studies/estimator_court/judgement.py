"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.estimator_court.claims import claims
from testbed.studies.estimator_court.data import (
    MIXING,
    NEVER,
    Data,
    alarm_shares,
    gather,
    held_at,
    held_within,
    of_kinds,
    warnings,
)
from testbed.studies.estimator_court.evidence import TOKEN_WATCHERS, evidence, token_falls
from testbed.studies.estimator_court.measure import CODERS, NAMES
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

RARE = 5.0
"""Least expected count of a gram that counts as met often (Cochran's rule)."""
RARELY, ROUNDING = 1e-6, 1e-9
WATCHED = ("plug_in", "miller_madow", "grassberger_2003", "chao_wang_jost", "nsb")
"""Estimators whose intervals are noted source by source; the figure has all."""


def judgement(study: "EstimatorCourt", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some source or length are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study) if claim.id in numbers]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "EstimatorCourt", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (_truths(data), _finite(data), _sampled(study, data), _often(study, data), _cases(study, data))


def _truths(data: Data) -> Check:
    rises = max(float(np.diff(one["truth"]).max()) for one in data.streams.values())
    below = max(float((one["rate"] - one["truth"]).max()) for one in data.streams.values())
    return Check(
        "h_k never rises and never falls below h", max(rises, below) < 1e-9, f"by {max(rises, below):.1e} nats"
    )


def _finite(data: Data) -> Check:
    bad = sum(int((~np.isfinite(one["estimates"])).sum()) for one in data.streams.values())
    return Check("every estimator gives a number everywhere", bad == 0, f"{bad} do not")


def _sampled(study: "EstimatorCourt", data: Data) -> Check:
    """Sampler and truth agree: the exact law needs H(N) / N, between h and what h_0 .. h_K allow."""
    least = 1.0
    for source in of_kinds(study, MIXING):
        for size in study.sizes:
            arrays = data.streams[source.label, size.n_tokens]
            if size.coders:
                cost = data.mean(arrays["bayes"]).student
                truth, rest = arrays["truth"], size.n_tokens - len(arrays["truth"])
                most = float(truth.sum() + rest * truth[-1]) / size.n_tokens
                least = min(least, cost.p_above(most + ROUNDING), cost.p_below(float(arrays["rate"]) - ROUNDING))
    return Check("streams are of the sources whose truth is used", least > RARELY, f"least p-value {least:.1e}")


def _often(study: "EstimatorCourt", data: Data) -> Check:
    rarest = min(float(one["rarest"]) for one in data.corrections.values())
    return Check(
        "where the correction is judged every gram is met often", rarest >= RARE, f"the rarest {rarest:.1f} times"
    )


def _cases(study: "EstimatorCourt", data: Data) -> Check:
    missing = [claim.id for claim in claims(study) if claim.id not in evidence(study, data)]
    return Check("every claim has a case", not missing, ", ".join(missing) or "all have")


def notes(study: "EstimatorCourt", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    b = study.bounds
    streams = ", ".join(
        f"{one.n_tokens:,} ({one.replicates}, {one.n_intervals} of them with intervals)" for one in study.sizes
    )
    size = study.judged_sizes[(len(study.judged_sizes) - 1) // 2]
    inside: list[str] = []
    at_limit: list[str] = []
    warned: list[str] = []
    alarmed: list[str] = []
    for name in NAMES:
        for words, beyond in ((inside, None), (at_limit, 0)):
            held, total = held_at(study, data, name, beyond)
            words.append(f"{name} {held / max(total, 1):.2f}")
        for words, biased in ((warned, True), (alarmed, False)):
            shares, total = alarm_shares(study, data, name, MIXING, biased)
            words.append(f"{name} {shares.mean():.2f} of {total}")
    breaks = []
    for source in study.sources:
        orders = data.break_orders(source, size, b.tolerance)
        best = int(orders.max())
        names = [name for name, order in zip(NAMES, orders, strict=True) if order == best]
        last = "none up to K" if best > source.max_order else f"k = {best}"
        breaks.append(f"{source.label}: {last} ({', '.join(names) if len(names) < len(NAMES) else 'all alike'})")
    silent = []
    for one in study.extrapolated:
        found = data.extrapolated[one.label]
        off = float(found["limit"] - found["rate"])
        said = "determined" if found["determined"] else "said to be undetermined"
        silent.append(f"{one.label} {off:+.4f} ({said})")
    fallen = []
    for length in study.judged_sizes:
        mean = token_falls(study, data, length).mean(axis=0)
        said = "/".join(f"{mean[NAMES.index(name)]:.2f}" for name in ("plug_in", *TOKEN_WATCHERS))
        fallen.append(f"{length.n_tokens:,} tokens {said}")
    slow, n_slow = warnings(study, data, "nsb", NEVER)
    coded = next(s for s in reversed(study.sizes) if s.coders)
    rates = []
    for source in study.sources:
        arrays = data.streams[source.label, coded.n_tokens]
        excess = (arrays["coded"] - arrays["bayes"][:, None]).mean(axis=0)
        rates.append(f"{source.label} {'/'.join(f'{value:.3f}' for value in excess)}")
    return (
        f"Tokens of a stream (streams of each source): {streams}. An order is broken where the mean error is above"
        f" {b.tolerance:g} nats.",
        f"Share of 95 % intervals that hold at the orders within the trust limit, all lengths, by source"
        f" ({'/'.join(WATCHED)}): {'; '.join(_by_source(study, data))}.",
        f"Share of 95 % intervals that hold at half the trust limit: {', '.join(inside)}. At the limit:"
        f" {', '.join(at_limit)}.",
        f"Share of biased orders that the trust limit excludes: {', '.join(warned)}. Of unbiased ones:"
        f" {', '.join(alarmed)}."
        f" At {n_slow} orders NSB is off on {', '.join(s.label for s in of_kinds(study, NEVER))}; the limit excludes"
        f" all of them in {0.0 if slow is None else slow.estimate:.0%} of streams.",
        f"At {size.n_tokens:,} tokens the last estimators to break do so at: {'; '.join(breaks)}. That james_stein and,"
        " in"
        " the end, bayes are right on uniform laws at any order is their prior, which is that law.",
        f"Fall of h_k on {study.sources_of_tokens.label}, of h_0, by {'/'.join(('plug_in', *TOKEN_WATCHERS))}:"
        f" {'; '.join(fallen)}.",
        f"Rate less the exact law's code at {coded.n_tokens:,} tokens, {'/'.join(CODERS)}: {', '.join(rates)}.",
        f"Ansatz on exact H(n) / n, limit less h: {', '.join(silent)}.",
    )


def _by_source(study: "EstimatorCourt", data: Data) -> list[str]:
    """Shares of intervals that hold within the trust limit, over all lengths."""
    found = []
    for source in study.sources:
        held, total = np.zeros(len(NAMES)), 0
        for size in study.interval_sizes:
            shares, n = held_within(study, data, source, size)
            held, total = held + np.nan_to_num(shares) * n, total + n
        said = "/".join(f"{held[NAMES.index(name)] / total:.2f}" for name in WATCHED) if total else "no such order"
        found.append(f"{source.label} {said}")
    return found
