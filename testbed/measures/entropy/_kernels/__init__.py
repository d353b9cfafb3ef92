"""Loops over tokens, codes and tables, compiled by numba; these modules are imported inside functions alone."""
