"""The number of each claim, from arrays over replicates.

Statements on chains   the share of chains that violate the statement, the largest over kinds of chain
ratio                  the share of searches that find a counterexample
plug_in_test           the share of data sets of noise on which the plug-in gap rises
noise_formula          max over m of |mean plug-in / formula - 1|
split_noise, shrunk_unbiased   max over m of |mean estimate|, on noise
bracket                min over kinds and m of mean (plug-in - truth) and mean (truth - split)
shrunk_nearer          min over kinds of mean (|plug-in - truth| - |shrunk - truth|) at M tokens

Shares are of independent trials (chains, searches, data sets) with exact binomial bounds, means are over replicates; a
maximum is of true numbers (see `judge.extremes`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.probability_gap.chains import UNPROVED, Floats
from testbed.studies.probability_gap.claims import STUDY
from testbed.studies.probability_gap.config import Chains
from testbed.studies.probability_gap.data import Data, proportion

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

ON_COPIES = ("every_context", "most_contexts", "every_entropy", "margin", "ratio")
"""What holds where all contexts of one length are alike."""


def evidence(study: "ProbabilityGap", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    random, copying = study.random_chains, study.copying_chains

    def worst(statements: Sequence[str], chains: Sequence[Chains] = random) -> Evidence:
        return Max([data.share(one, name) for one in chains for name in statements])

    numbers: dict[str, Evidence] = {
        name: worst([name])
        for name in (
            *("entropy_chain", "averaged_gap", "extremes", "size"),
            *("every_context", "most_contexts", "every_entropy", "strict"),
        )
    }
    for place, name in enumerate(("learner_entropy", "learner_gap")):
        numbers[name] = Max([proportion(data.learner[one.label][:, place]) for one in random])
    for place, name in enumerate(("trained_entropy", "trained_gap")):
        numbers[name] = proportion(data.trained[..., place], "transformer")
    numbers |= {
        "margin": worst(["margin"], [one for one in random if one.vocab_size > 2]),
        "margin_binary": worst(["margin"], [one for one in random if one.vocab_size == 2]),
        "ratio_usual": worst(["ratio"]),
        "ratio": proportion(data.found[:, UNPROVED.index("ratio")], "search"),
        "copying": worst(ON_COPIES, copying),
        **_of_samples(study, data),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def lengths_of_formula(study: "ProbabilityGap") -> int:
    """Number of m = 0 .. at which the formula for noise is judged: V^(m + 1) <= N."""
    m = np.arange(study.samples.max_context + 1)
    return int(np.sum(study.samples.vocab_size ** (m + 1.0) <= study.samples.n))


def _of_samples(study: "ProbabilityGap", data: Data) -> dict[str, Evidence]:
    noise = data.samples["noise"]
    relative = noise["plug_in"] / noise["noise"] - 1.0
    bracket: list[Evidence] = []
    nearer: list[Evidence] = []
    for kind, found in data.samples.items():
        if kind != "noise":
            bracket += [data.mean(column) for column in (found["plug_in"] - found["truth"]).T]
            bracket += [data.mean(column) for column in (found["truth"] - found["split"]).T]
        errors = {
            name: np.abs(data.raw[f"samples_{kind}"][name] - found["truth"][:, None]).mean(axis=1)[:, -1]
            for name in ("plug_in", "shrunk")
        }
        nearer.append(data.mean(errors["plug_in"] - errors["shrunk"]))
    return {
        "plug_in_test": proportion(data.alarms, "data set"),
        "noise_formula": _largest(data, relative[:, : lengths_of_formula(study)]),
        "split_noise": _largest(data, noise["split"]),
        "bracket": Min(bracket),
        "shrunk_nearer": Min(nearer),
        "shrunk_unbiased": _largest(data, noise["shrunk"]),
    }


def _largest(data: Data, values: Floats) -> Evidence:
    """max over columns of |mean|, as its two sides."""
    return Max([data.mean(sign * column) for column in values.T for sign in (1.0, -1.0)])
