"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import judge
from testbed.studies.mep_against_transformer.claims import claims
from testbed.studies.mep_against_transformer.data import Data, gather
from testbed.studies.mep_against_transformer.evidence import crossings, evidence
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

ROUNDING = 1e-9
LEAST_LEARNT = 2


def judgement(study: "MepAgainstTransformer", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement((), (Check("complete", False, "records of some model or replicate are missing"),))
    found = checks(study, data)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    usable = data if data.learnt.sum() >= LEAST_LEARNT else data_of_all(data)
    numbers = evidence(study, usable)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement(tuple(judge(pairs, study.alpha, void=void)), found, notes(study, usable))


def data_of_all(data: Data) -> Data:
    """All replicates, so that a study voided by its gate can still be printed."""
    return Data(data.tables, np.ones_like(data.learnt), data.context_length, data.rates, data.tuning)


def checks(study: "MepAgainstTransformer", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    tables = data.tables
    least = min(float(np.nanmin(tables[name].values)) for name in ("own", "exact", "loss", "long", "counted"))
    t = data.context_length
    prefix = np.abs(tables["loss"].at(scheme=data.sliding)[:, :, :t] - tables["own"].values).max()
    ways = tables["distances"].at(distance="ways") - tables["distances"].at(distance="delta")
    suffices = [float(np.abs(tables["exact"].at(task=one.name)).max()) for one in study.of_role("window suffices")]
    cannot = [float(data.new("exact", task=one.name).min()) for one in study.of_role("window cannot")]
    n = int(data.learnt.sum())
    return (
        Check("no divergence is negative", least > -ROUNDING, f"least {least:.1e} nats"),
        Check("the sliding window keeps the model's own T tokens", prefix < 1e-8, f"largest difference {prefix:.1e}"),
        Check(
            "autoregressive and backward laws of two windows differ by their separators' distance",
            float(np.abs(ways).max()) < 1e-8,
            f"largest difference {np.abs(ways).max():.1e} of total variation",
        ),
        Check(
            "exact tables of T tokens lose nothing where a window suffices, and something where it cannot",
            max(suffices) < 1e-6 and min(cannot) > study.bounds.gain,
            f"at most {max(suffices):.1e}, at least {min(cannot):.4f} nats per new token",
        ),
        Check(
            "the models of T tokens have learnt their law",
            n >= LEAST_LEARNT,
            f"{n} of {len(data.learnt)} replicates within {study.bounds.gate:g} nats per token in every task",
        ),
    )


def notes(study: "MepAgainstTransformer", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    kept = data.kept()
    said = [_take_home(study, kept)]
    left_out = len(data.learnt) - int(data.learnt.sum())
    own = data.tables["own"].values.mean(axis=2)
    said.append(
        f"{int(data.learnt.sum())} of {len(data.learnt)} replicates are judged; {left_out} left out because a"
        f" model of T"
        f" tokens was off by more than {study.bounds.gate:g} nats per token. Largest of the others"
        f" {own[data.learnt].max():.4f}."
    )
    edge = study.budget.learning_rates[-1]
    rates = ", ".join(
        f"{task} {kind} {rate:g}{' (upper edge)' if rate == edge else ''}" for (task, kind), rate in data.rates.items()
    )
    said.append(f"Tuned learning rates: {rates}.")
    for task in study.tasks:
        numbers = ", ".join(
            f"{label} {kept.interval(values)[0]:.4f}"
            for label, values in (
                ("carried", kept.new("loss", task=task.name, scheme=kept.sliding)),
                ("exact tables of T", kept.new("exact", task=task.name)),
                ("trained at 2T", kept.new("long", task=task.name)),
                ("back-off", kept.new("counted", task=task.name, scheme="back_off_all")),
                ("pairs from counts", kept.new("counted", task=task.name, scheme="pairs_all")),
            )
        )
        said.append(f"{task.name}, nats per new token: {numbers}.")
    for name, label in (("few", "a model's tables"), ("few_counted", "counts")):
        middle, low, high = (float(np.exp(one)) for one in data.interval(np.log(crossings(data, name))))
        said.append(
            f"Measured over predicted N of the crossing, {label}, geometric mean: {middle:.2f} [{low:.2f}, {high:.2f}]."
        )
    return tuple(said)


def _take_home(study: "MepAgainstTransformer", data: Data) -> str:
    def behind(names: list[str]) -> str:
        differences = [
            data.interval(data.new("loss", task=one, scheme=data.sliding) - data.new("long", task=one))[0]
            for one in names
        ]
        return ", ".join(f"{name} {one:+.4f}" for name, one in zip(names, differences, strict=True))

    suffices = behind([one.name for one in study.of_role("window suffices")])
    cannot = behind([one.name for one in study.of_role("window cannot")])
    return (
        "Carrying a model of T tokens to 2T by its own tables is truncation to the last T - 1 tokens: against a model"
        f" trained at 2T it is behind by (nats per new token) {suffices} where they suffice, and {cannot} where they"
        " cannot."
    )
