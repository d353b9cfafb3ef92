"""A training of MLPs that was stopped goes on bit for bit; a file that is not its own is refused."""

import numpy as np
import pytest

from testbed.core import StoreError
from testbed.models.mlp_config import MLPConfig
from testbed.runs.work import MeasureContext
from testbed.sources.parity import SparseParitySource
from testbed.training import mlp_path
from testbed.training.mlp_checkpoint import group_key
from testbed.training.mlp_path import RULES, train_mlps
from testbed.training.mlp_spec import MLPOptimiserConfig, MLPSpec


class StoppedHere(Exception):
    """In place of a kill."""


@pytest.fixture
def specs() -> list[MLPSpec]:
    return [
        MLPSpec(
            source=SparseParitySource(tasks=[(2, 1), (4, 1)]),
            context_length=length,
            n_bits=4,
            n_targets=70,
            batch_size=32,
            steps=26,
            patience=2,
            most_epochs=7,
            n_validation=40,
            model=MLPConfig(hidden=12, bottleneck=6),
            optimiser=MLPOptimiserConfig(learning_rate=0.05),
            data_seed=seed,
            initial_seed=seed,
        )
        for seed in range(2)
        for length in (2, 4)
    ]


@pytest.mark.parametrize("stop", [2, 5, 13, 25])
def test_a_stopped_training_goes_on_bit_for_bit(specs, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(mlp_path, "CHECKPOINT_SECONDS", 0.0)
    steps: list[int] = []

    def observe(step: int) -> None:
        steps.append(step)
        if step == stop and len(steps) == stop:
            raise StoppedHere

    with pytest.raises(StoppedHere):
        train_mlps(specs, observe=observe, checkpoints=tmp_path)
    files = list(tmp_path.glob("*/*"))
    assert len(files) == (stop > 3)  # three steps are an epoch
    members = train_mlps(specs, observe=observe, checkpoints=tmp_path)
    assert steps[stop] == 3 * ((stop - 1) // 3) + 1  # on after the last epoch, not from the first step
    assert not list(tmp_path.iterdir())
    for one, whole in zip(members, train_mlps(specs), strict=True):
        assert (one.epoch, one.ended, one.diverged) == (whole.epoch, whole.ended, whole.diverged)
        assert np.array_equal(one.validation, whole.validation)
        assert np.array_equal(one.train_loss, whole.train_loss)
        assert all(np.array_equal(one.weights[rule], whole.weights[rule]) for rule in RULES)


def test_another_s_or_a_damaged_file_is_refused(specs, tmp_path, monkeypatch):
    monkeypatch.setattr(mlp_path, "CHECKPOINT_SECONDS", 0.0)

    def observe(step: int) -> None:
        if step == 7:
            raise StoppedHere

    with pytest.raises(StoppedHere):
        train_mlps(specs, observe=observe, checkpoints=tmp_path)
    (file,) = tmp_path.glob("*/*")
    others = [one.replace(steps=30) for one in specs]
    there = tmp_path / group_key(others)
    there.mkdir()
    (there / file.name).write_bytes(file.read_bytes())
    with pytest.raises(StoreError, match="belongs to another training"):
        train_mlps(others, checkpoints=tmp_path)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StoreError, match="cannot be read"):
        train_mlps(specs, checkpoints=tmp_path)


def test_measuring_may_do_without():
    assert MeasureContext("cpu").checkpoints is None
