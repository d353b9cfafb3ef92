"""The numbers that the claims are about.

selu_start, gelu_start, how far the moments of hidden units go, at most 1 inside: the variance from the middle of
selu_trained            [low, high], over half of the range, in logarithms; the mean over `centre`. The block that is
                        furthest out, in the deepest stack
selu_growth, norm_helps,  share of replicates in which it is so, exactly: beyond 1/2 the median is on that side
selu_excess, selu_gelu,
identity
crrelu_first            share of replicates in which CRReLU has the least excess of all seven on two thirds of sources
crrelu_gelu, all_alike  mean over sources of the log ratio to GELU's excess, in seed noises: over the root mean square
                        of that of GELU with other sequences and first weights. all_alike: the largest, either way
crrelu_steps            the smaller share of replicates on either side of the range: median over sources of the log
                        ratio of steps
entropy_predicts        rank correlation over activations of entropy and excess, averaged over sources; with and without
                        the linear one. Open where relabelled activations do as well too often

Those of activations are `Agreeing`: they decide where both settings of the rate do.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.activations.agreeing import Agreeing
from testbed.studies.activations.claims import STUDY
from testbed.studies.activations.config import ACTS, SETTINGS
from testbed.studies.activations.data import Data, Floats
from testbed.studies.activations.ranking import correlations
from testbed.studies.gate import learnt
from testbed.studies.judge import Evidence, Max, Min, Open, unknown
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations


def evidence(study: "Activations", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    b, sources = study.bounds, study.kinds.sources
    layer, gelu, selu = (data.deep[stack][:, -1] for stack in ("layer_gelu", "none_gelu", "none_selu"))
    grown = {stack: data.stream[stack][-1][:, -1] / data.stream[stack][-1][:, 0] for stack in data.stream}
    helps = share(gelu > layer, gelu, layer)

    def far(units: list[Floats]) -> Evidence:
        return data.mean(distance(units[-1], b.low, b.high, b.centre))

    def mended(number: Evidence) -> Evidence:
        clear = helps.lower(0.05) > b.half
        return number if clear else Open(number, "layer norm does not clearly help GELU: there is nothing to mend")

    def agreed(number: Callable[[str], Evidence]) -> Evidence:
        return Agreeing(tuple(number(setting) for setting in SETTINGS))

    def linear(setting: str) -> Evidence:
        found = in_noises(data, setting, "identity", sources)
        return share(found > 0, found)

    numbers: dict[str, Evidence] = {
        "selu_start": far(data.units_small["none_selu"]),
        "gelu_start": far(data.units_small["none_gelu"]),
        "selu_trained": far(data.units["none_selu"]),
        "selu_growth": share(grown["none_selu"] < grown["none_gelu"], grown["none_selu"], grown["none_gelu"]),
        "norm_helps": helps,
        "selu_excess": mended(share(selu <= b.excess * layer, selu, layer)),
        "selu_gelu": mended(share(selu < gelu, selu, gelu)),
        "crrelu_first": agreed(lambda setting: first_share(data, setting, sources, study.kinds.needed)),
        "crrelu_gelu": agreed(lambda setting: data.mean(in_noises(data, setting, "crrelu", sources))),
        "all_alike": agreed(lambda setting: furthest(data, setting, sources)),
        "crrelu_steps": agreed(lambda setting: alike_steps(study, data, setting)),
        "identity": agreed(linear),
        "entropy_predicts": Agreeing(
            tuple(
                predicts(study, data, setting, acts)
                for setting in SETTINGS
                for acts in (ACTS, tuple(act for act in ACTS if act != "identity"))
            )
        ),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def share(happens: Sequence[bool] | np.ndarray, *values: Floats) -> Evidence:
    """Evidence on a share of replicates; undecided where one of the values behind it is not known."""
    if not all(np.isfinite(one).all() for one in values):
        return unknown("runs of some arm diverged")
    found = np.asarray(happens)
    return Proportion(int(found.sum()), len(found), "replicate")


def distance(moments: Floats, low: float, high: float, centre: float) -> Floats:
    """(R,) of means and variances (R, 2, depth): the furthest from what is asked, see above.

    >>> distance(np.array([[[0.0, -0.1], [1.5, 1.0]], [[0.0, 0.3], [1.0, 1.0]]]), 0.8, 1.5, 0.1).round(9).tolist()
    [1.0, 3.0]
    """
    with np.errstate(divide="ignore"):
        spread = np.abs(np.log(moments[:, 1]) - np.log(low * high) / 2) / (np.log(high / low) / 2)
    return np.asarray(np.maximum(spread, np.abs(moments[:, 0]) / centre).max(axis=1))


def first_share(data: Data, setting: str, sources: Sequence[str], needed: int) -> Evidence:
    """Share of replicates in which CRReLU is first on so many sources."""
    excess = np.stack([np.stack([data.acts[setting, a, x] for x in sources], axis=1) for a in ACTS])  # (A, R, S)
    others = np.delete(excess, ACTS.index("crrelu"), axis=0).min(axis=0)
    first = excess[ACTS.index("crrelu")] < others
    return share(first.sum(axis=1) >= needed, excess)


def in_noises(data: Data, setting: str, arm: str, sources: Sequence[str]) -> Floats:
    """(R,) log ratio to GELU's excess in seed noises, averaged over sources."""
    noise = np.sqrt((data.logs(setting, "gelu2", sources) ** 2).mean(axis=0))
    return np.asarray((data.logs(setting, arm, sources) / noise).mean(axis=1))


def furthest(data: Data, setting: str, sources: Sequence[str]) -> Evidence:
    """The activation furthest from GELU, either way."""
    parts = [data.mean(in_noises(data, setting, act, sources)) for act in ACTS if act != "gelu"]
    return Max([*parts, *(-one for one in parts)])


def alike_steps(study: "Activations", data: Data, setting: str) -> Evidence:
    """See the module's text; open where too few runs come near on some source."""
    sources, bounds = study.kinds.sources, study.bounds
    arms = {arm: np.stack([data.steps[setting, arm, x] for x in sources], axis=1) for arm in ("crrelu", "gelu")}
    away = [
        f"{arm} on {x}" for arm, steps in arms.items() for i, x in enumerate(sources)
        if float(np.isfinite(steps[:, i]).mean()) < bounds.reach
    ]  # fmt: skip
    with np.errstate(invalid="ignore"):
        ratio = np.log(arms["crrelu"]) - np.log(arms["gelu"])
    middle = np.median(np.where(np.isnan(ratio), 0.0, ratio), axis=1)  # neither comes near: a tie
    n, alike = len(middle), float(np.log(bounds.alike))
    number = Min([Proportion(int(inside.sum()), n, "replicate") for inside in (middle <= alike, middle >= -alike)])
    return Open(number, f"too few runs come near: {', '.join(away)}") if away else number


def arrays_of(data: Data, setting: str, sources: Sequence[str], acts: Sequence[str]) -> tuple[Floats, Floats]:
    """Entropies and excesses, (R, activations, sources)."""
    found = [
        np.stack([np.stack([table[setting, act, x] for x in sources], axis=1) for act in acts], axis=1)
        for table in (data.entropy, data.acts)
    ]
    return found[0], found[1]


def predicts(study: "Activations", data: Data, setting: str, acts: Sequence[str]) -> Evidence:
    """See the module's text."""
    entropy, excess = arrays_of(data, setting, study.kinds.sources, acts)
    if not (np.isfinite(entropy).all() and np.isfinite(excess).all()):
        return unknown("runs of some activation diverged")
    found, p = correlations(entropy, excess)
    number = data.mean(found)
    if p > study.bounds.null and number.estimate > study.bounds.correlation:
        return Open(number, f"{p:.0%} of relabelled activations do as well")
    return number


def unlearnt(study: "Activations", data: Data) -> dict[str, list[str]]:
    """For every claim, the arms that it rests on and that did not learn: too few runs whose excess is below a share of
    what context tells. That a stack without norms does not learn is what `norm_helps` is about: there, and for what is
    to be within a factor of it, layer norm must have learnt; of two stacks without norms, one must."""
    b, sources = study.bounds, study.kinds.sources

    def fails(excess: Floats, told: Floats) -> bool:
        return float(learnt(excess, told, b.gate).mean()) < b.runs

    def stack(name: str) -> list[str]:
        deepest = study.depths.depths[-1]
        return [f"{name} of {deepest} blocks"] if fails(data.deep[name][:, -1], data.deep_told[:, -1]) else []

    def acts(names: Sequence[str]) -> list[str]:
        return [
            f"{a} on {x} at {'its own' if t == 'own' else 'the common'} rate"
            for t in SETTINGS for a in names for x in sources
            if fails(data.acts[t, a, x], data.told[x])
        ]  # fmt: skip

    layer, gelu, selu = (stack(name) for name in ("layer_gelu", "none_gelu", "none_selu"))
    found = {
        "selu_trained": selu,
        "selu_growth": gelu + selu,
        "norm_helps": layer,
        "selu_excess": layer,
        "selu_gelu": layer + (gelu + selu if gelu and selu else []),
        "crrelu_first": acts(ACTS),
        "crrelu_gelu": acts(("crrelu", "gelu", "gelu2")),
        "all_alike": acts((*ACTS, "gelu2")),
        "crrelu_steps": acts(("crrelu", "gelu")),
        "identity": acts(("identity", "gelu")),
        "entropy_predicts": acts(ACTS),
    }
    return {f"{STUDY}.{name}": arms for name, arms in found.items()}
