"""How a claim of the study is stated: its papers, its planted worlds, and what every claim has in common."""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

STUDY = "couplings"
BOTTLENECK, GREEDY, DIRECTED, MEET = "2410.21666", "2302.11838", "2511.01202", "1901.07530"
"""In place of a paper: no paper at hand says it, so that no paper is charged or credited with its verdict."""
NO_CONTROL = "none in the run"
PREDICTED, REVERSED, BROKEN = "as predicted", "reversed", "bounds broken"
"""The planted worlds: what theory and development suggest, the other way round, and bounds of couplings broken too (a
true bound and its tightened form cannot both be reversed)."""
THEOREMS = {"half_bit", "one_bit"}
PREDICTED_TO_FAIL = {
    "greedy_is_least", "tightened", "from_meet", "least_from_meet", "rarest_guarantee", "close",
    "entropy_twins", "entropy_random", "predictive_sticky", "adjacent", "no_feedback", "lagged", "cause",
    "transfer_is_rate", "plug_in_short",
}  # fmt: skip


def stated(
    study: "Couplings",
    name: str,
    statement: str,
    paper: str,
    place: str,
    scope: str,
    region: Region,
    margin: float,
    unit: str,
    control: str = NO_CONTROL,
    reading: Literal["quoted", "inferred"] = "inferred",
) -> Claim:
    """A claim of this study; its control is the planted world in which it fails, and then what the run itself holds."""
    world = PREDICTED if name in PREDICTED_TO_FAIL else BROKEN if name in THEOREMS else REVERSED
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=paper,
        place=place,
        reading=reading,
        scope=scope,
        control=f"world '{world}'; {control}",
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )
