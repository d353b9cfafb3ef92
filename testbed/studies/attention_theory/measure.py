"""What is computed at each cell."""

import numpy as np

from testbed.studies.attention_theory.closed_forms import closed_forms
from testbed.studies.attention_theory.config import ClosedForms, GaussianHeads, Probe, RandomKeys
from testbed.studies.attention_theory.rows import Floats
from testbed.studies.attention_theory.simulate import gaussian_heads, random_keys, single_key


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its random numbers depend on arm and replicate alone."""
    settings = probe.settings
    if isinstance(settings, ClosedForms):
        return closed_forms(settings)
    rng = np.random.default_rng([*probe.arm.encode(), probe.replicate])
    if isinstance(settings, GaussianHeads):
        return gaussian_heads(settings, rng)
    if isinstance(settings, RandomKeys):
        return random_keys(settings, rng)
    return single_key(settings, rng)
