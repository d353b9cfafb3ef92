"""The simulations of `attention_theory` against slow, obvious twins."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import kstest

from testbed.methods import methods
from testbed.studies.attention_theory.config import GaussianHeads, RandomKeys, SingleKey
from testbed.studies.attention_theory.laws import LAWS, law_factor
from testbed.studies.attention_theory.rows import Block, blocks, entropy_keeping_factor
from testbed.studies.attention_theory.simulate import gaussian_heads, random_cosines, random_keys, single_key
from testbed.theory import entropy_invariant_ratio


def entropy(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)


# ------------------------------------------------------------------------------------------------ laws and rows
@pytest.mark.parametrize(
    "law, method",
    [
        ("infoscale", "infoscale"),
        ("sphere_exact", "sphere_infoscale"),
        ("sphere_limit", "sphere_limit"),
        ("log_n", "log_n"),
        ("yarn", "yarn_temperature"),
    ],
)
def test_the_laws_are_those_that_the_methods_apply(law, method):
    lengths = torch.tensor([64, 256, 4096])
    applied = methods.build({"type": method}).scale(lengths, 32, 64, {}).numpy()
    assert [law_factor(law, int(n), 64, 32, 1.0) for n in lengths] == pytest.approx(applied, rel=2e-6)


def test_the_headwise_law_is_the_method_s_and_all_laws_are_no_ops_at_the_training_length():
    std = {"logit_std": torch.tensor([[1.7]])}
    applied = methods.build({"type": "headwise_lambda"}).scale(torch.tensor([64, 4096]), 32, 64, std).flatten()
    assert [law_factor("headwise", n, 64, 32, 1.7) for n in (64, 4096)] == pytest.approx(applied.numpy(), rel=1e-5)
    assert [law_factor(law, 64, 64, 128, 2.0) for law in LAWS] == [1.0] * len(LAWS)


def test_rows_equal_plain_softmax():
    """Also where exponentials of the logits themselves would overflow."""
    scores = 40 * np.random.default_rng(0).standard_normal((7, 50))
    one, other = Block(scores).tilted(25.0), Block(scores).tilted(0.3)
    p, q = softmax(25.0 * scores, axis=1), softmax(0.3 * scores, axis=1)
    assert other.entropy == pytest.approx(entropy(q), rel=1e-9)
    assert one.entropy == pytest.approx(entropy(p), abs=1e-9)
    assert other.mean == pytest.approx(np.sum(q * scores, axis=1))
    assert other.weights / other.total[:, None] == pytest.approx(q)
    kl = np.sum(q * (np.log(q) - np.log(softmax(0.4 * scores, axis=1))), axis=1)
    assert other.divergence_to(Block(scores).tilted(0.4)) == pytest.approx(kl, abs=1e-9)
    h, variance = Block(scores).entropy_and_variance(0.3)
    nearby = [Block(scores).tilted(0.3 + step).entropy for step in (-1e-5, 1e-5)]
    assert h == pytest.approx(other.entropy)
    assert -0.3 * variance == pytest.approx((nearby[1] - nearby[0]) / 2e-5, rel=1e-4)


def test_blocks_cover_every_row_once():
    scores = np.arange(3 * 100_000, dtype=np.float64).reshape(3, 100_000)
    found = list(blocks(scores, 90_000))
    assert [rows.indices(3)[:2] for rows, _ in found] == [(0, 1), (1, 2), (2, 3)]
    assert [float(block.top[0]) for _, block in found] == [89_999, 189_999, 289_999]


def test_the_solved_factor_keeps_the_entropy():
    scores = np.random.default_rng(1).standard_normal((40, 512))
    factor = entropy_keeping_factor(scores, 512, 2.0, 1.0)
    assert entropy(softmax(factor * scores, axis=1)).mean() == pytest.approx(2.0, abs=1e-8)


# ------------------------------------------------------------------------------------------------ simulations
def test_gaussian_heads_equal_a_plain_loop():
    settings = GaussianHeads(train_length=8, lengths=(8, 20), head_dim=16, n_rows=6, stds=(0.7, 3.0), filler_gap=2.0)
    found = gaussian_heads(settings, np.random.default_rng(5))
    z = np.random.default_rng(5).standard_normal((6, 20))
    for i, std in enumerate(settings.stds):
        for j, law in enumerate(LAWS):
            for k, n in enumerate(settings.lengths):
                factor = law_factor(law, n, 8, 16, std)
                p = softmax(factor * std * z[:, :n], axis=1)
                assert found["entropy"][i, j, k] == pytest.approx(entropy(p).mean())
                assert found["originals"][i, j, k] == pytest.approx(p[:, :8].sum(axis=1).mean())
                lower = std * z[:, :n] - 2.0 * (np.arange(n) >= 8)
                kept = softmax(factor * lower, axis=1)[:, :8].sum(axis=1).mean()
                assert found["originals_over_fillers"][i, j, k] == pytest.approx(kept)
    assert found["solved_entropy"][:, 1] == pytest.approx(found["entropy"][:, 0, 0], abs=1e-8)
    assert found["solved_factor"][:, 0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("head_dim", [4, 16, 128])
def test_drawn_cosines_have_the_law_of_keys_on_the_sphere(head_dim):
    """Against full vectors, 4,000 each, and their variance 1/d: two-sample Kolmogorov-Smirnov, seeded, p > 1e-6."""
    rng = np.random.default_rng(head_dim)
    keys = rng.standard_normal((4000, head_dim))
    drawn = random_cosines(40, 100, head_dim, rng).ravel()
    assert kstest(drawn, keys[:, 0] / np.linalg.norm(keys, axis=1)).pvalue > 1e-6


def test_random_keys_equal_a_plain_loop():
    settings = RandomKeys(train_length=8, lengths=(8, 20), head_dim=16, n_rows=5, alphas=(4.0, 40.0))
    found = random_keys(settings, np.random.default_rng(5))
    cosines = random_cosines(5, 20, 16, np.random.default_rng(5))
    for i, alpha in enumerate(settings.alphas):
        for j, law in enumerate(LAWS):
            for k, n in enumerate(settings.lengths):
                eta = cosines[:, :n]
                p = softmax(alpha * law_factor(law, n, 8, 16, alpha / 4.0) * eta, axis=1)
                plain = softmax(alpha * eta, axis=1)
                assert found["entropy"][i, j, k] == pytest.approx(entropy(p).mean())
                assert found["cosine"][i, j, k] == pytest.approx(np.sum(p * eta, axis=1).mean())
                kl = np.sum(plain * (np.log(plain) - np.log(p)), axis=1).mean()
                assert found["divergence"][i, j, k] == pytest.approx(kl, abs=1e-9)
    assert found["largest_cosine"] == pytest.approx([cosines[:, :n].max(axis=1).mean() for n in (8, 20)])


def test_a_single_key_equals_bayes_rule_by_enumeration():
    """U6: at factor 1 attention is the posterior over positions, each hypothesis' likelihood multiplied out."""
    settings = SingleKey(train_length=6, lengths=(6, 12), head_dim=16, n_rows=4, shift=1.5, noise=0.8)
    found = single_key(settings, np.random.default_rng(5))
    s = 0.8 * np.random.default_rng(5).standard_normal((4, 12))
    s[:, 0] += 1.5
    for k, n in enumerate(settings.lengths):
        means = 1.5 * np.eye(n)
        likelihood = np.exp(-((s[:, None, :n] - means) ** 2).sum(axis=-1) / (2 * 0.8**2))
        posterior = likelihood / likelihood.sum(axis=1, keepdims=True)
        for j, law in enumerate(LAWS):
            factor = law_factor(law, n, 6, 16, settings.logit_std)
            p = softmax(factor * 1.5 / 0.8**2 * s[:, :n], axis=1)
            assert found["loss"][j, k] == pytest.approx(-np.log(p[:, 0]).mean())
            assert found["mass"][j, k] == pytest.approx(p[:, 0].mean())
            kl = np.sum(posterior * (np.log(posterior) - np.log(p)), axis=1).mean()
            assert found["divergence"][j, k] == pytest.approx(kl, abs=1e-9)
        assert found["divergence"][0, k] == pytest.approx(0.0, abs=1e-12)


def test_the_logit_std_of_a_single_key_is_that_of_its_rows():
    """20,000 rows; the mean within-row variance within 5.5 standard errors (4e-8)."""
    settings = SingleKey()
    s = np.random.default_rng(3).standard_normal((20_000, 64))
    s[:, 0] += settings.shift
    variances = (settings.bayes_scale * s).var(axis=1)
    assert variances.mean() == pytest.approx(settings.logit_std**2, abs=5.5 * variances.std() / math.sqrt(20_000))


def test_the_annealed_factor_alone_does_not_keep_the_entropy():
    """Why C1's control is a factor that is solved for: at sigma = 1, n = 4096 lambda* is some 10 % short."""
    z = np.random.default_rng(0).standard_normal((30, 4096))
    at_m = Block(z[:, :64]).tilted(1.0).entropy.mean()
    solved = entropy_keeping_factor(z, 4096, float(at_m), 3.0)
    assert 1.05 < solved / float(entropy_invariant_ratio(4096, 64, 1.0)) < 1.3
