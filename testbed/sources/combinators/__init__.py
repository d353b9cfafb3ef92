"""Sources made of sources: products, mixtures, blocks, noise, recodings, switching regimes, tempering."""

from testbed.sources.combinators.blocks import BlockSource
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.combinators.recoded import RecodedSource
from testbed.sources.combinators.regime_switching import RegimeSwitchingSource
from testbed.sources.combinators.tempered import TemperedSource

__all__ = [
    "BlockSource",
    "MixtureSource",
    "NoisySource",
    "ProductSource",
    "RecodedSource",
    "RegimeSwitchingSource",
    "TemperedSource",
]
