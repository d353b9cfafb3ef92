"""Does a longer context widen the gap between the likeliest and the least likely token (Cukier 2024, appendix A)?"""

from testbed.studies.probability_gap.study import ProbabilityGap

__all__ = ["ProbabilityGap"]
