"""A trained model of T tokens, carried to 2T, against one trained at 2T (Cukier 2024, 2408.10277)."""

from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

__all__ = ["MepAgainstTransformer"]
