"""Extensions in the three regimes, and what is done with tables that disagree."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import constraints_of, divergence, entropy, golden_kernel, random_law, stationary_block

from testbed.core import ConfigError, ResourceError
from testbed.maxent import (
    Constraint,
    ConstraintSet,
    CountMarginals,
    JointMarginals,
    Scheme,
    WindowMarginals,
    choose_l2,
    count_boxes,
    marginal_of,
    model_block_law,
    solve_with_policy,
    token_divergences,
)


def conditional_entropies(kernel, up_to):
    """h_0 .. h_m of the stationary chain, by blocks."""
    blocks = [entropy(stationary_block(kernel, length)) for length in range(kernel.ndim - 1, up_to + 2)]
    shorter = stationary_block(kernel, kernel.ndim - 1)
    while shorter.ndim > 0:
        shorter = shorter.sum(axis=0)
        blocks.insert(0, entropy(shorter) if shorter.ndim else 0.0)
    return np.diff(blocks)


@pytest.mark.parametrize("T", [2, 3, 4])
def test_windows_lose_what_the_formula_says(T):
    """The token at offset j of a new block sees s + j - 1 tokens: it loses h_(s+j-1) - h_(t-1), and 0 iff k <= s."""
    kernel = golden_kernel()
    h = conditional_entropies(kernel, 2 * T)
    p = stationary_block(kernel, 2 * T)
    for s in range(T):
        scheme = Scheme(family={"type": "windows", "overlap": s})
        extension = scheme.extend(WindowMarginals(stationary_block(kernel, max(T, 2)).reshape((3,) * T)), 3, T)
        assert extension.regime == "R1"
        found = token_divergences(p, extension.law.probabilities)
        expected = np.zeros(2 * T)
        for t in range(T, 2 * T):
            seen = s + (t - T) % (T - s)
            expected[t] = h[seen] - h[t]
        np.testing.assert_allclose(found, expected, atol=1e-10)
        assert (found.max() < 1e-12) == (s >= 2)


def test_next_token_laws():
    p = random_law(1, 2, 6)
    extension = Scheme(family="pairs").extend(JointMarginals(p), 2, 3)
    q = extension.law.probabilities
    tokens = np.array(list(itertools.product(range(2), repeat=6)))
    np.testing.assert_allclose(np.exp(extension.log_probs(tokens).sum(axis=1)), q.reshape(-1), atol=1e-13)
    for t in range(6):
        prefix = tuple(tokens[37, :t])
        joint = q[prefix].reshape(2, -1).sum(axis=1)
        np.testing.assert_allclose(extension.next(prefix), joint / joint.sum(), atol=1e-13)
    with pytest.raises(ConfigError, match="prefix: given 6 tokens"):
        extension.next((0,) * 6)


def test_pairs_at_two_lengths_are_not_one_law():
    """Windows keep their law when the last token is dropped, pairs do not: `joint` and `each` then differ."""
    p = random_law(2, 2, 6, 0.5)
    tokens = np.array(list(itertools.product(range(2), repeat=6)))
    differ = {}
    for family in ("windows", "pairs"):
        laws = {}
        for way in ("joint", "each"):
            extension = Scheme(family=family, autoregression=way).extend(JointMarginals(p), 2, 3)
            laws[way] = extension.log_probs(tokens)
        differ[family] = np.abs(laws["joint"] - laws["each"]).max()
        np.testing.assert_allclose(np.exp(laws["each"].sum(axis=1)).sum(), 1.0, atol=1e-12)
        np.testing.assert_allclose(laws["joint"][:, -1], laws["each"][:, -1], atol=1e-9)
        shorter = extension.law_of(5)
        dropped = extension.law.probabilities.sum(axis=-1)
        assert (np.abs(shorter.probabilities - dropped).sum() / 2 < 1e-12) == (family == "windows")
        assert shorter.entropy >= entropy(dropped) - 1e-12
    assert differ["windows"] < 1e-10
    assert differ["pairs"] > 1e-3


def test_a_model_supplies_its_tables():
    """A callable over contexts, whose T-token law is not stationary: tables read at different places disagree."""
    rng = np.random.default_rng(0)
    tables = [rng.dirichlet(np.ones(2), size=(2,) * t) for t in range(4)]

    def next_token(contexts):
        return np.broadcast_to(tables[contexts.shape[1]][tuple(contexts.T)], (len(contexts), 2))

    block = model_block_law(next_token, 2, 4, rows=3)
    for x in itertools.product(range(2), repeat=4):
        assert block[x] == pytest.approx(np.prod([tables[t][(*x[:t], x[t])] for t in range(4)]))
    marginals = WindowMarginals(block)
    distances = marginals.shift_distances()
    assert distances[1] == pytest.approx(np.abs(block.sum(axis=(2, 3)) - block.sum(axis=(0, 1))).sum() / 2)
    assert (distances > 1e-3).all()
    np.testing.assert_allclose(marginals((1, 5)[:1]), block.sum(axis=(0, 2, 3)))
    np.testing.assert_allclose(marginals((4, 5)), block.sum(axis=(0, 1)))  # the window that ends with 5
    np.testing.assert_allclose(WindowMarginals(block, "earliest")((4, 5)), block.sum(axis=(2, 3)))

    sliding = Scheme(family="windows").extend(marginals, 2, 4)
    assert sliding.law.status == "inconsistent"
    context = (0, 1, 1, 0, 1, 1)
    np.testing.assert_allclose(sliding.next(context), tables[3][context[-3:]], atol=1e-12)  # sliding-window decoding
    np.testing.assert_allclose(sliding.next(context[:2]), tables[2][context[:2]], atol=1e-12)
    with pytest.raises(
        ConfigError, match="policy: autoregressive needs a decomposable set; .* disagree by .* use soft"
    ):
        _ = Scheme(family={"type": "pairs", "max_lag": 3}).extend(marginals, 2, 4).law
    soft = Scheme(family={"type": "pairs", "max_lag": 3}, policy="soft").extend(marginals, 2, 4)
    assert soft.law.status == "soft"
    assert max(one.largest for one in soft.separator_audit) > 1e-3


def test_model_errors():
    with pytest.raises(ConfigError, match=r"next_token: after \[0\] it gave \[0.5 0.6\]"):
        model_block_law(lambda c: np.full((len(c), 2), 0.5) + (c.shape[1] == 1) * np.array([0.0, 0.1]), 2, 3)
    with pytest.raises(ConfigError, match="gave the shape"):
        model_block_law(lambda c: np.full((len(c), 3), 1 / 3), 2, 3)
    with pytest.raises(ResourceError, match="law of a model's tokens"):
        model_block_law(lambda c: np.full((len(c), 2), 0.5), 2, 64)


def test_counts_supply_their_tables():
    rng = np.random.default_rng(1)
    tokens = rng.integers(2, size=(200, 7)).astype(np.uint8)
    pooled, first = CountMarginals(tokens, 2, 6), CountMarginals(tokens, 2, 6, pooled=False)
    assert (pooled.n_stretches, first.n_stretches) == (400, 200)
    slow = np.zeros((2, 2))
    for row in tokens:
        for start in range(2):
            slow[row[start + 4], row[start + 1]] += 1 / 400
    np.testing.assert_allclose(pooled((4, 1)), slow)
    expected = np.bincount(tokens[:, 3], minlength=2) / 200
    np.testing.assert_allclose(first((3,)), expected)
    empirical = pooled(tuple(range(6)))
    for clique in [(0, 1), (2, 5), (0, 3, 4)]:
        np.testing.assert_allclose(pooled(clique), marginal_of(empirical, clique))  # all of one law: they agree
    law = Scheme(family="pairs", mixing=0.01).extend(pooled, 2, 3).law
    assert law.status == "converged"
    assert (law.probabilities > 0).all()
    for bad, said in [((tokens, 1), "must lie in 0 .. 0"), ((tokens, 2, 8), "sequences have 7 tokens")]:
        with pytest.raises(ConfigError, match=said):
            CountMarginals(*bad)
    with pytest.raises(ConfigError, match="must lie in 0 .. 5"):
        pooled((6,))


def perturbed_windows(seed: int, size: float) -> tuple[np.ndarray, ConstraintSet]:
    """V = 2, n = 6, T = 4, s = 2; each window's law multiplied by exp(size * normal)."""
    rng = np.random.default_rng(seed)
    p = random_law(seed, 2, 6)
    given_tables = []
    for clique in [(0, 1, 2, 3), (2, 3, 4, 5)]:
        table = marginal_of(p, clique) * np.exp(size * rng.normal(size=(2,) * 4))
        given_tables.append(Constraint(clique, table / table.sum()))
    return p, ConstraintSet(2, 6, given_tables, allow_disagreement=True)


@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.1, 0.5]))
@settings(max_examples=15)
def test_policies(seed, size):
    _, given_set = perturbed_windows(seed, size)
    first, second = (one.table for one in given_set.constraints)
    (audit,) = given_set.separator_audit
    s1, s2 = first.sum(axis=(0, 1)), second.sum(axis=(2, 3))
    laws = {
        policy: solve_with_policy(given_set, policy).probabilities
        for policy in ("autoregressive", "backward", "reconciled", "ipf")
    }
    forward = first[..., None, None] * (second / s2[..., None, None])
    backward = (first / s1)[..., None, None] * second
    np.testing.assert_allclose(laws["autoregressive"], forward, atol=1e-13)
    np.testing.assert_allclose(laws["backward"], backward, atol=1e-13)
    np.testing.assert_allclose(laws["ipf"], backward, atol=1e-10)  # the table met last wins
    distance = np.abs(forward - backward).sum() / 2
    assert distance == pytest.approx(audit.total_variation, abs=1e-12)
    geometric = np.sqrt(s1 * s2) / np.sqrt(s1 * s2).sum()
    rescaled = first * (geometric / s1), second * (geometric / s2)[..., None, None]
    expected = rescaled[0][..., None, None] * rescaled[1] / geometric[..., None, None]
    np.testing.assert_allclose(laws["reconciled"], expected, atol=1e-13)
    for law in laws.values():
        assert law.sum() == pytest.approx(1.0)


def test_policies_agree_where_the_tables_do():
    p, given_set = perturbed_windows(0, 0.0)
    expected = constraints_of(p, given_set.cliques).solve().probabilities
    for policy in ("autoregressive", "backward", "reconciled", "ipf"):
        law = solve_with_policy(given_set, policy)
        assert law.status == "converged"
        np.testing.assert_allclose(law.probabilities, expected, atol=1e-13)
    assert divergence(p, solve_with_policy(given_set, "soft", l2=1e-3).probabilities) > divergence(p, expected)
    with pytest.raises(ConfigError, match="policy: given 'back'"):
        solve_with_policy(given_set, "back")


def test_the_weight_of_the_soft_policy_is_chosen_on_held_out_sequences():
    p, given_set = perturbed_windows(3, 0.05)
    rng = np.random.default_rng(0)
    held_out = np.array(np.unravel_index(rng.choice(64, size=4000, p=p.reshape(-1)), (2,) * 6)).T
    weight, losses = choose_l2(given_set, held_out, [1e-4, 1e-2, 1e0])
    assert losses[weight] == min(losses.values())
    assert weight < 1e0
    for l2, loss in losses.items():
        law = given_set.solve("soft", l2=l2).probabilities
        assert loss == pytest.approx(-np.log(law[tuple(held_out.T)]).mean(), abs=1e-9)


def test_schemes_are_configs():
    scheme = Scheme(family={"type": "symmetrised", "reading": "split_left"}, mixing=0.01)
    assert Scheme(**scheme.resolved()) == scheme
    with pytest.raises(ConfigError, match="policy"):
        Scheme(family="windows", policy="forward")
    with pytest.raises(ConfigError, match="family"):
        Scheme(family="windws")


def test_boxes_of_counts():
    """Tables of 300 sequences, zeros among them: every miss within a standard error, and nothing impossible."""
    rng = np.random.default_rng(5)
    tokens = rng.choice(3, size=(300, 4), p=[0.7, 0.29, 0.01])
    given_set = Scheme(family="pairs").extend(CountMarginals(tokens, 3), 3, 2).constraints
    assert given_set.structural_zeros.any()
    boxes = count_boxes(given_set, 300)
    law = given_set.solve("soft", box=boxes)
    assert (law.probabilities > 0).all()
    for one, box in zip(given_set.constraints, boxes, strict=True):
        assert (np.abs(law.marginal(one.positions) - one.table) <= box + 1e-6).all()


def test_reconciling_is_symmetric():
    """Three windows that disagree: the same law from either end, unlike the autoregressive one."""
    rng = np.random.default_rng(7)
    tables = [Constraint(tuple(range(a, a + 4)), random_law(int(rng.integers(99)), 2, 4)) for a in (0, 2, 4)]
    laws = [
        {
            policy: solve_with_policy(ConstraintSet(2, 8, order, allow_disagreement=True), policy).probabilities
            for policy in ("reconciled", "autoregressive", "backward")
        }
        for order in (tables, tables[::-1])
    ]
    np.testing.assert_allclose(laws[0]["reconciled"], laws[1]["reconciled"], atol=1e-14)
    np.testing.assert_allclose(laws[0]["autoregressive"], laws[1]["backward"], atol=1e-14)
    assert np.abs(laws[0]["autoregressive"] - laws[1]["autoregressive"]).max() > 1e-3
