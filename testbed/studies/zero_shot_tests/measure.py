"""What is computed at each cell."""

import numpy as np

from testbed.sources.randomness import derive_seed
from testbed.studies.tables import Floats
from testbed.studies.zero_shot_tests.config import Exact, Probe, Tails
from testbed.studies.zero_shot_tests.exact import exact_arrays
from testbed.studies.zero_shot_tests.texts import tail_arrays, text_arrays


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    seed = derive_seed(probe.number, probe.arm)
    if isinstance(probe.settings, Tails):
        return tail_arrays(probe.settings, seed)
    rng = np.random.default_rng(seed)
    if isinstance(probe.settings, Exact):
        return exact_arrays(probe.settings, rng)
    return text_arrays(probe.settings, rng)
