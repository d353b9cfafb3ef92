"""Text that the switched pair writes: its distance from the truth, and how often the large model is called."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.adaptive_decoding.claims import STUDY
from testbed.studies.adaptive_decoding.config import ROLES, Role
from testbed.studies.adaptive_decoding.data import Data, mean
from testbed.studies.adaptive_decoding.frontier_figure import TITLES
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding


def writing_figure(study: "AdaptiveDecoding", data: Data) -> StudyFigure:
    """A column a source: share of the gain above, share of calls below."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(ROLES), figsize=(7.2, 5.4), sharey="row", sharex=True)
    rows: list[dict[str, Any]] = []
    kinds = {"written": f"entropy over {study.reading.window} tokens", "single": "entropy of one token"}
    for column, role in enumerate(ROLES):
        for place, (kind, label) in enumerate(kinds.items()):
            rows += _points(axes[0, column], data, role, kind, "kept", place, label)
            rows += _points(axes[1, column], data, role, kind, "shift", place, label)
        rows += _points(axes[0, column], data, role, "random", "kept", len(kinds), "random calls")
        axes[0, column].plot([0, 1], [0, 1], color="0.4", linestyle=":", marker="", label="kept = share of calls")
        axes[1, column].axhline(0.0, color="0.4", linestyle=":", marker="")
        axes[0, column].set_title(f"{TITLES[role]}: easy regime of {getattr(study.design, role):g} nats", fontsize=9)
        axes[1, column].set_xlabel("share of large calls while writing")
    axes[0, 0].set_ylabel("share of the gain kept")
    axes[1, 0].set_ylabel("share of calls, writing\nless true sequences")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Own text of the switched pair",
        caption=(
            "The small model of one token and the large one write, the large one called above a threshold that is set"
            " on true sequences, or at random as often. Above: by how much calls lower KL(p || q), p the source's exact"
            " law after what was written, q the law written with, as a share of what calling always does. Below:"
            " how much oftener the large model is called than on true sequences at the same threshold. Means of"
            f" {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals over replicates, Student's t, each number alone."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("written_signal", "written_noise", "calls_rolling", "calls_single")
        ),
    )


def _points(axis: "Axes", data: Data, role: Role, kind: str, what: str, place: int, label: str) -> list[dict[str, Any]]:
    """Means with intervals of the three thresholds between never and always, at the mean share of calls."""
    found = data.written[role]
    share: Floats = found[f"{kind}_share"]
    values = data.kept_in_text(role, kind) if what == "kept" else share - found[f"{kind}_forced"]
    numbers = [mean(column).student for column in values.T[1:-1]]
    x = share.mean(axis=0)[1:-1]
    y = np.array([one.estimate for one in numbers])
    ends = np.array([one.interval((1 - LEVEL) / 2) for one in numbers])
    look = {**style(place), "markersize": 4, "elinewidth": 0.8}
    axis.errorbar(x, y, yerr=np.maximum(np.abs(ends.T - y), 0.0), label=label, **look)
    return [
        {"source": role, "series": label, "shown": what, "share": a, "value": b, "lower": c, "upper": d}
        for a, b, (c, d) in zip(x.tolist(), y.tolist(), ends.tolist(), strict=True)
    ]
