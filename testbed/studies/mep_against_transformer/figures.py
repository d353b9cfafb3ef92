"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.mep_against_transformer.data import Data, gather
from testbed.studies.mep_against_transformer.drawing import bars, ids, look
from testbed.studies.mep_against_transformer.extensions import POLICIES, Floats
from testbed.studies.mep_against_transformer.few_figure import few_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

FLOOR = 1e-5
"""Nats: on logarithmic axes what is smaller is drawn here."""
NAMES = {
    "pairs_near": "pairs, lag < T",
    "conditional_near": "conditional, last T $-$ 1",
    "kirkwood_near": "Kirkwood, lag < T",
    "chain": "neighbour-pair chain",
    "unigram": "unigram",
    "pairs_all": "all pairs, counted at 2T",
    "back_off": "back-off, T $-$ 1 tokens",
    "back_off_all": "back-off, all tokens",
}
LINES = ("carried", "exact tables of T", "trained at 2T", "back-off, all tokens", "all pairs, counted at 2T")


def figures(study: "MepAgainstTransformer", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done and two replicates have learnt."""
    every = gather(study, records)
    if every is None or every.learnt.sum() < 2:
        return {}
    data = every.kept()
    return {
        "models": models_figure(study, data),
        "tokens": tokens_figure(study, data),
        "policies": policies_figure(study, data),
        "few_windows": few_figure(study, every),
    }


def _options(data: Data, task: str) -> dict[str, Floats]:
    """(R, 2T) losses of everything that is compared, by name; the two models first."""
    tables = data.tables
    found = {
        "carried, sliding window": tables["loss"].at(task=task, scheme=data.sliding),
        "trained at 2T": tables["long"].at(task=task),
        "exact tables of T": tables["exact"].at(task=task),
    }
    for scheme in tables["loss"].axes["scheme"]:
        if scheme != data.sliding:
            label = NAMES.get(scheme, f"windows, overlap {scheme.rpartition('_')[2]}")
            found[f"carried, {label}"] = tables["loss"].at(task=task, scheme=scheme)
    for scheme in tables["counted"].axes["scheme"]:
        found[NAMES[scheme]] = tables["counted"].at(task=task, scheme=scheme)
    return found


def models_figure(study: "MepAgainstTransformer", data: Data) -> StudyFigure:
    """X of every model, set and baseline, a panel a source."""
    import matplotlib.pyplot as plt

    t = data.context_length
    names = [task.name for task in study.tasks]
    figure, axes = plt.subplots(1, len(names), figsize=(7, 4.6), sharey=True, squeeze=False)
    rows = []
    for axis, name in zip(axes[0], names, strict=True):
        options = _options(data, name)
        for place, (label, values) in enumerate(options.items()):
            middle, low, high = data.interval(values[:, t:].mean(axis=1))
            rows.append({"source": name, "law": label, "mean": middle, "lower": low, "upper": high})
            m, lo, hi = (max(one, FLOOR) for one in (middle, low, high))
            looks = {**look(0 if place < 2 else 2 if place == 2 else 1), "linestyle": ""}
            axis.errorbar(m, place, xerr=[[m - lo], [hi - m]], capsize=1.2, elinewidth=0.7, **looks)
        axis.set_xscale("log")
        axis.set_xlim(FLOOR / 1.6, 1.5)
        axis.set_xticks([1e-5, 1e-3, 1e-1])
        axis.set_yticks(range(len(options)), list(options))
        axis.axhline(1.5, color="0.6", linewidth=0.6, linestyle="-", marker="")
        axis.set_xlabel("X (nats per new token)")
        axis.set_title(name)
    axes[0, 0].invert_yaxis()
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Carried to 2T, or trained there",
        caption=(
            f"Mean KL from the exact law on tokens {t + 1} to {2 * t} behind a true prefix. Above the line"
            f" the two models,"
            " trained with the same number of tokens; below it what else is made of the shorter model's"
            " tables, of exact"
            f" ones, and of counts of the longer model's tokens. Below {FLOOR:g} nats drawn there. {bars(data)}"
        ),
        claims=ids(
            "c10_any",
            "c10_ties",
            "c10_cannot",
            "c10_window",
            "c10_skip",
            "c10_pairs",
            "c10_back_off",
            "model_window",
        ),
    )


def tokens_figure(study: "MepAgainstTransformer", data: Data) -> StudyFigure:
    """Loss of every token."""
    import matplotlib.pyplot as plt

    t = data.context_length
    names = [task.name for task in study.tasks]
    figure, axes = plt.subplots(1, len(names), figsize=(7, 2.9), sharey=True, squeeze=False)
    rows = []
    tokens = np.arange(1, 2 * t + 1)
    for axis, name in zip(axes[0], names, strict=True):
        options = _options(data, name)
        options["carried"] = options.pop("carried, sliding window")
        for place, label in enumerate(LINES):
            ends = np.array([data.interval(column) for column in options[label].T])
            middle, low, high = np.maximum(ends.T, FLOOR)
            errors = [middle - low, high - middle]
            axis.errorbar(tokens, middle, yerr=errors, capsize=1.0, elinewidth=0.6, label=label, **look(place))
            rows += [
                {"source": name, "law": label, "token": int(i), "mean": m, "lower": lo, "upper": hi}
                for i, (m, lo, hi) in zip(tokens, ends.tolist(), strict=True)
            ]
        axis.axvline(t + 0.5, color="0.6", linewidth=0.7, linestyle="-", marker="")
        axis.set_yscale("log")
        axis.set_ylim(FLOOR / 1.5, 1.5)
        axis.set_xticks(tokens[1::2])
        axis.set_xlabel("token")
        axis.set_title(name)
    axes[0, 0].set_ylabel("KL (nats)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Token by token",
        caption=(
            f"KL from the exact law at every token; the line stands behind token T = {t}. Below {FLOOR:g} nats drawn"
            f" there. {bars(data)}"
        ),
        claims=ids("c10_any", "c10_ties", "c10_cannot"),
    )


def policies_figure(study: "MepAgainstTransformer", data: Data) -> StudyFigure:
    """What disagreement costs, against training."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.1))
    table, distances = data.tables["policies"], data.tables["distances"]
    steps = table.axes["steps"]
    rows: list[dict[str, Any]] = []
    for k, policy in enumerate(one for one in POLICIES if one != "autoregressive"):
        points = []
        for task in table.axes["task"]:
            for step in steps:
                rise = table.at(task=task, steps=step, policy=policy)
                rise = rise - table.at(task=task, steps=step, policy="autoregressive")
                delta = data.interval(distances.at(task=task, steps=step, distance="delta"))[0]
                points.append((delta, *data.interval(rise)))
                named = {"quantity": "KL less autoregressive, nats", "policy": policy, "source": task, "steps": step}
                numbers = dict(zip(("delta", "mean", "lower", "upper"), points[-1], strict=True))
                rows.append({**named, **numbers, "mean_absolute": data.interval(np.abs(rise))[0]})
        at, middle, low, high = np.array(points).T
        looks = {**look(k), "linestyle": "", "label": policy}
        # side by side: backward and proportional fitting coincide
        axes[0].errorbar(at * 1.06**k, middle, yerr=[middle - low, high - middle], capsize=1.0, elinewidth=0.6, **looks)
    axes[0].axhline(0.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[0].set_xscale("log")
    axes[0].set_yscale("symlog", linthresh=1e-4)
    axes[0].set_xlabel("delta (total variation)")
    axes[0].set_ylabel("KL less autoregressive (nats)")
    axes[0].set_title("what another policy costs")
    axes[0].legend(loc="upper left")
    for j, task in enumerate(table.axes["task"]):
        for distance in ("orders", "delta"):
            ends = np.array([data.interval(one) for one in distances.at(task=task, distance=distance).T])
            rows += [
                {"quantity": distance, "source": task, "steps": s, "mean": m, "lower": lo, "upper": hi}
                for s, (m, lo, hi) in zip(steps, ends.tolist(), strict=True)
            ]
            if distance == "orders":
                middle, low, high = ends.T
                low = np.maximum(low, middle / 10)
                errors = [middle - low, high - middle]
                axes[1].errorbar(steps, middle, yerr=errors, capsize=1.2, elinewidth=0.7, label=task, **look(j))
    axes[1].axhline(study.bounds.order, color="0.6", linewidth=0.7, linestyle="-", marker="")
    axes[1].set_xscale("log")
    axes[1].set_yscale("log")
    axes[1].set_xticks(steps, [str(one) for one in steps])
    axes[1].minorticks_off()
    axes[1].set_xlabel("steps of training")
    axes[1].set_ylabel("total variation")
    axes[1].set_title("fitted in one order or the other")
    axes[1].legend(loc="lower left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Tables of one model that disagree",
        caption=(
            "Left: KL of all 2T tokens by windows that overlap by T / 2, less that of the autoregressive"
            " policy, against"
            " delta, the distance of the model's laws of its first and last T / 2 tokens; one point for each source and"
            " number of steps. Backward and proportional fitting (ipf) end at one law. The soft dual pays its penalty"
            " where tables agree, too. Right: distance of proportional fitting on two windows in both orders, which is"
            " delta; the line is the claim's bound."
            f" {bars(data)}"
        ),
        claims=ids("c17_harmless", "c17_early", "c17_safe", "c17_order"),
    )
