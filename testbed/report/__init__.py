"""From records to what a reader sees: figures, the ledger of verdicts, the HTML report, the committed gallery.

    figures = write_figures(study, records, folder)
    entry = Entry.of(study, records, figures=figures, scale="laptop", command="./run demo")
    write_report([entry], results / "report.html")
    write_gallery([entry], Path("figures"))

All of it is made from records alone, trains nothing, and gives the same bytes for the same records. Importing this
imports neither matplotlib nor jinja2.
"""

from testbed.report.gallery import read_gallery, write_gallery
from testbed.report.html import write_report
from testbed.report.ledger import Entry, Line, RunInfo, ledger
from testbed.report.render import RenderedFigure, write_figures
from testbed.report.style import figure_style
from testbed.report.verdicts import read_verdicts, write_verdicts

__all__ = [
    "Entry",
    "Line",
    "RenderedFigure",
    "RunInfo",
    "figure_style",
    "ledger",
    "read_gallery",
    "read_verdicts",
    "write_figures",
    "write_gallery",
    "write_report",
    "write_verdicts",
]
