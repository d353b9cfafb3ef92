"""Sources whose conditional entropies fall as a power of the context, or whose memory has no end."""

from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.power_law.multiperiodic import MultiperiodicSource
from testbed.sources.power_law.renewal import RenewalSource
from testbed.sources.power_law.santa_fe import SantaFeSource

__all__ = ["MixtureTransitionSource", "MultiperiodicSource", "RenewalSource", "SantaFeSource"]
