"""Do estimators on features measure the entropy of the state? (Shi et al. 2025, 2502.01481, Fig. 2, 7, 9)."""

from testbed.studies.feature_estimators.study import FeatureEstimators

__all__ = ["FeatureEstimators"]
