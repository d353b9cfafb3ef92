"""What is computed at each cell."""

import numpy as np

from testbed.studies.probability_gap.chains import Floats, chain_arrays
from testbed.studies.probability_gap.config import Chains, Probe, Search
from testbed.studies.probability_gap.samples import sample_arrays
from testbed.studies.probability_gap.search import search_arrays


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    if isinstance(probe.settings, Chains):
        return chain_arrays(probe.settings, rng)
    if isinstance(probe.settings, Search):
        return search_arrays(probe.settings, rng)
    assert probe.kind is not None
    return sample_arrays(probe.settings, probe.kind, rng)
