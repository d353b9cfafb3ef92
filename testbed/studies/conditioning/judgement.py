"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.conditioning.claims import claims
from testbed.studies.conditioning.data import Data, Floats, gather, slope
from testbed.studies.conditioning.evidence import difference, evidence
from testbed.studies.conditioning.notes import notes
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

FALSE_ALARM = 1e-6
"""Probability that a sound study fails a statistical check."""
CHORD, SAME, NORM = 1e-3, 1e-3, 1e-3
"""Of a frontier between its points; of float32 logits; of float32 norms and condition numbers."""


def judgement(study: "Conditioning", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} runs diverged"
        return Judgement.incomplete(said)
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def chance(values: Floats) -> tuple[float, float]:
    """t of a mean of (R,) values, and how far it may be from 0 by chance."""
    from scipy.stats import t

    error = float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()) / max(error, 1e-12), float(t.isf(FALSE_ALARM / 2, len(values) - 1))


def checks(study: "Conditioning", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    off = data.off
    bound, largest = float(norm.isf(FALSE_ALARM / 2 / len(data.paired))), float(np.abs(data.paired).max())
    sham = difference(data, "sham", "random", study.bounds.levels)
    raised = data.planted["planted_high"] - data.planted["planted_low"]
    kept = np.abs(data.planted["planted_norm"] - data.planted["planted_low"]).max()
    norms = np.abs(data.pairs["planted_norm"] - data.pairs["planted_high"]).max()
    sham = sham[np.isfinite(sham)]
    found = [
        Check("what is held stays to the last bit", off["moved"] == 0, f"largest change {off['moved']:.1e}"),
        Check(
            "planting leaves the function as it is",
            off["changed"] < SAME,
            f"largest change of a log-probability {off['changed']:.1e}",
        ),
        Check(
            "nobody forgets less than the exact frontier",
            off["above"] > -CHORD,
            f"least KL_A less the frontier's {off['above']:.1e} nats",
        ),
        Check(
            "planting raises kappa, by 2 at least in the geometric mean of each replicate",
            bool(raised.mean(axis=1).min() > np.log(2)),
            f"least {np.exp(raised.mean(axis=1).min()):.2f}, mean {np.exp(raised.mean()):.2f}",
        ),
        Check(
            "planting the norm alone keeps kappa and gives pairs the norm that planting kappa gives them",
            bool(max(kept, norms) < NORM),
            f"largest |ln| of a ratio: kappa {kept:.1e}, norm {norms:.1e}",
        ),
        Check("NaP keeps its norms", off["projected"] < NORM, f"largest |ln| of a ratio {off['projected']:.1e}"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest |z| {largest:.2f}, bound {bound:.2f}"),
    ]
    for name, values in (
        ("two random choices forget alike", sham),
        ("fresh weights at every task do not age", slope(data.logs["fresh"], study.stream.skipped)),
    ):
        if len(values) > 1:
            found_t, most = chance(values)
            found.append(Check(name, abs(found_t) < most, f"t = {found_t:.2f}, bound {most:.2f}"))
    return tuple(found)
