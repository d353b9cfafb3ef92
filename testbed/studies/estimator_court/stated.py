"""How a claim of the study is put: its world, its control, and the sources and lengths in its scope."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

STUDY = "estimator_court"
TOKENS, NSB, MILLER = "2601.09039", "physics/0108025", "Miller 1955"
OWN, ANSATZ, CODES = "testbed.measures.entropy", "Takahira et al. 2016", "Rissanen 1984"
PREDICTED, REVERSED, NO_BETTER = "as predicted", "reversed", "NSB no better"
"""The planted worlds: what theory suggests, the other way round, and that with an NSB that never helps."""
PREDICTED_TO_FAIL = {
    "nsb_power_law",
    "correction_dependent",
    "covers_at_limit",
    "limit_plug_in",
    "limit_false_alarms",
    "limit_slow",
    "plug_in_above",
    "ansatz_any",
    "ansatz_sampled",
    "ansatz_closer",
    "tokens_corrected",
}
CORRECTED = ("miller_madow", "grassberger_1988", "grassberger_2003", "chao_wang_jost", "zhang", "nsb")
"""Estimators that claim to be right to first order."""


def stated(
    study: "EstimatorCourt",
    name: str,
    statement: str,
    paper: str,
    scope: str,
    region: Region,
    margin: float,
    unit: str,
    control: str = "",
    place: str = "",
    exact: bool = False,
) -> Claim:
    world = PREDICTED if name in PREDICTED_TO_FAIL else NO_BETTER if name == "nsb_still_better" else REVERSED
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=paper,
        place=place or "as commonly used",
        reading="inferred",
        scope=scope,
        control=f"world '{world}'" + (f"; {control}" if control else ""),
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
        exact_truth=exact,
    )


def lengths_of(study: "EstimatorCourt", intervals: bool = False) -> str:
    """Lengths of the judged streams, or of all that have intervals."""
    sizes = study.interval_sizes if intervals else study.judged_sizes
    return f"streams of {', '.join(f'{one.n_tokens:,}' for one in sizes)} tokens"


def labels_of(study: "EstimatorCourt", *kinds: str) -> str:
    return ", ".join(one.label for one in study.sources if one.kind in kinds)
