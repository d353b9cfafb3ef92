"""What maximum entropy costs against a transformer of twice the length (Cukier 2024, 2408.10277; C8, C9)."""

from testbed.studies.mep_cost.study import MepCost

__all__ = ["MepCost"]
