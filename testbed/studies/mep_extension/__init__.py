"""What maximum entropy makes of a short model at twice its length (Cukier 2024, 2408.10277); no training."""

from testbed.studies.mep_extension.study import MepExtension

__all__ = ["MepExtension"]
