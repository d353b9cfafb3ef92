"""Parities whose far bits are hidden: closed forms against sums over the number of bits shown, samples, refusals."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.parity import FarBitsHiddenSource, SparseParitySource

BASE = SparseParitySource(tasks=((2, 1), (3, 1), (5, 4), (1,)), frequencies=np.array([0.4, 0.3, 0.2, 0.1]), noise=0.05)


def of_shown(source: FarBitsHiddenSource) -> dict[int, float]:
    """{bits shown: probability}; 99 stands for all."""
    law = source.shown_weights / 2.0**32
    return {99: float(law[0])} | {source.least + i: float(p) for i, p in enumerate(law[1:])}


@given(st.integers(0, 4), st.integers(0, 3), st.floats(0, 1))
def test_risks_are_those_of_the_base_averaged_over_what_is_shown(least, more, whole):
    source = FarBitsHiddenSource(of=BASE, least=least, most=least + more, whole=whole)
    risks = BASE.conditional_entropies(6).value
    for length in range(7):
        slow = 0.0
        for shown, p in of_shown(source).items():
            slow += p * float(risks[min(shown, length)])
        assert source.conditional_entropies(6).value[length] == pytest.approx(slow, abs=1e-9)
    limit = source.entropy_rate().value
    assert source.conditional_entropies(40).value[-1] == pytest.approx(limit)
    assert source.excess_entropy().value == pytest.approx(
        float(np.sum(source.conditional_entropies(40).value - limit)), abs=1e-9
    )


def test_laws_are_those_of_a_sum_over_all_strings():
    """Joint law of every string of three bits, question, target by hand; its conditionals are what is predicted."""
    source = FarBitsHiddenSource(of=BASE, least=1, most=2, whole=0.25)
    joint: dict[tuple[int, ...], float] = {}
    for bits, (question, f), answer in itertools.product(
        itertools.product((0, 1), repeat=3), enumerate(BASE.question_law), (0, 1)
    ):
        for shown, p in of_shown(source).items():
            task = BASE.tasks[question]
            parity = sum(bits[3 - one] for one in task) % 2 if max(task) <= 3 else None
            chance = 0.5 if parity is None else 0.95 if answer == parity else 0.05
            seen = tuple(source.hidden if 3 - i > shown else bit for i, bit in enumerate(bits))
            key = (*seen, 2 + question, answer)
            joint[key] = joint.get(key, 0.0) + p * 0.125 * float(f) * chance
    assert sum(joint.values()) == pytest.approx(1.0)
    strings = np.array(list(joint))
    laws = source.predict(strings)
    for row, string in enumerate(joint):
        for t in range(5):
            same = sum(p for other, p in joint.items() if other[:t] == string[:t])
            law = [
                sum(p for other, p in joint.items() if other[: t + 1] == (*string[:t], v)) / same
                for v in range(source.vocab_size)
            ]
            assert laws[row, t] == pytest.approx(law, abs=1e-8)


def test_what_is_shown_is_drawn_apart_from_what_it_is():
    """Bits, questions and answers are the base's own; 30,000 numbers shown within 5.5 standard errors of their law."""
    source = FarBitsHiddenSource(of=BASE, least=2, most=4, whole=0.5)
    tokens, base = source.sample(30_000, 8, seed=3), BASE.sample(30_000, 8, seed=3)
    hidden = tokens == source.hidden
    assert np.array_equal(np.where(hidden, base, tokens), base)
    shown = 6 - hidden.sum(axis=1)
    assert np.array_equal(hidden, np.arange(6, -2, -1) > np.where(shown < 6, shown, 99)[:, None])
    for n, p in ((2, 1 / 6), (3, 1 / 6), (4, 1 / 6), (6, 1 / 2)):
        assert abs((shown == n).mean() - p) < 5.5 * np.sqrt(p * (1 - p) / 30_000)
    assert np.array_equal(source.sample(10, 8, seed=3, first_sequence=5), tokens[5:15])
    assert np.array_equal(source.show(base, shown), tokens)


def test_settings_that_cannot_be_are_named():
    with pytest.raises(ConfigError, match="must be a query over bits"):
        FarBitsHiddenSource(of={"type": "iid", "vocab_size": 4}, most=3)
    with pytest.raises(ValueError, match="least: given 4, must be at most most = 3"):
        FarBitsHiddenSource(of=BASE, least=4, most=3)
