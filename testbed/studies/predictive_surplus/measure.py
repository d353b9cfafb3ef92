"""What is measured on a member: its surplus at each step, and its overlap with the eigenspaces of K.

Both at every history of positive probability, weighted by how probable it is: no text is sampled.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.features.belief_probe import fold_of_groups
from testbed.measures.features.final_layer import final_features
from testbed.measures.features.residual_streams import residual_streams
from testbed.measures.surplus import (
    equal_laws,
    exact_surplus,
    future_joint,
    grouped_surplus,
    predictive_eigenvectors,
    principal_directions,
    probed_surplus,
    subspace_overlap,
)
from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.studies.predictive_surplus.config import Probe, Reading
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Arrays = dict[str, Floats]


def records_of(
    cells: Sequence[Cell], members: "Mapping[str, TrainedMember]", context: MeasureContext
) -> Iterator[Record]:
    """One record a cell."""
    for cell in cells:
        probe = cell.probe
        assert isinstance(probe, Probe)
        assert cell.training is not None
        member = members[cell.training.training_key]
        done = member.status == "done"
        arrays: Arrays = {}
        if done and probe.reading is not None:
            read = spectral_arrays if probe.role == "spectral" else surplus_arrays
            arrays = read(member, probe.reading, probe.seed, context.device)
        scores: dict[str, Metric] = {**member.scores} if done else {}
        yield Record(cell.key, cell.study, cell.resolved(), member.status, scores, arrays)


def surplus_arrays(member: "TrainedMember", reading: Reading, seed: int, device: str) -> Arrays:
    """Of one member, (K - 1,) each, nats at every step after the next token:

    exact, law                    what the history tells, and what its exact next-token law alone tells
    last, streams, untrained      what a drafting head reads off the last layer, off all residual streams side by side,
                                  and off the last layer before training
    future, window                what it reads off the exact law of the next K tokens: the most that can be asked of
                                  such a head; and off the tokens of the history themselves
    worth ()                      h_0 - h_T
    """
    source, length = member.spec.source, member.spec.context_length
    histories, joint = future_joint(source, length, reading.horizon)
    rng = np.random.Generator(np.random.Philox(key=seed))
    folds = fold_of_groups(len(histories), reading.n_folds, rng)
    model, weights = member.opened(device)
    first = model.layout.views(model.layout.initial_row(member.spec.initial_seed)[None].to(device))
    streams = residual_streams(model, weights, histories)[:, :, length]
    features = {
        "last": final_features(model, weights, histories)[:, length],
        "streams": np.concatenate(list(streams), axis=1),
        "untrained": final_features(model, first, histories)[:, length],
        "future": joint / joint.sum(axis=1, keepdims=True),
        "window": histories.astype(np.float64),
    }
    h = np.asarray(source.conditional_entropies(length).value)
    return {
        "exact": exact_surplus(source, length, reading.horizon),
        "law": grouped_surplus(joint, 2, equal_laws(joint, 2)),
        "worth": np.array(h[0] - h[-1]),
        **{name: probed_surplus(one, joint, folds, reading.ridges) for name, one in features.items()},
    }


def spectral_arrays(member: "TrainedMember", reading: Reading, seed: int, device: str) -> Arrays:
    """Of one member: span, principal (2,), overlap with the top V - 1 eigenvectors of K of all whitened features and of
    as many principal components, trained and untrained; random (), of a random subspace of V - 1 dimensions."""
    source, length = member.spec.source, reading.spectral_context
    law = source.context_law(length)
    histories, weights_of = law.contexts.astype(np.int64), law.probabilities
    k = source.vocab_size - 1
    target = predictive_eigenvectors(law.laws, weights_of, k)
    model, weights = member.opened(device)
    first = model.layout.views(model.layout.initial_row(member.spec.initial_seed)[None].to(device))
    found: dict[str, list[float]] = {"span": [], "principal": []}
    for views in (weights, first):
        cloud = final_features(model, views, histories)[:, length].astype(np.float64)
        found["span"].append(subspace_overlap(target, principal_directions(cloud, weights_of)))
        found["principal"].append(subspace_overlap(target, principal_directions(cloud, weights_of, k)))
    rng = np.random.Generator(np.random.Philox(key=seed))
    noise = principal_directions(rng.standard_normal((len(histories), k)), weights_of)
    h = np.asarray(source.conditional_entropies(member.spec.context_length).value)
    return {
        **{name: np.array(values) for name, values in found.items()},
        "random": np.array(subspace_overlap(target, noise)),
        "worth": np.array(h[0] - h[-1]),
    }
