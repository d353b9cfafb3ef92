"""Which law does the optimal context length follow: four rivals and the paper's own, each at home and abroad."""

from testbed.studies.optimal_context_laws.study import OptimalContextLaws

__all__ = ["OptimalContextLaws"]
