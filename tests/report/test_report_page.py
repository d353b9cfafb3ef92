"""The HTML page and the gallery: whole, self-contained, escaped, and equal on a rerun."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_fake import fake_entry, fake_judgement

from testbed.core import StoreError
from testbed.report import Entry, read_gallery, write_gallery, write_report
from testbed.report.strip import strip
from testbed.report.wording import estimate_and_interval, fixed, number, p_value
from testbed.studies.judge import Exact, judge


@pytest.fixture(scope="module")
def page(entry: Entry, results: Path) -> str:
    return write_report([entry], results / "report.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Every tag opened and closed in order; links and images collected."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr", "line", "rect", "circle", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.resources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        self.resources += [values[key] or "" for key in ("src", "srcset", "data") if key in values]
        if tag == "link":
            self.resources.append(values["href"] or "")
        if tag == "a" and "href" in values:
            self.links.append(values["href"] or "")
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "img":
            self.images.append(values)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_self_contained_and_well_formed(page: str, results: Path) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert outline.resources
    assert all(one.startswith("data:") for one in outline.resources)
    assert not re.search(r"@import|url\(|https?://|<script src", page)
    assert all(image["alt"] and image["width"] for image in outline.images)
    assert len(outline.images) == 3
    assert len(outline.ids) == len(set(outline.ids))
    for link in outline.links:
        assert link[1:] in outline.ids if link.startswith("#") else (results / link).is_file(), link
    assert "figures/fake/loss_split.pdf" in outline.links


def test_page_says_what_a_reader_asks(page: str, entry: Entry) -> None:
    for verdict in entry.judgement.verdicts:
        assert f'<span class="verdict {verdict.verdict}">' in page
        assert verdict.claim.id in page
    assert "<b>0.0207\u00a0nats</b> &ensp;[0.0193, 0.0228]" in page
    assert "about 7 independent replicates" in page  # undecided: what would decide
    assert "98.8\u00a0% interval" in page
    assert "our reading, not the paper" in page
    assert "section 3.2, eq. (7)" in page
    assert "can be decided from scale gpu on" in page
    assert "[0.045, 0.055]\u00a0nats" in page
    assert "The judge was tried on planted worlds" in page
    assert "(−∞, 1]\u00a0nats" in page
    assert "<b>∞\u00a0nats</b>" in page
    assert "A processor" in page
    assert "2025-11-20 to 2025-11-22" in page


def test_words_of_others_are_escaped(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "echo &#39;&lt;done&gt;&#39;" in page


def test_figures_are_numbered_as_they_appear(page: str) -> None:
    numbers = [int(one) for one in re.findall(r"<figcaption><b>Figure (\d+)", page)]
    assert numbers == [1, 2, 3]
    assert 'href="#fake-laptop-figure-loss_split">Figure 2</a>' in page


def test_page_is_equal_on_a_rerun(page: str, entry: Entry, results: Path) -> None:
    assert write_report([entry], results / "report.html").read_text(encoding="utf-8") == page


def test_files_elsewhere_are_not_linked(entry: Entry, tmp_path: Path) -> None:
    page = write_report([entry], tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(link.startswith("#") for link in Outline(page).links)


def test_a_void_study_says_so(entry: Entry, tmp_path: Path) -> None:
    void = fake_entry(None, scale="smoke", judgement=fake_judgement(void=True), confusion=None)
    page = write_report([entry, void], tmp_path / "r.html").read_text(encoding="utf-8")
    assert "This study is void." in page
    assert "h_l never rises with l" in page
    assert "2 hold" in page
    assert "8 undecided" in page


def test_an_empty_report_is_a_page(tmp_path: Path) -> None:
    assert "No verdicts yet" in write_report([], tmp_path / "r.html").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ the gallery
def test_gallery_replaces_its_own_folder_alone(entry: Entry, tmp_path: Path) -> None:
    index = write_gallery([entry], tmp_path / "gallery")
    smoke = fake_entry(None, scale="smoke", judgement=fake_judgement(void=True), figures=entry.figures)
    write_gallery([smoke], tmp_path / "gallery")
    text = index.read_text(encoding="utf-8")
    assert [one.folder_name for one in read_gallery(tmp_path / "gallery")] == ["smoke", "laptop"]
    assert "This study is void" in text
    assert "✓ **holds**" in text
    assert "0.0207\u00a0nats<br>\\[0.0193, 0.0228\\]" in text
    assert "A processor" in text
    for link in re.findall(r'(?:src="|\]\()([^")#]+)', text):
        assert (tmp_path / "gallery" / link).is_file(), link
    # fewer figures the next time: the old ones go, a reader's own notes stay
    (tmp_path / "gallery" / "fake" / "laptop" / "notes.md").write_text("mine")
    fewer = Entry(**{**vars(entry), "figures": entry.figures[:1]})
    write_gallery([fewer], tmp_path / "gallery")
    assert {one.name for one in (tmp_path / "gallery" / "fake" / "laptop").iterdir()} == {
        "loss_split.pdf",
        "loss_split.png",
        "loss_split.csv",
        "notes.md",
        "verdicts.json",
    }
    assert (tmp_path / "gallery" / "fake" / "smoke" / "overview.png").is_file()


def test_gallery_tells_how_the_judge_did_on_planted_worlds(entry: Entry, tmp_path: Path) -> None:
    text = write_gallery([entry], tmp_path / "with").read_text(encoding="utf-8")
    assert "tried on 40 draws of each of 2 planted worlds with 12 replicates" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| interior\\_optimum | ") and "%" in line]
    confusion = entry.confusion
    assert confusion is not None
    power = {one["expected"]: one["power"] for one in confusion["rows"] if one["claim"] == "interior_optimum"}
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2:4] == [f"{100 * power[word]:.3g}\u00a0%" for word in ("holds", "fails")]
    without = fake_entry(None, confusion=None)
    assert "planted worlds" not in write_gallery([without], tmp_path / "without").read_text(encoding="utf-8")


def test_gallery_is_equal_on_a_rerun_also_from_itself(entry: Entry, tmp_path: Path) -> None:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    write_gallery([entry], tmp_path)
    before = contents()
    write_gallery(read_gallery(tmp_path), tmp_path)
    assert contents() == before


def test_gallery_lists_the_figures_that_were_asked_for(entry: Entry, tmp_path: Path) -> None:
    """By paper and number, 2 before 10, each with what it is and a link; none asked for, no list."""
    asked = {"loss_split": ("Doe F10",), "best_context": ("Doe F2", "Doe F10"), "overview": ()}
    figures = tuple(replace(one, shows=asked.get(one.name, ())) for one in entry.figures)
    text = write_gallery([replace(entry, figures=figures)], tmp_path).read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| Doe | ")]
    assert [row[1] for row in rows] == ["F2", "F10"]
    assert rows[1][2].count("[laptop](fake/laptop/") == 2
    assert {one.name for one in read_gallery(tmp_path)[0].figures if one.shows} == {"loss_split", "best_context"}
    assert "figures by which each paper is judged" not in write_gallery([entry], tmp_path / "without").read_text(
        "utf-8"
    )


def test_gallery_markdown_is_inert(entry: Entry, tmp_path: Path) -> None:
    text = write_gallery([entry], tmp_path).read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "l\\*\\_delta &lt; 3" in text


def test_a_folder_of_others_is_left_alone(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "fake" / "laptop").mkdir(parents=True)
    (tmp_path / "fake" / "laptop" / "mine.png").write_bytes(b"")
    with pytest.raises(StoreError, match=r"mine\.png"):
        write_gallery([entry], tmp_path)


# ------------------------------------------------------------------------------------------------ words and strips
def test_numbers_read_well() -> None:
    assert [number(one) for one in (0.0, -0.5, 12345.678, 1e-5)] == [
        "0",
        "−0.5",
        "12\u202f346",
        "1 × 10⁻⁵".replace(" ", "\u00a0"),
    ]
    assert fixed(-0.0001, 2) == "0.00"
    assert [p_value(one) for one in (0.0, 0.00012, 0.05, 0.999)] == ["< 0.0001", "0.00012", "0.050", "1"]


@pytest.mark.parametrize("value", [0.0, 1.0, -1e-12, 1e9, float("inf"), float("-inf")])
def test_any_value_has_words_and_a_strip(value: float) -> None:
    claims = [verdict.claim for verdict in fake_judgement().verdicts]
    for verdict in judge([(one, Exact(value)) for one in claims]):
        estimate, interval = estimate_and_interval(verdict)
        assert estimate
        assert interval[0] in "[("
        assert "nan" not in strip(verdict)
        assert "inf" not in strip(verdict)
