"""What can be varied in attention, one small file per family."""

from testbed.methods.banded import BandedMask
from testbed.methods.learned import LearnedPositions
from testbed.methods.method import (
    AnyMethod,
    AttentionContext,
    Geometry,
    Initial,
    Method,
    Placement,
    check_combination,
    method,
    methods,
)
from testbed.methods.nope import NoPositions
from testbed.methods.rope import RotaryPositions

__all__ = [
    "AnyMethod",
    "AttentionContext",
    "BandedMask",
    "Geometry",
    "Initial",
    "LearnedPositions",
    "Method",
    "NoPositions",
    "Placement",
    "RotaryPositions",
    "check_combination",
    "method",
    "methods",
]
