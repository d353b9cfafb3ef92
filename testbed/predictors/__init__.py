"""Learners without a network."""

from testbed.predictors.context_tree import context_tree_law, context_tree_weighting
from testbed.predictors.counts import add_constant_law, finite_mixture_law

__all__ = ["add_constant_law", "context_tree_law", "context_tree_weighting", "finite_mixture_law"]
