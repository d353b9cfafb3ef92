"""The sources of the study, drawn for each replicate."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from testbed.sources import Source
    from testbed.studies.activations.config import SourceName


@lru_cache(maxsize=2048)
def source_of(name: "SourceName", vocab_size: int, seed: int) -> "Source":
    """The source of this name, of a replicate; what is drawn from a Dirichlet law per sequence has nothing to draw."""
    from testbed.sources import build
    from testbed.sources.markov import MarkovSource

    rng = np.random.default_rng([seed, 2])
    if name in ("order1", "order2"):
        drawn = int(rng.integers(2**31))
        return MarkovSource.random(vocab_size=vocab_size, order=1 + (name == "order2"), concentration=0.5, seed=drawn)
    if name == "mess3":
        return build({"type": "mess3", "x": float(rng.uniform(0.05, 0.15)), "a": float(rng.uniform(0.7, 0.9))})
    if name == "counts":
        return build({"type": "dirichlet_iid", "vocab_size": vocab_size})
    if name == "in_context":
        return build({"type": "dirichlet_markov", "vocab_size": vocab_size, "order": 1})
    return build({"type": "rrxor", "p": float(rng.uniform(0.4, 0.6)), "q": float(rng.uniform(0.4, 0.6))})
