"""The tensor arithmetic of Philox gives numpy's numbers, and tables of steps give each step its own row."""

import numpy as np
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, TrainingSpec
from testbed.training.masking import draw_sites
from testbed.training.samplers import Draws, MaskedSampler
from testbed.training.step_table import StepTable, clock_at
from testbed.training.uniforms import philox_uniforms, uniforms

CPU = torch.device("cpu")


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4, unique=True),
    st.integers(0, 4),
    st.integers(0, 2**40),
    st.integers(1, 4),
    st.integers(1, 23),
)
@example([2**64 - 1, 0, 2**63], 4, 2**40, 3, 8)
@settings(max_examples=60)
def test_the_numbers_are_numpys_bit_for_bit(seeds, number, first, n_steps, n):
    steps = range(first, first + n_steps)
    found = philox_uniforms(seeds, number, steps, n, CPU)
    for at, step in enumerate(steps):
        for row, seed in enumerate(seeds):
            plain = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, number, step])).random(n)
            assert found[at, row].numpy().tobytes() == plain.tobytes()
    assert torch.equal(found, uniforms(seeds, number, steps, n, CPU))


def test_a_known_answer():
    """Philox4x64-10 of counter (1, 0, 0, 0) and key 0, from numpy: the first four numbers of step 0."""
    expected = np.random.Philox(key=0).random_raw(4) >> np.uint64(11)
    assert (philox_uniforms([0], 0, range(1), 4, CPU)[0, 0].numpy() * 2.0**53).tolist() == expected.tolist()


@given(st.integers(1, 9), st.lists(st.integers(0, 200), min_size=1, max_size=12))
@settings(max_examples=40)
def test_a_table_gives_each_step_its_row_in_any_order(chunk, steps):
    table = StepTable(lambda those: torch.tensor([[step, -step] for step in those]), chunk)
    kept = []
    for step in steps:
        table.prepare(step)
        kept.append(table.at(clock_at(step, CPU)))
        assert kept[-1].tolist() == [step, -step]
    assert [row.tolist() for row in kept] == [[step, -step] for step in steps]  # rows are copies


def test_a_table_stays_where_it_is():
    table = StepTable(lambda those: torch.tensor([[step] for step in those]), 4)
    table.prepare(0)
    place = table.values.data_ptr()
    for step in (3, 4, 90, 1):
        table.prepare(step)
        assert table.values.data_ptr() == place


CHAIN = MarkovSource.random(vocab_size=3, order=1, seed=0)


def masked_spec(seed: int, n_targets: int | None = 20) -> TrainingSpec:
    return TrainingSpec(
        source=CHAIN,
        context_length=9,
        data=DataConfig(
            n_targets=n_targets, max_context=9, batch="masked", masked_share=0.3, targets_per_step=6, seed=seed
        ),
        model=ModelConfig(causal=False, mask_symbol=True),
    )


def test_draws_on_a_device_are_those_of_the_cpu(monkeypatch):
    """With the generator that a GPU uses, the same targets are drawn and the same tokens hidden."""
    specs = [masked_spec(seed, n) for seed, n in ((3, 20), (4, None), (3, 7))]
    here, sampler = Draws(specs, CPU).index(range(30, 70)), MaskedSampler(specs, CPU)
    sampler.prepare(5)
    hidden = sampler.read(clock_at(5, CPU))[2]
    monkeypatch.setattr("testbed.training.samplers.uniforms", philox_uniforms)
    assert torch.equal(Draws(specs, CPU).index(range(30, 70)), here)
    other = MaskedSampler(specs, CPU)
    other.prepare(5)
    assert torch.equal(other.read(clock_at(5, CPU))[2], hidden)
    every = np.ones((6, 9), dtype=bool)
    for row, spec in zip(hidden.numpy(), specs, strict=True):
        assert np.array_equal(row, draw_sites(every, 3, "train", spec.data.seed, 5))


def test_few_or_many_steps_ahead_draw_the_same(monkeypatch):
    specs = [masked_spec(seed) for seed in (3, 4)]
    plenty = MaskedSampler(specs, CPU)
    monkeypatch.setattr("testbed.training.samplers.NUMBERS_AHEAD", 1)
    scarce = MaskedSampler(specs, CPU)
    assert (plenty.scores.chunk, scarce.scores.chunk, scarce.sequences.rows.chunk) == (32, 1, 1)
    for step in (0, 1, 40, 33):
        for sampler in (plenty, scarce):
            sampler.prepare(step)
        for a, b in zip(plenty.read(clock_at(step, CPU)), scarce.read(clock_at(step, CPU)), strict=True):
            assert torch.equal(a, b)
