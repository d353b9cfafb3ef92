"""The number of each claim, from arrays over draws.

accepted_*, rejected_*  share of draws whose measured curve the rule accepts
exponent_*              mean |ln(gamma_hat / gamma)|, exact curve, late window
exponent_from_start     max over classes of the same in the judged window
limit                   max over classes of mean |C_0 - h| / (h_start - h), exact curve, judged window
r_squared               max over the other classes of the share of draws with a good R^2
finite_*                max over classes of mean (S(L) - S(L/4)) / (S(L/4) - S(L/16)), 0 where S does not rise
risk_settles            max over classes with unbounded states of mean (h_L - h) / (h_start - h)
strict_*                (min over classes of the) share of draws whose S(l) rises at every doubling

Shares have exact binomial bounds over draws; means are over draws.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.bayes_risk_law.claims import STUDY
from testbed.studies.bayes_risk_law.classes import LONG_STATES, OTHERS, POWERS, SHORT_STATES, Floats
from testbed.studies.bayes_risk_law.data import Data
from testbed.studies.judge import Evidence, Max, Min

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw

STRICT = (*LONG_STATES, "renewal")


def evidence(study: "BayesRiskLaw", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    kinds = data.kinds
    found: dict[str, Evidence] = {}
    for name in POWERS:
        found[f"accepted_{name}"] = data.share(kinds[name]["accepted"] == 1)
        found[f"exponent_{name}"] = data.mean(exponent_error(kinds[name], "late_gamma"))
    for name in OTHERS:
        found[f"rejected_{name}"] = data.share(kinds[name]["accepted"] == 1)
    found |= {
        "exponent_from_start": Max([data.mean(exponent_error(kinds[name], "exact_gamma")) for name in POWERS]),
        "limit": Max([data.mean(limit_error(kinds[name])) for name in POWERS]),
        "r_squared": Max([data.share(kinds[name]["r_squared"] >= study.bounds.r_squared) for name in OTHERS]),
        "finite_short": Max([data.mean(levelling(kinds[name]["states"])) for name in SHORT_STATES]),
        "finite_long": Max([data.mean(levelling(kinds[name]["states"])) for name in LONG_STATES]),
        "risk_settles": Max([data.mean(left_over(kinds[name])) for name in LONG_STATES]),
        "strict_long": Min([data.share(rises(kinds[name]["states"])) for name in STRICT]),
        "strict_markov": data.share(rises(kinds["markov"]["states"])),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def exponent_error(kind: dict[str, Floats], which: str) -> Floats:
    """(R,) |ln(gamma_hat / gamma)|."""
    return np.asarray(np.abs(np.log(kind[which] / kind["truth"])))


def limit_error(kind: dict[str, Floats]) -> Floats:
    """(R,) |C_0 - h| / (h_start - h)."""
    return np.asarray(np.abs(kind["exact_limit"] - kind["rate"]) / (kind["risk"][:, 0] - kind["rate"]))


def left_over(kind: dict[str, Floats]) -> Floats:
    """(R,) (h_L - h) / (h_start - h)."""
    excess = kind["risk"] - kind["rate"][:, None]
    return np.asarray(excess[:, -1] / excess[:, 0])


def levelling(states: Floats) -> Floats:
    """(R,) rise of S over the last factor 4 of l over that of the factor 4 before; 0 where it does not rise."""
    last, before = states[:, -1] - states[:, -3], states[:, -3] - states[:, -5]
    return np.asarray(np.where(before > 0, last / np.where(before > 0, before, 1.0), np.where(last > 0, np.inf, 0.0)))


def rises(states: Floats) -> np.ndarray:
    """(R,) S rises from every power of 2 to the next."""
    return np.asarray((np.diff(states, axis=1) > 0).all(axis=1))
