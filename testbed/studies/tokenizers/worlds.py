"""Planted worlds: numbers with known means and the spread of a study's, through the same evidence and judge."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tokenizers.claims import PREDICTED, PREDICTED_TO_FAIL, REVERSED, claims
from testbed.studies.tokenizers.data import TOKENS, Numbers
from testbed.studies.tokenizers.evidence import evidence, first_evaluation

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

SPREAD = 0.02
"""Relative standard deviation of exact and estimated entropies over replicates."""
STEP_SPREAD = 0.4
"""Standard deviation of the logarithm of a number of steps."""


def worlds(study: "Tokenizers") -> list[World]:
    """One in which the predictions come true, one in which every single one is wrong."""
    return [_world(study, name) for name in (PREDICTED, REVERSED)]


def _world(study: "Tokenizers", name: str) -> World:
    named = claims(study)
    fails = {one.id: (one.id.rpartition(".")[2] in PREDICTED_TO_FAIL) == (name == PREDICTED) for one in named}
    expected: dict[str, Word | None] = {key: "fails" if failing else "holds" for key, failing in fails.items()}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        found = evidence(study, planted(study, name == PREDICTED, rng, n_replicates), int(rng.integers(2**31)))
        return [(claim, found[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "Tokenizers", predicted: bool, rng: np.random.Generator, n_replicates: int) -> Numbers:
    """The numbers of one draw."""
    bounds, lag = study.bounds, study.lag_arms
    n_arms, n_sizes, n_lengths = len(lag), len(lag[0].sizes), len(study.texts.training_lengths)
    n_coders = len(lag[0].coders)
    n_members = max(2, round(n_replicates * len(study.member_numbers) / study.replicates))

    def around(means: np.ndarray | float, *shape: int, n: int = n_replicates) -> np.ndarray:
        return np.asarray(means) * (1.0 + SPREAD * rng.standard_normal((n, *shape)))

    cost = around(-0.1, 1 + n_arms, n_coders, n_sizes)
    if predicted:
        cost[:, 0, 0, 1] = around(0.1 + bounds.hurt)
    with_size = np.linspace(0.85 * bounds.bpe_factor, 0.95 * bounds.near, n_sizes)
    if not predicted:
        with_size = np.linspace(1.25 * bounds.bpe_factor, 1.2 * bounds.near, n_sizes)
    rising = np.linspace(2.5, 4.0, n_lengths)
    falling = np.linspace(1.6, 0.4, n_lengths)
    true = around(rising if predicted else 4.5 - rising, 1 + n_arms, n_lengths)
    plug_in = around(falling if predicted else falling[::-1], 1 + n_arms, n_lengths)
    if not predicted:
        plug_in[:, 0] = around(1.0, n_lengths)
    falling_per_symbol = np.linspace(2.0, 0.0, n_lengths) * bounds.fall * (0.0 if predicted else 5.0)
    off = np.linspace(0.0, 3 * bounds.relative if predicted else 0.0, n_lengths)
    steps, token_steps = _steps(study, predicted, rng, n_members)
    return Numbers(
        cost=cost,
        byte_pairs=around(with_size, n_arms, n_sizes),
        lzw=around(0.85 if predicted else 1.2, n_arms, n_sizes),
        unigram=around(rising if predicted else rising[::-1], 1 + n_arms, n_lengths),
        true=true,
        plug_in=plug_in,
        corrected=true * (1.0 + off * (1.0 + SPREAD * rng.standard_normal(true.shape))),
        per_symbol=0.4 + around(falling_per_symbol, 1 + n_arms, n_lengths),
        fall_true=around(0.25 if predicted else 0.55, n_arms),
        fall_plug_in=around(0.25 / bounds.share * 1.3 if predicted else 0.55 / bounds.share * 0.7, n_arms),
        words=(0.0 if predicted else 10 * bounds.words) + 0.1 * bounds.words * rng.standard_normal(n_replicates),
        steps=steps,
        token_steps=token_steps,
        final=around(
            1.0 + 0.1 * (bounds.near - 1.0) if predicted else 1.2 * bounds.near, len(TOKENS), n_arms, n=n_members
        ),
    )


def _steps(
    study: "Tokenizers", predicted: bool, rng: np.random.Generator, n_replicates: int
) -> tuple[np.ndarray, np.ndarray]:
    """(R, contexts, arms) and (R, coders, arms): plateaus that lengthen and end; or that tokens do not shorten."""
    learners = study.learners
    contexts, n_steps = np.array(learners.contexts, dtype=np.float64), learners.optimiser.steps
    at = learners.contexts.index(learners.token_context)
    orders = np.array([arm.order for arm in study.lag_arms])
    first = first_evaluation(study)
    wobble = np.exp(STEP_SPREAD * rng.standard_normal((n_replicates, len(contexts), len(orders))))
    tokens = np.full((n_replicates, len(TOKENS), len(orders)), first)
    if predicted:
        rank = np.argsort(np.argsort(orders))
        steps = 4 * first * (contexts / contexts[0])[:, None] ** 0.75 * 2.0**rank * wobble
        steps = np.minimum(steps, n_steps)
        steps[..., orders == 1] = first
        return steps, tokens
    steps = np.full(wobble.shape, np.inf)
    steps[:, :-1, orders == orders.max()] = 0.6 * n_steps
    steps[..., orders == 1] = first * 2.0 ** (2 + study.bounds.faster)
    tokens = np.minimum(steps[:, at, None, :], n_steps)
    return steps, np.broadcast_to(tokens, (n_replicates, len(TOKENS), len(orders))).copy()
