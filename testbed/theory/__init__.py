"""Predictions in closed form; no tokens."""

from testbed.theory.tabular import kt_excess, kt_excess_is_trusted, tabular_change_points, tabular_optimal_context

__all__ = ["kt_excess", "kt_excess_is_trusted", "tabular_change_points", "tabular_optimal_context"]
