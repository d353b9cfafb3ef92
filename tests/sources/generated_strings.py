"""The slow, obvious twin of a source: run its story with every outcome of every draw, and add up the strings."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from testbed.sources import Source

Draw = Callable[[Sequence[float]], int]
Story = Callable[[Draw], Sequence[int]]


def every_string(story: Story) -> dict[tuple[int, ...], float]:
    """p(string), summed over all ways in which `story(draw)` can come to write it; draw(law) returns an outcome."""
    law: dict[tuple[int, ...], float] = defaultdict(float)
    waiting: list[list[int]] = [[]]
    while waiting:
        fixed = waiting.pop()
        taken: list[int] = []
        probability = 1.0

        def draw(chances: Sequence[float], fixed: list[int] = fixed, taken: list[int] = taken) -> int:
            nonlocal probability
            possible = [i for i, p in enumerate(chances) if p > 0]
            if len(taken) < len(fixed):
                outcome = fixed[len(taken)]
            else:
                outcome = possible[0]
                waiting.extend([*taken, other] for other in possible[1:])
            taken.append(outcome)
            probability *= chances[outcome]
            return outcome

        string = tuple(int(token) for token in story(draw))
        law[string] += probability
    return dict(law)


def alike(n: int) -> list[float]:
    """The uniform law."""
    return [1.0 / n] * n


def assert_same_law(source: Source, length: int, story: Story, tolerance: float = 1e-8) -> dict[Any, float]:
    """exp(sum of log_probs) of every string of V^L is the story's law, up to the grid of 2^-32; so are its losses."""
    law = every_string(story)
    assert abs(sum(law.values()) - 1) < 1e-9
    strings = np.array(list(itertools.product(range(source.vocab_size), repeat=length)), dtype=np.uint16)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.exp(np.nan_to_num(source.log_probs(strings), nan=-np.inf, neginf=-np.inf).sum(axis=1))
    wanted = np.array([law.get(tuple(string), 0.0) for string in strings.tolist()])
    assert np.abs(found - wanted).max() < tolerance
    blocks = [_block_entropy(law, t) for t in range(length + 1)]
    losses = source.position_losses(length)
    slack = 6 * losses.standard_error + 1e-7
    assert np.all(losses.lower - slack <= np.diff(blocks))
    assert np.all(np.diff(blocks) <= losses.upper + slack)
    return law


def _block_entropy(law: dict[tuple[int, ...], float], t: int) -> float:
    prefixes: dict[tuple[int, ...], float] = defaultdict(float)
    for string, p in law.items():
        prefixes[string[:t]] += p
    return -sum(p * float(np.log(p)) for p in prefixes.values() if p > 0)
