"""Transformers trained on random chains: what becomes of the statements where a model's laws stand for the chain's."""

import numpy as np

from testbed.measures.probability_gap import gap_of_laws, gap_statistics
from testbed.sources import MarkovSource
from testbed.studies.probability_gap.chains import Floats
from testbed.studies.probability_gap.config import Trained
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.member import TrainedMember

STATISTICS = ("gap", "margin", "entropy", "expected_max")
SEEDS_APART = 100_000
"""Seeds of a replicate's transformers: its number, and so much more for each."""


def training_spec(settings: Trained, replicate: int, model: int) -> TrainingSpec:
    """A transformer that learns a chain of its own, at every context of 0 .. M tokens."""
    seed = replicate + (model + 1) * SEEDS_APART
    source = MarkovSource(
        vocab_size=settings.vocab_size, order=settings.order, concentration=settings.concentration, seed=seed
    )
    m = settings.max_context
    return TrainingSpec(
        source=source,
        context_length=m,
        data=DataConfig(max_context=m, targets_per_step=settings.windows_per_step, seed=seed),
        model=settings.model,
        optimiser=OptimiserConfig(
            learning_rate=settings.learning_rate, steps=settings.steps, warmup_steps=20, beta2=0.99
        ),
        evaluation=EvaluationConfig(n_contexts=64, n_heldout=64, path_points=1),
        loss="all",
        initial_seed=seed,
    )


def trained_arrays(settings: Trained, member: TrainedMember) -> dict[str, Floats]:
    """For m = 0 .. M, the model's laws weighted with the chain's contexts: gap, margin, entropy, expected_max (M + 1,);
    the chain's own as source_*. violation (2,): largest rise of the mean entropy and largest fall of the mean gap in a
    step of m. excess (): KL from the chain's law after M tokens, nats."""
    source, v, m = member.spec.source, settings.vocab_size, settings.max_context
    found = source.context_law(m + 1)
    block = np.zeros((v,) * (m + 1))
    block[tuple(found.contexts.T.astype(np.int64))] = found.probabilities
    weights, laws = [], []
    for length in range(m + 1):
        joint = block.sum(axis=tuple(range(length, m + 1)))
        weights.append(joint.reshape(-1))
        contexts = np.indices((v,) * length).reshape(length, -1).T if length else np.zeros((1, 0), dtype=np.int64)
        table = np.exp(member.log_laws(contexts))
        laws.append(table / table.sum(axis=1, keepdims=True))
    model, chain = gap_of_laws(weights, laws), gap_statistics(block)
    last = block.reshape(-1, v)
    true = last / last.sum(axis=1, keepdims=True)
    excess = np.sum(last * (np.log(true, out=np.zeros_like(true), where=true > 0) - np.log(laws[-1])))
    return {
        **{name: np.asarray(getattr(model, name)) for name in STATISTICS},
        **{f"source_{name}": np.asarray(getattr(chain, name)) for name in STATISTICS},
        "violation": np.array([np.diff(model.entropy).max(), -np.diff(model.gap).min()]),
        "excess": np.array(excess),
    }
