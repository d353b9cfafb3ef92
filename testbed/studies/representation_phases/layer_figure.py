"""Matrix entropy and belief by layer, and in which blocks they change most."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.representation_phases.claims import STUDY
from testbed.studies.representation_phases.data import Data
from testbed.studies.representation_phases.evidence import belief_block, coincide, collapse_block, streams_blocks
from testbed.studies.representation_phases.judgement import said
from testbed.studies.representation_phases.path_figures import bands
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases


def layer_figure(study: "RepresentationPhases", data: Data) -> StudyFigure:
    """One row an arm: S(Z), R^2, and runs by block of collapse and block of belief."""
    import matplotlib.pyplot as plt

    arms = study.layers.arms
    depth = study.layers.depth
    figure, axes = plt.subplots(len(arms), 3, figsize=(9.0, 2.7 * len(arms) + 0.3), squeeze=False)
    rows: list[dict[str, Any]] = []
    ticks = ["emb", *(str(k) for k in range(1, depth + 1))]
    for line, arm in zip(axes, arms, strict=True):
        streams = data.streams[arm.name]
        for axis, what in zip(line[:2], ("entropy", "belief"), strict=True):
            for place, suffix in enumerate(("", "_untrained")):
                found = bands(getattr(streams, what + suffix))
                label = "untrained" if suffix else "trained"
                _points(axis, found, place, label)
                rows += [
                    {"arm": arm.name, "what": what + suffix, "layer": tick, "mean": a, "lower": b, "upper": c}
                    for tick, (a, b, c) in zip(ticks, found.tolist(), strict=True)
                ]
            axis.set_xticks(range(depth + 1), ticks)
        null = bands(streams.null)
        _points(line[1], null, 2, "beliefs shuffled")
        line[0].set_ylabel(f"{arm.name}\nS(Z), nats")
        line[1].set_ylabel("held-out R² of the belief")
        i, j = streams_blocks(streams)
        counts = np.array(
            [[int(((i == a) & (j == b)).sum()) for b in range(1, depth + 1)] for a in range(1, depth + 1)]
        )
        line[2].imshow(counts, origin="lower", cmap="Greys", vmin=0, vmax=max(1, len(i)))
        line[2].grid(visible=False)
        for a in range(depth):
            for b in range(depth):
                if counts[a, b]:
                    colour = "white" if counts[a, b] > len(i) / 2 else "black"
                    line[2].text(b, a, str(counts[a, b]), ha="center", va="center", color=colour, fontsize=8)
                rows.append({"arm": arm.name, "what": "runs", "collapse": a + 1, "belief": b + 1, "mean": counts[a, b]})
        line[2].set_xticks(range(depth), range(1, depth + 1))
        line[2].set_yticks(range(depth), range(1, depth + 1))
        line[2].set_ylabel("block of largest drop of S")
        bare = collapse_block(streams.entropy_untrained), belief_block(streams.belief_untrained)
        line[2].set_title(f"same block: {said(coincide(i, j))}\nuntrained: {said(coincide(*bare))}", fontsize=8)
        for what, flags in (("same block", coincide(i, j)), ("same block_untrained", coincide(*bare))):
            rows.append({"arm": arm.name, "what": what, "mean": float(np.mean(flags))})
    axes[0, 1].legend(fontsize=7)
    axes[-1, 0].set_xlabel("after block (emb: before all)")
    axes[-1, 1].set_xlabel("after block (emb: before all)")
    axes[-1, 2].set_xlabel("block of largest rise of R²")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Layer of collapse and layer of the belief",
        caption=(
            f"Networks of {depth} blocks. Left: matrix entropy S(Z) of the stream; middle: R² of an affine map to the"
            " exact belief, on histories that the fit has not seen, and the largest of"
            f" {study.layers.n_shuffles} fits to shuffled beliefs; means over {study.n_seeds} runs with {LEVEL:.0%}"
            " Student intervals, each point alone. Right: number of runs by the block over which S drops most and the"
            f" one over which R² rises most; the title has the diagonal's share with its exact binomial {LEVEL:.0%}"
            " interval, and that of the same networks before training. Runs in"
            " which S drops over no block are left out of the counts, not of the share."
        ),
        claims=tuple(f"{STUDY}.{one}" for one in ("layer_exact", "layer_paired", "layer_untrained", "layer_belief")),
    )


def _points(axis: Any, found: np.ndarray, place: int, label: str) -> None:
    x = np.arange(len(found)) + 0.06 * (place - 1)
    bars = np.maximum([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]], 0)
    axis.errorbar(x, found[:, 0], bars, ms=4, lw=1, capsize=2, label=label, **style(place))
