"""Do the multipliers of maximum entropy converge: conditioning, boundary, infeasible targets (Cukier 2024)."""

from testbed.studies.multipliers.study import Multipliers

__all__ = ["Multipliers"]
