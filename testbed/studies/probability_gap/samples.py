"""What plug-in, split-sample and shrunk estimates say of the gap, where it is known."""

import numpy as np

from testbed.measures.probability_gap import gap_statistics
from testbed.measures.sampled_gap import sampled_gap
from testbed.studies.probability_gap.chains import Floats, random_kernel, stationary_block
from testbed.studies.probability_gap.config import Chains, SampleKind, Samples

ESTIMATES = ("plug_in", "split", "shrunk")


def sample_arrays(settings: Samples, kind: SampleKind, rng: np.random.Generator) -> dict[str, Floats]:
    """Arrays of one replicate; its chain is drawn once and its data sets are independent.

    plug_in, split, shrunk  (n_sets, M + 1)
    noise                   (M + 1,): the formula for uniform independent tokens
    truth                   (M + 1,): G_m
    """
    size, most = settings.vocab_size, settings.max_context
    kernel, order = _kernel(settings, kind, rng)
    truth = gap_statistics(stationary_block(kernel, most + 1)).gap
    found: dict[str, list[Floats]] = {name: [] for name in ESTIMATES}
    noise = np.empty(0)
    for _ in range(settings.n_sets):
        tokens = draw(kernel, order, settings.n_sequences, most + settings.n_targets, rng)
        estimate = sampled_gap(tokens, size, most)
        noise = estimate.noise
        for name in ESTIMATES:
            found[name].append(getattr(estimate, name))
    return {"truth": truth, "noise": noise, **{name: np.array(values) for name, values in found.items()}}


def _kernel(settings: Samples, kind: SampleKind, rng: np.random.Generator) -> tuple[Floats, int]:
    size = settings.vocab_size
    if kind == "noise":
        return np.full((size, size), 1.0 / size), 1
    order = settings.chain_order if kind == "chain" else settings.copy_lag
    chains = Chains(kind="random" if kind == "chain" else "copy", vocab_size=size, order=order)
    return random_kernel(chains, rng), order


def draw(kernel: Floats, order: int, n_sequences: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """(n_sequences, length) tokens of the stationary chain, by inversion."""
    size = kernel.shape[1]
    start = np.cumsum(stationary_block(kernel, order).reshape(-1))
    state = np.minimum(np.searchsorted(start, rng.random(n_sequences)), len(start) - 1)
    tokens = np.empty((n_sequences, length), dtype=np.int64)
    cumulative = np.cumsum(kernel, axis=1)
    for t in range(length):
        chosen = (rng.random(n_sequences)[:, None] > cumulative[state]).sum(axis=1)
        tokens[:, t] = np.minimum(chosen, size - 1)
        state = (state * size + tokens[:, t]) % len(kernel)
    return tokens
