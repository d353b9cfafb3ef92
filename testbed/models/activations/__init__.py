"""Nonlinearities of the MLP, one small file each."""

from testbed.models.activations.activation import Activation, AnyActivation, activation, activations
from testbed.models.activations.gelu import Gelu

__all__ = ["Activation", "AnyActivation", "Gelu", "activation", "activations"]
