"""The number of each claim: shares of laws and searches with exact binomial bounds, means over random chains."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.couplings.coupling import GREEDY_OVER_LEAST, LEAST_OVER_MEET
from testbed.studies.couplings.config import MERGED_KINDS
from testbed.studies.couplings.couple import LEVELS, OBJECTIVES
from testbed.studies.couplings.data import Data, mean, share
from testbed.studies.couplings.squeeze import CRITERIA
from testbed.studies.couplings.statements import STUDY
from testbed.studies.judge import Bounded, Evidence, Max
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

ROUNDING = 1e-9
"""Nats that rounding may add up to."""


def evidence(study: "Couplings", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _of_couplings(study, data) | _of_maps(study, data) | _of_merges(study, data) | _of_streams(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def out_of_order(levels: Floats) -> NDArray[np.bool_]:
    """(N,) whether the four entropies (N, 4) do not rise."""
    return np.asarray((np.diff(levels, axis=1) < -ROUNDING).any(axis=1))


def found(data: Data, objective: str) -> Floats:
    """(N,) ends of the searches for one gap, nats."""
    return data["searches"]["found"][:, OBJECTIVES.index(objective)]


def _of_couplings(study: "Couplings", data: Data) -> dict[str, Evidence]:
    levels = data["pairs"]["levels"]
    over = levels[:, LEVELS.index("greedy")] - levels[:, LEVELS.index("least")]

    def beyond(objective: str, bound: float) -> Evidence:
        return share(found(data, objective) > bound + ROUNDING, "search")

    return {
        "order": share(out_of_order(levels), "pair"),
        "greedy_is_least": share(over > ROUNDING, "pair"),
        "half_bit": beyond("greedy over least", GREEDY_OVER_LEAST),
        "tightened": beyond("greedy over least", study.bounds.tightened * GREEDY_OVER_LEAST),
        "from_meet": beyond("greedy over meet", GREEDY_OVER_LEAST),
        "least_from_meet": beyond("least over meet", GREEDY_OVER_LEAST),
        "one_bit": beyond("least over meet", LEAST_OVER_MEET),
    }


def shortfall(data: Data, name: str) -> Floats:
    """(N,) R less what a map tells, over h(p_2)."""
    maps = data["maps"]
    return np.asarray((maps["rate"] - maps[name]) / maps["bound"])


def _of_maps(study: "Couplings", data: Data) -> dict[str, Evidence]:
    maps, random = data["maps"], data["random maps"]
    short = (maps["rate"] - maps["commonest"]) / maps["rate"]
    return {
        "merging_guarantee": share(shortfall(data, "commonest") > 1.0 + ROUNDING, "law"),
        "rarest_guarantee": share(shortfall(data, "rarest") > 1.0 + ROUNDING, "law"),
        "close": Bounded(mean(short), 0.0, 1.0),
        "random_maps": share(random["random"] - random["deterministic"] > study.bounds.gain, "law"),
    }


def kept(study: "Couplings", data: Data, kind: str, criterion: str) -> Floats:
    """(N,) share of the best merge's information at the judged rate."""
    place = study.merges.rates.index(study.merges.judged_rate)
    return np.asarray(data[kind]["kept"][:, place, CRITERIA.index(criterion)])


def _of_merges(study: "Couplings", data: Data) -> dict[str, Evidence]:
    def part(kind: str, criterion: str) -> Evidence:
        return Bounded(mean(kept(study, data, kind, criterion)), 0.0, 1.0)

    numbers = {f"entropy_{kind}": part(kind, "entropy") for kind in MERGED_KINDS}
    numbers |= {f"predictive_{kind}": part(kind, "predictive") for kind in ("twins", "sticky")}
    numbers["adjacent"] = Max([part(kind, "adjacent") for kind in MERGED_KINDS])
    return numbers


def _of_streams(study: "Couplings", data: Data) -> dict[str, Evidence]:
    place = study.streams.couplings.index(study.streams.judged_coupling)

    def of(kind: str, name: str) -> Floats:
        return data[kind][name][:, place]

    transfer = of("driven", "transfer")
    raw, corrected = data["driven"]["raw"], data["driven"]["corrected"]
    return {
        "driver": mean(of("driven", "forward")),
        "follower": mean(of("driven", "backward")),
        "no_feedback": mean(of("feedback", "backward")),
        "lagged": mean(of("driven", "lagged")),
        "cause": mean(of("common cause", "forward")),
        "transfer_is_rate": mean(transfer[:, 0] - of("driven", "forward")),
        "plug_in": mean(raw[:, -1, 0] - transfer[:, 0]),
        "plug_in_short": mean(raw[:, 0, 1] - transfer[:, 1]),
        "corrected_short": mean(corrected[:, 0, 1] - transfer[:, 1]),
    }
