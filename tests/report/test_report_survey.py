"""One row for every paper of the survey: verdicts, a reason, or the words that nobody has attempted it."""

from pathlib import Path

import pytest
from report_fake import FakeStudy, fake_records

from testbed.report import Entry
from testbed.report.gallery import index_text
from testbed.report.html import render_page
from testbed.report.survey import NOT_ATTEMPTED, SURVEY, Paper, coverage
from testbed.studies import studies


@pytest.fixture(scope="module")
def entry() -> Entry:
    return Entry.of(FakeStudy(), fake_records(), scale="laptop", command="./run demo")


def test_forty_papers_once_each() -> None:
    keys = [paper.key for paper in SURVEY]
    assert len(keys) == len(set(keys)) == 3 + 37
    assert len({paper.title for paper in SURVEY}) == len(SURVEY)


def test_no_paper_is_both_put_aside_and_asked() -> None:
    asked = {key for name in studies.names() for key in studies.find(name).papers}
    assert not [paper.key for paper in SURVEY if paper.why.startswith("outside") and paper.key in asked]


def test_verdicts_are_counted_by_the_paper_that_the_claim_names(entry: Entry) -> None:
    papers = {verdict.claim.paper for verdict in entry.judgement.verdicts}
    rows = coverage([entry], [Paper(key, f"title of {key}") for key in sorted(papers)])
    counted = sum(int(word) for row in rows for word in row.found.split() if word.isdigit())
    assert counted == len(entry.judgement.verdicts)
    assert all("(fake)" in row.found for row in rows)


def test_what_has_no_verdict_says_why() -> None:
    assert [row.found for row in coverage([], [Paper("nobody 2030", "x"), Paper("a 2030", "y", "outside: z")])] == [
        NOT_ATTEMPTED,
        "outside: z",
    ]
    found = {row.paper.key: row.found for row in coverage([])}
    assert found["2501.08570"].startswith("no verdict here, but asked by attention_theory, cosscale")


def test_index_and_page_show_every_row(entry: Entry, tmp_path: Path) -> None:
    index, page = index_text([], tmp_path), render_page([], tmp_path, "title")
    for paper in SURVEY:
        assert f"({paper.key})" in index
        assert f">{paper.key}</span>" in page
