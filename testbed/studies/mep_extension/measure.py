"""What is computed at each cell."""

import numpy as np

from testbed.studies.mep_extension.closed import closed_forms
from testbed.studies.mep_extension.config import ClosedForms, CountsArm, CrossingArm, ExactArm, GroupsArm, Probe
from testbed.studies.mep_extension.counts import counts, crossing
from testbed.studies.mep_extension.exact import exact
from testbed.studies.mep_extension.groups import groups
from testbed.studies.mep_extension.laws import Floats


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    settings = probe.settings
    if isinstance(settings, ClosedForms):
        return closed_forms(settings)
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    if isinstance(settings, ExactArm):
        return exact(settings, rng)
    if isinstance(settings, GroupsArm):
        return groups(settings, rng)
    if isinstance(settings, CountsArm):
        return counts(settings, rng)
    assert isinstance(settings, CrossingArm)
    return crossing(settings, rng)
