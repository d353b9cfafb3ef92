"""What whole batches, tied steps, block averages and early stopping do to the apparent optimal context length."""

from testbed.studies.protocol_bias.study import ProtocolBias

__all__ = ["ProtocolBias"]
