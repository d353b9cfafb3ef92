"""What is computed at each cell."""

import numpy as np

from testbed.studies.multipliers.cases import chain_arrays, edge_arrays, interior_arrays
from testbed.studies.multipliers.config import Edge, Interior, Probe
from testbed.studies.multipliers.rate import Floats


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    if isinstance(probe.settings, Interior):
        return interior_arrays(probe.settings, rng)
    if isinstance(probe.settings, Edge):
        return edge_arrays(probe.settings, rng)
    return chain_arrays(probe.settings, rng)
