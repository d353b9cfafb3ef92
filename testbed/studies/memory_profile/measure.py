"""What is kept of a member, and of a family of the horizon law."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.memory_profile.config import POWERS, Family, Horizon, HorizonProbe, MemberProbe, NetworkProbe
from testbed.studies.tables import Floats
from testbed.theory import TabularLaw, optimal_context

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile
    from testbed.training.member import TrainedMember

Arrays = dict[str, Floats]


def records_of(
    study: "MemoryProfile", cells: Sequence[Cell], members: "Mapping[str, TrainedMember]"
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        if isinstance(probe, HorizonProbe):
            arrays = family_arrays(probe.family, probe.settings, probe.seed)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)
            continue
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        if isinstance(probe, NetworkProbe):
            yield Record(cell.key, cell.study, cell.resolved(), member.status, stopped(member) if done else {}, {})
            continue
        assert isinstance(probe, MemberProbe)
        scores: dict[str, Metric] = {**member.scores} if done else {}
        found = member_arrays(member, study.profiles.window) if done and probe.kind == "member" else {}
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, found)


def member_arrays(member: "TrainedMember", window: int) -> Arrays:
    """step, path (P,): excess along training, nats; profile (window + 1,) h_n; rate (), excess_entropy ()."""
    source = member.spec.source
    return {
        "step": np.asarray(member.path["step"], dtype=np.float64),
        "path": np.asarray(member.path["excess"], dtype=np.float64),
        "profile": np.asarray(source.conditional_entropies(window).value),
        "rate": np.asarray(source.entropy_rate().value),
        "excess_entropy": np.asarray(source.excess_entropy().value),
    }


def stopped(member: "TrainedMember") -> dict[str, Metric]:
    """Excess and held-out loss at the point of the path where the latter is least, nats."""
    heldout = np.asarray(member.path["heldout"])
    best = int(np.argmin(np.where(np.isfinite(heldout), heldout, np.inf)))
    return {"stopped_excess": float(member.path["excess"][best]), "stopped_heldout": float(heldout[best])}


def family_arrays(family: Family, settings: Horizon, seed: int) -> Arrays:
    """Losses of the learners (`learners.measured`), means over runs, and

    missing (m + 1,), lags, correlations (K,)   the exact curves
    tabular (n_sizes,)                          n* of tables by `TabularLaw`, D targets shared by the components
    gamma, beta ()                              of families that have both
    """
    from testbed.studies.memory_profile.exponents import law_exponents
    from testbed.studies.memory_profile.families import drawn
    from testbed.studies.memory_profile.learners import measured

    runs = settings.runs if family not in ("hierarchy", "santa_fe") else 1
    draws = [drawn(family, settings, seed, run) for run in range(runs)]
    found = [measured(one, settings) for one in draws]
    arrays = {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}
    one = replace(draws[0], missing=np.mean([one.missing for one in draws], axis=0))
    orders = len(arrays["table_lengths"])
    sizes = np.array(settings.sizes, dtype=np.float64)
    falling = np.minimum.accumulate(one.missing[:orders])
    law = TabularLaw(one.streams[0].vocab_size)
    arrays |= {
        "missing": one.missing,
        "lags": one.lags.astype(np.float64),
        "correlations": one.correlations,
        "tabular": optimal_context(law, falling, sizes / sum(one.counts)).astype(np.float64),
    }
    if family in POWERS:
        gamma, beta = law_exponents(family, one.missing, one.lags, one.correlations, settings.sizes)
        arrays |= {"gamma": np.array(gamma), "beta": np.array(beta)}
    return arrays
