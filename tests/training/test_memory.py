"""As many members at a time as memory holds: the arithmetic, the parts, and what happens when it runs out anyway."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ResourceError
from testbed.models import ModelConfig
from testbed.sources import IIDSource, build
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec, ensemble, trainer
from testbed.training.memory import SHARE, Need, data_bytes, measured, parts_that_fit
from testbed.training.samplers import Resident

MEMBER, PASS, REST = 1000, 300, 70


def spec(seed: int, length: int = 1) -> TrainingSpec:
    return TrainingSpec(
        source=IIDSource([0.5, 0.25, 0.25]),
        context_length=length,
        data=DataConfig(n_targets=64, max_context=2, targets_per_step=4, seed=seed),
        model=ModelConfig(width=8, depth=1, heads=1),
        optimiser=OptimiserConfig(steps=4, warmup_steps=1),
        evaluation=EvaluationConfig(n_contexts=16, n_heldout=16, path_points=2),
        initial_seed=seed,
    )


class FakeMemory:
    """A device on which members take MEMBER bytes, PASS more in a step, and everything REST."""

    def __init__(self, free: int) -> None:
        self._free = int(free / SHARE) + 1
        self.tried: list[int] = []

    def free(self) -> int:
        return self._free

    def taken(self, work) -> tuple[int, int]:
        n = len(work().specs)
        self.tried.append(n)
        return n * MEMBER, n * (MEMBER + PASS) + REST


@given(
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(0, 300), st.integers(1, 40)
)
def test_the_most_that_fits_by_counting(fixed, staying, passing, in_a_pass, limit, n_members):
    need = Need(fixed, staying, passing, in_a_pass)
    fitting = [n for n in range(1, n_members + 1) if fixed + n * staying + min(n, in_a_pass) * passing <= limit]
    assert need.most(limit, n_members) == (fitting[-1] if fitting else 0)


def test_the_measurement_finds_what_members_take():
    memory = FakeMemory(10**6)
    need = measured([spec(7).replace(initial_seed=i) for i in range(5)], "cpu", memory)  # of one dataset
    assert memory.tried == [1, 2]
    assert (need.fixed, need.staying, need.passing) == (REST, MEMBER, PASS)
    assert need.members_in_a_pass == 2**18 // (4 * 2)


RECALL = build({"type": "key_value_recall"})
SHAPES = {
    "windows": {},
    "some targets a sequence": {"targets_per_sequence": 3},
    "stream": {"n_targets": None},
    "sequences": {"batch": "sequences", "max_context": 9},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bytes_of_the_data_are_those_that_lie_on_the_device(shape):
    data = spec(0).data.replace(**SHAPES[shape])
    whole = {"source": RECALL, "context_length": 9} if data.batch == "sequences" else {}
    one = spec(0).replace(data=data, **whole)
    resident = Resident([one], torch.device("cpu"))
    judged = 0 if resident.judged is None else resident.judged.numel()
    assert data_bytes(one) == resident.tokens.numel() + judged


def test_members_with_data_of_their_own_need_more():
    """The measurement takes one dataset; the four others are spread over the five members."""
    specs = [spec(i) for i in range(5)]
    need = measured(specs, "cpu", FakeMemory(10**6))
    assert need.staying == MEMBER + -(-4 * data_bytes(specs[0]) // 5)


@pytest.mark.parametrize(
    "holds, sizes", [(9, [7]), (7, [7]), (6, [4, 3]), (3, [3, 3, 1]), (2, [2, 2, 2, 1]), (1, [1] * 7)]
)
def test_an_ensemble_is_cut_into_as_few_parts_as_fit(holds, sizes):
    specs = [spec(7).replace(initial_seed=i) for i in range(7)]
    parts = parts_that_fit(specs, "cpu", FakeMemory(holds * (MEMBER + PASS) + REST))
    assert [len(part) for part in parts] == sizes
    assert [one for part in parts for one in part] == specs


def test_members_go_one_by_one_where_memory_is_less_than_planned_with(monkeypatch):
    specs = [spec(0), spec(1)]
    assert parts_that_fit(specs, "cpu", FakeMemory(MEMBER)) == [[one] for one in specs]
    memory = FakeMemory(10**6)

    def runs_out(self, work):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FakeMemory, "taken", runs_out)
    assert parts_that_fit(specs, "cpu", memory) == [[one] for one in specs]


def test_a_cpu_holds_every_ensemble():
    specs = [spec(i) for i in range(3)]
    assert parts_that_fit(specs, "cpu") == [specs]


# ---- it runs out
@pytest.fixture
def holds(monkeypatch):
    """Ensembles of more members than this run out of memory in their second step."""
    sizes: list[int] = []
    limit = [99]
    real = ensemble.Ensemble.train_step

    def train_step(self, step):
        if step == 1:
            sizes.append(len(self.specs))
            if len(self.specs) > limit[0]:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, step)

    monkeypatch.setattr(ensemble.Ensemble, "train_step", train_step)
    limit.append(sizes)
    return limit


def test_an_ensemble_that_runs_out_of_memory_is_halved_once(holds):
    specs = [spec(i, length=i % 3) for i in range(7)]
    expected = trainer.train(specs)
    holds[0] = 4
    said: list[int] = []
    found = trainer.train(specs, "cpu", said.append)
    assert holds[1] == [7, 7, 3, 4]
    for a, b in zip(found, expected, strict=True):
        assert a.spec == b.spec
        assert a.scores == b.scores
        assert np.array_equal(a.weights, b.weights)
    assert said == sorted(set(said))
    assert said[-1] == 4


def test_what_does_not_fit_halved_is_refused_in_words(holds):
    holds[0] = 2
    with pytest.raises(ResourceError, match="device cpu: 3 members of width 8.*take fewer targets_per_step"):
        trainer.train([spec(i) for i in range(7)])
    assert holds[1] == [7, 3]


def test_one_member_is_not_halved(holds):
    holds[0] = 0
    with pytest.raises(ResourceError, match="device cpu: 1 member of width 8"):
        trainer.train([spec(0)])


def test_parts_give_what_the_whole_gives(monkeypatch):
    specs = [spec(i, length=i % 3) for i in range(5)]
    expected = trainer.train(specs)
    monkeypatch.setattr(trainer, "parts_that_fit", lambda given, device: [given[:2], given[2:4], given[4:]])
    said: list[int] = []
    for a, b in zip(trainer.train(specs, "cpu", said.append), expected, strict=True):
        assert a.scores == b.scores
        assert np.array_equal(a.weights, b.weights)
    assert said == [1, 2, 3, 4]
