"""Which estimator of entropy can be believed, where: every estimator and coder before exact truths."""

from testbed.studies.estimator_court.study import EstimatorCourt

__all__ = ["EstimatorCourt"]
