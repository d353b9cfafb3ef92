"""Forgetting by condition number, and ageing along a stream of tasks of equal difficulty."""

from testbed.studies.conditioning.study import Conditioning

__all__ = ["Conditioning"]
