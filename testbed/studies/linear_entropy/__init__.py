"""Is what the next token shows linear in the entropy of the Bayes state? (Shi et al. 2025, 2502.01481, sec. 2)."""

from testbed.studies.linear_entropy.study import LinearEntropy

__all__ = ["LinearEntropy"]
