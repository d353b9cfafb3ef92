"""Attention entropy held against sources whose best head entropy is known, and the penalty on it."""

from testbed.studies.entropy_guided.study import EntropyGuidedStudy

__all__ = ["EntropyGuidedStudy"]
