"""Position-weighted multitask sparse parity."""

from testbed.sources.parity.far_bits_hidden import FarBitsHiddenSource
from testbed.sources.parity.sparse_parity import SparseParitySource

__all__ = ["FarBitsHiddenSource", "SparseParitySource"]
