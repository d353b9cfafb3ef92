"""Optimal context length against dataset size (Shi et al. 2025, 2502.01481, sec. 3), held against exact truth."""

from testbed.studies.optimal_context.study import OptimalContext

__all__ = ["OptimalContext"]
