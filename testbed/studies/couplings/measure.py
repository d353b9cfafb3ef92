"""What is computed at each cell: the same for every replicate, stacked."""

from collections.abc import Callable
from typing import Any

import numpy as np

from testbed.sources.randomness import derive_seed
from testbed.studies.couplings.config import Maps, Merges, Pairs, Probe, Searches, Streams
from testbed.studies.couplings.couple import pair_arrays, search_arrays
from testbed.studies.couplings.squeeze import curve_arrays, map_arrays, merge_arrays, random_map_arrays
from testbed.studies.couplings.stream import stream_arrays
from testbed.studies.tables import Floats


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell, first axis over replicates; random numbers depend on arm, kind and replicate alone."""
    one = _of(probe)
    found = []
    for number in range(probe.first, probe.first + probe.count):
        found.append(one(np.random.default_rng(derive_seed(number, f"{probe.arm} {probe.kind}")), number))
    return {name: np.stack([each[name] for each in found]) for name in found[0]}


def _of(probe: Probe) -> Callable[[np.random.Generator, int], dict[str, Any]]:
    settings = probe.settings
    if isinstance(settings, Pairs):
        return lambda rng, number: pair_arrays(settings, rng)
    if isinstance(settings, Searches):
        return lambda rng, number: search_arrays(settings, rng, number)
    if isinstance(settings, Merges):
        return lambda rng, number: merge_arrays(settings, probe.kind, rng)
    if isinstance(settings, Streams):
        return lambda rng, number: stream_arrays(settings, probe.kind, rng)
    assert isinstance(settings, Maps)
    arrays = {"maps": map_arrays, "random maps": random_map_arrays, "curve": curve_arrays}[probe.arm]
    return lambda rng, number: arrays(settings, rng)
