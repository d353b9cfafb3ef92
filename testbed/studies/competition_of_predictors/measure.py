"""What is measured of a member along training, and of the predictors alone.

Divergences are means over positions 1 .. L - 1 of exact KL divergences between laws, on fresh sequences of the family
(in) and of chains drawn anew for each sequence (out), nats.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.sources.source import Floats
from testbed.studies.competition_of_predictors.config import CONTINUUM, Probe, Reading, Task
from testbed.studies.competition_of_predictors.grid import continuum_of, family_of, source_of
from testbed.studies.competition_of_predictors.predictors import NAMES, Family, predictions
from testbed.studies.competition_of_predictors.weights import centred_logs, simplex_weights
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

UNSEEN_OFFSET = 2_000_000
"""Families from this seed on train nothing: what the continuum's retrievals know."""
COMPARED = 4
"""Sequences on which closed forms are held against the sources' own laws."""
BI_RET, UNI_INF, BI_INF = NAMES.index("bi_ret"), NAMES.index("uni_inf"), NAMES.index("bi_inf")


def divergence(laws: Floats, log_q: Floats) -> float:
    """Mean KL(p || q) of laws (..., K)."""
    log_p = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return float(np.sum(laws * (log_p - log_q), axis=-1).mean())


def tuning_record(cell: Cell, member: TrainedMember) -> Record:
    """Excess over the Bayes law at the end."""
    metrics: dict[str, Metric] = {"excess": member.scores["excess"]}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Arrays over the S points of the path.

    step                     (S,)
    kl_in, kl_out            (S, 5) KL(predictor || model)
    apart                    (S, 5) KL(model || predictor), in and out together
    weights, weights_log     (S, 5) of the predictors in the model, by least squares of laws and of log-odds
    left, left_log           (S,) KL(model || interpolation) of laws, as `apart`; KL(geometric one || model) of log-odds

    gap_in       KL(bi_ret || bi_inf) in the family: what retrieval would save
    gap_out      KL(bi_inf || bi_ret) on new chains: what it would cost
    single_in    KL(Bayes || uni_inf) in the family: what pairs tell
    form_error   largest distance of the closed forms from the sources' own Bayes laws
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.task is not None
    assert probe.reading is not None
    task, chains, seed = probe.task, probe.chains, probe.seed
    family = Family.of(
        family_of(task, task.unseen, seed + UNSEEN_OFFSET) if chains == CONTINUUM else family_of(task, chains, seed)
    )
    tokens = _sequences(task, chains, seed, probe.reading)
    laws = [predictions(family, one) for one in tokens]
    bayes = BI_INF if chains == CONTINUUM else BI_RET
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    metrics |= {
        "gap_in": divergence(laws[0][BI_RET], np.log(laws[0][BI_INF])),
        "gap_out": divergence(laws[1][BI_INF], np.log(laws[1][BI_RET])),
        "single_in": divergence(laws[0][bayes], np.log(laws[0][UNI_INF])),
        "form_error": _form_error(task, chains, seed, tokens, laws),
    }
    arrays: dict[str, Floats] = {}
    if member.status == "done":
        rows = [_at_point(member, tokens, laws, point, device) for point in range(len(member.path["step"]))]
        arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]} | {"step": member.path["step"]}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def _sequences(task: Task, chains: int, seed: int, reading: Reading) -> list[NDArray[np.integer]]:
    """Fresh sequences of the family, and of new chains; for the continuum they are the same thing twice."""
    sources = source_of(task, chains, seed), continuum_of(task)
    return [
        draw_sequences(one, "probe", seed + i, reading.n_sequences, task.length).tokens for i, one in enumerate(sources)
    ]


def _at_point(
    member: TrainedMember, tokens: list[NDArray[np.integer]], laws: list[Floats], point: int, device: str
) -> dict[str, Floats]:
    log_q = [member.sequence_log_laws(one, device, point)[:, 1:] for one in tokens]
    predictors, logs = np.concatenate(laws, axis=1), np.concatenate(log_q)
    weights = simplex_weights(predictors, np.exp(logs))
    weights_log = simplex_weights(centred_logs(predictors), centred_logs(np.exp(logs)))
    mixed = np.einsum("i,i...->...", weights, predictors)
    geometric = np.einsum("i,i...->...", weights_log, np.log(predictors))
    geometric -= np.log(np.exp(geometric).sum(axis=-1, keepdims=True))
    law = np.exp(logs)
    return {
        "kl_in": np.array([divergence(one, log_q[0]) for one in laws[0]]),
        "kl_out": np.array([divergence(one, log_q[1]) for one in laws[1]]),
        "apart": np.array([divergence(law, np.log(one)) for one in predictors]),
        "weights": weights,
        "weights_log": weights_log,
        "left": np.asarray(divergence(law, np.log(mixed))),
        "left_log": np.asarray(divergence(np.exp(geometric), logs)),
    }


def _form_error(task: Task, chains: int, seed: int, tokens: list[NDArray[np.integer]], laws: list[Floats]) -> float:
    """bi_ret against the family's own law, bi_inf against the continuum's."""
    inference = continuum_of(task).predict(tokens[1][:COMPARED])[:, 1:]
    error = float(np.abs(laws[1][BI_INF, :COMPARED] - inference).max())
    if chains != CONTINUUM:
        retrieval = family_of(task, chains, seed).predict(tokens[0][:COMPARED])[:, 1:]
        error = max(error, float(np.abs(laws[0][BI_RET, :COMPARED] - retrieval).max()))
    return error


def limit_record(cell: Cell, probe: Probe) -> Record:
    """gap_in, gap_out (n,) over the numbers of chains: how far the Bayes law is from inference."""
    assert probe.task is not None
    assert probe.reading is not None
    gaps: dict[str, list[float]] = {"gap_in": [], "gap_out": []}
    for chains in probe.reading.limit_chains:
        family = Family.of(family_of(probe.task, chains, probe.seed))
        inside, outside = (
            predictions(family, one) for one in _sequences(probe.task, chains, probe.seed, probe.reading)
        )
        gaps["gap_in"].append(divergence(inside[BI_RET], np.log(inside[BI_INF])))
        gaps["gap_out"].append(divergence(outside[BI_INF], np.log(outside[BI_RET])))
    arrays = {name: np.array(values) for name, values in gaps.items()}
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)
