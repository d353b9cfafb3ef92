"""Couplings of least entropy, lossy merges of an alphabet, and directed information, on exact laws."""

from testbed.studies.couplings.study import Couplings

__all__ = ["Couplings"]
