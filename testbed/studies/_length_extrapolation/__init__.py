"""Length extrapolation by attention methods, judged against the exact Bayes law at every length.

Not finished, and not registered before it is (hence the underscore): its smoke scale fails its own check of the T7b
control, and its planted worlds and heat maps are not settled. Its config lies beside it.
"""

from testbed.studies._length_extrapolation.study import LengthExtrapolation

__all__ = ["LengthExtrapolation"]
