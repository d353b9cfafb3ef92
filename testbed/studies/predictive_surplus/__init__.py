"""What a transformer's last layer tells of later tokens, beyond the next one, against the exact surplus."""

from testbed.studies.predictive_surplus.study import PredictiveSurplus

__all__ = ["PredictiveSurplus"]
