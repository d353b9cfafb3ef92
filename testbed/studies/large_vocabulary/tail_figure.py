"""ln(q / p) against p: measured, on the exact law, and at the fixed point."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.sources.iid import zipf_law
from testbed.studies.drawing import LEVEL, style
from testbed.studies.large_vocabulary.claims import STUDY
from testbed.studies.large_vocabulary.config import FORMS, PRODUCTS, Arm, Role, SourceName
from testbed.studies.large_vocabulary.data import Data, Floats
from testbed.studies.large_vocabulary.measure import BINS, by_bin
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.large_vocabulary.study import LargeVocabulary

Rows = list[dict[str, Any]]
LABELS = {"whole": "nothing left out", "entries": "entries left out", "blocks": "blocks left out"}
TRAINED: dict[Arm, str] = {
    "plain": LABELS["whole"],
    "quarter": LABELS["entries"],
    "four": LABELS["entries"],
    "full": "entries, but the classifier whole",
}
PANELS: tuple[tuple[SourceName, tuple[Arm, ...]], ...] = (
    ("iid", ("plain", "quarter")),
    ("iid", ("plain", "four", "full")),
    ("bigram", ("plain", "four", "full")),
)
"""Of transformers, each with the losses of one V e."""
LOOKS = {"whole": 0, "entries": 1, "blocks": 2, "plain": 0, "quarter": 1, "four": 1, "full": 4}
FURTHER = "entries left out, the next rate up"
ZIPF_ROLES: tuple[Role, ...] = ("small", "middle", "large")
LEAST = -8.0
"""ln(q / p) below which nothing is drawn."""


def tail_figure(study: "LargeVocabulary", data: Data) -> StudyFigure:
    """Above logits alone on the three Zipf laws, below transformers on the two sources."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, axes = plt.subplots(2, 3, figsize=(7.2, 5.4))
    rows: Rows = []
    for axis, role in zip(axes[0], ZIPF_ROLES, strict=True):
        rows += _flows(study, data, axis, role)
    for axis, (source, arms) in zip(axes[1], PANELS, strict=True):
        rows += _trained(study, data, axis, source, arms)
    handles: dict[str, Any] = {}
    for axis in axes.ravel():
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.axhline(0.0, color="0.6", linewidth=0.7, linestyle="-", marker="", zorder=0)
        axis.set_xlabel("p of the token")
        shown, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, shown, strict=True))
    for axis in axes[:, 0]:
        axis.set_ylabel("mean ln(q / p)")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The tail of the vocabulary under the gradient filter",
        caption=(
            f"Mean ln(q / p) of tokens against p, in ranges of ranks, {study.n_seeds} replicates; bars: {LEVEL:.0%}"
            " intervals of the mean, each alone (smaller than the marks where none is seen). Above: logits alone, e ="
            f" 2^{np.log2(study.flow.threshold):g} (dotted), at the last step; thin lines: the same descent on the"
            " exact law; dashed: the fixed point of the filtered descent, -infinity below the drift c (dash-dotted,"
            " where there are tokens below it). Below: transformers after training, by the frequency of the token in"
            " its context; dotted: e; dashed, at V e = 1/4 alone: the fixed point of logits. At"
            " V e = 4 members that are filtered throughout are at their rate of least excess still on the way from"
            " equal logits; the next rate of the grid is drawn beside"
            f" it, from the {study.tuning.n_seeds} replicates of the tuning. Values below {LEAST:g} are not drawn."
            " Tokens above 0 are over-estimated."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "rest_small",
                "path_large",
                "raised_small",
                "tail_large",
                "tail_iid",
                "raised_iid",
                "rest_iid",
            )
        ),
    )


def _points(data: Data, axis: "Axes", x: Floats, values: Floats, look: int, label: str) -> Rows:
    """Means over replicates with their intervals; (R, n) values."""
    found = np.array([data.interval(values[:, k]) for k in range(values.shape[1])])
    shown = np.isfinite(values).all(axis=0) & (found[:, 0] >= LEAST)
    middle, low, high = found[shown].T
    errors = np.maximum([middle - low, high - middle], 0.0)
    axis.errorbar(
        x[shown], middle, errors, **{**style(look), "linestyle": "", "markersize": 3.5}, label=label, capsize=1.5
    )
    return [
        {"label": label, "p": float(a), "mean": float(m), "lower": float(lo), "upper": float(hi)}
        for a, (m, lo, hi) in zip(x, found, strict=True)
    ]


def _flows(study: "LargeVocabulary", data: Data, axis: "Axes", role: Role) -> Rows:
    exact, law, e = data.exact[role], study.law(role), study.flow.threshold
    p = exact["bin_p"]
    rows: Rows = []
    for k, form in enumerate(FORMS):
        rows += _points(data, axis, p, data.flows[role]["bin"][:, k], LOOKS[form], LABELS[form])
        line = {**style(LOOKS[form]), "marker": "", "linewidth": 0.8, "linestyle": "-"}
        axis.plot(p, exact["bin"][k], **line, zorder=1)
        rows += [
            {"label": f"{form}, exact law", "p": float(a), "mean": float(b)}
            for a, b in zip(p, exact["bin"][k], strict=True)
        ]
    rest = exact["rest_bin"]
    kept = np.isfinite(rest)
    axis.plot(p[kept], rest[kept], color="0.15", linestyle="--", linewidth=1.2, marker="", label="fixed point, entries")
    rows += [{"label": "fixed point", "p": float(a), "mean": float(b)} for a, b in zip(p, rest, strict=True)]
    axis.axvline(e, color="0.4", linestyle=":", linewidth=0.9, marker="")
    c = float(exact["drift"][0])
    if c > p.min():
        axis.axvline(c, color="0.4", linestyle="-.", linewidth=0.9, marker="")
    axis.set_title(f"V = {law.vocab_size}, V e = {law.vocab_size * e:g}", fontsize=8)
    return [{"panel": f"logits alone, {role}", **row} for row in rows]


def _trained(study: "LargeVocabulary", data: Data, axis: "Axes", source: SourceName, arms: tuple[Arm, ...]) -> Rows:
    rows: Rows = []
    for arm in arms:
        one = data.members[source, arm]
        if "bin" in one:
            rows += _points(data, axis, np.nanmean(one["bin_p"], axis=0), one["bin"], LOOKS[arm], TRAINED[arm])
    size, filtered = study.network.vocab_size(source), arms[1]
    further = [one for rate, one in data.tried[source, "four"].items() if rate > data.rates[source, "four"]]
    if filtered == "four" and further and "bin" in further[0]:
        one = further[0]
        rows += _points(data, axis, np.nanmean(one["bin_p"], axis=0), one["bin"], 3, FURTHER)
    if filtered == "quarter":
        p = zipf_law(study.network.exponent, size)
        rest = by_bin(np.log(study.network.loss(source, filtered).fixed_point(p) / p), BINS)
        axis.plot(by_bin(p, BINS), rest, color="0.15", linestyle="--", linewidth=1.2, marker="", zorder=1)
        rows += [
            {"label": "fixed point", "p": float(a), "mean": float(b)}
            for a, b in zip(by_bin(p, BINS), rest, strict=True)
        ]
    product = PRODUCTS[filtered]
    axis.axvline(product / size, color="0.4", linestyle=":", linewidth=0.9, marker="")
    title = "independent" if source == "iid" else "bigrams"
    axis.set_title(f"{title}, V = {size}, V e = {product:g}", fontsize=8)
    return [{"panel": f"transformers, {title}, V e = {product:g}", **row} for row in rows]
