"""Compiled loops; imported inside functions alone."""
