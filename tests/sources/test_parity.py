"""Sparse parities: the published variants' numbers, and small task tables against all strings of bits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.parity import SparseParitySource
from testbed.sources.parity.tables import VARIANT_A, variant_b

LN2 = math.log(2)
A = SparseParitySource(variant="A")
B = SparseParitySource(variant="B")
TABLE_1 = {17: 0.4643, 20: 0.3988, 23: 0.3437, 25: 0.3116, 28: 0.2686, 30: 0.2429, 35: 0.1864, 40: 0.1387, 50: 0.0612}
"""l: minimal CE of variant B, published (table 1 of version 4), nats."""

SMALL = [
    SparseParitySource(tasks=((2, 1), (3, 2), (3, 1)), frequencies=[0.5, 0.25, 0.25]),  # the third is their sum
    SparseParitySource(tasks=((1,), (2, 1), (4, 3, 1), (4, 3, 2)), noise=0.1),
    SparseParitySource(tasks=((2, 1), (4, 1), (1,)), n_bits=3),  # the second has a random label
    SparseParitySource(tasks=((3, 1), (3, 1)), frequencies=[1.0, 0.0], noise=1.0),
]


def entropy_of(law: dict) -> float:
    return -sum(p * math.log(p) for p in law.values() if p > 0)


def collect(pairs) -> dict:
    found: dict = {}
    for key, p in pairs:
        found[key] = found.get(key, 0.0) + p
    return found


def joint_law(source: SparseParitySource, n_units: int) -> dict[tuple[int, ...], float]:
    """p(u_1 .. u_n, task, label), over all bits, label bits and flips; slow, obvious twin."""
    n_bits = max(n_units, *(max(task) for task in source.tasks))

    def outcomes():
        for bits in itertools.product((0, 1), repeat=n_bits):
            for t, (task, f) in enumerate(zip(source.tasks, source.question_law, strict=True)):
                stored = source.stored_bits is None or max(task) <= source.stored_bits
                for coin in (0, 1):
                    label = sum(bits[bit - 1] for bit in task) % 2 if stored else coin
                    for flip, p in enumerate(source.noise_weights / 2**32):
                        yield (*bits[:n_units], t, label ^ flip), 0.5**n_bits * f * 0.5 * p

    return collect(outcomes())


@pytest.mark.parametrize("source", SMALL, ids=str)
@pytest.mark.parametrize("n_units", [0, 2, 5])
def test_all_strings(source, n_units):
    """h_l = H(label | task, u_1 .. u_l): one sample has one task, so dependent tasks tell nothing of each other."""
    law = joint_law(source, n_units)
    h = source.conditional_entropies(n_units).value
    for l in range(n_units + 1):
        seen = collect(((key[:l], *key[-2:]), p) for key, p in law.items())
        given = collect(((key[:l], key[-2]), p) for key, p in law.items())
        assert h[l] == pytest.approx(entropy_of(seen) - entropy_of(given), abs=1e-12)
        for t, f in enumerate(source.question_law):
            if f > 0:
                part = [
                    entropy_of({k: p / f for k, p in table.items() if k[1] == t and p > 0}) for table in (seen, given)
                ]
                assert source.task_entropies(l).value[t] == pytest.approx(part[0] - part[1], abs=1e-12)
        assert h[l] == pytest.approx(source.question_law @ source.task_entropies(l).value, abs=1e-12)
        assert source.shown_entropy(l).value == pytest.approx(h[0] - h[l], abs=1e-12)
    keys = [key for key, p in law.items() if p > 0 or source.question_law[key[-2]] > 0]
    tokens = np.array([[*key[:n_units][::-1], 2 + key[-2], key[-1]] for key in keys], dtype=np.uint8)
    with np.errstate(divide="ignore"):
        assert source.log_probs(tokens).sum(axis=1) == pytest.approx(np.log([law[key] for key in keys]), abs=1e-9)
    assert source.position_losses(n_units + 2).value.sum() == pytest.approx(entropy_of(law), abs=1e-12)


@pytest.mark.parametrize("source", [SMALL[0], SMALL[1], SMALL[2]], ids=str)
def test_the_state_is_the_list_of_answers(source):
    """S(l) = entropy of the laws of the target, for all tasks at once, given u_1 .. u_l: counted over all bits."""
    for l in range(6):
        states = collect(
            (
                tuple(
                    sum(bits[bit - 1] for bit in task) % 2 if depth <= l else None
                    for task, depth in zip(source.tasks, source.depths, strict=True)
                ),
                0.5**6,
            )
            for bits in itertools.product((0, 1), repeat=6)
        )
        assert source.state_entropy(l).value == pytest.approx(entropy_of(states), abs=1e-12)


@given(st.lists(st.sets(st.integers(1, 7), min_size=1, max_size=3), min_size=1, max_size=8))
def test_state_entropy_of_any_table(tasks):
    source = SparseParitySource(tasks=tuple(tuple(sorted(task)) for task in tasks))
    bits = np.array(list(itertools.product((0, 1), repeat=7)))
    for l in range(8):
        answers = [bits[:, [bit - 1 for bit in task]].sum(axis=1) % 2 for task in tasks if max(task) <= l]
        n_states = len(np.unique(np.array(answers).T, axis=0)) if answers else 1
        assert source.state_entropy(l).value == pytest.approx(math.log(n_states), abs=1e-12)


def test_labels_are_parities():
    tokens = A.sample(3000, 102, seed=5)
    task = tokens[:, -2].astype(int) - 2
    near, far = np.array(VARIANT_A)[task].T[::-1]
    solved = far <= 100
    rows = np.arange(3000)[solved]
    parity = tokens[rows, 100 - far[solved]] ^ tokens[rows, 100 - near[solved]]
    assert np.array_equal(tokens[rows, -1], parity)
    n = int((~solved).sum())
    assert abs(tokens[~solved, -1].mean() - 0.5) < 5.5 * 0.5 / math.sqrt(n)
    assert abs(n / 3000 - 0.14) < 0.035


# -- variant A
def test_variant_a_risks():
    golden = {20: 0.6931, 21: 0.6516, 24: 0.5545, 27: 0.4713, 32: 0.3882, 36: 0.3327, 43: 0.2634, 63: 0.1664}
    golden |= {72: 0.1386, 94: 0.0970, 100: 0.0970}
    risk = A.conditional_entropies(200).value
    for l, wanted in golden.items():
        assert risk[l] == pytest.approx(wanted, abs=5.1e-5)
    assert A.entropy_rate().value == pytest.approx(7 / 50 * LN2, abs=1e-8)
    assert np.all(risk[94:] == risk[94])  # tasks beyond 100 bits stay random, however many bits there are


def test_variant_a_fit():
    """-0.0020(30) + 27.4(1.1) / l^1.227(14) on l = 20 .. 100, R^2 .99935."""
    from scipy.optimize import curve_fit

    l = np.arange(20, 101, dtype=float)
    risk = A.conditional_entropies(100).value[20:]

    def curve(l, c, b, g):
        return c + b / l**g

    found, covariance = curve_fit(curve, l, risk, p0=(0.0, 27.0, 1.2))
    error = np.sqrt(np.diag(covariance))
    assert found == pytest.approx([-0.0020, 27.4, 1.227], abs=0.05)
    assert found[0] == pytest.approx(-0.0020, abs=5e-5)
    assert found[2] == pytest.approx(1.227, abs=5e-4)
    assert error == pytest.approx([0.0030, 1.1, 0.014], rel=0.05)
    assert 1 - np.var(risk - curve(l, *found)) / np.var(risk) == pytest.approx(0.99935, abs=5e-6)


def test_variant_a_is_a_forest_with_a_linear_state():
    """Rank = number of solvable tasks; S_ntp = S / 50 exactly (4.3): A3 by construction."""
    assert len(VARIANT_A) == 50
    assert sum(max(task) > 100 for task in VARIANT_A) == 7
    for l in range(0, 101, 4):
        state = A.state_entropy(l).value
        assert state == pytest.approx(LN2 * sum(max(task) <= l for task in VARIANT_A), abs=1e-12)
        assert A.shown_entropy(l).value == pytest.approx(state / 50, abs=1e-8)
    whole = SparseParitySource(tasks=VARIANT_A)
    assert whole.state_entropy(522).value == pytest.approx(50 * LN2)


# -- variant B (4.2)
def test_variant_b_table():
    """Nine risks of table 1, and each of bits 11 .. 60 the farther bit of two different tasks.

    The spec says "within 9.8e-5" and, for i^-1.201, "within 9.6e-4": that holds for the least-squares parameters before
    they were rounded to print (0.928677, 1.153474; 1.201113). With the printed ones the largest errors are 1.05e-4 and
    9.74e-4, by this source and by summing the weights directly.
    """
    l, wanted = np.array(list(TABLE_1)), np.array(list(TABLE_1.values()))
    far = np.repeat(np.arange(11, 61), 2)

    def worst(weights):
        risks = np.array([LN2 * weights[far > one].sum() for one in l]) / weights.sum()
        return float(np.abs(risks - wanted).max())

    found = float(np.abs(B.conditional_entropies(60).value[l] - wanted).max())
    assert found == pytest.approx(1.047e-4, abs=1e-7)
    assert worst((far - 0.929) ** -1.1535) == pytest.approx(found, abs=1e-8)
    assert worst((far - 0.92867698) ** -1.15347436) == pytest.approx(9.80e-5, abs=1e-7)
    assert worst(far**-1.201) == pytest.approx(9.74e-4, abs=1e-6)
    assert worst(far**-1.20111297) == pytest.approx(9.6e-4, abs=5e-6)
    # by rank: task j = 1 .. 100, two a bit, f_j ~ (j + 18.67)^-1.154
    assert worst((np.arange(1.0, 101.0) + 18.67) ** -1.154) < 1.3e-4
    assert sorted(max(task) for task in B.tasks) == far.tolist()
    assert len(set(B.tasks)) == 100


def test_variant_b_is_nearly_logarithmic():
    """A + B / l^0.171 with A = -1.933, B = 3.888, largest error 8.5e-5 on the nine l of table 1."""
    from scipy.optimize import curve_fit

    l, wanted = np.array(list(TABLE_1), dtype=float), np.array(list(TABLE_1.values()))

    def curve(l, c, b, g):
        return c + b / l**g

    found, _ = curve_fit(curve, l, wanted, p0=(-1.9, 3.9, 0.17))
    assert found == pytest.approx([-1.933, 3.888, 0.171], abs=6e-4)
    assert np.abs(curve(l, *found) - wanted).max() == pytest.approx(8.5e-5, abs=5e-7)


@pytest.mark.parametrize("seed", range(4))
def test_variant_b_has_the_largest_state_that_pairs_allow(seed):
    """S(l) = ln 2 min(2 (l - 10), l - 1), whatever the seed.

    The spec has 2 (l - 10) ln 2 throughout, for a forest. 100 pairs of 60 bits cannot be a forest: the sums of pairs
    of l bits are the words of even weight, of dimension l - 1, which is less than 2 (l - 10) from l = 20 on.
    """
    source = SparseParitySource(variant="B", seed=seed)
    for l in range(61):
        wanted = max(0, min(2 * (l - 10), l - 1))
        assert source.state_entropy(l).value == pytest.approx(LN2 * wanted, abs=1e-12)
    assert variant_b(seed) == source.tasks


def test_variant_b_breaks_the_linear_law():
    """4.3: the best line in S misses S_ntp by 10.6 % of the range while |r| = 0.981 - for S = 2 (l - 10) ln 2, which
    the number of solvable tasks would give. With the true S, which pairs bound by l - 1: 7.9 % and 0.987; still no
    line."""
    l = np.array(list(TABLE_1))
    shown = np.array([B.shown_entropy(int(one)).value for one in l])
    for state, residual, correlation in (
        (2 * (l - 10) * LN2, 0.106, 0.981),
        (np.array([B.state_entropy(int(one)).value for one in l]), 0.0793, 0.9874),
    ):
        slope, intercept = np.polyfit(state, shown, 1)
        worst = np.abs(shown - slope * state - intercept).max() / np.ptp(shown)
        assert worst == pytest.approx(residual, abs=5e-4)
        assert np.corrcoef(state, shown)[0, 1] == pytest.approx(correlation, abs=5e-4)


def test_nonsense_is_refused():
    for parameters, fault in (
        ({}, "variant: give"),
        ({"variant": "A", "tasks": ((1, 2),)}, "variant: give"),
        ({"tasks": ((1, 2), (3, 3))}, "tasks: task 1 is"),
        ({"tasks": ((1, 0),)}, "tasks: task 0 is"),
        ({"tasks": ()}, "tasks: given 0"),
        ({"tasks": ((1,),), "frequencies": [0.5, 0.5]}, "frequencies: given shape"),
        ({"tasks": ((1,), (2,)), "frequencies": [0.5, 0.4]}, "frequencies: the law sums"),
        ({"variant": "C"}, "variant"),
    ):
        with pytest.raises(ConfigError, match=fault):
            SparseParitySource(**parameters)
    for call in (A.conditional_entropies, A.state_entropy, A.task_entropies, A.shown_entropy):
        with pytest.raises(ConfigError, match="context"):
            call(-1)
