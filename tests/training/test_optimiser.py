"""AdamW on flat rows against torch.optim.AdamW at its default epsilon, the schedule, and members that die."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_transformer import plain_factor

from testbed.training import OptimiserConfig
from testbed.training.optimiser import CACHE_FLOATS, AdamW, learning_rate_factor

STEPS = 30


def random_rows(n_members: int, n_weights: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(n_members, n_weights, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_weights", [16, CACHE_FLOATS // 2])  # one block of rows, and several
def test_steps_equal_torch_for_every_member_with_its_own_numbers(n_weights):
    """Same gradients, 30 steps: weights equal to 2e-6 of their norm."""
    different = [(1e-3, 0.0, None), (3e-2, 0.5, 1.0), (5e-3, 0.1, 0.01), (1e-2, 0.0, 1e3), (1.0, 0.9, 2.0)]
    configs = [
        OptimiserConfig(learning_rate=a, weight_decay=b, clip=c, steps=STEPS, warmup_steps=4, final_fraction=0.1)
        for a, b, c in different
    ]
    mask = torch.zeros(n_weights)
    mask[: n_weights // 2] = 1.0
    weights, gradients = random_rows(5, n_weights, 0), torch.zeros(5, n_weights)
    ours = AdamW(weights, gradients, mask, configs)
    assert len(ours.blocks) == (1 if n_weights == 16 else 3)
    plain = []
    for row, c in zip(weights, configs, strict=True):
        halves = [torch.nn.Parameter(half.clone()) for half in row.split(n_weights // 2)]
        groups = [{"params": halves[:1], "weight_decay": c.weight_decay}, {"params": halves[1:], "weight_decay": 0.0}]
        plain.append((halves, torch.optim.AdamW(groups, betas=(c.beta1, c.beta2), eps=c.epsilon)))
    alive = torch.ones(5, dtype=torch.bool)
    for step in range(STEPS):
        gradients.copy_(random_rows(5, n_weights, step + 1, scale=10.0 ** (step % 4 - 2)))
        for row, c, (halves, optimiser) in zip(gradients, configs, plain, strict=True):
            for half, gradient in zip(halves, row.split(n_weights // 2), strict=True):
                half.grad = gradient.clone()
            if c.clip is not None:
                torch.nn.utils.clip_grad_norm_(halves, c.clip)
            for group in optimiser.param_groups:
                group["lr"] = c.learning_rate * plain_factor(step, STEPS, 4, 0.1)
            optimiser.step()
        ours.step(step, alive)
    for row, (halves, _) in zip(weights, plain, strict=True):
        expected = torch.cat([half.detach() for half in halves])
        assert (row - expected).norm() <= 2e-6 * expected.norm()
    assert alive.all()


def test_a_rows_step_does_not_depend_on_the_other_rows():
    weights, gradients = random_rows(6, 48, 0), random_rows(6, 48, 1)
    configs = [OptimiserConfig(learning_rate=0.1 * (i + 1), weight_decay=0.1 * i) for i in range(6)]
    together, mask = weights.clone(), torch.ones(48)
    AdamW(together, gradients.clone(), mask, configs).step(0, torch.ones(6, dtype=torch.bool))
    for i in range(6):
        alone = weights[i : i + 1].clone()
        AdamW(alone, gradients[i : i + 1].clone(), mask, configs[i : i + 1]).step(0, torch.ones(1, dtype=torch.bool))
        assert torch.equal(alone[0], together[i])


@given(st.integers(1, 500), st.integers(0, 50), st.floats(0, 1))
def test_the_schedule_rises_to_one_and_falls_to_the_final_fraction(steps, warmup, final):
    config = OptimiserConfig(steps=steps, warmup_steps=warmup, final_fraction=final)
    factors = [learning_rate_factor(step, config) for step in range(steps + 1)]
    for step, factor in enumerate(factors):
        assert factor == pytest.approx(plain_factor(step, steps, warmup, final), abs=1e-12)
    if warmup < steps:
        assert max(factors) == pytest.approx(1.0)
        assert factors[warmup] == pytest.approx(1.0)
        assert factors[steps] == pytest.approx(final, abs=1e-12)
        assert all(a >= b - 1e-12 for a, b in zip(factors[warmup:], factors[warmup + 1 :], strict=False))
    assert all(0 < factor <= 1 for factor in factors[:steps])


def test_schedule_by_hand():
    config = OptimiserConfig(steps=104, warmup_steps=4, final_fraction=0.2)
    by_hand = {0: 0.25, 3: 1.0, 4: 1.0, 54: 0.6, 29: 0.2 + 0.4 * (1 + math.sqrt(0.5))}
    for step, factor in by_hand.items():
        assert learning_rate_factor(step, config) == pytest.approx(factor)


@pytest.mark.parametrize(
    "poison", ["nan gradient", "infinite gradient", "overflowing update", "overflowing decay", "dead"]
)
def test_a_dying_row_keeps_its_weights_and_leaves_its_neighbours_alone(poison):
    normal = OptimiserConfig(learning_rate=0.01)
    faults = {
        "overflowing update": OptimiserConfig(learning_rate=1e39),
        "overflowing decay": OptimiserConfig(learning_rate=1e20, weight_decay=1e20),
    }
    weights, gradients, mask = random_rows(3, 32, 0), random_rows(3, 32, 1), torch.ones(32)
    expected = weights.clone()
    clean = AdamW(expected, gradients.clone(), mask, [normal] * 3)
    found, given = weights.clone(), gradients.clone()
    ours = AdamW(found, given, mask, [normal, faults.get(poison, normal), normal])
    alive = torch.tensor([True, poison != "dead", True])
    if "gradient" in poison:
        given[1, 5] = float("nan") if poison == "nan gradient" else float("inf")
    for step in range(3):
        clean.step(step + 100, torch.ones(3, dtype=torch.bool))
        ours.step(step + 100, alive)  # past the warm-up: full rate
        assert alive.tolist() == [True, False, True]
        assert torch.equal(found[1], weights[1])
        # with weight decay anywhere, rows without it are multiplied by one: no bit changes
        assert torch.equal(found[[0, 2]], expected[[0, 2]])
