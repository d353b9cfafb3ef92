"""Rounded caches: KL against bits with the law of high rates, and keys rounded before or after rotation."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.compression_at_inference.cache_claims import TITLES
from testbed.studies.compression_at_inference.config import CACHED, KEYS, SCHEMES, TURNING
from testbed.studies.compression_at_inference.data import NAMES, Data
from testbed.studies.compression_at_inference.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.compression_at_inference.study import CompressionAtInference

LABELS = {
    "channel before": "keys by channel, before",
    "channel after": "keys by channel, after",
    "token before": "keys by token, before",
    "token after": "keys by token, after",
    "uneven": "keys by channel, before, normal levels",
    "values by token": "values by token",
    "values by channel": "values by channel",
}


def bits_figure(study: "CompressionAtInference", data: Data) -> StudyFigure:
    """A panel an arm: KL against bits of every scheme, and a line of slope -2."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(7.2, 5.6), sharex=True)
    rows: list[dict[str, Any]] = []
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    for place, arm in zip(places, CACHED, strict=True):
        axis = axes[place]
        for s, scheme in enumerate(SCHEMES):
            if scheme.endswith("after") and arm not in TURNING:
                continue  # the same operation as before
            means, low, high = np.array([data.interval(one) for one in data.log_divergence(arm, scheme).T]).T
            _line(axis, s, data.bits, means, low, high, LABELS[scheme])
            added = data.caches[arm]["added"][:, s].mean(axis=0)
            beyond: Any = [None] * len(added)
            if scheme in KEYS:
                beyond = data.caches[arm]["exceeded"][:, s].mean(axis=0).tolist()
            rows += [
                {"arm": TITLES[arm], "scheme": LABELS[scheme], "bits": int(b), "kl": float(np.exp(m))}
                | {"lower": float(np.exp(lo)), "upper": float(np.exp(hi)), "exceeded": e, "added": float(a)}
                for b, m, lo, hi, e, a in zip(data.bits, means, low, high, beyond, added, strict=True)
            ]
        anchor = float(np.exp(data.log_divergence(arm, "channel before")[:, -1].mean()))
        law = anchor * (2.0 ** data.bits[-1] - 1) ** 2 / (2.0**data.bits - 1) ** 2
        style_of_law = {"color": "0.8", "linestyle": "-", "marker": "", "linewidth": 4.0, "zorder": 0}
        axis.plot(data.bits, law, label="$c\\,(2^b - 1)^{-2}$", **style_of_law)
        axis.set_yscale("log")
        axis.set_title(TITLES[arm], fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("KL to the model itself (nats)", fontsize=8)
    for place in ((1, 0), (1, 1), (0, 2)):
        axes[place].set_xlabel("bits $b$")
        axes[place].tick_params(labelbottom=True)
    axes[1, 2].set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    names = [one for one in _cache_claims(study) if not one.endswith(("widened", "alike"))]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What a cache of b bits costs",
        caption=(
            "KL of the model's law to that with keys, or values, rounded to b bits, geometric mean over"
            f" {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals of the mean logarithm, each alone. Broad grey:"
            " the law of high rates through keys by channel, before, at the most bits. Without rotation before and"
            " after are one operation and drawn once. Scales differ by panel: attention that is sure of its key hides"
            " noise until its margin is exceeded. The rows of numbers hold the added excess over the Bayes law and the"
            " share of decisive rows whose margin is exceeded as well."
        ),
        claims=tuple(names),
    )


def turning_figure(study: "CompressionAtInference", data: Data) -> StudyFigure:
    """Rotary models: after over before, of KL and of the first block's noise, by channel and by token."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.7), sharex=True)
    rows: list[dict[str, Any]] = []
    numbers = {"divergence": "KL to the model itself", "noise": "variance of the first block's logits"}
    for axis, (name, title) in zip(axes, numbers.items(), strict=True):
        drawn = [(arm, by, False) for arm in TURNING for by in ("channel", "token")]
        drawn += [(arm, "channel", True) for arm in TURNING]
        for look, (arm, by, null) in enumerate(drawn):
            values = np.log(np.maximum((data.nulls if null else data.caches)[arm][name], 1e-300))
            change = values[:, NAMES.index(f"{by} after")] - values[:, NAMES.index(f"{by} before")]
            means, low, high = np.array([data.interval(one) for one in change.T]).T
            label = f"{TITLES[arm]}, by {by}{', untrained' if null else ''}"
            _line(axis, look, data.bits + 0.06 * (look - 2), means, low, high, label)
            rows += [
                {"number": title, "arm": TITLES[arm], "by": by, "trained": not null, "bits": int(b)}
                | {"ratio": float(np.exp(m)), "lower": float(np.exp(lo)), "upper": float(np.exp(hi))}
                for b, m, lo, hi in zip(data.bits, means, low, high, strict=True)
            ]
        axis.axhline(1.0, color="0.6", linewidth=0.8, marker="")
        axis.set_yscale("log")
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("bits $b$")
    axes[0].set_ylabel("keys rounded after / before positions enter", fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    names = [one for one in _cache_claims(study) if one.endswith(("widened", "alike", "_rope"))]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Rounding keys before or after rotation",
        caption=(
            "Ratio of two roundings of the same models, geometric mean over"
            f" {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals of the mean log ratio, each alone. Left: of the"
            " KL from the model's own law, right: of the variance that rounding adds to attention logits in the first"
            " block. Claims on keys by channel are net of the same models before training. Places within a number of"
            " bits are shifted for the eye."
        ),
        claims=tuple(one for one in names if ".slope_" not in one),
    )


def _line(axis: "Axes", look: int, x: "np.ndarray[Any, Any]", mean: Any, low: Any, high: Any, label: str) -> None:
    middle = np.exp(mean)
    bars = [np.maximum(middle - np.exp(low), 0.0), np.maximum(np.exp(high) - middle, 0.0)]
    axis.errorbar(x, middle, yerr=bars, capsize=1.5, markersize=3, linewidth=1.0, label=label, **style(look))


def _cache_claims(study: "CompressionAtInference") -> list[str]:
    from testbed.studies.compression_at_inference.cache_claims import ABOUT

    return [one.id for one in study.claims() if one.id.removeprefix(f"{STUDY}.") in ABOUT]
