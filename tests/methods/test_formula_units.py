"""Sixteen identities and limits of the formulas around 2501.08570: where each is tested, and the rest here.

U1   InfoScale is 1 at m, grows, its table, its limit       theory/test_logit_scaling, methods/test_scaling_methods
U2   the root of eq. 18 is the tilted density's maximum     theory/test_cosine_attention
U3   CosScale's logits within +-alpha, norms, distances     methods/test_scaling_methods, methods/test_methods, here
U4   the entropy floor of sigmaReparam, and its equality    theory/test_attention_entropy
U5   exchangeable keys: m / n of the mass on m of them      here
U6   T1: enumeration is the softmax of the LLR              here, sources/test_retrieval
U7   limits and signs of ReRoPE and its kin                 methods/test_position_methods, models/test_bidirectional
U8   identities at s = 1, PI's angles                       methods/test_method_variants, methods/test_position_methods
U9   ALiBi is added after the division                      methods/test_position_methods
U10  masks with sinks, distance cap, row sums               methods/test_position_methods, here
U11  trained positions increase, below L                    methods/test_position_methods
U12  entmax sums to one, has zeros, tends to the softmax    methods/test_explicit_methods
U13  affine rows sum to the running mean                    methods/test_explicit_methods
U14  scale-invariant attention at distance 0                methods/test_explicit_methods
U15  dynamic NTK is none up to m                            methods/test_position_methods
U16  KL(P* || P*) = 0, Bayes entropies by Monte Carlo       here, sources/test_every_source
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.methods import Geometry, Method, methods
from testbed.models.attention import attend, placed
from testbed.sources.source import sources
from testbed.training.sequences import SequenceSet

CPU = torch.device("cpu")


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def last_row(chosen: list[Method], q: np.ndarray, k: np.ndarray, train_length: int = 8) -> np.ndarray:
    """(n,) weights of one query at the end of the window over n keys, in float32."""
    n, K = k.shape
    at = placed(n, "last", Geometry(K, 1, 1, train_length), CPU)
    one_q, one_k = (torch.from_numpy(x).float()[None, None, None] for x in (q[None], k))
    unit, x = torch.eye(n)[None, None, None], torch.zeros(1, 1, 1, K)
    return attend(one_q, one_k, unit, x, at, [(one, {}) for one in chosen], block=0)[0, 0, 0, 0].double().numpy()


@given(st.integers(0, 500), st.integers(0, 300), st.sampled_from(["rope", "pi", "ntk", "yarn", "dynamic_ntk"]))
@settings(max_examples=20, deadline=None)
def test_cosscale_with_rotations_sees_distances_alone(shift, seed, name):
    """U3: alpha cos(q, k) within [-alpha, alpha] before and after any of the rotations, the same when both move on."""
    n, K, alpha = 10, 16, 64.0
    q, k = 5 * torch.randn(2, 1, 1, 1, n, K, generator=torch.Generator().manual_seed(seed))
    at = placed(n, "all", Geometry(K, 1, 1, 4), CPU)
    q, k = build("cosscale", alpha=alpha).qk(q, k, at, {})
    rotation = build(name)
    logits = []
    for positions in (at.keys_T, at.keys_T + shift):
        u, w = (rotation.rotate(x, positions, at, {}) for x in (q, k))
        torch.testing.assert_close(w.norm(dim=-1), torch.ones(1, 1, 1, n))
        logits.append(u @ w.transpose(-1, -2) / math.sqrt(K))
        assert logits[-1].abs().max() <= alpha * (1 + 1e-5)
    torch.testing.assert_close(*logits, rtol=0, atol=alpha * 1e-4)  # angles are float32: 500 * 6e-8 radians


@given(
    st.integers(0, 10_000), st.integers(2, 24), st.floats(0.05, 30.0), st.sampled_from([[], ["infoscale"], ["log_n"]])
)
@settings(max_examples=40, deadline=None)
def test_exchangeable_keys_keep_m_of_n_of_the_mass(seed, n, heat, names):
    """U5: whatever the temperature. Exactly: the mean over all rotations of a set of keys, each as likely."""
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=4) * heat, rng.normal(size=(n, 4))
    m = int(rng.integers(1, n + 1))
    mass = [last_row([build(name) for name in names], q, np.roll(k, turn, axis=0))[:m].sum() for turn in range(n)]
    assert np.mean(mass) == pytest.approx(m / n, abs=1e-5)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_attention_at_temperature_one_is_the_posterior_over_sites(n):
    """U6: one site of n emits N(mu u, I), the others N(0, I). Each hypothesis' density is multiplied out over all
    sites; attention with the query mu u sqrt(K) has the log-likelihood ratios for logits, up to a constant."""
    K, mu = 3, 2.0
    rng = np.random.default_rng(n)
    u = rng.normal(size=K)
    u /= np.linalg.norm(u)
    for _ in range(20):
        x = rng.normal(size=(n, K))
        x[rng.integers(n)] += mu * u
        likelihood = [
            math.prod(math.exp(-0.5 * float(np.sum((x[i] - mu * u * (i == site)) ** 2))) for i in range(n))
            for site in range(n)
        ]
        posterior = np.array(likelihood) / sum(likelihood)
        assert last_row([build("nope")], mu * u * math.sqrt(K), x) == pytest.approx(posterior, abs=1e-5)
        sharpened = last_row([build("nope"), build("log_n")], mu * u * math.sqrt(K), x, train_length=2)
        divergence = float(np.sum(posterior * np.log(posterior / np.maximum(sharpened, 1e-300))))
        assert divergence == pytest.approx(0.0, abs=1e-5) if n == 2 else divergence > 1e-6


@pytest.mark.parametrize("name", ["streaming", "lm_infinite", "banded"])
@pytest.mark.parametrize("causal", [True, False])
def test_rows_of_masked_attention_sum_to_one_on_what_is_seen(name, causal):
    """U10: with sinks in every row, far beyond the training length."""
    m, n, K, sinks = 8, 40, 4, 3
    one = build(name, **{"streaming": {"sinks": sinks}, "lm_infinite": {"first": sinks}}.get(name, {}))
    q, k = torch.randn(2, 1, 1, 1, n, K, generator=torch.Generator().manual_seed(0))
    at = placed(n, "all", Geometry(K, 1, 1, m), CPU, causal=causal)
    w = attend(q, k, torch.eye(n)[None, None, None], q, at, [(one, {})], block=0)[0, 0, 0]
    torch.testing.assert_close(w.sum(dim=-1), torch.ones(n))
    assert torch.equal(w > 0, one.mask(at) & (torch.ones(n, n).tril().bool() | (not causal)))
    if name != "banded":
        assert (w[sinks:, :sinks] > 0).all()


TASKS = {
    "T1 noisy": ({"type": "noisy_retrieval", "n_values": 4, "noise": 0.1}, 18),
    "T1 Gaussian": ({"type": "gaussian_retrieval", "n_values": 4, "shift": 2.0}, None),
    "T2": ({"type": "associative_recall", "n_keys": 16, "n_values": 4, "noise": 0.05}, 18),
    "T3 levels": ({"type": "argmax_retrieval", "n_levels": 8}, 18),
    "T3 scalars": ({"type": "scalar_argmax"}, None),
    "T4": ({"type": "fillers", "base": {"type": "noisy_retrieval", "n_values": 2}, "n_informative": 8}, 24),
    "T5": ({"type": "mess3"}, 16),
    "T6": ({"type": "far_source", "min_distance": 4, "max_distance": 4}, 24),
    "T7": ({"type": "dirichlet_iid", "vocab_size": 4, "concentration": "1/4"}, 16),
    "T7b": ({"type": "reliability_classes", "ratio": 16}, None),
    "T8": ({"type": "noisy_copy", "lag": 5, "noise": 0.1}, 16),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_bayes_law_has_no_excess_and_its_entropy_is_its_loss(task):
    """U16: over 2,000 sequences, at judged positions. Surprise less entropy has mean zero; 5.2 of its exact standard
    errors and Bernstein's correction for rare events, two sides: 4e-7."""
    table, wanted = TASKS[task]
    source = sources.build(table)
    lengths = [length for length in range(8, 30) if length in source.lengths(length)]
    batch = source.batch(2000, lengths[-1] if wanted is None else wanted, seed=5)
    laws = source.predict_batch(batch)[batch.judged]
    one = SequenceSet(batch.tokens, batch.judged, laws, len(laws))
    log_q = np.log(np.maximum(laws, 1e-300))
    assert one.excess(log_q) == pytest.approx(0.0, abs=1e-12)
    assert one.excess(np.log(0.9 * laws + 0.1 / laws.shape[1])) > 0
    entropy = -np.sum(laws * one.log_laws, axis=1)
    surprise = -log_q[np.arange(len(laws)), one.token]
    variance = np.maximum(np.sum(laws * one.log_laws**2, axis=1) - entropy**2, 0.0).sum()
    z, most = 5.2, -float(one.log_laws.min())
    bound = z * math.sqrt(variance) + z**2 / 2 * most / 3 + 1e-9
    assert abs(float((surprise - entropy).sum())) <= bound
    assert entropy.mean() > 0 or task.startswith("T3")
