"""Hidden Markov sources: one given by its transitions, and the machines that the literature has names for."""

from testbed.sources.hidden.even import EvenProcess
from testbed.sources.hidden.golden_mean import GoldenMean
from testbed.sources.hidden.hidden_markov import HiddenMarkovSource
from testbed.sources.hidden.matching_parentheses import MatchingParentheses
from testbed.sources.hidden.mess3 import Mess3
from testbed.sources.hidden.nemo import Nemo
from testbed.sources.hidden.rrxor import RRXOR
from testbed.sources.hidden.simple_nonunifilar import SimpleNonunifilar
from testbed.sources.hidden.zero_one_random import ZeroOneRandom

__all__ = [
    "EvenProcess",
    "GoldenMean",
    "HiddenMarkovSource",
    "MatchingParentheses",
    "Mess3",
    "Nemo",
    "RRXOR",
    "SimpleNonunifilar",
    "ZeroOneRandom",
]
