"""What the filter costs against V e: excess with it less excess without."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.large_vocabulary.claims import STUDY
from testbed.studies.large_vocabulary.config import ARMS, PRODUCTS, ROLES
from testbed.studies.large_vocabulary.data import Data, Floats
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

TITLES = {"iid": "transformers, independent tokens", "bigram": "transformers, bigrams"}


def cost_figure(study: "LargeVocabulary", data: Data) -> StudyFigure:
    """Exact curves of three vocabularies; flows and transformers as points with intervals."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5.6, 4.0))
    rows: list[dict[str, Any]] = []
    products = np.array(study.extras.products)
    for k, size in enumerate(study.extras.sizes):
        curve = data.extras["curve"][k]
        line: dict[str, Any] = {
            "color": str(0.65 - 0.2 * k),
            "linestyle": ["-", "--", "-."][k % 3],
            "marker": "",
            "linewidth": 1.0,
        }
        axis.plot(products, curve, **line, label=f"exact flow, V = {size}")
        rows += [
            {"label": f"exact flow, V = {size}", "V e": float(a), "cost": float(b)}
            for a, b in zip(products, curve, strict=True)
        ]

    def point(x: float, values: Floats, place: int, label: str, new: bool) -> None:
        middle, low, high = data.interval(values)
        errors = [[max(middle - low, 0.0)], [max(high - middle, 0.0)]]
        look = {**style(place), "linestyle": "", "markersize": 5}
        axis.errorbar([x], [middle], errors, **look, label=label if new else None, capsize=2)
        rows.append({"label": label, "V e": x, "cost": middle, "lower": low, "upper": high})

    e = study.flow.threshold
    for form, place, label, shift in (
        ("entries", 1, "logits alone, entries", 1.0),
        ("blocks", 2, "logits alone, blocks", 1.08),
    ):
        for role in ROLES:
            apart = shift * (0.82 if role == "flat" else 1.0)
            point(study.law(role).vocab_size * e * apart, data.lost(role, form), place, label, role == "flat")
    for place, (source, arms) in enumerate(ARMS.items()):
        for arm in arms:
            if arm not in ("plain", "full"):
                label = TITLES[source]
                first = arm == arms[1]
                point(PRODUCTS[arm] * (0.94 - 0.05 * place), data.lost_in(source, arm), 3 + place, label, first)
        point(
            PRODUCTS["full"] * (1.14 + 0.07 * place),
            data.lost_in(source, "full"),
            5 + place,
            f"{TITLES[source]}, classifier whole",
            True,
        )
    margin = study.bounds.loss
    axis.axhspan(-margin, margin, color="0.9", zorder=0, label=f"within {margin:g} nats")
    axis.set_xscale("log", base=2)
    axis.set_yscale("symlog", linthresh=margin)
    axis.set_ylim(bottom=-2.0 * margin)
    axis.set_xlabel("V e: threshold over 1 / V")
    axis.set_ylabel("excess, filtered less not (nats)")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the gradient filter costs",
        caption=(
            "Excess of filtered training less that of plain cross-entropy on the same labels and first weights, against"
            f" V times the threshold e. Points: mean over {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals of"
            " the mean, each alone; points of one V e are set apart a little. Lines: descent of logits on the exact"
            " law, entries left out, as many steps a token for every V; where tokens starve the cost goes on growing"
            " with steps, and the points are those of the last step. Transformers that are filtered throughout at V e ="
            " 4 are not at rest. The points at the left of V e = 1/4 are the flat law's. Transformers have fewer tokens"
            " at the same V e, and each loss has its own tuned rate. Linear within the grey band, the margin of the"
            " claims, and logarithmic beyond."
        ),
        claims=tuple(one.id for one in study.claims() if one.id.startswith((f"{STUDY}.no_loss", f"{STUDY}.full"))),
    )
