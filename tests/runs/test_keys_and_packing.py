"""Keys of cells and trainings; ensembles as a pure function of the list of cells."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny

from testbed.runs import Cell, pack, training_positions
from testbed.runs.packing import MAX_MEMBERS, POSITIONS_OF_OVERHEAD
from testbed.training import Shape, TrainingSpec


def cells(**settings: object) -> list[Cell]:
    return tiny(**settings).cells({})


def trained(**settings: object) -> Cell:
    return next(cell for cell in cells(**settings) if cell.training is not None)


def test_the_key_is_that_of_what_is_measured() -> None:
    assert trained().key == trained(positions_per_ensemble=5, wait=1.0, fail_seed=7, seeds=9).key
    assert len({cell.key for cell in cells()}) == len(cells())


CHANGES = {
    "source": {"type": "iid", "vocab_size": 4},
    "context_length": 1,
    "data": {"seed": 9},
    "model": {"width": 16},
    "optimiser": {"learning_rate": 0.5},
    "evaluation": {"n_contexts": 128},
    "loss": "all",
    "initial_seed": 4,
}


def changed(spec: TrainingSpec, name: str) -> TrainingSpec:
    change = CHANGES[name]
    if isinstance(change, dict) and name != "source":
        change = getattr(spec, name).replace(**change)
    return spec.replace(**{name: change})


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_of_a_training_is_in_its_key(name: str) -> None:
    cell = trained()
    other = changed(cell.training, name)
    assert other.training_key != cell.training.training_key
    assert Cell(cell.study, cell.version, cell.probe, other).key != cell.key


def test_study_version_and_probe_are_in_the_key() -> None:
    cell = trained()
    others = [
        Cell("other", cell.version, cell.probe, cell.training),
        Cell(cell.study, cell.version + 1, cell.probe, cell.training),
        Cell(cell.study, cell.version, cell.probe.replace(length=5), cell.training),
        Cell(cell.study, cell.version, cell.probe, None),
    ]
    assert len({one.key for one in (cell, *others)}) == 5


def test_defaults_spelled_out_are_the_same_training() -> None:
    spec = trained().training
    assert TrainingSpec(**spec.resolved()).training_key == spec.training_key


def test_a_source_version_is_in_the_key_also_without_training(monkeypatch) -> None:
    before = [cell.key for cell in cells()]
    monkeypatch.setattr(type(trained().training.source), "version", 2)
    assert not set(before) & {cell.key for cell in cells()}


def test_shape_is_all_but_the_member_fields() -> None:
    spec = trained().training
    assert all(Shape.of(changed(spec, name)) == Shape.of(spec) for name in ("context_length", "initial_seed", "data"))
    assert all(Shape.of(changed(spec, name)) != Shape.of(spec) for name in ("model", "evaluation", "loss", "source"))


# ---- packing ----


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 20_000), st.randoms(use_true_random=False))
def test_each_training_once_in_ensembles_of_one_shape_below_the_caps(n: int, cap: int, rng: random.Random) -> None:
    many = cells(seeds=n, lengths=(0, 1, 3)) + cells(seeds=n, lengths=(0, 1, 3))
    many += [Cell("t", 1, cell.probe, changed(cell.training, "model")) for cell in many[-3:]]
    plans = pack(many, cap)
    packed = [spec.training_key for plan in plans for spec in plan.specs]
    assert sorted(packed) == sorted({cell.training.training_key for cell in many if cell.training is not None})
    for plan in plans:
        assert len({Shape.of(spec) for spec in plan.specs}) == 1
        assert len(plan.specs) <= MAX_MEMBERS
        assert plan.positions <= cap or len(plan.specs) == 1
        assert [spec.context_length for spec in plan.specs] == sorted(spec.context_length for spec in plan.specs)
    assert [plan.key for plan in pack(list(many), cap)] == [plan.key for plan in plans]


def test_positions_of_a_training() -> None:
    spec = trained(steps=5).training
    assert training_positions(spec) == 5 * (8 * 1 + POSITIONS_OF_OVERHEAD)
    assert training_positions(spec.replace(context_length=1)) == 5 * (8 * 2 + POSITIONS_OF_OVERHEAD)
    distinct = spec.replace(data=spec.data.replace(batch="distinct"), context_length=1)
    assert training_positions(distinct) == 5 * (3 * 2 + POSITIONS_OF_OVERHEAD)


def test_ensembles_have_at_most_64_members() -> None:
    assert sorted(len(plan.specs) for plan in pack(cells(seeds=100, lengths=(0,)), 10**12)) == [36, 64]
