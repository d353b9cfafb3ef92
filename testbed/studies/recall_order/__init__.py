"""The study `recall_order`: error against bits of memory, order and repetition on set disjointness (2407.05483)."""

from testbed.studies.recall_order.study import RecallOrder

__all__ = ["RecallOrder"]
