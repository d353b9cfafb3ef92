"""The runner on a tiny study: everything once, failures and divergence recorded, stages, time limit, equal reruns."""

from pathlib import Path

import numpy as np
import pytest
from tiny import tiny

from testbed.core import Config
from testbed.runs import Cell, Outcome, Record, Store, TimeLimitReached, finished_records, run, survey
from testbed.runs.work import Unit, execute
from testbed.studies import Study
from testbed.training import trainer


@pytest.fixture
def trained(monkeypatch) -> list[list[str]]:
    """The training keys of every ensemble that is trained."""
    calls: list[list[str]] = []
    real = trainer.train

    def recording(specs, *arguments):
        calls.append([spec.training_key for spec in specs])
        return real(specs, *arguments)

    monkeypatch.setattr(trainer, "train", recording)
    return calls


def run_in(folder: Path, study: Study, **options: float) -> tuple[Outcome, dict[str, Record]]:
    with Store(folder, writable=True) as store:
        return run(study, store, **options), store.records()


def test_everything_once_and_nothing_again(tmp_path, trained) -> None:
    outcome, records = run_in(tmp_path, tiny())
    assert (outcome.ran, outcome.skipped, outcome.failed) == (6, 0, [])
    assert {record.status for record in records.values()} == {"done"}
    assert [len(call) for call in trained] == [4]
    again, same = run_in(tmp_path, tiny())
    assert (again.ran, again.skipped) == (0, 6)
    assert [one.checksum() for one in same.values()] == [one.checksum() for one in records.values()]
    assert len(trained) == 1


def test_records_say_where_they_came_from(tmp_path) -> None:
    _, records = run_in(tmp_path, tiny())
    for record in records.values():
        assert {"versions", "commit", "device", "threads", "seconds", "date", "source_fingerprint"} <= set(
            record.provenance
        )
    member = next(one for one in records.values() if one.cell["training"])
    assert member.provenance["source_fingerprint"] == tiny().source.fingerprint


def test_a_new_measurement_trains_nothing(tmp_path, trained) -> None:
    run_in(tmp_path, tiny())
    with Store(tmp_path, writable=True) as store:
        with store.transaction():
            store._db.execute("DELETE FROM records")
        assert run(tiny(), store).ran == 6
    assert len(trained) == 1


def test_an_exception_in_measure_fails_its_cell_alone(tmp_path, trained) -> None:
    outcome, records = run_in(tmp_path, tiny(fail_seed=1))
    assert outcome.failed == ["RuntimeError: this seed fails"] * 2
    failed = [one for one in records.values() if one.status == "failed"]
    assert [one.metrics for one in failed] == [{"error": "RuntimeError: this seed fails"}] * 2
    assert all("this seed fails" in one.provenance["traceback"] for one in failed)
    assert sum(one.status == "done" for one in records.values()) == 4
    again, records = run_in(tmp_path, tiny())
    assert (again.ran, again.skipped) == (2, 4)
    assert {one.status for one in records.values()} == {"done"}
    assert len(trained) == 1  # the members were kept


def test_an_exception_in_training_fails_its_ensemble_alone(tmp_path, monkeypatch) -> None:
    real = trainer.train

    def fails_at_one(specs, *arguments):
        if specs[0].context_length == 1:
            raise RuntimeError("no more memory")
        return real(specs, *arguments)

    monkeypatch.setattr(trainer, "train", fails_at_one)
    outcome, records = run_in(tmp_path, tiny(positions_per_ensemble=1))
    assert outcome.failed == ["RuntimeError: no more memory"] * 2
    assert sum(one.status == "done" for one in records.values()) == 4


def test_divergence_is_recorded_and_finished(tmp_path) -> None:
    _, records = run_in(tmp_path, tiny(diverge=True, steps=8))
    diverged = [one for one in records.values() if one.status == "diverged"]
    assert len(diverged) == 2
    assert all(one.metrics["diverged_at"] >= 1 for one in diverged)
    assert sum(one.status == "done" for one in records.values()) == 4
    again, _ = run_in(tmp_path, tiny(diverge=True, steps=8))
    assert again.ran == 0


# ---- stages ----


def test_a_second_stage_follows_and_trains_only_what_is_new(tmp_path, trained) -> None:
    outcome, records = run_in(tmp_path, tiny(second_stage=True))
    assert outcome.ran == 8
    assert [len(call) for call in trained] == [4, 1]
    assert len({key for call in trained for key in call}) == 5
    with Store(tmp_path) as store:
        assert finished_records(store, tiny(second_stage=True)).keys() == records.keys()


def test_a_rerun_forms_the_stages_and_ensembles_of_the_first(tmp_path, trained) -> None:
    study = tiny(second_stage=True)
    run_in(tmp_path, study)
    with Store(tmp_path, writable=True) as store:  # as if killed in the second stage
        late = next(call for call in trained if len(call) == 1)
        with store.transaction():
            store._db.execute("DELETE FROM members WHERE training_key = ?", late)
            store._db.execute("DELETE FROM records WHERE json_extract(content, '$.cell.probe.kind') = 'again'")
            store._db.execute("DELETE FROM records WHERE key = ?", [study.cell(0, 2, rate=2e-2).key])
        assert run(study, store).ran == 2
        plans = survey(store, study)[2]
    assert trained == [trained[0], late, late]
    assert [[spec.training_key for spec in plan.specs] for plan in plans] == trained[:2]


def test_a_part_that_is_done_changes_no_ensemble(tmp_path, trained) -> None:
    study = tiny(seeds=6, positions_per_ensemble=1500)
    run_in(tmp_path / "whole", study)
    whole = list(trained)
    trained.clear()
    with pytest.raises(TimeLimitReached):
        run_in(tmp_path / "part", study, time_limit=1e-9)
    with Store(tmp_path / "part", writable=True) as store:
        keys = [cell.key for cell in study.cells({})]
        assert run(study, store).ran == len(keys)
        with store.transaction():
            store._db.execute("DELETE FROM records WHERE key IN (?, ?)", (keys[-1], keys[-2]))
            store._db.execute("DELETE FROM members WHERE training_key IN (?, ?)", tuple(whole[-1][-2:]))
        run(study, store)
    assert trained == [*whole, whole[-1]]


# ---- equal results ----


def test_two_runs_give_equal_records(tmp_path) -> None:
    first, second = (run_in(tmp_path / name, tiny())[1] for name in "ab")
    assert list(first) == list(second)
    for key, record in first.items():
        assert record.content() == second[key].content()  # on one thread, members too


def test_members_come_back_as_they_were(tmp_path) -> None:
    study = tiny()
    run_in(tmp_path, study)
    specs = [cell.training for cell in study.cells({}) if cell.training is not None]
    with Store(tmp_path) as store:
        kept = store.load_members(specs)
    for fresh in trainer.train(specs):
        member = kept[fresh.spec.training_key]
        np.testing.assert_array_equal(member.weights, fresh.weights)
        assert member.scores == fresh.scores
        assert {name: path.tolist() for name, path in member.path.items()} == {
            name: path.tolist() for name, path in fresh.path.items()
        }


@pytest.mark.parametrize("keep", [False, True])
def test_weights_along_training_are_stored_where_they_are_kept(tmp_path, keep) -> None:
    specs = [cell.training for cell in tiny().cells({}) if cell.training is not None][:1]
    specs = [one.replace(evaluation=one.evaluation.replace(keep_weights=keep)) for one in specs]
    (fresh,) = trainer.train(specs)
    with Store(tmp_path, writable=True) as store:
        with store.transaction():
            store.save_members([fresh])
        (member,) = store.load_members(specs).values()
    assert (member.path_weights is not None) == keep
    assert not keep or np.array_equal(member.path_weights, fresh.path_weights)


# ------------------------------------------------------------------------------------------------ progress
class Point(Config):
    """A cell that trains nothing."""

    number: int


class Counting:
    """Measures cells without training; at number `bad` it fails."""

    type_name = "counting"

    def __init__(self, bad: int | None = None) -> None:
        self.bad = bad

    def measure(self, cells, members, context):
        for cell in cells:
            if cell.probe.number == self.bad:
                raise ValueError("bad")
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, {})


@pytest.mark.parametrize("bad", [None, 0, 2])
def test_cells_without_training_are_progress_too(bad) -> None:
    """One each as it is measured, and all of them in the end, also where one fails and the others are tried again."""
    unit = Unit(tuple(Cell("counting", 1, Point(number=number)) for number in range(4)))
    told: list[float] = []
    done = execute(Counting(bad), unit, "cpu", told.append)
    assert unit.positions == sum(told) == 4
    assert len(done.failed) == (bad is not None)
    if bad is None:
        assert told[:4] == [1, 1, 1, 1]
