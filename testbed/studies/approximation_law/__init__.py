"""Does the approximation loss fall as D^(-c / dim)? (Shi et al. 2025, 2502.01481, App. D); learners without tokens."""

from testbed.studies.approximation_law.study import ApproximationLaw

__all__ = ["ApproximationLaw"]
