"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.studies.gate import learnt
from testbed.studies.judge import Evidence, Open
from testbed.studies.memory_profile.claims import claims
from testbed.studies.memory_profile.config import ARMS, MAIN, NETWORK, POWERS, ArmName, Family
from testbed.studies.memory_profile.data import Data, gather, learners_on
from testbed.studies.memory_profile.evidence import (
    concave,
    evidence,
    learnt_share,
    local_entropy,
    loss_ratio,
    partial,
    rate,
)
from testbed.studies.memory_profile.exponents import farthest
from testbed.studies.memory_profile.profiles import N_BITS
from testbed.studies.memory_profile.ranks import chance
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

PERMUTATIONS = 999
ROUNDING = 1e-8


def judgement(study: "MemoryProfile", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided where a check fails, or on arms that have not learnt."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some member or family are missing")
    found = checks(study, data)
    lost = [arm for arm in ARMS if not has_learnt(study, data, arm)]
    censored = [arm for arm in ARMS if float(np.isinf(data.arms[arm]["steps"]).mean()) > study.bounds.never]
    numbers = evidence(study, data)

    def gated(name: str) -> Evidence:
        """The order in which sources that nobody learnt are not learnt decides nothing; nor do steps that most members
        never make, where "never" and "late" are one; nor what a network misses that misses the easy twin too."""
        number, short = numbers[name], name.rpartition(".")[2]
        arm = "exchangeable" if short.startswith("none_") else short.rpartition("_")[2]
        if f"{NETWORK}_" in f"{short}_":
            family: Family = "renewal" if short.endswith("renewal") else "twin"
            short_of = float(learnt_share(data, NETWORK, family, -1).mean()) < study.bounds.reach
            return Open(number, f"the network did not learn {family} at the largest D") if short_of else number
        if arm in lost:
            return Open(number, f"{arm} was not learnt")
        if "_steps" in short and arm in censored:
            return Open(number, f"most members of {arm} never make the step")
        return number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost, censored))


def has_learnt(study: "MemoryProfile", data: Data, arm: ArmName) -> bool:
    """The mean last excess is below the gate's share of h_0 - h."""
    one = data.arms[arm]
    return bool(learnt(one["final"].mean(), one["worth"], study.bounds.gate))


def checks(study: "MemoryProfile", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    rates = np.concatenate([data.arms[arm]["rate"].ravel() for arm in ARMS])
    off_rate = float(np.abs(rates - study.profiles.rate_bits * LN2).max())
    off_local, off_whole = 0.0, 0.0
    for arm in ARMS:
        one = data.arms[arm]
        drop = LN2 - one["rate"] / N_BITS
        m = study.profiles.far_split if arm == "exchangeable" else study.profiles.split
        far = (one["lags"] >= m).sum(axis=-1)
        off_local = max(off_local, float(np.abs(local_entropy(data, arm, m) - one["rate"] - drop * far).max()))
        off_whole = max(off_whole, float(np.abs(one["excess_entropy"] - drop * one["lags"].sum(axis=-1)).max()))
    least = min(float(one[f"loss_{learner}"].min()) for one in data.families.values() for learner in learners_on(one))
    parity, twin = data.families["parity"], data.families["twin"]
    apart = float(np.abs(parity["missing"] - twin["missing"]).max())
    seen = float(np.abs(parity["correlations"]).max())
    blind = float(np.abs(learnt_share(data, "pairs", "parity", -1)).max())
    tables = float(np.abs(np.log(parity["loss_table"] / twin["loss_table"])).mean())
    close = []
    for family in POWERS:
        one, size = data.families[family], study.horizon.sizes[-1]
        lags = one["lags"][0].astype(np.int64)
        close += [farthest(lags, kappa, size) / float(lags[-1]) for kappa in one["correlations"]]
    return (
        Check("all sources have one entropy rate", off_rate < ROUNDING, f"largest difference {off_rate:.1e} nats"),
        Check("h_(m-1) counts far lags", off_local < ROUNDING, f"largest difference {off_local:.1e} nats"),
        Check("E is the sum of lags", off_whole < 1e-6, f"largest difference {off_whole:.1e} nats"),
        Check("no loss lies below the Bayes loss", least > -1e-9, f"least excess {least:.1e} nats"),
        Check("parities and copies have one profile", apart < ROUNDING, f"largest difference {apart:.1e} nats"),
        Check("parities have no two-point correlation", seen < 0.01, f"at most {seen:.1e} within the window"),
        Check("pairs learn nothing of parities", blind < study.bounds.nothing, f"at most {blind:.1e} of h_0 - h"),
        Check("tables lose the same on parities and copies, windows drawn apart", tables < study.bounds.same,
              f"mean |ln ratio| {tables:.3f}"),
        Check("the horizon stays within the longest context", max(close) < 1.0, f"at most {max(close):.2f} of it"),
    )  # fmt: skip


def notes(study: "MemoryProfile", data: Data, lost: Sequence[str], censored: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for arm in ARMS:
        one = data.arms[arm]
        m = study.profiles.far_split if arm == "exchangeable" else study.profiles.split
        local, whole = local_entropy(data, arm, m), one["excess_entropy"]
        by_chance = chance(local, one["final"], whole, PERMUTATIONS, 1)
        by_chance_whole = chance(whole, one["final"], local, PERMUTATIONS, 2)
        never = float(np.isinf(one["steps"]).mean())
        said.append(
            f"{arm}: mean last excess {one['final'].mean():.4f} of {float(one['worth']):.4f} nats; {never:.0%} of"
            f" members never make the step; permuting sources within replicates gives as large a mean correlation of"
            f" the last excess with h_(m-1) in {by_chance:.3f}, with E in {by_chance_whole:.3f} of cases."
        )
    arm = MAIN[0]
    planted = Data({arm: data.arms[arm] | {"final": concave(data, arm)}}, {}, {})
    rates = ", ".join(f"{arm} {data.rates[arm]:g}" for arm in MAIN)
    grids = {arm: study.arm(arm).learning_rates for arm in MAIN}
    edge = [arm for arm, grid in grids.items() if data.rates[arm] in (grid[0], grid[-1])]
    said.append(f"Learning rates: {rates}; at an edge of the grid: {', '.join(edge) if edge else 'none'}.")
    sums = {what: float(partial(study, planted, arm, what, "final").mean()) for what in ("local", "excess")}
    said.append(
        "A difficulty that no quantity rules, the sum of the lags' logarithms, has partial rank correlations of"
        f" {sums['local']:.2f} with h_(m-1) and {sums['excess']:.2f} with E on these sources: two correlations above"
        " zero single out neither quantity, nor does the m at which one is largest."
    )
    if censored:
        said.append(f"Steps not judged, since more than {study.bounds.never:.0%} never make it: {', '.join(censored)}.")
    if lost:
        said.append(f"Too little learnt for a verdict: {', '.join(lost)}.")
    for family in POWERS:
        one = data.families[family]
        gamma, beta = float(one["gamma"].mean()), float(one["beta"].mean())
        told = ", ".join(
            f"{name} {float(loss_ratio(study, data, name, family).mean()):.2f}" for name in learners_on(one)
        )
        lags = f"; paying for every lag would give {2 * beta / (1 + gamma):.2f}, D^-1 {2 * beta / gamma:.2f}"
        said.append(
            f"{family}: gamma {gamma:.2f}, beta {beta:.2f}, so that the law's exponents are {1 / (2 * beta):.2f} for n*"
            f" and {gamma / (2 * beta):.2f} for the loss (means over replicates of slopes of the curves); measured over"
            f" the law's: {told}{lags}."
        )
    at_once = ", ".join(
        f"{name} {float(learnt_share(data, name, 'santa_fe', 0).mean()):.2f}" for name in ("table", "tree", "pairs")
    )
    twin = float(rate(study, data, "screened", "twin").mean())
    said.append(f"twin: no horizon that moves; exponent of the loss of screened pairs {twin:.2f}.")
    return (
        *said,
        "On copies from random lags h_n is not known in closed form: gamma is that of the best linear prediction, an"
        " upper bound, on the tested contexts.",
        f"On the Santa Fe process, where beta is 0, D = {study.horizon.sizes[0]:,} is not enough to have it all at"
        f" once: share of what the window tells that is learnt there: {at_once}. No claim: the law names no exponent at"
        " beta 0.",
        f"Of parities tables learn {float(learnt_share(data, 'table', 'parity', -1).mean()):.0%}, context trees"
        f" {float(learnt_share(data, 'tree', 'parity', -1).mean()):.0%} at D = {study.horizon.sizes[-1]:,}, as they"
        " do of copies: they read more than pairs. The law does not speak of them.",
        "The random hierarchy at these depths shows no power law of h_n - h, so that no exponent is claimed there.",
        "The sum of h_m - h over all m is E itself, so that a correlation with it cannot vanish when E is held fixed"
        " otherwise than by definition; the claims hold one h_(m-1) against E.",
    )
