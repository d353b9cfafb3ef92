"""How many layers read a chain of order k in context."""

from testbed.studies.depth_and_order.study import DepthAndOrder

__all__ = ["DepthAndOrder"]
