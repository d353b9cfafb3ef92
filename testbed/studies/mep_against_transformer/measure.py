"""What is measured of each trained member, against the exact law of its source."""

from functools import lru_cache
from typing import Any

import numpy as np

from testbed.maxent import WindowMarginals, marginal_of, model_block_law, token_divergences
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import Source
from testbed.studies.mep_against_transformer import extensions
from testbed.studies.mep_against_transformer.config import Probe
from testbed.studies.mep_against_transformer.extensions import Floats
from testbed.studies.mep_against_transformer.grid import pair_bias
from testbed.studies.mep_extension.counts import with_uniform
from testbed.training.member import TrainedMember
from testbed.training.streams import first_sequence
from testbed.training.windows import TargetSet


def member_record(cell: Cell, probe: Probe, member: TrainedMember, context: MeasureContext) -> Record:
    """The arrays of a cell; `own`, the mean excess on the tokens that the model itself was trained on."""
    source = member.spec.source
    length = member.spec.data.max_context + 1
    block = model_block_law(lambda c: np.exp(member.log_laws(c, context.device)), source.vocab_size, length)
    law = _true_law(source, 2 * probe.context_length)
    own = token_divergences(marginal_of(law, tuple(range(length))), block)
    arrays: dict[str, Floats] = {}
    if probe.purpose == "judged":
        arrays = _arrays(probe, source, law, block)
    metrics: dict[str, Any] = {"own": float(own.mean()), "seconds": member.seconds}
    if member.status == "diverged":
        metrics |= {"diverged_at": member.diverged_at}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


@lru_cache(maxsize=8)  # a source's models are measured one after the other
def _true_law(source: Source, length: int) -> Floats:
    return extensions.true_law(source, length)


def _arrays(probe: Probe, source: Source, law: Floats, block: Floats) -> dict[str, Floats]:
    t = probe.context_length
    own = token_divergences(marginal_of(law, tuple(range(block.ndim))), block)
    if probe.kind == "long":
        tokens = source.sample(probe.size, 2 * t, seed=probe.replicate, first_sequence=first_sequence("train"))
        return {"own": own, "counted": extensions.counted_losses(law, tokens, t)}
    if probe.kind == "few":
        return few_arrays(probe, source, law, block)
    policies = extensions.policy_losses(law, block)
    shifts = WindowMarginals(block).shift_distances()
    exact = token_divergences(law, extensions.windows_law(marginal_of(law, tuple(range(t))), t - 1, 2 * t))
    found = {
        "own": own,
        "exact": exact,
        "policies": policies,
        "shifts": shifts,
        "order": np.array(extensions.order_distance(block)),
    }
    if probe.kind == "short":
        found["loss"] = extensions.extension_losses(law, block)
    return found


def few_arrays(probe: Probe, source: Source, law: Floats, block: Floats) -> dict[str, Floats]:
    """difference, counted_difference (): mean loss of new tokens by the neighbour-pair chain less that by the sliding
    window, from the model's tables and from the same windows' counts; losses (2,): of the two from the model; predicted
    (): N at which bias and r / 2N are equal; bias (): h_1 - h_2."""
    assert probe.few is not None
    t, v = probe.context_length, source.vocab_size
    pairs = [pair_losses(law, block)]
    for draw in range(probe.few.count_draws):  # the first are the windows that the model saw
        seen = TargetSet.draw(source, "train", probe.replicate, probe.size, t - 1, first_row=draw * probe.size)
        contexts, targets, _ = seen.windows(t - 1)
        windows = np.concatenate([contexts, targets[:, None]], axis=1).astype(np.int64)
        cells = np.ravel_multi_index(tuple(windows.T), (v,) * t)
        counts = np.bincount(cells, minlength=v**t).reshape((v,) * t).astype(np.float64)
        pairs.append(pair_losses(law, with_uniform(counts)))
    bias = pair_bias(marginal_of(law, (0, 1, 2)))
    table = np.array(pairs)
    difference = table[:, 0] - table[:, 1]
    return {
        "difference": difference[0],
        "counted_difference": difference[1:].mean(),
        "losses": table[0],
        "counted_losses": table[1:].mean(axis=0),
        "bias": np.array(bias),
        "predicted": np.array((v ** (t - 1) - v) * (v - 1) / (2 * bias)),
    }


def pair_losses(law: Floats, block: Floats) -> tuple[float, float]:
    """Mean loss of new tokens by the neighbour-pair chain and by the sliding window, nats per token."""
    t = block.ndim
    # both from the window's last tokens, as for every new token: r parameters are then those of one table each
    pair = marginal_of(block, (t - 2, t - 1))
    by_one, by_window = (table / table.sum(axis=-1, keepdims=True) for table in (pair, block))
    chain, sliding = block, block
    for _ in range(t):
        chain, sliding = chain[..., None] * by_one, sliding[..., None] * by_window
    losses = [float(token_divergences(law, one)[t:].mean()) for one in (chain, sliding)]
    return losses[0], losses[1]
