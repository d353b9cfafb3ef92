"""The claims: what is said of laws of largest entropy, where it comes from, and where its number must lie.

The paper was at hand as its abstract alone, so that every reading is inferred. The numbers stand in `evidence.py`.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.mep_extension.evidence import STUDY

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

PAPER = "2408.10277"
DERIVED, OPPOSITE = "as derived", "the opposite"
"""The planted worlds: what was derived beforehand holds in the first, and nothing of it in the second."""
TOKEN = "nats per new token"
OURS = "our derivation"


def claims(study: "MepExtension") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    from testbed.studies.mep_extension.count_claims import count_claims
    from testbed.studies.mep_extension.group_claims import group_claims, size_claims
    from testbed.studies.mep_extension.scheme_claims import pair_claims, window_claims

    return (
        *window_claims(study),
        *pair_claims(study),
        *group_claims(study),
        *size_claims(study),
        *count_claims(study),
    )


def stated(
    study: "MepExtension",
    name: str,
    statement: str,
    *,
    place: str,
    scope: str,
    region: Region,
    control: str = "",
    margin: float = 0.0,
    unit: str = TOKEN,
    exact_truth: bool = False,
) -> Claim:
    """A claim of this study; it must fail in one planted world, and hold in the other."""
    worlds = f"worlds '{DERIVED}' and '{OPPOSITE}' differ in it"
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=PAPER,
        place=place,
        reading="inferred",
        scope=scope,
        control=f"{control}; {worlds}" if control else worlds,
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
        exact_truth=exact_truth,
    )


def exact_scope(study: "MepExtension") -> str:
    """Where claims on exact tables are made."""
    arm = study.exact
    return (
        f"exact tables, V = {arm.vocab_size}, T = {arm.context_length} to {2 * arm.context_length} tokens,"
        f" {study.replicates} draws of each random source"
    )
