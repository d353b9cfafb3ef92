"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.couplings.coupling import GREEDY_OVER_LEAST, GREEDY_OVER_MEET, LEAST_OVER_MEET
from testbed.runs import Record
from testbed.studies.couplings.claims import claims
from testbed.studies.couplings.config import MERGED_KINDS, STREAM_KINDS
from testbed.studies.couplings.couple import ENDS, LEVELS, OBJECTIVES
from testbed.studies.couplings.data import Data, gather
from testbed.studies.couplings.evidence import ROUNDING, evidence, found, kept, out_of_order, shortfall
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

BIT = math.log(2.0)
THEOREMS = {
    "greedy over least": GREEDY_OVER_LEAST, "least over meet": LEAST_OVER_MEET, "greedy over meet": GREEDY_OVER_MEET
}  # fmt: skip
"""What is proved of each gap for two laws, nats: 2302.11838, 1901.07530, 2203.05108."""


def judgement(study: "Couplings", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm are missing")
    done = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, done, notes(study, data))


def checks(study: "Couplings", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    theorems = (_ordered(data), *(_bounded(data, gap) for gap in OBJECTIVES), _guaranteed(data))
    return (
        *theorems,
        _conserved(data),
        _uncoupled(study, data),
        _levels(data),
        _within_rate(data),
        _processed(data),
    )


def _ordered(data: Data) -> Check:
    """max(H(p), H(q)) <= H(p ^ q) <= least <= greedy, of every pair."""
    levels = data["pairs"]["levels"]
    rises = np.diff(levels, axis=1)
    return Check(
        "largest marginal <= meet <= least <= greedy, of every pair",
        not out_of_order(levels).any(),
        f"least rise {rises.min():.1e} nats in {len(levels)} pairs",
    )


def _bounded(data: Data, gap: str) -> Check:
    """No random pair and no search ends beyond what is proved of the gap."""
    levels = data["pairs"]["levels"]
    upper, lower = (LEVELS.index(end) for end in ENDS[gap])
    most = max(float((levels[:, upper] - levels[:, lower]).max()), float(found(data, gap).max()))
    return Check(
        f"{gap} by at most {THEOREMS[gap] / BIT:.4f} bit, of every pair and search",
        most <= THEOREMS[gap] + ROUNDING,
        f"at most {most / BIT:.4f} bit",
    )


def _guaranteed(data: Data) -> Check:
    """Adding to the commonest falls short of R by at most h(p_2), of every law."""
    most = float(shortfall(data, "commonest").max())
    return Check(
        "added to the commonest, within h(p_2) of R, of every law", most <= 1.0 + ROUNDING, f"{most:.3f} h(p_2)"
    )


def _conserved(data: Data) -> Check:
    """I(X^n -> Y^n) + I(Y^(n-1) -> X^n) = I(X^n; Y^n)."""
    off = max(float(data[kind]["law"].max()) for kind in STREAM_KINDS)
    return Check("both directions make up what two streams share", off < 1e-9, f"at most {off:.1e} nats off")


def _uncoupled(study: "Couplings", data: Data) -> Check:
    """Without coupling nothing is directed anywhere."""
    if study.streams.couplings[0] > 0:
        return Check("streams without coupling share nothing", True, "no such streams in this run")
    most = max(
        float(np.abs(data[kind][name][:, 0]).max())
        for kind in STREAM_KINDS
        for name in ("forward", "backward", "lagged")
    )
    return Check("streams without coupling share nothing", most < 1e-9, f"at most {most:.1e} nats")


def _levels(data: Data) -> Check:
    """At R = H(g(X)) a random map, which has I <= H(T) <= R, cannot tell more than g."""
    curve = data["curve"]
    over = float((curve["random"] - curve["rate"]).max())
    under = float((curve["deterministic"] - curve["random"]).max())
    return Check(
        "random maps tell no more than R and no less than the best map",
        max(over, under) < 1e-9,
        f"excess over R {over:.1e}, shortfall {under:.1e} nats",
    )


def _within_rate(data: Data) -> Check:
    """No greedy map tells more than the best one, and that no more than R."""
    maps = data["maps"]
    over = max(float((maps[name] - maps["best"]).max()) for name in ("commonest", "rarest"))
    over = max(over, float((maps["best"] - maps["rate"]).max()))
    return Check("greedy <= best <= R", over < 1e-9, f"at most {over:.1e} nats over")


def _processed(data: Data) -> Check:
    """A merge keeps no more than the best one, and that no more than there was."""
    over = max(float((data[kind]["best"] - data[kind]["information"][:, None]).max()) for kind in MERGED_KINDS)
    share = max(float(data[kind]["kept"].max()) for kind in MERGED_KINDS)
    return Check(
        "merges keep no more than there is",
        over < 1e-9 and share < 1 + 1e-9,
        f"{over:.1e} nats over, share {share:.6f}",
    )


def notes(study: "Couplings", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    levels = data["pairs"]["levels"]
    apart = levels[:, LEVELS.index("greedy")] - levels[:, LEVELS.index("least")]
    ends = {name: found(data, name) for name in OBJECTIVES}
    worst = {
        name: data["searches"]["laws"][int(values.argmax()), OBJECTIVES.index(name)] for name, values in ends.items()
    }

    def law(entries: np.ndarray) -> str:
        return "(" + ", ".join(f"{one:.3f}" for one in entries if one > 0) + ")"

    largest = [
        f"{name}: {values.max() / BIT:.3f} bit at {law(worst[name][0])} and {law(worst[name][1])}"
        for name, values in ends.items()
    ]
    maps = data["maps"]
    short = {
        name: float(np.mean((maps["rate"] - maps[name]) / maps["rate"])) for name in ("best", "commonest", "rarest")
    }
    shares = [
        f"{kind}: "
        + ", ".join(f"{one} {kept(study, data, kind, one).mean():.2f}" for one in ("entropy", "predictive", "adjacent"))
        for kind in MERGED_KINDS
    ]
    place = study.merges.rates.index(study.merges.judged_rate)
    twins = data["twins"]
    return (
        f"{study.pairs.n} random pairs of laws; the greedy coupling is the least one in"
        f" {np.mean(apart <= 1e-9):.0%} of them and {apart.max() / BIT:.3f} bit above it at most.",
        "Largest gaps of all searches. " + "; ".join(largest) + ". The greedy coupling stays within log2(e) ="
        f" {GREEDY_OVER_MEET / BIT:.3f} bit of the meet, as Compton 2022 has it.",
        f"Short of R on average by a share of {short['best']:.2f} (best map), {short['commonest']:.2f} (added to the"
        f" commonest), {short['rarest']:.2f} (rarest merged).",
        "Share of the best merge's information kept on average. " + "; ".join(shares) + ".",
        f"Of twins {twins['ties'][:, place].mean():.0f} merges have the largest entropy; the worst of them keeps"
        f" {twins['tie_low'][:, place].mean():.2f} and the best {twins['tie_high'][:, place].mean():.2f}: the criterion"
        " cannot tell them apart.",
        "Of merges and maps the literature's algorithm was not at hand; order and ties are ours.",
        "Claims that are theorems allow for a small share of cases, as an interval needs; the checks allow none.",
    )
