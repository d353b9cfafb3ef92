"""Learners without a network."""

from testbed.predictors.counts import add_constant_law, finite_mixture_law

__all__ = ["add_constant_law", "finite_mixture_law"]
