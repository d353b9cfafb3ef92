"""Uniform numbers of a seed and a step: numpy's Philox on a CPU, the same numbers by tensor arithmetic on a device.

A step's draws depend on (data seed, step) alone, so that no generator has a state to keep, and any device draws the
same targets. Philox4x64-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import numpy as np
import torch
from torch import Tensor

from testbed.training.step_table import to_device
from testbed.training.streams import step_generator

_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_ROUNDS = 10
_LOW = 0xFFFF_FFFF


def uniforms(seeds: list[int], number: int, steps: range, n: int, device: torch.device) -> Tensor:
    """(steps, seeds, n) float64 in [0, 1): the first n of `Philox(key=seed, counter=[0, 0, number, step])`."""
    if device.type != "cpu":
        return philox_uniforms(seeds, number, steps, n, device)
    drawn = np.empty((len(steps), len(seeds), n))
    for at, step in enumerate(steps):
        for row, seed in enumerate(seeds):
            drawn[at, row] = step_generator(seed, number, step).random(n)
    return torch.from_numpy(drawn)


def philox_uniforms(seeds: list[int], number: int, steps: range, n: int, device: torch.device) -> Tensor:
    """`uniforms` without leaving the device: some 350 small operations, however many numbers."""
    key0, key1 = (_words([seed >> shift for seed in seeds], device)[:, None] for shift in (0, 64))
    shape = len(steps), len(seeds), -(-n // 4)
    counter0 = torch.arange(1, shape[2] + 1, device=device).expand(shape)  # numpy counts up before the first block
    counter1 = torch.zeros(shape, dtype=torch.int64, device=device)
    counter2 = torch.full(shape, number, dtype=torch.int64, device=device)
    counter3 = torch.arange(steps.start, steps.stop, device=device)[:, None, None].expand(shape)
    for _ in range(_ROUNDS):
        high0, low0 = _product(_MULTIPLIERS[0], counter0)
        high1, low1 = _product(_MULTIPLIERS[1], counter2)
        counter0, counter1, counter2, counter3 = high1 ^ counter1 ^ key0, low1, high0 ^ counter3 ^ key1, low0
        key0, key1 = key0 + _signed(_WEYL[0]), key1 + _signed(_WEYL[1])
    words = torch.stack([counter0, counter1, counter2, counter3], dim=-1).flatten(2)[:, :, :n]
    return _shifted(words, 11).double() * 2.0**-53


def _product(a: int, b: Tensor) -> tuple[Tensor, Tensor]:
    """High and low 64 bits of a * b, unsigned; int64 products wrap around."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> 32, b & _LOW, _shifted(b, 32)
    low_low, low_high, high_low = a_low * b_low, a_low * b_high, a_high * b_low
    middle = _shifted(low_low, 32) + (low_high & _LOW) + (high_low & _LOW)
    high = a_high * b_high + _shifted(low_high, 32) + _shifted(high_low, 32) + (middle >> 32)
    return high, b * _signed(a)


def _shifted(words: Tensor, places: int) -> Tensor:
    """Right by this many bits, zeros coming in."""
    return (words >> places) & ((1 << (64 - places)) - 1)


def _signed(word: int) -> int:
    """The int64 of the same 64 bits."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word


def _words(values: list[int], device: torch.device) -> Tensor:
    return to_device(np.array([_signed(value) for value in values], dtype=np.int64), device)
