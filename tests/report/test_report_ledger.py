"""Entries and the ledger over them; verdicts.json there and back."""

import json
import math
from pathlib import Path

import pytest
from report_fake import FakeStudy, fake_judgement, fake_records

from testbed.core import StoreError
from testbed.report import Entry, ledger, read_verdicts, write_verdicts
from testbed.report.ledger import ledger_p
from testbed.studies.judge import benjamini_hochberg


def made(**changes: object) -> Entry:
    values = {"scale": "laptop", "command": "./run demo"} | changes
    return Entry.of(FakeStudy(), fake_records(), **values)  # type: ignore[arg-type]


def test_run_info_comes_from_the_records() -> None:
    run = made().run
    assert run.records == {"diverged": 1, "done": 2}
    assert run.dates == ("2025-11-20", "2025-11-22")
    assert run.devices == ("A processor",)
    assert run.versions == {"numpy": "2.4.6", "testbed": "0.1.0"}
    assert run.config["type"] == "fake"


def test_words_about_the_study() -> None:
    one = made()
    assert one.question[0] == "Which context length is best, if data are few?"
    assert len(one.question) == 2  # the formula is no running text
    assert one.sources == ("markov: vocab_size 3; order 2; seed 0, 1, 2",)


def test_ledger_adjusts_over_all_entries() -> None:
    entries = [made(), made(scale="gpu")]
    lines = ledger(entries)
    raw = [ledger_p(line.entry, line.verdict) for line in lines]
    assert [line.p_ledger for line in lines] == benjamini_hochberg(raw).tolist()
    assert len(lines) == 12


def test_what_could_not_be_decided_is_no_discovery() -> None:
    few = next(verdict for verdict in fake_judgement().verdicts if verdict.claim.id == "few_seeds")
    assert few.p_decisive < 0.05
    assert ledger_p(made(), few) == 1.0
    void = made(judgement=fake_judgement(void=True))
    assert {line.p_ledger for line in ledger([void])} == {1.0}


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        ledger([made(), made()])
    assert len({line.anchor for line in ledger([made(label="a"), made(label="b")])}) == 12


def test_empty_ledger() -> None:
    assert ledger([]) == []
    assert Entry.of(FakeStudy(), [], scale="smoke", command="x").run.when == "no records"


def test_verdicts_file_there_and_back(entry: Entry) -> None:
    path = write_verdicts(entry, entry.figures[0].folder.parent / "verdicts.json")
    again = read_verdicts(path)
    assert again.judgement == entry.judgement
    assert [one.name for one in again.figures] == [one.name for one in entry.figures]
    assert again.figures[0].folder == path.parent
    assert again.confusion is not None
    assert again.confusion["n_draws"] == 40
    first = path.read_bytes()
    assert write_verdicts(again, path).read_bytes() == first


def test_verdicts_file_is_strict_json(tmp_path: Path) -> None:
    one = made(confusion={"n_draws": 1, "odd": math.nan, "rows": [], "family": {}})
    text = write_verdicts(one, tmp_path / "v.json").read_text()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in the file")

    data = json.loads(text, parse_constant=refuse)
    endless = next(verdict for verdict in data["verdicts"] if verdict["claim"]["id"] == "endless")
    assert endless["estimate"] == "inf"
    assert endless["claim"]["region"] == {"lower": "-inf", "upper": 1.0}
    assert endless["p_decisive"] == 0.0


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_foreign_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="verdicts.json"):
        read_verdicts(path)
