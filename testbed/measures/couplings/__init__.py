"""Couplings of least entropy, maps of bounded entropy, and lossy merges of an alphabet."""
