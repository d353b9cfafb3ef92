"""Learners without a network.

Those of windows share one form: `fit(contexts, targets)` of a frozen learner gives a fitted one, whose `laws(contexts)`
are (n, V); contexts are (n, l), oldest token first.
"""

from testbed.predictors.back_off import back_off_code_lengths, back_off_law
from testbed.predictors.context_tree import ContextTree, context_tree_law, context_tree_weighting
from testbed.predictors.counts import add_constant_law, finite_mixture_law
from testbed.predictors.lag_regression import LagRegression
from testbed.predictors.order_table import OrderTable, order_table_code_lengths
from testbed.predictors.softmax_regression import SoftmaxRegression, fit_softmax

__all__ = [
    "ContextTree",
    "LagRegression",
    "OrderTable",
    "SoftmaxRegression",
    "add_constant_law",
    "back_off_code_lengths",
    "back_off_law",
    "context_tree_law",
    "context_tree_weighting",
    "finite_mixture_law",
    "fit_softmax",
    "order_table_code_lengths",
]
