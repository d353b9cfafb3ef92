"""Streams without entropy: all that is random is the seed. A learner without the time to find it sees noise."""

from testbed.sources.deterministic.cellular_automaton import CellularAutomatonSource
from testbed.sources.deterministic.congruential import CongruentialSource
from testbed.sources.deterministic.finite import FiniteDeterministicSource
from testbed.sources.deterministic.lfsr import ShiftRegisterSource

__all__ = ["CellularAutomatonSource", "CongruentialSource", "FiniteDeterministicSource", "ShiftRegisterSource"]
