"""One look for every figure: it survives a black-and-white printer and colour-blindness, and repeats to the byte.

A study draws inside `figure_style()` with plain matplotlib calls and needs nothing from here: the choices are rcParams.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#000000", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe & Ito (2008), ordered so that neighbours also differ in lightness; yellow is left out, it vanishes on white."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2.5, 2.5)),
)
DPI = 200
"""Of the PNGs: shown at half their pixels in the report, so they stay sharp on screens of twice the usual density."""

PDF_METADATA: dict[str, Any] = {"Creator": None, "Producer": None, "CreationDate": None}
PNG_METADATA: dict[str, Any] = {"Software": None}
"""Neither dates nor versions inside the files: the same numbers give the same bytes."""


def style_parameters() -> dict[str, Any]:
    """The rcParams. Fonts are those that matplotlib carries, so that no machine's own can change the bytes."""
    from cycler import cycler

    ink, faint = "#1a1a1a", "#d9d9d9"
    return {
        # a column is 3.4 inches wide, a page 7; text is then as large as a caption
        "figure.figsize": (3.4, 2.5),
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "figure.facecolor": "white",
        "savefig.dpi": DPI,
        "savefig.bbox": "standard",
        "savefig.facecolor": "white",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "mathtext.fontset": "dejavusans",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "figure.titlesize": 9,
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        # light grid behind the data, no box around it
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": faint,
        "grid.linewidth": 0.5,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "legend.frameon": True,  # a thin white ground: text can be read over a line, the line seen under it
        "legend.framealpha": 0.6,
        "legend.edgecolor": "white",
        "legend.fancybox": False,
        "legend.handlelength": 2.6,
        # colour, marker and dash change together: any one of them tells the lines apart
        "axes.prop_cycle": cycler(color=COLOURS, marker=MARKERS, linestyle=DASHES),
        "image.cmap": "cividis",
        "lines.linewidth": 1.3,
        "lines.markersize": 4,
        "lines.markeredgewidth": 0.6,
        "errorbar.capsize": 2,
        "hatch.linewidth": 0.6,
        # embedded TrueType: text in the PDF can be searched, and publishers take it
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "pdf.compression": 6,
        "svg.fonttype": "none",
        "svg.hashsalt": "testbed",
        "axes.formatter.use_mathtext": True,
        "axes.unicode_minus": True,
        "text.usetex": False,
    }


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw inside this: matplotlib's own defaults plus `style_parameters`, on the Agg backend, whatever the user set.

    A session that already uses pyplot gets its parameters and backend back.
    """
    in_use = "matplotlib.pyplot" in sys.modules
    import matplotlib
    import matplotlib.pyplot as plt

    previous = plt.get_backend() if in_use else "agg"
    plt.switch_backend("agg")
    chosen: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key not in _NOT_STYLE}
    try:
        with matplotlib.rc_context(chosen | style_parameters()):
            yield
    finally:
        if previous != "agg":
            plt.switch_backend(previous)


_NOT_STYLE = frozenset({"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "webagg.address"})
