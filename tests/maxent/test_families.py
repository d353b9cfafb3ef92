"""The schemes: their cliques, counts, order, and configs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import constraints_of, divergence, random_law

from testbed.core import ConfigError
from testbed.maxent import (
    Blocks,
    JointMarginals,
    Pairs,
    Star,
    Symmetrised,
    Triangle,
    WindowMarginals,
    Windows,
    families,
    kirkwood_law,
    token_divergences,
)
from testbed.maxent.faces import complex_rank

READINGS = ("no_third", "split_both", "split_right", "split_left", "both_ways")


def test_cliques():
    assert Windows(overlap=2).cliques(4) == ((0, 1, 2, 3), (2, 3, 4, 5), (4, 5, 6, 7))
    assert Windows(overlap=1).cliques(4) == ((0, 1, 2, 3), (3, 4, 5, 6), (6, 7))  # the last one cut short
    assert Windows(overlap=0).cliques(4) == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert Windows().cliques(3) == tuple((i, i + 1, i + 2) for i in range(4))
    assert Windows().cliques(4, 3) == ((0, 1, 2),)
    assert Pairs(max_lag=1).cliques(2) == ((0, 1), (1, 2), (2, 3))
    assert Pairs(prefix=True).cliques(2)[:2] == ((0, 1), (0, 2))
    assert Pairs(prefix=True).cliques(3)[0] == (0, 1, 2)
    assert Triangle().cliques(4) == ((0, 1, 2, 3), (2, 3, 4, 5), (0, 1, 4, 5))
    assert Star().cliques(4) == ((0, 1, 4, 5), (2, 3, 4, 5))
    assert Star(centre="middle").cliques(4) == ((0, 1, 2, 3), (2, 3, 4, 5))
    assert Star(centre="first", sizes=(1, 2, 1)).cliques(4) == ((0, 1, 2), (0, 3))
    assert len(Blocks().cliques(4)) == 6
    assert Symmetrised(reading="split_right").cliques(4)[2:] == ((0, 1, 4), (0, 1, 5))
    assert Symmetrised(reading="split_left").cliques(4)[2:] == ((0, 4, 5), (1, 4, 5))
    assert Symmetrised(reading="split_both").cliques(4)[2:] == ((0, 4), (0, 5), (1, 4), (1, 5))
    assert Symmetrised(reading="two_sided", overlap=1).cliques(4) == ((0, 1, 2), (2, 3, 4, 5), (5, 6, 7))


@pytest.mark.parametrize("T", [2, 3, 4, 5, 8])
def test_counts_of_the_table_of_sizes(T):
    """Windows: K = 1 + ceil(T / (T - s)) tables; pairs: T (2T - 1), and 1.5 T (T - 1) up to lag T - 1."""
    V = 3
    for s in range(T):
        size = Windows(overlap=s).size(V, T)
        K = 1 + -(-T // (T - s))
        assert size.sets == K
        if T % (T - s) == 0:
            assert (size.cells, size.rank) == (K * V**T, K * V**T - (K - 1) * V**s)
    everything = Pairs().size(V, T)
    n = 2 * T
    assert everything.sets == T * (2 * T - 1)
    assert everything.rank == 1 + n * (V - 1) + everything.sets * (V - 1) ** 2
    assert Pairs(max_lag=T - 1).size(V, T).sets == 3 * T * (T - 1) // 2
    for family in (Pairs(), Pairs(max_lag=2)):  # the formula against the faces
        assert family.size(V, T).rank == complex_rank(family.cliques(T), V)
        assert family.size(V, T).cells == len(family.cliques(T)) * V**2


def test_golden_sizes():
    assert Pairs().size(16, 64).sets == 8128
    assert Pairs().size(50257, 1024).cells == pytest.approx(5.3e15, rel=0.01)
    ranks = {reading: Symmetrised(reading=reading).size(2, 4).rank for reading in READINGS}
    assert ranks == {"no_third": 28, "split_both": 32, "split_right": 34, "split_left": 34, "both_ways": 37}


def test_regimes_and_reach():
    """R1: tables within T successive tokens. With tables of T, three groups reach 3T / 2, four of T / 2 reach 2T."""
    for family in (Windows(), Windows(overlap=1), Pairs(max_lag=3), Symmetrised(reading="two_sided")):
        assert family.regime(4) == "R1"
    for family in (Pairs(), Pairs(max_lag=4), Triangle(), Star(), Blocks(), Symmetrised(reading="split_both")):
        assert family.regime(4) == "R2"
    assert Triangle().length(4) == 6
    assert Blocks().length(4) == 8
    assert Triangle().size(2, 4).largest == Blocks().size(2, 4).largest == 4


@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0]))
@settings(max_examples=8)
def test_readings_are_nested(seed, concentration):
    """More of the third table, no worse a law; two-sided windows are windows."""
    p = random_law(seed, 2, 6, concentration)
    loss = {
        reading: divergence(p, Symmetrised(reading=reading).constraints(JointMarginals(p), 2, 4).solve().probabilities)
        for reading in READINGS
    }
    for less, more in [
        ("no_third", "split_both"),
        ("split_both", "split_right"),
        ("split_both", "split_left"),
        ("split_right", "both_ways"),
        ("split_left", "both_ways"),
    ]:
        assert loss[less] >= loss[more] - 1e-9
    both = (Windows(overlap=2), Symmetrised(reading="two_sided", overlap=2))
    one, other = (family.constraints(JointMarginals(p), 2, 4, 6).solve().probabilities for family in both)
    assert one.shape == other.shape
    assert Symmetrised(reading="both_ways").cliques(4) == Triangle().cliques(4)


def test_split_thirds_see_a_copy_and_miss_a_parity_across_the_split():
    """x_5 = x_0 is seen by every split; x_0 + x_4 + x_5 even by halves of L alone (the table l1 R holds all three)."""
    x = np.indices((2,) * 6)
    copy = (x[5] == x[0]) / 32
    parity = ((x[0] + x[4] + x[5]) % 2 == 0) / 32

    def loss(law, reading):
        return divergence(
            law, Symmetrised(reading=reading).constraints(JointMarginals(law), 2, 4).solve().probabilities
        )

    for reading in ("split_both", "split_right", "split_left", "both_ways"):
        assert loss(copy, reading) == pytest.approx(0.0, abs=1e-9)
    assert loss(copy, "no_third") == pytest.approx(np.log(2), abs=1e-9)
    assert [loss(parity, r) for r in READINGS] == pytest.approx([np.log(2)] * 3 + [0.0, 0.0], abs=1e-9)


def test_star_is_the_product_of_experts():
    """q(c | a, b) proportional to p(c | a) p(c | b) / p(c)."""
    p = random_law(5, 2, 3)
    q = Star(sizes=(1, 1, 1)).constraints(JointMarginals(p), 2, 2).solve().probabilities
    ac, bc, c = p.sum(axis=1), p.sum(axis=0), p.sum(axis=(0, 1))
    experts = (ac / ac.sum(axis=1, keepdims=True))[:, None, :] * (bc / bc.sum(axis=1, keepdims=True))[None] / c
    np.testing.assert_allclose(
        q / q.sum(axis=2, keepdims=True), experts / experts.sum(axis=2, keepdims=True), atol=1e-12
    )


def test_kirkwood():
    """Golden divergences; exact on a forest; not exact on all pairs, not even of a first-order chain."""
    for concentration, expected in ((1.0, 0.2661), (0.1, 0.5315)):
        p = random_law(0, 3, 4, concentration)
        pairs = Pairs().constraints(JointMarginals(p), 3, 2)
        assert divergence(p, kirkwood_law(pairs).probabilities) == pytest.approx(expected, abs=5e-5)
        assert divergence(p, kirkwood_law(pairs).probabilities) > divergence(p, pairs.solve().probabilities)
    chain = Pairs(max_lag=1).constraints(JointMarginals(p), 3, 2)
    np.testing.assert_allclose(kirkwood_law(chain).probabilities, chain.solve().probabilities, atol=1e-12)
    markov = Pairs().constraints(JointMarginals(chain.solve().probabilities), 3, 2)
    assert kirkwood_law(markov).residual > 1e-4
    with pytest.raises(ConfigError, match=r"constraints\[0\] .* takes pairs only"):
        kirkwood_law(Windows().constraints(JointMarginals(p), 3, 3, 4))


def test_window_theorem():
    """R1: no set of tables within T successive tokens does better than the sliding window, at any token."""
    p = random_law(8, 2, 6, 0.5)
    best = token_divergences(p, Windows().constraints(JointMarginals(p), 2, 3).solve().probabilities)
    inside = [c for r in (1, 2, 3) for c in itertools.combinations(range(6), r) if c[-1] - c[0] <= 2]
    rng = np.random.default_rng(0)
    for _ in range(10):
        chosen = [inside[i] for i in rng.choice(len(inside), size=6, replace=False)]
        q = constraints_of(p, chosen).solve().probabilities
        assert (token_divergences(p, q)[3:] >= best[3:] - 1e-9).all()


def test_configs():
    assert {"windows", "pairs", "triangle", "star", "blocks", "symmetrised"} <= set(families.names())
    built = families.build({"type": "windows", "overlap": 2})
    assert built == Windows(overlap=2)
    assert built.resolved() == {"type": "windows", "overlap": 2}
    assert families.build("pairs") == Pairs()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: families.build("window"), "did you mean windows"),
        (lambda: Windows(overlp=1), "overlp: unknown key, did you mean overlap"),
        (lambda: Windows(overlap=4).cliques(4), "overlap: given 4, must lie in 0 .. 3"),
        (lambda: Windows().cliques(1), "context_length: given 1"),
        (lambda: Windows().cliques(4, 1), "length: given 1"),
        (lambda: Triangle().cliques(4, 8), "triangle with these groups covers 6 positions"),
        (lambda: Symmetrised(reading="split_left", sizes=(1, 1, 1)).cliques(4), "cannot be split in two"),
        (lambda: Symmetrised(reading="third"), "reading: given 'third'"),
        (lambda: Triangle(sizes=(0, 1, 1)).cliques(4), "every group needs a position"),
        (lambda: Windows().constraints(WindowMarginals(random_law(0, 2, 3)), 2, 4), "regime R2"),
    ],
)
def test_bad_families(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def additive_logit_block(order: int, length: int, seed: int) -> np.ndarray:
    """V = 3, p(x | past) proportional to exp(b(x) + sum over lags of A_lag(x, x_(t-lag))), from a uniform start."""
    rng = np.random.default_rng(seed)
    law = np.full((3,) * order, 3.0**-order)
    tables = [rng.normal(size=(3, 3)) for _ in range(order)]
    bias = rng.normal(size=3)
    for t in range(order, length):
        logits = np.zeros((3,) * (order + 1)) + bias
        for lag, table in enumerate(tables, start=1):
            shape = [1] * order + [3]
            shape[order - lag] = 3
            logits = logits + table.reshape(shape)
        kernel = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        law = law[..., None] * kernel.reshape((1,) * (t - order) + kernel.shape)
    return law


def test_where_pairs_are_exact():
    """A Potts law, and order 2 with additive logits, whose normaliser depends on a pair; not order 3, not parity."""
    rng = np.random.default_rng(1)
    logs = np.zeros((3,) * 4)
    for i, j in itertools.combinations(range(4), 2):
        logs += np.expand_dims(rng.normal(size=(3, 3)), [p for p in range(4) if p not in (i, j)])
    potts = np.exp(logs) / np.exp(logs).sum()
    for law, exact in [
        (potts, True),
        (additive_logit_block(2, 5, 0), True),
        (additive_logit_block(3, 5, 0), False),
        (random_law(0, 3, 4), False),
    ]:
        loss = divergence(law, Pairs().constraints(JointMarginals(law), 3, 2, law.ndim).solve().probabilities)
        assert (loss < 1e-11) == exact
        assert loss >= -1e-14
