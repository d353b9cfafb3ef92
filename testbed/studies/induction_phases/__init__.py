"""Uniform, in-context unigram, in-context bigram: the phases in which a transformer learns to read Markov chains."""

from testbed.studies.induction_phases.study import InductionPhases

__all__ = ["InductionPhases"]
