"""Which shapes learn which order: the matrix of shares."""

from typing import TYPE_CHECKING, Any

from testbed.studies.depth_and_order.config import BLOCKS, Shape
from testbed.studies.depth_and_order.data import Data
from testbed.studies.depth_and_order.evidence import share_there
from testbed.studies.depth_and_order.fates import FATES, fates
from testbed.studies.drawing import LEVEL
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.depth_and_order.study import DepthAndOrder

TITLES = {"attention": "attention alone, one head", "full": "norms and MLPs, one head"}
HEADED = "attention alone,\n2 layers,\nk heads"
Row = dict[str, Any]


def of_ends(study: "DepthAndOrder") -> tuple[str, ...]:
    """The claims on where runs end, not on how they come there."""
    return tuple(one.id for one in study.claims() if "plateau" not in one.id and "later" not in one.id)


def matrix_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """Layers by order: the share of runs that got there, its interval, and which cells a construction covers."""
    import matplotlib.pyplot as plt

    orders = [one.order for one in study.orders]
    columns: list[list[Shape]] = [[s for s in study.shapes if s.block == block] for block in BLOCKS]
    widths = [len(column) for column in columns] + ([1.0] if study.headed else [])
    figure, axes = plt.subplots(1, len(widths), figsize=(9.0, 3.4), width_ratios=widths)
    rows: list[Row] = []
    for axis, block, column in zip(axes, BLOCKS, columns, strict=False):
        for x, shape in enumerate(column):
            rows += [_cell(axis, study, data, shape, k, x) for k in orders]
        axis.set_xticks(range(len(column)), [str(shape.depth) for shape in column])
        axis.set_xlabel("layers")
        axis.set_title(TITLES[block])
        axis.set_xlim(-0.5, len(column) - 0.5)
        axis.set_yticks(orders)
        axis.set_ylim(-0.5, orders[-1] + 0.5)
    if study.headed:
        rows += [_cell(axes[-1], study, data, Shape(block="attention", depth=2, heads=k), k, 0) for k in study.headed]
        axes[-1].set_xticks([0], ["2"])
        axes[-1].set_xlabel("layers")
        axes[-1].set_title(HEADED)
        axes[-1].set_xlim(-0.5, 0.5)
        first, last = min(study.headed), max(study.headed)
        axes[-1].set_yticks(range(first, last + 1), [f"k = {k}" for k in range(first, last + 1)])
        axes[-1].set_ylim(first - 0.5, last + 0.5)
        axes[-1].set_box_aspect(0.6 * (last - first + 1))
    axes[0].set_ylabel("order k of the chains")
    bar = figure.colorbar(plt.cm.ScalarMappable(plt.Normalize(0, 1), "Blues"), ax=list(axes), pad=0.01)
    bar.set_label("share of runs that learn the order")
    for axis in axes:
        axis.grid(visible=False)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Layers and order: which runs get there",
        caption=(
            f"Of {study.n_seeds} runs each, those that end less than {study.bounds.there:.0%} of the gap to order k - 1"
            f" above the Bayes law (k = 0: of the gap to the uniform law), below it the {LEVEL:.0%} interval of their"
            " share; and of the others how many are at rest above (r) or still falling (f) at the end. Double frame: a"
            " construction is known. Counts are counts: what may be said of shares, verdicts say. Length of training"
            " differs by order, not by model."
        ),
        claims=of_ends(study),
    )


def _cell(axis: "Axes", study: "DepthAndOrder", data: Data, shape: Shape, k: int, x: int) -> Row:
    """One square."""
    import matplotlib.pyplot as plt

    arm = (shape.name, k)
    share = share_there(data, arm, study.bounds.there)
    low, high = share.interval((1 - LEVEL) / 2)
    fate = fates(study, data, arm)
    rest, falling = (int((fate == place).sum()) for place in (1, 2))
    left = ", ".join(f"{number} {letter}" for number, letter in ((rest, "r"), (falling, "f")) if number)
    ink = "white" if share.estimate > 0.6 else "black"
    axis.add_patch(plt.Rectangle((x - 0.5, k - 0.5), 1, 1, color=plt.get_cmap("Blues")(share.estimate), linewidth=0))
    text = f"{share.successes}/{share.trials}\n[{low:.2f}, {high:.2f}]" + (f"\n{left}" if left else "")
    axis.text(x, k, text, ha="center", va="center", color=ink, fontsize=7)
    known = shape.enough(k)
    for inset in (0.04, 0.09) if known else ():
        size = 1 - 2 * inset
        axis.add_patch(
            plt.Rectangle((x - size / 2, k - size / 2), size, size, fill=False, edgecolor=ink, linewidth=0.9)
        )
    return {
        "shape": shape.name, "layers": shape.depth, "heads": shape.heads, "order": k, "constructed": known,
        "there": share.successes, "runs": share.trials, "lower": low, "upper": high,
        FATES[1]: rest, FATES[2]: falling,
    }  # fmt: skip
