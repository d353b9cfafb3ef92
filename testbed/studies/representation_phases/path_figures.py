"""The path of RankMe, alpha-ReQ and exact divergences in the 2 x 2, and the legs of every run."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Student
from testbed.studies.representation_phases.claims import STUDY
from testbed.studies.representation_phases.config import CORNERS, TRUTHS, FamilyName
from testbed.studies.representation_phases.data import Data, Floats, Followed
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.representation_phases.study import RepresentationPhases

ORIGIN = 0.5
"""Where the log axis shows step 0."""
SHOWN = 5
"""Single runs that are drawn."""


def bands(values: Floats) -> Floats:
    """(P, 3) mean of (R, P) over runs and its interval of level LEVEL, point by point."""
    found = []
    for column in values.T:
        mean = Student(float(column.mean()), float(column.std(ddof=1)), len(column))
        found.append((mean.estimate, *mean.interval((1 - LEVEL) / 2)))
    return np.array(found)


def path_figure(study: "RepresentationPhases", data: Data, name: FamilyName) -> StudyFigure:
    """One column a corner: RankMe above, alpha-ReQ, and the divergences from the truths beneath."""
    import matplotlib.pyplot as plt

    family = study.family(name)
    figure, axes = plt.subplots(4, len(CORNERS), figsize=(9.6, 8.2), sharex=True, sharey="row")
    rows: list[dict[str, Any]] = []
    for column, corner in zip(axes.T, CORNERS, strict=True):
        runs, size = data.runs[name, corner], family.size(corner)
        x = np.where(runs.step > 0, runs.step, ORIGIN)
        paths = {
            "covariance_over_width": (runs.covariance / size.width, True),
            "rank_over_width": (runs.rank / size.width, True),
            "alpha": (runs.alpha, False),
        }
        for axis, (what, (values, logarithmic)) in zip(column[:3], paths.items(), strict=True):
            for run in values[:SHOWN]:
                axis.plot(x, run, color="0.75", lw=0.6, ls="-", marker="")
            found = np.exp(bands(np.log(values))) if logarithmic else bands(values)
            _band(axis, x, found, 0, "")
            rows += _rows(name, corner, runs.step, what, found)
        for k, truth in enumerate(TRUTHS):
            if name == "bigram" and truth in ("trigram", "Bayes"):
                continue  # of a chain of order 1 they are the bigrams'
            kl = bands(runs.divergence[:, k])
            _band(column[3], x, kl, k, "bigram = Bayes" if name == "bigram" and truth == "bigram" else truth)
            rows += _rows(name, corner, runs.step, f"kl_{truth}", kl)
        column[0].set_title(f"{corner}\nd = {size.width}, V = {size.vocab_size}")
        column[0].set_xscale("log")
        for k in (0, 1, 3):
            column[k].set_yscale("log")
        column[3].set_xlabel("steps")
    ticks = [ORIGIN, *(10**k for k in range(int(np.log10(family.steps)) + 1))]
    axes[0, 0].set_xticks(ticks, ["0", *(f"$10^{k}$" for k in range(len(ticks) - 1))])
    axes[0, 0].minorticks_off()
    from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

    for k in (0, 1):
        axes[k, 0].yaxis.set_major_locator(FixedLocator([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]))
        axes[k, 0].yaxis.set_major_formatter(ScalarFormatter())
        axes[k, 0].yaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("RankMe / d,\ncentred")
    axes[1, 0].set_ylabel("RankMe / d,\nnot centred")
    axes[2, 0].set_ylabel("alpha-ReQ")
    axes[3, 0].set_ylabel("KL(truth || q),\nnats")
    axes[3, 0].legend(fontsize=7)
    corners = "V is kept, d varied" if name == "bigram" else "d is kept, V varied"
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"Phases of the rank on {name} sources",
        caption=(
            f"The stream after the last block at the last place of {study.reading.n_inputs} windows, along training at"
            f" a constant rate; step 0 is before training. {corners}. From above: RankMe over the width, of the"
            " covariance (centred) and of features as they are; alpha-ReQ; mean KL from the exact laws of"
            " the source, given no, one, two or all tokens seen, to the network."
            f" Thick: mean over {study.n_seeds} runs (of ln RankMe), each with a source of its own; bands: {LEVEL:.0%}"
            f" Student intervals, each point alone; grey: the first {min(SHOWN, study.n_seeds)} runs."
        ),
        claims=tuple(
            f"{STUDY}.{one}"
            for one in (f"phases_{name}", f"uniform_{name}", f"skew_{name}", f"bottleneck_{name}", "dip_unigrams")
            + (("memorises",) if name == "hidden" else ())
        ),
    )


def _band(axis: "Axes", x: Floats, found: Floats, place: int, label: str) -> None:
    look = style(place)
    axis.fill_between(x, found[:, 1], found[:, 2], color=look["color"], alpha=0.25, lw=0)
    axis.plot(x, found[:, 0], label=label or None, ms=3, lw=1.2, **look)


def _rows(name: str, corner: str, steps: Floats, what: str, found: Floats) -> list[dict[str, Any]]:
    return [
        {"family": name, "corner": corner, "step": int(step), "what": what, "mean": a, "lower": b, "upper": c}
        for step, (a, b, c) in zip(steps, found.tolist(), strict=True)
    ]


def legs_figure(study: "RepresentationPhases", data: Data) -> StudyFigure:
    """The smallest leg of every run over the least that counts, fall-rise-fall and fall-rise alone."""
    import matplotlib.pyplot as plt

    from testbed.studies.representation_phases.evidence import THREE, has, is_open
    from testbed.studies.representation_phases.judgement import said

    leg, jitter = study.reading.leg, study.reading.jitter
    sizes: tuple[Followed, ...] = ("covariance", "rank")
    figure, axes = plt.subplots(
        len(study.families), len(sizes), figsize=(9.0, 3.6 * len(study.families)), sharey=True, squeeze=False
    )
    rows: list[dict[str, Any]] = []
    for line, name in zip(axes, study.families, strict=True):
        for axis, what in zip(line, sizes, strict=True):
            labels = []
            for k, corner in enumerate(CORNERS):
                runs = data.runs[name, corner]
                for place, kind in enumerate((THREE, "fall, rise")):
                    found, flags = runs.legs(what, kind), has(runs, study.reading, what, kind)
                    least = np.array([min(one.legs) / max(leg, jitter * one.sigma) for one in found])
                    spread = 0.3 * (np.arange(len(least)) / max(len(least) - 1, 1) - 0.5)
                    x = k + 0.36 * (place - 0.5) + spread
                    order = np.argsort(least)
                    look = {key: value for key, value in style(place).items() if key != "linestyle"}
                    seen = flags[order]
                    axis.plot(x[seen], least[order][seen], ls="", ms=4, **look)
                    axis.plot(x[~seen], least[order][~seen], ls="", ms=4, mfc="white", **look)
                    if k == 0:
                        axis.plot([], [], ls="", ms=4, label=kind, **look)
                    rows += [
                        {
                            "family": name, "corner": corner, "what": what, "kind": kind, "over_least": float(a),
                            "counts": bool(b),
                        }
                        for a, b in zip(least, flags, strict=True)
                    ]  # fmt: skip
                share = said(has(runs, study.reading, what))
                open_ends = int(is_open(runs, study.reading, study.bounds).sum())
                more = f"\n{open_ends} open" if what == "covariance" else ""
                labels.append(f"{corner.replace(', ', chr(10))}\n{share.replace(' [', chr(10) + '[')}{more}")
            axis.axhline(1.0, color="0.5", ls="--", lw=0.8)
            axis.set_xticks(range(len(CORNERS)), labels, size=7)
            axis.set_title(f"{name}: RankMe, {'not ' * (what == 'rank')}centred")
        line[0].set_ylabel("smallest leg / least that counts")
    axes[0, 0].legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How far RankMe falls, rises and falls in every run",
        caption=(
            "Of every run the smallest leg of its best fall, rise, fall, and of its best fall and rise, sorted, over"
            f" the least that counts (dashed): {leg:g} of ln RankMe or {jitter:g} standard deviations of the path's own"
            " jitter, whichever is more. Filled: it counts. Left: RankMe of the covariance, which is judged for phases;"
            " right: of features that are not centred, judged for the dip. Below each corner: runs with all three, of"
            f" all, with the exact binomial {LEVEL:.0%} interval of their share; open: runs that end before it is known"
            " whether they have phases."
        ),
        claims=tuple(
            f"{STUDY}.{one}"
            for one in (
                "dip_skewed",
                "dip_uniform",
                *(f"{kind}_{name}" for name in study.families for kind in ("phases", "uniform", "skew", "bottleneck")),
            )
        ),
    )
