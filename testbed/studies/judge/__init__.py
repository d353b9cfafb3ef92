"""The judge: from paired measurements to verdicts on claims, with their error rates stated and tested.

Evidence on numbers: `Exact`, `Student`, `Mean` over `Replicates`, combined by `+ c`, `-`, `Max` and `Min`, cut by
`Bounded`, or `Open` for a reason that is stated; comparisons of options: `Ranking`. `judge` turns (Claim, evidence)
pairs into `Verdict`s; `calibrate` tries it on planted `World`s.
"""

from testbed.studies.judge.bounded import Bounded
from testbed.studies.judge.calibrate import Confusion, Row, World, calibrate, clopper_pearson
from testbed.studies.judge.claim import OWN, Claim, Region, Verdict
from testbed.studies.judge.evidence import Affine, Evidence, Exact, Student
from testbed.studies.judge.extremes import Max, Min
from testbed.studies.judge.mean import Mean
from testbed.studies.judge.multiplicity import benjamini_hochberg, holm, holm_level
from testbed.studies.judge.ranking import OptionInterval, Ranking
from testbed.studies.judge.replicates import Replicates
from testbed.studies.judge.undecided import Open, mean_if_known, unknown
from testbed.studies.judge.verdict import judge

__all__ = [
    "OWN",
    "Affine",
    "Bounded",
    "Claim",
    "Confusion",
    "Evidence",
    "Exact",
    "Max",
    "Mean",
    "Min",
    "Open",
    "OptionInterval",
    "Ranking",
    "Region",
    "Replicates",
    "Row",
    "Student",
    "Verdict",
    "World",
    "benjamini_hochberg",
    "calibrate",
    "clopper_pearson",
    "holm",
    "holm_level",
    "judge",
    "mean_if_known",
    "unknown",
]
