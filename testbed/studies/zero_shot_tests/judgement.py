"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.perplexity_tests import perplexity_exponent, stein_exponent
from testbed.runs import Record
from testbed.studies.study import Check, Judgement
from testbed.studies.zero_shot_tests.claims import claims
from testbed.studies.zero_shot_tests.data import AZUMA, NORMAL, Data, gather
from testbed.studies.zero_shot_tests.evidence import evidence
from testbed.studies.zero_shot_tests.exact import chain_types, independent_types

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.study import ZeroShotTests


def judgement(study: "ZeroShotTests", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some source or pair are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "ZeroShotTests", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (_types(), _two_symbols(), _chernoff(study, data), _martingale(study, data), _blind(data))


def _types() -> Check:
    """The types of texts stand for all texts."""
    n = 30
    off = [
        abs(float(np.exp(ways - n * np.log(size)).sum()) - 1.0)
        for (ways, _), size in ((independent_types(n), 3), (chain_types(n), 2))
    ]
    return Check("texts are counted once each", max(off) < 1e-10, f"{n} tokens, relative error {max(off):.1e}")


def _two_symbols() -> Check:
    """G = 0 then says that the frequency is A's, so that the exponent is KL(A || B), by Sanov's theorem."""
    laws = [(np.array([p, 1 - p]), np.array([q, 1 - q])) for p, q in ((0.2, 0.4), (0.7, 0.6), (0.9, 0.3))]
    off = max(abs(perplexity_exponent(a, b) / stein_exponent(a, b) - 1.0) for a, b in laws)
    return Check(
        "for two symbols without memory the perplexity test is optimal", off < 1e-6, f"relative error {off:.1e}"
    )


def _chernoff(study: "ZeroShotTests", data: Data) -> Check:
    """P_B(G <= 0) <= exp(-N I) for independent tokens, at every N  (Chernoff)."""
    found = data.pairs["independent"]
    lengths = np.array(study.independent.lengths)
    room = float((found["perplexity"] + lengths * found["predicted"][:, None]).max())
    return Check(
        "errors of independent tokens keep Chernoff's bound", room <= 1e-9, f"ln of the largest ratio {room:.2f}"
    )


def _martingale(study: "ZeroShotTests", data: Data) -> Check:
    """Under A the mean of G is zero: sampler and law agree."""
    worst = 0.0
    for found in data.tails.values():
        worst = max(worst, float(np.abs(found["mean"] / (found["spread"] / np.sqrt(float(found["n_texts"])))).max()))
    for arm, settings in (("drift", study.drift), ("blind", study.blind)):
        found = data.pairs[arm]
        error = found["spread"][:, 0] / np.sqrt(settings.n_texts)
        worst = max(worst, float(np.abs(found["mean"][:, 0] / error).max()))
    return Check(
        "the statistic has mean zero under its own model", worst < 6.0, f"at most {worst:.1f} standard errors off"
    )


def _blind(data: Data) -> Check:
    found = data.pairs["blind"]
    off, least = float(np.abs(found["drift"]).max()), float(found["forward"].min())
    return Check(
        "blind pairs have no drift and differ all the same",
        off < 1e-9 and least > 0.01,
        f"largest drift {off:.1e}, least KL rate {least:.3f} nats",
    )


def notes(study: "ZeroShotTests", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    drift, blind = data.pairs["drift"], data.pairs["blind"]
    every = np.concatenate(
        [data.pairs[arm]["predicted"] / data.pairs[arm]["forward"] for arm in ("independent", "chain")]
    )
    low, middle, high = np.quantile(every, [0.1, 0.5, 0.9])
    rejected = {name: float(drift[name][:, 0, -1].mean() / study.drift.n_texts) for name in (AZUMA, NORMAL)}
    seen = 1.0 - blind[NORMAL][:, 1, -1] / study.blind.n_texts
    return (
        f"{study.independent.n_pairs} and {study.chain.n_pairs} pairs with exact errors, {study.drift.n_pairs} drawn"
        " and"
        f" {study.blind.n_pairs} blind pairs of {study.drift.n_texts:,} texts by each writer.",
        f"Exponent of the perplexity test over the best one: median {middle:.2f}, 10 % below {low:.2f}, 10 % above"
        f" {high:.2f}.",
        f"At a nominal size of {study.drift.size:.0%} Azuma's threshold rejects {rejected[AZUMA]:.2%} of A's texts, the"
        f" normal one {rejected[NORMAL]:.2%}: the bound pays for holding at every length with power at short ones.",
        f"Blind writers pass the test with the normal threshold at {study.blind.lengths[-1]} tokens in"
        f" {seen.min():.1%} to {seen.max():.1%} of texts, at KL rates of {blind['forward'].min():.2f} to"
        f" {blind['forward'].max():.2f} nats a token.",
    )
