"""Priors over lags in attention, matched and mismatched to the lags of the source."""

from testbed.studies.positional_prior.study import PositionalPrior

__all__ = ["PositionalPrior"]
