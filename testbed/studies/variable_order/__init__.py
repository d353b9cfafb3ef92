"""Variable-order chains in context: does a transformer adapt its order, as context-tree weighting does?"""

from testbed.studies.variable_order.study import VariableOrder

__all__ = ["VariableOrder"]
