"""What is computed at each cell."""

import numpy as np

from testbed.studies.approximation_law.config import LEARNERS, NetworkConfig, Probe
from testbed.studies.approximation_law.learners import (
    Floats,
    extra_excess,
    informed_excess,
    lag_excess,
    manifold_excess,
)


def measured(probe: Probe) -> dict[str, Floats]:
    """excess, one number a size, length or number of coordinates; floor of networks."""
    network = NetworkConfig() if probe.network is None else probe.network
    if probe.kind == "extra":
        assert probe.manifolds is not None
        assert probe.irrelevant is not None
        return {"excess": extra_excess(probe.manifolds, probe.irrelevant, probe.replicate)}
    learner = next((one for one in LEARNERS if one == probe.learner), None)
    if learner is None:
        assert probe.irrelevant is not None
        name = "network" if probe.kind == "tuning" else probe.learner
        return {"excess": lag_excess(probe.irrelevant, name, probe.replicate, network, probe.learning_rate)}
    assert probe.manifolds is not None
    if learner == "informed":
        found = informed_excess(probe.manifolds, probe.dimension, probe.replicate, probe.draws)
        return {"excess": found, "floor": np.zeros(1)}
    excess, floor = manifold_excess(
        probe.manifolds, learner, probe.dimension, probe.replicate, network, probe.learning_rate
    )
    return {"excess": excess, "floor": np.array([floor])}
