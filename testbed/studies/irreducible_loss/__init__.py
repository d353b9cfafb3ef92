"""Does the irreducible loss that scaling laws fit find the Bayes loss?"""

from testbed.studies.irreducible_loss.study import IrreducibleLoss

__all__ = ["IrreducibleLoss"]
