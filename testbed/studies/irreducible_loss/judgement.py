"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.irreducible_loss.claims import claims
from testbed.studies.irreducible_loss.classes import CHAINS, COMMON, KINDS, MEMORY, MIXING, RARE, TRAINED
from testbed.studies.irreducible_loss.data import Data, Floats, gather
from testbed.studies.irreducible_loss.evidence import error, evidence
from testbed.studies.irreducible_loss.reading import one_limit
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

ALL_BUT_EXACT = 1e-9


def judgement(study: "IrreducibleLoss", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("a curve is missing, or a transformer did not finish")
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    tables = data.curves["table"].values()
    below = min(
        float((one[f"{sweep}_losses"] - one["truth"][:, None, None]).min())
        for one in tables
        for sweep in ("early", "late")
    )
    above = min(
        float((data.curves["table"][name]["truth"] - data.curves["table"][name]["rate"]).min()) for name in RARE
    )
    floors = min(float((one["floor"] - one["truth"]).min()) for one in data.curves["regression"].values())
    sizes = np.geomspace(1.0, 64.0, 7)
    exact = 0.5 + np.outer(0.3 * sizes**-0.8, [1 - 1e-6, 1 + 1e-6])
    planted = abs(one_limit(sizes, exact).estimate - 0.5)
    return (
        Check("no loss lies below the Bayes loss", below >= -ALL_BUT_EXACT, f"least excess {below:.1e} nats"),
        Check("no window's loss lies below the entropy rate", above >= -1e-6, f"least h_l - h {above:.1e} nats"),
        Check("no class loses less than the Bayes loss", floors >= -1e-6, f"least floor - h_l {floors:.1e} nats"),
        Check("the fit finds a planted limit", planted < 1e-4, f"error {planted:.1e} of a fall of 0.3"),
    )


def notes(study: "IrreducibleLoss", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    table = data.curves["table"]

    def bias(name: str, sweep: str) -> str:
        one = table[name]
        left = one[f"{sweep}_losses"].mean(axis=2)[:, -1] - one["truth"]
        return f"{KINDS[name].label} {percent((one[f'{sweep}_power'][:, 0] - one['truth']) / left)}"

    def two(name: str, sweep: str) -> str:
        return f"{KINDS[name].label} {percent(error(data.curves['two_sizes'][name], sweep))}"

    gaps = []
    for name in CHAINS:
        one = data.curves["regression"][name]
        gaps.append(f"{KINDS[name].label} {np.median(one['floor'] - one['truth']):.3f}")
    rates = ", ".join(f"{KINDS[name].label} {data.trained[name]['rate'][0]:g}" for name in TRAINED)
    tried = ", ".join(f"{one:g}" for one in study.training.learning_rates)
    left = []
    for name in TRAINED:
        one = data.trained[name]
        left.append(f"{KINDS[name].label} {np.median(one['floor'] - one['truth']):.4f}")
    return (
        f"{study.draws} sources of each class, from number {study.first_draw}; {study.two_size_draws} of them for two"
        f" sizes, {study.training.draws} for transformers. A curve's errors are those of the mean of its runs, smoothed"
        " over sizes.",
        "Median error of L_inf, as a share of what the largest size leaves above the Bayes loss. Early sizes:"
        f" {'; '.join(bias(name, 'early') for name in (*COMMON, *RARE))}. Late sizes:"
        f" {'; '.join(bias(name, 'late') for name in (*COMMON, *RARE))}.",
        f"Least loss of a regression on lags above the Bayes loss, median, nats: {'; '.join(gaps)}.",
        "Two sizes: median error of L_inf as a share of what the best table leaves above h. Much data:"
        f" {'; '.join(two(name, 'rich') for name in (*MIXING, *MEMORY))}. Few data:"
        f" {'; '.join(two(name, 'poor') for name in (*MIXING, *MEMORY))}. The form adds the two terms, where the excess"
        " of a table is N / 2D: no choice of A and B makes that a sum.",
        f"Learning rates of transformers: {rates} (of {tried})."
        f" Loss on an endless stream above the Bayes loss, median, nats: {'; '.join(left)}.",
    )


def percent(values: Floats) -> str:
    """The median, in per cent."""
    median = float(np.median(values))
    return f"{median:+.0%}" if abs(median) < 100 else f"{median:+.0f} times"
