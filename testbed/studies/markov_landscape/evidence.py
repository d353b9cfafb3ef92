"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min, unknown
from testbed.studies.judge.proportion import Proportion
from testbed.studies.markov_landscape.claims import STUDY
from testbed.studies.markov_landscape.config import Bounds, Panel, Variant
from testbed.studies.markov_landscape.data import Bools, Data, Ends

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape


def high(ends: Ends, bounds: Bounds) -> Bools:
    """Runs whose loss has not come down, whatever they say."""
    return np.asarray(ends.units > bounds.stuck).ravel()


def caught(ends: Ends, bounds: Bounds) -> Bools:
    """Of these, the runs that say pi whatever they see."""
    return high(ends, bounds) & np.asarray(ends.away < bounds.near).ravel()


def learnt(ends: Ends, bounds: Bounds) -> Bools:
    """Runs that have learnt the chain."""
    return np.asarray(ends.units < bounds.learnt).ravel()


def evidence(study: "MarkovLandscape", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id.

    What is claimed of caught runs is asked of the same network below the line too, where it must learn: a share is
    then the smaller of the two. What is claimed of free runs counts every run that is high, caught or broken.
    """
    above, below, b = data.side == 1, data.side == -1, study.bounds

    def held(panel: Panel) -> Evidence:
        ends = data.maps[panel]
        return Min([share(caught(ends.at(above), b)), share(learnt(ends.at(below), b))])

    def on_both(*panels: Panel) -> Evidence:
        return Max([share(high(data.maps[panel].at(where), b)) for panel in panels for where in (above, below)])

    def told(panel: Panel) -> Evidence:
        ends = data.maps[panel]
        return share(np.concatenate([caught(ends.at(above), b), learnt(ends.at(below), b)]))

    def spot_held(*variants: Variant) -> Evidence:
        up = [share(caught(data.spots["bare_one_tied", one], b)) for one in variants]
        return Min([*up, *(share(learnt(data.mirrors[one], b)) for one in variants)])

    one, two = (high(data.maps[panel].at(above), b) for panel in ("one_tied", "two_tied"))
    bare = {one: high(data.spots["bare_one_tied", one], b) for one in ("plain", "wide", "fast")}
    found: dict[str, Evidence] = {
        "above_some": held("one_tied"),
        "above_most": held("one_tied"),
        "below": share(high(data.maps["one_tied"].at(below), b)),
        "untied": on_both("one_untied", "two_untied"),
        "two": on_both("two_tied"),
        "depth_helps": first_alone(one, two),
        "line": told("one_tied"),
        "norm_long": share(high(data.spots["one_tied", "long"], b)),
        "bare_line": told("bare_one_tied"),
        "bare_above": held("bare_one_tied"),
        "bare_untied": on_both("bare_one_untied", "bare_two_untied"),
        "bare_two": held("bare_two_tied"),
        "memory": spot_held("plain", "memory_1", "memory_2"),
        "wide": first_alone(bare["plain"], bare["wide"]),
        "long": spot_held("long"),
        "fast": first_alone(bare["plain"], bare["fast"]),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share(flags: Bools) -> Evidence:
    """Of runs that are independent, as those of one panel and variant are. Their chances differ from chain to chain;
    binomial tails are the wider ones then (Hoeffding 1956, Ann. Math. Stat. 27, 713)."""
    return Proportion(int(flags.sum()), len(flags), "run")


def first_alone(first: Bools, second: Bools) -> Evidence:
    """Of the pairs in which one run alone is high, the share in which it is the first (McNemar 1947, exact)."""
    alone = int((first != second).sum())
    return Proportion(int((first & ~second).sum()), alone, "pair") if alone else unknown("no pair differs", 0.5)
