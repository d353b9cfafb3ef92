"""Figures on disk: the same bytes twice, numbers that read back equal, the user's matplotlib left as it was."""

import csv
import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_fake import FakeStudy

from testbed.report import Entry, figure_style, write_figures
from testbed.report.render import csv_text
from testbed.report.style import COLOURS, DASHES, MARKERS
from testbed.runs import Record
from testbed.studies import StudyFigure


@pytest.fixture
def folder(entry: Entry) -> Path:
    return entry.figures[0].folder


class Small(FakeStudy):
    """One quick figure."""

    def figures(self, records: Sequence[Record]) -> dict[str, StudyFigure]:
        import matplotlib.pyplot as plt

        return {"small": StudyFigure(plt.figure(), [{"x": 1}], "caption")}


def test_three_files_a_figure(folder: Path) -> None:
    assert {one.name for one in folder.iterdir()} == {
        f"{name}.{suffix}" for name in ("loss_split", "best_context", "overview") for suffix in ("pdf", "png", "csv")
    }


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from report_fake import *\n"
        "write_figures(FakeStudy(), fake_records(), Path(sys.argv[1]))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "17", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True)
    assert _hashes(tmp_path) == _hashes(folder)


def _hashes(folder: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(folder.iterdir())}


def test_pdf_has_truetype_fonts_and_no_date(folder: Path) -> None:
    content = (folder / "best_context.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_csv_reads_back_equal(folder: Path) -> None:
    with (folder / "loss_split.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    written = FakeStudy().figures([])["loss_split"].rows
    assert [{key: float(value) for key, value in row.items()} for row in read] == written


def test_csv_of_every_kind_of_value() -> None:
    rows = [
        {"a": np.float64(0.1), "b": True, "c": "x, y"},
        {"a": math.inf, "d": None, "e": [1, 2]},
        {"a": np.float32(0.5), "b": np.bool_(False), "c": -math.inf},
    ]
    assert csv_text(rows) == 'a,b,c,d,e\n0.1,true,"x, y",,\ninf,,,,"[1, 2]"\n0.5,false,-inf,,\n'


def test_what_comes_back_describes_the_figures(entry: Entry, folder: Path) -> None:
    found = {one.name: one for one in entry.figures}
    assert found["loss_split"].claims == ("interior_optimum", "many_kernels")
    assert found["loss_split"].path(".pdf") == folder / "loss_split.pdf"
    assert found["overview"].alt == "overview. The seven lines of the cycle"


def test_figures_are_closed_and_the_users_style_returns(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    before, size = plt.get_fignums(), plt.rcParams["font.size"]
    plt.rcParams["font.size"] = 31
    try:
        write_figures(Small(), [], tmp_path)
        assert plt.rcParams["font.size"] == 31
    finally:
        plt.rcParams["font.size"] = size
    assert plt.get_fignums() == before


@pytest.mark.parametrize("name, rows, message", [("a/b", [{"x": 1}], "a/b"), ("empty", [], "no rows")])
def test_wrong_figures_are_refused(name: str, rows: list, message: str, tmp_path: Path) -> None:
    class Wrong(Small):
        def figures(self, records: Sequence[Record]) -> dict[str, StudyFigure]:
            return {name: replace(super().figures(records)["small"], rows=rows)}

    with pytest.raises(ValueError, match=message):
        write_figures(Wrong(), [], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_line_differs_in_colour_marker_and_dash() -> None:
    assert len(COLOURS) == len(set(COLOURS)) == len(MARKERS) == len(set(MARKERS)) == len(DASHES) == len(set(DASHES))
    with figure_style():
        import matplotlib

        assert matplotlib.rcParams["pdf.fonttype"] == 42
        assert len(matplotlib.rcParams["axes.prop_cycle"]) == len(COLOURS)


def test_importing_the_room_is_light() -> None:
    code = "import sys, testbed.report; print({'matplotlib', 'jinja2', 'torch', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
