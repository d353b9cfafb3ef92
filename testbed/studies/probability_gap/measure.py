"""What is computed at each cell."""

import numpy as np

from testbed.studies.probability_gap.chains import Floats, chain_arrays
from testbed.studies.probability_gap.config import Chains, Probe, Search, Trained
from testbed.studies.probability_gap.samples import sample_arrays
from testbed.studies.probability_gap.search import search_arrays
from testbed.studies.probability_gap.trained import trained_arrays
from testbed.training.member import TrainedMember


def measured(probe: Probe, member: TrainedMember | None = None) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    if isinstance(probe.settings, Trained):
        assert member is not None
        return trained_arrays(probe.settings, member)
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    if isinstance(probe.settings, Chains):
        return chain_arrays(probe.settings, rng)
    if isinstance(probe.settings, Search):
        return search_arrays(probe.settings, rng)
    assert probe.kind is not None
    return sample_arrays(probe.settings, probe.kind, rng)
