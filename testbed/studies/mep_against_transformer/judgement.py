"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.mep_against_transformer.claims import claims
from testbed.studies.mep_against_transformer.data import Data, gather
from testbed.studies.mep_against_transformer.evidence import crossings, evidence
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

ROUNDING = 1e-9
LEAST_LEARNT = 2
ALL_ONE = 1e-4
"""Nats per token: rates of which none loses more are all one."""


def judgement(study: "MepAgainstTransformer", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some model or replicate are missing")
    found = checks(study, data)
    usable = data if data.learnt.sum() >= LEAST_LEARNT else data_of_all(data)
    numbers = evidence(study, usable)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, usable))


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
            "the models of T and of 2T tokens have learnt their law",
            n >= LEAST_LEARNT,
            f"{n} of {len(data.learnt)} replicates within {study.bounds.gate:g} nats per token in every task",
        ),
    )


def notes(study: "MepAgainstTransformer", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    kept = data.kept()
    said = [_take_home(study, kept)]
    left_out = len(data.learnt) - int(data.learnt.sum())
    own = {"T": data.tables["own"].values.mean(axis=2), "2T": data.tables["long"].values.mean(axis=2)}
    largest = " and ".join(f"{one[data.learnt].max():.4f} ({name} tokens)" for name, one in own.items())
    said.append(
        f"{int(data.learnt.sum())} of {len(data.learnt)} replicates are judged; {left_out} left out because a"
        f" model was off by more than {study.bounds.gate:g} nats per token on the tokens it was trained on. Largest of"
        f" the others {largest}."
    )
    if left_out:
        said.append(
            "With those left out, too, the carried model is behind by (nats per new token)"
            f" {behind(data, [task.name for task in study.tasks])}."
        )
    grid = study.budget.learning_rates
    said.append(
        f"Learning rates tuned over {', '.join(f'{one:g}' for one in grid)}:"
        f" {', '.join(rate_words(data, key, grid) for key in data.rates)}."
    )
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


def rate_words(data: Data, key: tuple[str, str], grid: Sequence[float]) -> str:
    """A tuned rate; whether it lies at the edge of the grid, and whether the tuning could tell the rates apart."""
    rate, scores = data.rates[key], data.tuning.get(key, {})
    words = []
    if len(grid) > 1 and rate in (grid[0], grid[-1]):
        words.append("edge")
    if scores and max(scores.values()) < ALL_ONE:
        words.append(f"all within {ALL_ONE:g} nats")
    return f"{key[0]} {key[1]} {rate:g}" + (f" ({', '.join(words)})" if words else "")


def behind(data: Data, names: Sequence[str]) -> str:
    """How much more the carried model loses than that of 2T, by source."""
    differences = [
        data.interval(data.new("loss", task=one, scheme=data.sliding) - data.new("long", task=one))[0] for one in names
    ]
    return ", ".join(f"{name} {one:+.4f}" for name, one in zip(names, differences, strict=True))


def _take_home(study: "MepAgainstTransformer", data: Data) -> str:
    suffices = behind(data, [one.name for one in study.of_role("window suffices")])
    cannot = behind(data, [one.name for one in study.of_role("window cannot")])
    return (
        "Carrying a model of T tokens to 2T by its own tables is truncation to the last T - 1 tokens: against a model"
        f" trained at 2T it is behind by (nats per new token) {suffices} where they suffice, and {cannot} where they"
        " cannot."
    )
