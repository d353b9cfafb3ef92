"""Where intervals hold: sources by estimators, one panel a length."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.estimator_court.data import Data, held_within
from testbed.studies.estimator_court.drawing import SHORT
from testbed.studies.estimator_court.measure import NAMES
from testbed.studies.estimator_court.stated import STUDY
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

NOMINAL = 0.95


def held_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """Per cent of intervals that hold the truth at the orders within each stream's trust limit."""
    import matplotlib.pyplot as plt

    n_rows = (len(study.interval_sizes) + 1) // 2
    figure, axes = plt.subplots(n_rows, 2, figsize=(7.2, 0.6 + 2.75 * n_rows), sharex=True, sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    image = None
    for axis, size in zip(axes.ravel(), study.interval_sizes, strict=False):
        found = [held_within(study, data, source, size) for source in study.sources]
        shares = np.array([share for share, _ in found])
        image = axis.imshow(shares, cmap="cividis", vmin=0.0, vmax=1.0, aspect="auto")
        for y, (source, (share, total)) in enumerate(zip(study.sources, found, strict=True)):
            for x, (name, value) in enumerate(zip(NAMES, share, strict=True)):
                word = "-" if np.isnan(value) else f"{100 * value:.0f}"
                axis.text(x, y, word, ha="center", va="center", fontsize=6, color="white" if value <= 0.55 else "black")
                rows.append(
                    {"source": source.label, "tokens": size.n_tokens, "estimator": name, "share": float(value)}
                    | {"intervals": total, "streams": size.n_intervals}
                )
        axis.set_xticks(
            range(len(NAMES)),
            [SHORT[name] for name in NAMES],
            rotation=60,
            ha="right",
            rotation_mode="anchor",
            fontsize=6.5,
        )
        axis.set_yticks(range(len(study.sources)), [one.label for one in study.sources], fontsize=6.5)
        axis.tick_params(length=0)
        axis.grid(visible=False)
        axis.set_title(f"{size.n_tokens:,} tokens ({size.n_intervals} streams)", fontsize=8)
    for axis in axes.ravel()[len(study.interval_sizes) :]:
        axis.set_visible(False)
    if n_rows > 1 and len(study.interval_sizes) % 2:  # the panel above the empty one shows its names
        axes[-2, 1].tick_params(labelbottom=True)
    assert image is not None
    figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, label="share that hold")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where 95 % intervals hold",
        caption=(
            f"Per cent of nominal {NOMINAL:.0%} jackknife intervals that hold the exact h_k, over streams and all"
            " orders within each stream's own trust limit; '-' where no order is. Orders of one stream share its"
            " chance, so that no interval is given here; one order a stream, with intervals, is in the figure by"
            " distance from the limit. One stream of the mixture is a stream of one of its parts, whose law is another."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("covers_inside", "covers_at_limit")),
    )
