"""The number of each claim: a mean over replicates of the arrays in `Numbers`, or an extreme of such means.

U is the unigram cost over tokens, nats a symbol. "worst" is the largest over what follows, found in each replicate and
then averaged: these numbers are exact for each tokenizer that was trained, and some of them take few values.

    bpe_bound            worst U / h over arms and sizes
    lzw_bound            worst U (1 - epsilon) / h over arms and sizes
    near_optimal         worst U / h over arms at the largest size
    never_hurts          worst U - H(symbol) over coin, arms, coders, sizes
    words                U - h over all words
    more_diverse         min over arms of  H(token) at the longest training less that at the shortest
    predictable_*        min over arms of  h_3 at the shortest training less that at the longest
    predictable_per_symbol    min over arms of the fall of h_3 / E[length]
    null_plug_in         the same of the coin, plug-in
    corrected            worst |NSB / h_3 - 1| over coin, arms, training lengths
    fall_is_absorbed     min over arms of  (true fall) - share (plug-in fall)
    plateau_stays        min over arms, k >= 2, of the share of runs that are never halfway, longest context
    tokens_break_it      log2(steps on symbols / steps on tokens), mean over arms with k >= 2 and coders
    no_plateau_at_one    min over contexts of the share of runs halfway by twice the first evaluated step, k = 1
    tokens_near_optimal  max over arms and coders of  last loss / h
    plateau_with_order   log2(steps at larger k / at smaller k), mean over neighbouring k >= 2 and contexts
    plateau_with_context slope of ln steps in ln T, mean over arms with k >= 2

Steps beyond the schedule are set to its end, and steps before the first evaluation to that: a ratio can only be too
small where it is large.
"""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.judge import Evidence, Max, Mean, Min, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tokenizers.data import Floats, Numbers
from testbed.training.evaluation import path_steps

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers


def evidence(study: "Tokenizers", found: Numbers, seed: int = 0) -> dict[str, Evidence]:
    """By the ids of the claims."""
    design = Replicates.grid({"replicate": len(found.words)}, seed=seed)
    learnt = Replicates.grid({"member": len(found.steps)}, seed=seed)

    def means(values: Floats, of: Replicates = design) -> list[Evidence]:
        """Of every column of (R, ...)."""
        return [Mean(column, of) for column in values.reshape(len(values), -1).T]

    share, n_steps = study.bounds.share, study.learners.optimiser.steps
    long = [i for i, arm in enumerate(study.lag_arms) if arm.order >= 2]
    one = [i for i, arm in enumerate(study.lag_arms) if arm.order == 1]
    log_steps = np.log2(np.minimum(found.steps, n_steps))
    log_tokens = np.log2(np.minimum(found.token_steps, n_steps))
    at = study.learners.contexts.index(study.learners.token_context)
    saved = log_steps[:, at, None, :] - log_tokens  # (R, coders, arms)
    stayed = np.isinf(found.steps[:, -1, long])
    soon = found.steps[:, :, one] <= 2 * first_evaluation(study)
    by_order = sorted(long, key=lambda i: study.lag_arms[i].order)
    longer = [log_steps[:, :, b] - log_steps[:, :, a] for a, b in itertools.pairwise(by_order)]
    # the fewest and the most training data
    more, plug_in, true, per_symbol = (
        (one[..., 0], one[..., -1]) for one in (found.unigram, found.plug_in, found.true, found.per_symbol)
    )
    numbers: dict[str, Evidence] = {
        "bpe_bound": Mean(worst(found.byte_pairs), design),
        "lzw_bound": Mean(worst(found.lzw), design),
        "near_optimal": Mean(worst(found.byte_pairs[..., -1]), design),
        "never_hurts": Mean(worst(found.cost), design),
        "words": Mean(found.words, design),
        "more_diverse": Min(means((more[1] - more[0])[:, 1:])),
        "predictable_plug_in": Min(means((plug_in[0] - plug_in[1])[:, 1:])),
        "predictable_true": Min(means((true[0] - true[1])[:, 1:])),
        "predictable_per_symbol": Min(means((per_symbol[0] - per_symbol[1])[:, 1:])),
        "null_plug_in": Mean((plug_in[0] - plug_in[1])[:, 0], design),
        "corrected": Mean(worst(np.abs(found.corrected / found.true - 1.0)), design),
        "fall_is_absorbed": Min(means(found.fall_true - share * found.fall_plug_in)),
        "plateau_stays": Min(_shares(stayed)),
        "tokens_break_it": Mean(saved[..., long].mean(axis=(1, 2)), learnt),
        "no_plateau_at_one": Min(_shares(soon.reshape(len(soon), -1))),
        "tokens_near_optimal": Max(means(found.final, learnt)),
        "plateau_with_order": Mean(np.mean(longer, axis=(0, 2)), learnt),
        "plateau_with_context": Mean(
            slopes(np.array(study.learners.contexts), log_steps[:, :, long]).mean(axis=1), learnt
        ),
    }
    return {f"tokenizers.{name}": value for name, value in numbers.items()}


def _shares(happened: NDArray[np.bool_]) -> list[Evidence]:
    """Of every column of (R, n)."""
    return [Proportion(int(column.sum()), len(column), "member") for column in happened.T]


def worst(values: Floats) -> Floats:
    """(R, ...) -> (R,) the largest of what is defined."""
    return np.asarray(np.nanmax(values.reshape(len(values), -1), axis=1))


def first_evaluation(study: "Tokenizers") -> int:
    """The step of the first evaluation: plateaus that end before it are not seen."""
    return path_steps(study.learners.optimiser.steps, study.learners.evaluation.path_points)[0]


def slopes(contexts: Floats, log_steps: Floats) -> Floats:
    """(R, contexts, arms) log2 steps -> (R, arms) least-squares slope in log2 of the context length."""
    x = np.log2(contexts)
    x = x - x.mean()
    return np.asarray(np.einsum("c,rca->ra", x, log_steps) / (x @ x))
