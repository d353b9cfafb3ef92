"""Position-weighted multitask sparse parity."""

from testbed.sources.parity.sparse_parity import SparseParitySource

__all__ = ["SparseParitySource"]
