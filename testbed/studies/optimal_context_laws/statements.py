"""What is claimed of which arm: names, places in papers, and in which sense each is a control."""

from typing import TYPE_CHECKING

from testbed.studies.optimal_context_laws.laws import NAMES

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

SHI, CAGNETTA, MICHAUD = "2502.01481", "2602.07488", "2303.13506"
PAPER_OF = {"tabular": SHI, "parameter": SHI, "horizon": CAGNETTA, "quanta": MICHAUD, "paper": SHI}
TABLE, BLUNT, SHARP, KEYS, PAIRS = "table", "distance, blunt", "distance, sharp", "keys", "pairs"
HOME = {
    "tabular": ("table",),
    "parameter": ("lags", "blunt", "sharp"),
    "horizon": ("lags",),
    "quanta": ("sharp", "keys", "pairs"),
    "paper": (),
}
"""Arms on which a law should name the right l: there it is derived, or its derivation carries over."""
SKIPPED = {("horizon", "keys")}
"""Correlations that do not fall with the lag give a horizon nothing to say."""
ROLES = ("table", "lags", "blunt", "sharp", "keys", "pairs")


def arm_of(study: "OptimalContextLaws", role: str) -> str:
    """The arm that stands for a role."""
    given = {"table": TABLE, "blunt": BLUNT, "sharp": SHARP, "keys": KEYS, "pairs": PAIRS}
    return given[role] if role in given else lag_arm(study.lags.middle)


def lag_arm(exponent: float) -> str:
    """The arm of logistic regression at one exponent."""
    return f"lags, beta {exponent:g}"


def short_arm() -> str:
    """The control of short range."""
    return "lags, short range"


DESCRIBED = {
    "table": "tables of order l on a hidden two-state source",
    "lags": "logistic regression on l lags, where the law is one",
    "blunt": "a table for each announced distance, noise that takes many examples to see through",
    "sharp": "a table for each announced distance, little noise",
    "keys": "a number for each age of a key, Santa Fe process",
    "pairs": "the best pair of l bits for each task, parities (variant B)",
}


def pairs_judged() -> list[tuple[str, str]]:
    """(law, role) of every claim that a law names l well."""
    return [(law, role) for law in NAMES for role in ROLES if (law, role) not in SKIPPED]
