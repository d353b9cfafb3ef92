"""Norms of the residual stream against bursts of symbols."""

from testbed.studies.normalisers.study import Normalisers

__all__ = ["Normalisers"]
