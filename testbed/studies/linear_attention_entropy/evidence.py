"""The numbers that the claims are about.

Excess is KL from the Bayes law at the places looked at, as a share of what context tells: the KL of the uniform law.

floor, gap          mean entropy of random rows of NaLa at the longest query, over ln N; its fall from the shortest to
                    the longest, over the softmax's
monotone            share of all draws in which NaLa's entropy rises with |q|
copy_*, bigram_*    differences of excess of arms that share sequences; the largest over T and over arms
unigram_equal       largest excess of a linear kernel less that of the softmax
*_misses, *_hits    KL of answers less that of the softmax, over ln V; the largest over arms
hyper_*             what HyperAttention adds on chains less what it adds on coins, or on copies
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Open
from testbed.studies.judge.proportion import Proportion
from testbed.studies.linear_attention_entropy.claims import STUDY
from testbed.studies.linear_attention_entropy.config import (
    AFFINE,
    BIGRAM,
    KERNELS,
    LEARNED,
    LINEAR,
    LONGER,
    MISSES,
    READERS,
    SINKS,
    UNIGRAM,
    Arm,
)
from testbed.studies.linear_attention_entropy.data import Data
from testbed.studies.linear_attention_entropy.gates import reasons
from testbed.studies.linear_attention_entropy.measure import visible

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

DELTA = 0.01
"""Share of ln V that a copy may lose where it is asked what entropy that demands."""


def evidence(study: "LinearAttentionEntropy", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id; open where its gates are not met."""
    shut = reasons(study, data)

    def gated(name: str, number: Evidence) -> Evidence:
        return Open(number, "; ".join(shut[name])) if shut.get(name) else number

    return {f"{STUDY}.{name}": gated(name, number) for name, number in numbers(study, data).items()}


def numbers(study: "LinearAttentionEntropy", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the last part of its id."""
    design, nala, soft = data.design, KERNELS.index("nala"), KERNELS.index("softmax")
    copies, central, last = design.copies, design.central, design.copies[-1]
    random, mean = data.random, data.mean
    fall = random[:, :, 0] - random[:, :, -1]

    def worst(arm: Arm, others: Sequence[Arm], tasks: Sequence[str], what: str = "lost") -> Evidence:
        return Max(mean(data.less(task, arm, other, what)) for task in tasks for other in others)

    def above(arms: Sequence[Arm], task: str, what: str) -> Evidence:
        return Max(mean(data.less(task, arm, "softmax", what)) for arm in arms)

    grown = data.less(last, "nala", "softmax") - data.less(copies[0], "nala", "softmax")
    keys = np.log(visible(design.middle))
    added = {task: data.share(task, "softmax", "added") for task in (central, BIGRAM, UNIGRAM)}
    n = data.draws * len(random)
    return {
        "floor": mean(random[:, nala, -1] / np.log(study.reading.n_keys)),
        "gap": mean(fall[:, nala] / fall[:, soft]),
        "monotone": Proportion(round(float(data.rises[:, nala].sum() * data.draws)), n, "draw"),
        "copy_relu": worst("nala", ("relu",), copies),
        "copy_best": worst("nala", ("elu", "relu", "taylor"), copies),
        "copy_softmax": worst("softmax", ("nala",), copies),
        "copy_grows": mean(grown),
        "copy_spiky": Max(mean(data.least_entropy(task, "nala")) for task in copies),
        "copy_longer": mean(data.share(LONGER, "nala")),
        "copy_mass": mean(data.least_entropy(central, "taylor")),
        "copy_released": worst("nala_rope", ("relu",), (central,)),
        "learned_copies": mean(data.share(LEARNED, "nala")),
        "learned_flat": mean(data.least_entropy(LEARNED, "relu") / keys),
        "bigram_relu": worst("nala", ("relu",), (BIGRAM,)),
        "bigram_softmax": worst("softmax", ("nala",), (BIGRAM,)),
        "unigram_equal": above(LINEAR, UNIGRAM, "lost"),
        "affine_misses": above(("affine",), MISSES, "miss"),
        "window_misses": above(("affine_window",), MISSES, "miss"),
        "affine_hits": above(AFFINE, MISSES, "hit"),
        "sinks_misses": above(SINKS, MISSES, "miss"),
        "sinks_hits": above(SINKS, MISSES, "hit"),
        "whole_equal": above(READERS[1:], MISSES, "whole"),
        "hyper_coins": mean(added[BIGRAM] - added[UNIGRAM]),
        "hyper_copies": mean(added[BIGRAM] - added[central]),
    }


def allowed(data: Data, length: int) -> float:
    """The largest entropy at which a copy loses at most DELTA ln V, between the points of the price."""
    h, x = data.demand[length]
    bound = DELTA * np.log(data.design.vocab_size)
    above = np.flatnonzero(x > bound)
    i = int(above[0]) if len(above) else len(x)
    if i in (0, len(x)):
        return float(h[min(i, len(x) - 1)])
    return float(h[i - 1] + (h[i] - h[i - 1]) * (bound - x[i - 1]) / (x[i] - x[i - 1]))
