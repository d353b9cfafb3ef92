"""What the features of the authors' parity network hold, against the exact entropy of the state."""

from testbed.studies.parity_features.study import ParityFeatures

__all__ = ["ParityFeatures"]
