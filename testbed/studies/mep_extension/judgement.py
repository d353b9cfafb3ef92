"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.mep_extension import evidence as numbers_of
from testbed.studies.mep_extension.claims import claims
from testbed.studies.mep_extension.data import Data, gather
from testbed.studies.mep_extension.laws import noise_loss
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

ROUNDING = 1e-9


def judgement(study: "MepExtension", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = checks(study, data)
    numbers = numbers_of.evidence(study.bounds, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "MepExtension", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims, and that the numbers of the theorems can fail."""
    exact, arm = data.arms["exact"], study.exact
    formula = float(exact["formula"].values.max())
    lost = noise_loss(arm.vocab_size, arm.noise)
    t = data.context_length
    copies = np.abs(data.loss("copy", data.window) - lost).max()
    runs = np.abs(data.loss("parity_run", "chain") - lost).max()
    far = np.abs(data.loss("parity_far", data.window) - lost / t).max()
    noise = float(max(copies, runs, far))
    least = float(exact["divergence"].values.min())
    pythagoras = max(float(data.arms[name]["pythagoras"].values.max()) for name in ("counts", "counts_wide"))
    prefix = max(
        float(np.abs(exact["divergence"].at(source=s, scheme=data.window)[:, :t]).max())
        for s in numbers_of.sources(data)
    )
    beyond = max(float((data.loss(s, data.window) - data.loss(s, "pairs_all")).max()) for s in numbers_of.SKIP_WINS)
    chain = data.arms["groups"]["triangle"].at(law="chain", option="neighbour") - data.arms["groups"]["triangle"].at(
        law="chain", option="triangle"
    )
    settled = float(data.arms["groups"]["one_way"].at(case="one way, dirichlet").max())
    return (
        Check("windows lose what the closed form says", formula < ROUNDING, f"largest difference {formula:.1e} nats"),
        Check(
            "parities and copies lose ln V less the noise's entropy",
            noise < ROUNDING,
            f"largest difference {noise:.1e} nats from {lost:.6f}",
        ),
        Check("no divergence is negative", least > -ROUNDING, f"least {least:.1e} nats"),
        Check("the window keeps the prefix", prefix < ROUNDING, f"largest loss on t < T {prefix:.1e} nats"),
        Check(
            "bias and estimation error add up",
            pythagoras < ROUNDING,
            f"largest |KL(p || qhat) - KL(p || q*) - KL(q* || qhat)| {pythagoras:.1e} nats",
        ),
        Check(
            "C2's number sees a set that beats the window",
            beyond > study.bounds.gain,
            f"all pairs gain up to {beyond:.3f} nats per new token where they reach further",
        ),
        Check(
            "C4's number sees a skip table that adds nothing",
            float(np.abs(chain).max()) < ROUNDING,
            f"on first-order chains the triangle gains {np.abs(chain).max():.1e} nats",
        ),
        Check(
            "C13's number sees conditionals that settle the law",
            settled < 1e-5,
            f"one way on unstructured laws: total variation {settled:.1e} at most",
        ),
    )


def notes(study: "MepExtension", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    return (
        _take_home(study, data),
        f"{study.replicates} draws of every random law; parities and copies are the same in all of them.",
        _crossing_note(data),
        "Judged elsewhere: tables of a trained model (mep_against_transformer), seconds and memory (mep_cost). Rank and"
        " tables stand for C8's cost here; what has no closed form also costs V^(2T) numbers laid out, or V^w"
        " for a band"
        " of width w.",
        "Single laws differ widely: what one draw of each source shows may be far from the figures' means.",
    )


def _take_home(study: "MepExtension", data: Data) -> str:
    wide, few = data.arms["counts_wide"]["loss"], study.bounds.few
    window, kt, chain, back_off = (
        data.interval(wide.at(source="markov_1", scheme=name, size=few))[0]
        for name in (data.window, "window_kt", "chain", "back_off_dirichlet")
    )
    separation = float(numbers_of.evidence(study.bounds, data)["mep_extension.c2_separation"].estimate)
    exact = (
        "With exact tables of T successive tokens nothing beats a sliding window"
        if separation <= study.bounds.exact
        else "With exact tables of T successive tokens some set beat the window, against the theorem"
    )
    smoothing = "; a smoothed window does as well as back-off" if kt <= back_off else ""
    return (
        f"{exact}; from {few} sequences (V = {study.counts_wide.vocab_size}, first-order chains) the neighbour-pair"
        f" chain loses {chain:.4f} nats per new token, the window {window:.4f}, smoothed by half counts {kt:.4f}, and"
        f" back-off {back_off:.4f}{smoothing}."
    )


def _crossing_note(data: Data) -> str:
    ratio = numbers_of.crossings(data)
    middle, low, high = (float(np.exp(one)) for one in data.interval(np.log(ratio)))
    return (
        f"Measured over predicted N of the crossing, geometric mean: {middle:.2f} [{low:.2f}, {high:.2f}]; single laws"
        f" {ratio.min():.2f} to {ratio.max():.2f}. r / 2N is the first order in 1 / N."
    )
