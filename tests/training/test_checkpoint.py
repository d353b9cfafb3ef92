"""A training that was stopped goes on bit for bit, and no file is trusted that another version or hand has written."""

import io
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest

from testbed.core import StoreError
from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec, checkpoint, trainer
from testbed.training.trainer import train

SOURCE = MarkovSource.random(vocab_size=3, order=2, concentration=0.5, seed=1)
STEPS = 40


def spec(
    seed=0, length=2, batch="sampled", n_targets=40, rate=1e-2, model=None, precision="float32", keep=False, **others
):
    return TrainingSpec(
        source=SOURCE,
        context_length=length,
        data=DataConfig(n_targets=n_targets, max_context=3, batch=batch, targets_per_step=4, seed=seed),
        model=ModelConfig(width=8, depth=1, heads=1, **(model or {})),
        optimiser=OptimiserConfig(
            learning_rate=rate, steps=STEPS, warmup_steps=2, weight_decay=0.1, precision=precision
        ),
        evaluation=EvaluationConfig(n_contexts=40, n_heldout=40, path_points=4, keep_weights=keep),
        initial_seed=seed,
        **others,
    )


ENSEMBLES = {
    "windows": [spec(0), spec(1, length=3), spec(2, rate=1e36)],  # the last diverges
    "stream": [spec(0, n_targets=None), spec(1, n_targets=None, length=3)],
    "weights kept": [spec(0, keep=True), spec(1, keep=True, length=3)],
    "narrow": [spec(0, precision="bfloat16", loss="all")],
    "drawn positions": [spec(0, model={"methods": ("rope", {"type": "pose", "target_length": 9})})],
    "masked": [spec(i, length=3, batch="masked", model={"causal": False, "mask_symbol": True}) for i in range(2)],
}


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)


class Stop(KeyboardInterrupt):
    pass


def stop_after(steps: int):
    def observe(done: int) -> None:
        if done == steps:
            raise Stop

    return observe


def assert_same(found, expected) -> None:
    for a, b in zip(found, expected, strict=True):
        assert (a.spec, a.status, a.diverged_at) == (b.spec, b.status, b.diverged_at)
        assert a.weights.tobytes() == b.weights.tobytes()
        assert (a.path_weights is None) == (b.path_weights is None)
        assert a.path_weights is None or a.path_weights.tobytes() == b.path_weights.tobytes()
        assert {k: float(v).hex() for k, v in a.scores.items()} == {k: float(v).hex() for k, v in b.scores.items()}
        assert {k: v.tobytes() for k, v in a.path.items()} == {k: v.tobytes() for k, v in b.path.items()}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_stopped_and_resumed_is_uninterrupted_bit_for_bit(tmp_path, name):
    specs = ENSEMBLES[name]
    expected = train(specs)
    for steps in (1, 3, 33):  # one after the other: each run begins where the last one stopped
        with pytest.raises(Stop):
            train(specs, "cpu", stop_after(steps), tmp_path)
    said: list[int] = []
    assert_same(train(specs, "cpu", said.append, tmp_path), expected)
    assert said == list(range(33, STEPS + 1))


def test_a_run_that_is_not_stopped_is_what_it_is_without_checkpoints(tmp_path):
    specs = ENSEMBLES["windows"]
    assert_same(train(specs, "cpu", None, tmp_path), train(specs))


def test_nothing_is_written_within_the_first_minute(tmp_path, monkeypatch):
    monkeypatch.undo()
    assert trainer.CHECKPOINT_SECONDS == 60
    train(ENSEMBLES["windows"], "cpu", None, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_seconds_go_on_too(tmp_path):
    specs = [spec()]
    with pytest.raises(Stop):
        train(specs, "cpu", stop_after(5), tmp_path)
    change_head(only_file(tmp_path), seconds=1000.0)
    assert train(specs, "cpu", None, tmp_path)[0].seconds > 1000


def test_parts_that_are_finished_are_not_trained_again(tmp_path, monkeypatch):
    specs = [spec(i) for i in range(3)]
    expected = train(specs)
    monkeypatch.setattr(trainer, "parts_that_fit", lambda given, device: [given[:2], given[2:]])
    with pytest.raises(Stop):
        train(specs, "cpu", stop_after(2 * STEPS // 3 + 5), tmp_path)
    steps: list[int] = []
    real = trainer.Ensemble.train_step
    monkeypatch.setattr(trainer.Ensemble, "train_step", lambda self, step: steps.append(step) or real(self, step))
    assert_same(train(specs, "cpu", None, tmp_path), expected)
    assert len(steps) < STEPS  # of the second part alone


# ---- files that are not to be trusted
@pytest.fixture
def stopped(tmp_path):
    with pytest.raises(Stop):
        train([spec()], "cpu", stop_after(5), tmp_path)
    return only_file(tmp_path)


def only_file(folder):
    (file,) = folder.iterdir()
    return file


def change_head(file, **changes):
    """Another head, with a checksum that is right for it."""
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files}
    head = json.loads(arrays.pop("head").tobytes()) | changes
    head.pop("checksum")
    head["checksum"] = checkpoint._checksum(head, arrays)
    np.savez(file, **arrays, head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8))


def refused(file, message: str, specs=None) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        train(specs or [spec()], "cpu", None, file.parent)
    assert str(file) in str(caught.value)
    assert "delete it, and the training starts afresh" in str(caught.value)
    file.unlink()
    assert_same(train([spec()], "cpu", None, file.parent), train([spec()]))


@pytest.mark.parametrize("what, value", [("testbed", "0.0.1"), ("torch", "1.0"), ("format", 0)])
def test_another_version_is_refused_by_name(stopped, what, value):
    change_head(stopped, **{what: value})
    refused(stopped, f"was written by .*{value}.*, this is testbed ")


def test_a_changed_number_is_refused_by_name(stopped):
    with np.load(stopped) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["mean"][0, 3] += 1e-6
    np.savez(stopped, **arrays)
    refused(stopped, "does not match its checksum")


def test_any_damaged_byte_is_refused_by_name_or_means_nothing(stopped):
    whole, expected = stopped.read_bytes(), train([spec()])
    rng = np.random.default_rng(0)
    refusals = []
    for at in rng.integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        stopped.write_bytes(damaged)
        try:
            assert_same(train([spec()], "cpu", stop_at_once, stopped.parent), expected)
        except Stop:
            pass  # harmless: time stamps of the archive, say
        except StoreError as error:
            refusals.append(str(error))
    assert len(refusals) > 20
    assert all(str(stopped) in one for one in refusals)


def stop_at_once(done: int) -> None:
    raise Stop


def test_a_file_that_was_cut_short_is_refused_by_name(stopped):
    stopped.write_bytes(stopped.read_bytes()[:-100])
    refused(stopped, "cannot be read")


def test_the_state_of_another_training_is_refused_by_name(stopped):
    other = [spec(7)]
    file = stopped.with_name(checkpoint.group_key(other) + ".npz")
    stopped.rename(file)
    with pytest.raises(StoreError, match="belongs to another training"):
        train(other, "cpu", None, file.parent)


class Bomb:
    """Running what is pickled here would leave a mark."""

    def __init__(self, mark) -> None:
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize("where", ["the file", "an array", "the head"])
def test_a_pickle_is_refused_by_name_and_never_run(stopped, tmp_path, where):
    mark = tmp_path / "ran"
    if where == "the file":
        stopped.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        name = {"an array": "mean.npy", "the head": "head.npy"}[where]
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.array([Bomb(mark)], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(stopped) as archive:
            kept = {one: archive.read(one) for one in archive.namelist() if one != name}
        with zipfile.ZipFile(stopped, "w") as archive:
            for one, content in {**kept, name: buffer.getvalue()}.items():
                archive.writestr(one, content)
    with pytest.raises(StoreError, match="cannot be read"):
        train([spec()], "cpu", None, stopped.parent)
    assert not mark.exists()


def test_what_a_killed_process_left_behind_is_cleared(stopped):
    left = stopped.with_name(f".{stopped.name}.1")
    left.write_bytes(b"half")
    with pytest.raises(Stop):
        train([spec()], "cpu", stop_after(7), stopped.parent)
    assert only_file(stopped.parent) == stopped


def test_a_full_disk_is_told_and_the_training_goes_on(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.warns(UserWarning, match="no checkpoint at .*No space left on device; the training goes on"):
        (member,) = train([spec()], "cpu", None, tmp_path)
    assert_same([member], train([spec()]))
    assert list(tmp_path.iterdir()) == []


def test_no_warning_otherwise(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train([spec()], "cpu", None, tmp_path)
