"""Dependence at chosen lags: noisy copies and parities, staircases made of them, recall at a told distance."""

from testbed.sources.gf2 import primitive_taps
from testbed.sources.lags.lag_chain import LagChainSource
from testbed.sources.lags.linear_lag import LinearLagSource
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.sources.lags.noisy_xor import NoisyXorSource
from testbed.sources.lags.selector_lag import SelectorLagSource
from testbed.sources.lags.staircase import StaircaseSource
from testbed.sources.lags.staircase_design import PowerLaw

__all__ = [
    "LagChainSource",
    "LinearLagSource",
    "NoisyCopySource",
    "NoisyXorSource",
    "PowerLaw",
    "SelectorLagSource",
    "StaircaseSource",
    "primitive_taps",
]
