"""Compiled loops of the predictors; imported inside functions alone."""
