"""Compiled loops over rows of attention scores."""
