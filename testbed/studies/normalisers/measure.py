"""What is measured at each member."""

import numpy as np

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.normalisers.config import Probe
from testbed.studies.normalisers.draws import fluctuation, kernels
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences, sequence_set


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Metrics of every member: `excess`, `paired`, `paired_error`. Of judged ones also

    told            KL of the Bayes laws from their mean, over the fresh sequences: what context tells
    bayes           mean entropy of the Bayes laws there
    fluctuation     root of the summed variances of symbols' shares, exactly, in as many sequences as share statistics
                    (a step's, where the norm has none)
    own, running    of batch norm: excess on fresh batches of a step's size with statistics of each as in training, and
                    on the same batches with running ones
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if probe.reading is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    assert probe.bursts is not None
    bursts, spec = probe.bursts, member.spec
    scored = sequence_set(spec)
    laws, log_laws = scored.laws[: scored.n_fresh], scored.log_laws[: scored.n_fresh]
    bayes = float(-(laws * log_laws).sum(axis=1).mean())
    mean = laws.mean(axis=0)
    metrics |= {"bayes": bayes, "told": float(-(mean * np.log(mean)).sum()) - bayes}
    pair = kernels(probe.family, bursts.vocab_size, bursts.tilt, probe.seed)
    shared = probe.size or spec.data.targets_per_step
    metrics["fluctuation"] = fluctuation(pair, probe.stay, bursts.length, shared)
    if probe.arm in ("batch", "batch_scaled"):
        metrics["own"], metrics["running"] = batch_excess(member, probe.seed, probe.reading.n_batches, device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)


def batch_excess(member: TrainedMember, seed: int, n_batches: int, device: str) -> tuple[float, float]:
    """Mean excess on fresh batches of a step's size: with statistics as in training, of each batch (or of its parts),
    tokens still to come among them; and with running ones."""
    import torch
    import torch.nn.functional as F

    spec = member.spec
    size = spec.data.targets_per_step
    tokens = draw_sequences(spec.source, "probe", seed, n_batches * size, spec.sequence_length).tokens.astype(np.int64)
    laws = spec.source.predict(tokens)
    log_laws = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    model, weights = member.opened(device)
    weights = {name: value.clone() for name, value in weights.items()}  # reading as in training moves running means
    windows = F.pad(torch.from_numpy(tokens[:, :-1]).to(device), (1, 0), value=model.begin)

    def excess(training: bool) -> float:
        with torch.no_grad():
            logits = torch.cat(
                [model.logits(weights, one[None], "all", training=training)[0] for one in windows.split(size)]
            )
        log_q = F.log_softmax(logits.double(), dim=-1).cpu().numpy()
        return float(np.sum(laws * (log_laws - log_q), axis=-1).mean())

    running = excess(False)
    return excess(True), running
