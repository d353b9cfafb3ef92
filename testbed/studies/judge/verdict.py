"""`judge`: from claims and evidence to verdicts, with the family-wise error of *wrong verdicts* at most alpha.

A wrong verdict is "holds" where the true number lies outside the region, or "fails" where it lies inside. m claims make
two families of m hypotheses: O_i, theta_i outside (rejecting it says "holds", by p_holds) and I_i, theta_i inside
(rejecting it says "fails", by p_fails). Each family is tested by Holm's procedure at alpha / 2:

    P(a wrong "holds") <= alpha / 2     Holm over O_1 .. O_m, any dependence, since p_holds is valid under O_i
    P(a wrong "fails") <= alpha / 2     Holm over I_1 .. I_m, likewise
    P(a wrong verdict) <= alpha         union

The factor 2 cannot be left out while stepping down. For one claim it could: exactly one of O_i, I_i is true, so only
one error is possible. But a single Holm pass over min(p_holds, p_fails) spends, after each right decision, error that
this claim's other, true hypothesis still has a share in: two independent claims with theta at the region's edge give
alpha + alpha^2 / 4. (Nor is a single pass over 2 min(...) proved under dependence: Holm's procedure is known to control
such errors for independent statistics, Shaffer 1980, Ann. Stat. 8, 1342.) Without steps, alpha / m a claim and no
factor would do (one true hypothesis a claim); that is better while fewer than half of the claims hold, worse beyond.

Claims that cannot be decided (too few replicates) stay in the family with p = 1: dropping replicates gains nothing.

The interval. Holm's procedure over p_holds stops at a level c_h (`holm_level`) and rejects exactly p_holds <= c_h, that
is, the claims whose interval [lower(c_h), upper(c_h)] lies in the region; likewise c_f for p_fails, at c_f / 2 an end
if the region has two. The interval printed is at the level that decided; for an undecided claim, the wider of the two,
which then lies neither inside nor outside. The word is read off that interval, so they cannot disagree. Its level is a
claim's own: joint statements are made by the verdicts.
"""

import math
from collections.abc import Callable, Sequence

from testbed.studies.judge.claim import Claim, Region, Verdict, Word
from testbed.studies.judge.evidence import MINIMUM_REPLICATES, Evidence, check_alpha
from testbed.studies.judge.multiplicity import holm, holm_level

MOST_REPLICATES = 100_000


def judge(pairs: Sequence[tuple[Claim, Evidence]], alpha: float = 0.05, void: str | None = None) -> list[Verdict]:
    """A verdict for every claim of one study, in the order given.

    pairs   every claim with the evidence on its number: all claims of the study at once, since Holm runs over them
    alpha   bound on the probability that *any* verdict is wrong
    void    why the study is void (a check failed): then every verdict is undecided and says so

    Raises ValueError for two claims with one id.
    """
    check_alpha(alpha)
    ids = [claim.id for claim, _ in pairs]
    if len(set(ids)) != len(ids):
        raise ValueError(f"claims need ids of their own, not {ids}")
    open_to = [
        void is None and not evidence.withheld and (claim.exact_truth or not evidence.too_few)
        for claim, evidence in pairs
    ]
    raw = [
        (1.0, 1.0) if evidence.withheld else (claim.region.p_holds(evidence), claim.region.p_fails(evidence))
        for claim, evidence in pairs
    ]
    families = [[p[side] if decidable else 1.0 for p, decidable in zip(raw, open_to, strict=True)] for side in (0, 1)]
    adjusted = [holm(family) for family in families]
    level_holds, level_fails = (holm_level(family, alpha / 2) for family in families)
    verdicts = []
    for i, (claim, evidence) in enumerate(pairs):
        ends = (level_holds, level_fails / 2 if claim.region.two_ended else level_fails)
        word, end_error = _read(evidence, claim.region, *ends)
        if not open_to[i]:
            word, end_error = "undecided", min(ends)
        needed = _replicates_needed(evidence, claim.region, *ends) if word == "undecided" and void is None else None
        lower, upper = evidence.interval(end_error)
        verdicts.append(
            Verdict(
                claim=claim,
                verdict=word,
                estimate=evidence.estimate,
                lower=lower,
                upper=upper,
                level=1 - 2 * end_error,
                n_independent=evidence.n_independent,
                replicates=evidence.replicates,
                p_holds=raw[i][0],
                p_fails=raw[i][1],
                p_adjusted=min(1.0, 2 * float(min(adjusted[0][i], adjusted[1][i]))),
                replicates_needed=needed,
                reason=_reason(claim, evidence, word, (lower, upper, end_error), needed, void),
                notes=_notes(claim, evidence, word),
            )
        )
    return verdicts


def _read(evidence: Evidence, region: Region, level_holds: float, level_fails: float) -> tuple[Word, float]:
    """The word, and the error rate of each end of the interval it is read off."""
    if region.contains(*evidence.interval(level_holds)):
        return "holds", level_holds
    if region.excludes(*evidence.interval(level_fails)):
        return "fails", level_fails
    return "undecided", min(level_holds, level_fails)


def _replicates_needed(evidence: Evidence, region: Region, level_holds: float, level_fails: float) -> int | None:
    """The least n at which the claim would be decided, mean, spread and the study's Holm levels staying as they are.

    Halving is enough: at levels below 1/2 a t bound moves inwards with every unit added, and maxima, minima and signs
    keep that, so once decided a claim stays decided.
    """
    if evidence.n_independent is None or evidence.withheld:
        return None

    def decided(n: int) -> bool:
        return _read(evidence.with_replicates(n), region, level_holds, level_fails)[0] != "undecided"

    return _first(decided, max(MINIMUM_REPLICATES, evidence.n_independent + 1), MOST_REPLICATES)


def _first(condition: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least n in low .. high that meets a condition which, once met, stays met."""
    if low > high or not condition(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if condition(middle) else (middle + 1, high)
    return low


def _reason(
    claim: Claim,
    evidence: Evidence,
    word: Word,
    interval: tuple[float, float, float],
    needed: int | None,
    void: str | None,
) -> str:
    if void is not None:
        return f"Undecided, because a check of the study failed: {void}."
    if evidence.withheld:
        return f"Undecided, because {'; '.join(evidence.withheld)}."
    lower, upper, end_error = interval
    place = f"the {_percent(1 - 2 * end_error)} interval [{lower:.4g}, {upper:.4g}] {claim.unit}"
    if evidence.n_independent is None:
        place = f"the exact value {evidence.estimate:.6g} {claim.unit}"
    if word == "holds":
        return f"The claim holds: {place} lies within {claim.region}."
    if word == "fails":
        subject = f"Our reading of {claim.paper}" if claim.of_our_reading else "The claim"
        return f"{subject} fails: {place} lies outside {claim.region}."
    plan = (
        f"about {needed:,} at the present mean and spread would decide"
        if needed
        else f"no number up to {MOST_REPLICATES:,} would decide at the present mean and spread"
    )
    if evidence.too_few and not claim.exact_truth:
        least, n = MINIMUM_REPLICATES, evidence.n_independent
        return f"Undecided, because {n} independent replicate{'s are' if n != 1 else ' is'} fewer than {least}; {plan}."
    return f"Undecided: {place} lies neither within nor outside {claim.region}; {plan}."


def _notes(claim: Claim, evidence: Evidence, word: Word) -> tuple[str, ...]:
    notes = []
    if claim.of_our_reading:
        notes.append("the statement is our reading; no verdict on it speaks for or against the paper's own words")
    if evidence.too_few and claim.exact_truth and word != "undecided":
        notes.append(f"judged on {evidence.n_independent} replicates, as each value is an exact truth")
    return tuple(notes)


def _percent(level: float) -> str:
    """The level with two digits of its error, so that 0.99987 does not read as 100 %.

    >>> _percent(0.95), _percent(0.975), _percent(0.999871)
    ('95 %', '97.5 %', '99.987 %')
    """
    digits = max(1, -1 - math.floor(math.log10(max(1 - level, 1e-12))))
    return f"{100 * level:.{digits}f}".rstrip("0").rstrip(".") + " %"
