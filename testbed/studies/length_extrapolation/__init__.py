"""Length extrapolation by attention methods, judged against the exact Bayes law at every length."""

from testbed.studies.length_extrapolation.study import LengthExtrapolation

__all__ = ["LengthExtrapolation"]
