"""What features of trained networks show of a source's causal states: clusters, codes of units, factors."""

from testbed.studies.causal_state_codes.study import CausalStateCodes

__all__ = ["CausalStateCodes"]
