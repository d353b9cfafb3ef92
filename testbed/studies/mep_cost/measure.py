"""One pass: everything is timed in turn, in processor time of this process."""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch

from testbed.maxent import ConstraintSet, JointMarginals, Pairs, WindowMarginals, Windows, marginal_of
from testbed.maxent.closed_form import log_conditionals
from testbed.maxent.constraint_set import SolverName
from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.studies.mep_cost.cached import CachedDecoder
from testbed.studies.mep_cost.closed import Floats, counted
from testbed.studies.mep_cost.config import Probe, Solving, Transformers, Vocabularies
from testbed.studies.mep_extension.laws import chain_law, markov_kernel
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import with_begin
from testbed.training.ensemble import Ensemble


def measured(probe: Probe, device: str) -> dict[str, Floats]:
    """The arrays of a cell."""
    if probe.kind == "closed":
        assert probe.counts is not None
        return counted(probe.counts)
    if probe.kind == "vocabulary":
        assert probe.vocabularies is not None
        return vocabularies(probe.vocabularies, probe.replicate)
    assert probe.solving is not None
    assert probe.transformers is not None
    assert probe.model is not None
    arrays = solving(probe.solving, probe.replicate)
    return arrays | transformers(probe.transformers, probe.model, probe.replicate, device)


def seconds_of(work: Callable[[], object], device: str = "cpu") -> float:
    """Processor seconds of a call; on an accelerator, seconds until it has answered."""
    if device != "cpu":
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - started
    started = time.process_time()
    work()
    return time.process_time() - started


def peak_of(work: Callable[[], object]) -> float:
    """Bytes that a call's arrays take at their peak."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return float(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


SOLVERS: dict[str, SolverName] = {"dense": "ipf", "band": "banded"}


def solved(given: ConstraintSet, kind: str) -> object:
    """A set solved by the solver of its kind; windows are taken to the conditionals of their junction tree."""
    # a set of its own: what one keeps must not help the next
    fresh = ConstraintSet(given.vocab_size, given.length, given.constraints)
    if kind == "windows":  # a dense law would cost V^(2T), which no token needs
        return fresh.junction_tree, log_conditionals(fresh)
    return fresh.solve(SOLVERS[kind])


def cost_of(sets: list[ConstraintSet], kind: str) -> tuple[Floats, Floats]:
    """Seconds and bytes of solving each set."""
    solved(sets[0], kind)  # compiled
    seconds = [seconds_of(lambda one=one: solved(one, kind)) for one in sets]  # type: ignore[misc]
    sizes = [peak_of(lambda one=one: solved(one, kind)) for one in sets]  # type: ignore[misc]
    return np.array(seconds), np.array(sizes)


def vocabularies(settings: Vocabularies, number: int) -> dict[str, Floats]:
    """For dense and band: (V,) seconds and bytes of solving at one length, each V with a chain of its own."""
    rng = np.random.default_rng([number, 8])

    def pairs(v: int, kind: str) -> ConstraintSet:
        kernel = markov_kernel(rng, v, 2, 1.0)
        if kind == "band":
            return Pairs(max_lag=2).constraints(WindowMarginals(chain_law(kernel, 3)), v, 3, 2 * settings.band_length)
        joint = chain_law(kernel, 2 * settings.dense_length)
        return Pairs().constraints(JointMarginals(joint), v, settings.dense_length)

    found: dict[str, Floats] = {}
    for kind in SOLVERS:
        sets = [pairs(v, kind) for v in getattr(settings, kind)]
        found[f"{kind}_by_v"], found[f"{kind}_by_v_bytes"] = cost_of(sets, kind)
    return found


def solving(settings: Solving, number: int) -> dict[str, Floats]:
    """For dense, windows and band: (T,) seconds of solving, from tables that are there to a law of 2T tokens (for
    windows to the conditionals of their junction tree); the same with `_bytes`, their peak; `dense_sweeps`,
    of proportional fitting, and `dense_error`, its residual."""
    kernel = markov_kernel(np.random.default_rng([number, 7]), 2, 2, 1.0)
    longest = max(2 * settings.dense_lengths[-1], settings.window_lengths[-1])
    law = chain_law(kernel, longest)

    def tables(kind: str, t: int) -> ConstraintSet:
        if kind == "windows":
            block = marginal_of(law, tuple(range(t)))
            return Windows().constraints(WindowMarginals(block), 2, t)
        if kind == "band":
            block = marginal_of(law, (0, 1, 2))
            return Pairs(max_lag=2).constraints(WindowMarginals(block), 2, 3, 2 * t)
        joint = marginal_of(law, tuple(range(2 * t)))
        return Pairs().constraints(JointMarginals(joint), 2, t)

    found: dict[str, Floats] = {}
    for kind in ("dense", "windows", "band"):
        sets = [tables(kind, t) for t in getattr(settings, f"{kind.removesuffix('s')}_lengths")]
        found[kind], found[f"{kind}_bytes"] = cost_of(sets, kind)
        if kind == "dense":
            laws = [one.solve("ipf") for one in sets]
            found["dense_sweeps"] = np.array([float(one.iterations) for one in laws])
            found["dense_error"] = np.array([one.residual for one in laws])
    return found


def transformers(settings: Transformers, model: ModelConfig, number: int, device: str) -> dict[str, Floats]:
    """step (T, 2): seconds of a training step at T and at 2T, of as many tokens. decode (T, 3): seconds of a new token
    of one sequence beyond T: by a pass over a window of T tokens, by windows that overlap by T / 2 with keys kept
    within each, and by a model of 2T with kept keys. cached_error (): largest difference of the logits by kept keys
    from those of a whole forward pass."""
    step = np.zeros((len(settings.lengths), 2))
    decode = np.zeros((len(settings.lengths), 3))
    error = 0.0
    source = MarkovSource.random(vocab_size=settings.vocab_size, order=1, seed=number)
    for i, t in enumerate(settings.lengths):
        pair = [_ensemble(source, model, settings, n, number, device) for n in (t, 2 * t)]
        for one in pair:
            one.train_step(0)
        for at in range(1, settings.timed_steps + 1):  # in turn
            for j, one in enumerate(pair):
                step[i, j] += seconds_of(lambda one=one, at=at: one.train_step(at), device)  # type: ignore[misc]
        *decode[i], off = _decoding(pair, settings, t, number, device)
        error = max(error, off)
    return {"step": step / settings.timed_steps, "decode": decode, "cached_error": np.array(error)}


def _ensemble(
    source: MarkovSource, model: ModelConfig, settings: Transformers, length: int, seed: int, device: str
) -> Ensemble:
    windows = max(settings.tokens_per_step // length, 1)
    spec = TrainingSpec(
        source=source,
        context_length=length - 1,
        data=DataConfig(max_context=length - 1, n_targets=4 * windows, targets_per_step=windows, seed=seed),
        model=model,
        optimiser=OptimiserConfig(steps=1000),
        evaluation=EvaluationConfig(n_contexts=2, n_heldout=2, path_points=1),
        loss="all",
        initial_seed=seed,
    )
    return Ensemble([spec], device)


@torch.no_grad()
def _decoding(
    pair: list[Ensemble], settings: Transformers, t: int, seed: int, device: str
) -> tuple[float, float, float, float]:
    """Seconds per new token of one sequence by windows of both overlaps and by a cache, and how far its logits are
    off."""
    short, long = pair
    rng = np.random.default_rng([seed, t])
    drawn = rng.integers(settings.vocab_size, size=(settings.batch, 2 * t))
    tokens = torch.from_numpy(drawn).to(device)
    views = [one.model.layout.views(one.weights_EP) for one in pair]
    decoder = CachedDecoder(long.model, views[1], settings.batch, 2 * t + 1)
    begin = torch.full((settings.batch,), long.model.begin, device=tokens.device)
    places = sorted({t + round(i * (t - 1) / max(settings.timed_tokens - 1, 1)) for i in range(settings.timed_tokens)})
    by_window = by_cache = 0.0
    last = begin
    for place in range(2 * t):
        inputs = begin if place == 0 else tokens[:, place - 1]
        taken = seconds_of(lambda inputs=inputs: _keep(decoder, inputs), device)  # type: ignore[misc]
        if place in places:
            by_cache += taken
            window = with_begin(tokens[None, :, place - t + 1 : place], short.model.begin)
            by_window += seconds_of(lambda window=window: short.model.logits(views[0], window), device)  # type: ignore[misc]
        last = inputs
    whole = long.model.logits(views[1], with_begin(tokens[None, :, : 2 * t - 1], long.model.begin))[0]
    decoder.seen -= 1
    off = float((decoder.step(last) - whole).abs().max())
    by_half, half_off = _half_window(short, settings, tokens[:, : t - 1], device)
    scale = len(places) * settings.batch
    return by_window / scale, by_half / settings.batch, by_cache / scale, max(off, half_off)


def _half_window(short: Ensemble, settings: Transformers, tokens_BT: torch.Tensor, device: str) -> tuple[float, float]:
    """Seconds per new token of a batch by one window of T that overlaps by T / 2 with what is there: these tokens are
    read at once, the rest one by one with kept keys. And how far its last logits are off."""
    t = tokens_BT.shape[1] + 1
    overlap = t // 2
    views = short.model.layout.views(short.weights_EP)
    inputs = with_begin(tokens_BT[None], short.model.begin)
    decoder = CachedDecoder(short.model, views, settings.batch, t)
    given, new = inputs[0, :, : overlap + 1], inputs[0, :, overlap + 1 :]
    found: list[torch.Tensor] = []

    def window() -> None:
        found.append(decoder.read(given))
        found.extend(decoder.step(new[:, i]) for i in range(new.shape[1]))

    window()  # once before it is timed, as the others are
    taken = seconds_of(window, device)
    off = float((found[-1] - short.model.logits(views, inputs)[0]).abs().max())
    return taken / (t - overlap), off


def _keep(decoder: CachedDecoder, tokens_B: torch.Tensor) -> torch.Tensor:
    return decoder.step(tokens_B)
