"""SELU in place of a norm, and activations against excess."""

from testbed.studies.activations.study import Activations

__all__ = ["Activations"]
