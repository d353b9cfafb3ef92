"""Claims on coders and on extrapolated rates."""

from typing import TYPE_CHECKING

from testbed.studies.estimator_court.stated import ANSATZ, CODES, lengths_of, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt


def rate_claims(study: "EstimatorCourt") -> list[Claim]:
    b = study.bounds
    lengths = ", ".join(f"{one.n_tokens:,}" for one in study.sizes if one.coders)
    everything = f"{', '.join(one.label for one in study.sources)}; streams of {lengths} tokens"
    arms = {role: ", ".join(one.label for one in study.extrapolated if one.role == role) for role in ("class", "other")}
    within = f"within {b.ansatz:g} nats of h"
    form = "the form f_1"
    return [
        stated(
            study,
            "coders_above",
            "A universal coder's rate is an upper bound on h in expectation: context-tree weighting and back-off need"
            " at"
            " least what the exact law given the whole past needs, itself at least h on average; on every source and"
            " length.",
            CODES,
            everything,
            Region(lower=0.0),
            0.0,
            "nats, least mean of rate - exact code",
            "plug-in at the longest order, in this run",
        ),
        stated(
            study,
            "plug_in_above",
            "So is plug-in h_K of the longest order: it lies at or above h on average, on every source and length.",
            CODES,
            f"{', '.join(one.label for one in study.sources)}; {lengths_of(study)}",
            Region(lower=0.0),
            0.0,
            "nats, least mean of h_K - h",
            "the coders of this run",
        ),
        stated(
            study,
            "ansatz_class",
            f"A n^(b-1) + h fitted to exact H(n) / n gives h where block entropies are of that form: {within}.",
            ANSATZ,
            f"{arms['class']}; exact numbers",
            Region(upper=b.ansatz),
            b.ansatz,
            "nats, largest |error|",
            "the other sources of this run",
            form,
            True,
        ),
        stated(
            study,
            "ansatz_any",
            f"It does so on other sources too: {within}.",
            ANSATZ,
            f"{arms['other']}; exact numbers",
            Region(upper=b.ansatz),
            b.ansatz,
            "nats, largest |error|",
            "the class, in this run",
            form,
            True,
        ),
        stated(
            study,
            "ansatz_sampled",
            f"Fitted to the rates at which back-off codes a stream, it comes within {b.tolerance:g} nats of h in"
            f" {b.close:.0%} of streams from sources of that form.",
            ANSATZ,
            ", ".join(f"{one.label}, {one.n_tokens:,} tokens" for one in study.extrapolated if one.replicates),
            Region(lower=b.close),
            1 - b.close,
            "share of streams",
            "exact numbers of the same sources, in this run",
            form,
        ),
        stated(
            study,
            "ansatz_closer",
            "Extrapolating a coder's rates comes closer to h than the last rate does, in half of the streams or more.",
            ANSATZ,
            everything + "; each of the two coders",
            Region(lower=0.5),
            0.5,
            "share of streams, lesser of two coders",
            "",
            form,
        ),
    ]
