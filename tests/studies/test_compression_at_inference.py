"""The study `compression_at_inference`: exact losses, roundings and adapters against slow twins, and a smoke run."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.compression_at_inference import CompressionAtInference
from testbed.studies.compression_at_inference.adapting import Decoder, Paths, belief_of_tokens, kept_on_front, paths
from testbed.studies.compression_at_inference.cache import (
    Untrained,
    cache_arrays,
    decisive,
    divergence,
    exceeded,
    half_variance,
    row_noise,
)
from testbed.studies.compression_at_inference.config import CACHED, DROPPED, KEYS, Adapters, Dropping, repeated_bits
from testbed.studies.compression_at_inference.data import NAMES, gather
from testbed.studies.compression_at_inference.dropping import CRITERIA, contexts_of, regret, with_fillers
from testbed.studies.compression_at_inference.grid import all_cells, member_cell

CONFIG = Path(__file__).parents[2] / "configs" / "compression_at_inference.toml"


@pytest.fixture(scope="module")
def smoke() -> CompressionAtInference:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CompressionAtInference)
    return study


# ------------------------------------------------------------------------------------------------ dropped tokens
def slow_loss(source, context, dropped, future) -> float:
    """KL(p(F | x) || p(F | x_kept)), by sums over dictionaries of whole sequences."""
    n, v = len(context), source.vocab_size
    every = list(np.ndindex(*(v,) * (n + future)))
    p = dict(zip(every, np.exp(source.log_probs(np.array(every)).sum(axis=1)), strict=True))

    def law(kept):
        mass = np.zeros((v,) * future)
        for sequence, one in p.items():
            if all(sequence[t] == context[t] for t in kept):
                mass[sequence[n:]] += one
        return mass / mass.sum()

    full, left = law(range(n)), law([t for t in range(n) if t not in dropped])
    return float(np.sum(full[full > 0] * np.log(full[full > 0] / left[full > 0])))


def test_losses_of_dropped_sets_are_those_of_plain_sums():
    source = Dropping(context_length=4).source("fillers", 3)
    found = contexts_of(source, 3, 1)
    rng = np.random.default_rng(0)
    for row in rng.choice(len(found.tokens), 3, replace=False):
        for dropped in ((0,), (1, 2), (0, 1, 2)):
            code = sum(1 << t for t in dropped)
            expected = slow_loss(source, found.tokens[row], dropped, 1)
            assert found.loss[row, code] == pytest.approx(expected, abs=1e-9)
    heads = source.log_probs(found.tokens)
    np.testing.assert_allclose(found.surprisal, -heads, atol=1e-9)


@given(st.integers(0, 10**6), st.sampled_from(DROPPED))
@settings(max_examples=6, deadline=None)
def test_a_fixed_set_costs_its_conditional_information(seed, arm):
    """Mean loss of a set that does not look at x: I(X_S; F | X_kept), by entropies of marginals."""
    dropping = Dropping(context_length=4)
    source, future = dropping.source(arm, seed), dropping.future(arm)
    found = contexts_of(source, 4, future)
    joint = np.exp(source.log_probs(np.indices((source.vocab_size,) * (4 + future)).reshape(4 + future, -1).T).sum(1))
    joint = joint.reshape((source.vocab_size,) * (4 + future))

    def entropy(axes):
        p = joint.sum(axis=tuple(set(range(4 + future)) - set(axes)))
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    future_axes = list(range(4, 4 + future))
    for size in (1, 2):
        for dropped in combinations(range(4), size):
            kept = [t for t in range(4) if t not in dropped]
            expected = (entropy(kept + future_axes) - entropy(kept)) - (
                entropy(list(range(4)) + future_axes) - entropy(range(4))
            )
            assert found.weight @ found.loss[:, sum(1 << t for t in dropped)] == pytest.approx(expected, abs=1e-8)


def test_criteria_against_loops_over_sets():
    """Ties are broken evenly; greedy and the best sets as one would by hand."""
    found = contexts_of(Dropping(context_length=4).source("twice", 1), 4, 2)
    curves = found.curves()
    for size in range(5):
        sets = list(combinations(range(4), size))
        codes = [sum(1 << t for t in one) for one in sets]
        expected = dict.fromkeys(("surprisal", "leave_out", "best", "chance"), 0.0)
        for row, weight in enumerate(found.weight):
            loss = found.loss[row, codes]
            for name, score in (("surprisal", found.surprisal[row]), ("leave_out", found.leave_out[row])):
                totals = np.array([sum(score[t] for t in one) for one in sets])
                expected[name] += weight * loss[totals <= totals.min() + 1e-9].mean()
            expected["best"] += weight * loss.min()
            expected["chance"] += weight * loss.mean()
        for name, value in expected.items():
            assert curves[name][size] == pytest.approx(value, abs=1e-12)
        assert curves["best"][size] <= curves["greedy"][size] + 1e-12
    assert curves["greedy"][1] == pytest.approx(curves["best"][1])


def test_the_classifier_is_the_mean_of_what_looks_alike():
    found = contexts_of(Dropping(context_length=4).source("noise", 2), 4, 1)
    known: dict[tuple, list] = {}
    for row, x in enumerate(found.tokens):
        for t in range(4):
            around = tuple(x[k] if 0 <= k < 4 else -1 for k in (t - 1, t, t + 1))
            known.setdefault(around, []).append((found.weight[row], found.leave_out[row, t]))
    for row in (0, 17, 50):
        for t in range(4):
            around = tuple(found.tokens[row][k] if 0 <= k < 4 else -1 for k in (t - 1, t, t + 1))
            mass, loss = np.array(known[around]).T
            assert found.classifier[row, t] == pytest.approx(mass @ loss / mass.sum())


def test_alike_fillers_are_many_fillers():
    """A source with r fillers written out: losses as with one filler, surprise ln r more."""
    one = Dropping(context_length=4).source("fillers", 5)
    emissions = np.array(one.emissions)
    many = build(
        {
            "type": "hidden_markov",
            "matrix": np.array(one.matrix).tolist(),
            "emissions": np.concatenate([emissions[:, :2], np.repeat(emissions[:, 2:] / 2, 2, axis=1)], 1).tolist(),
        }
    )
    short, long = with_fillers(contexts_of(one, 3, 1), 2), contexts_of(many, 3, 1)
    at = {tuple(x): k for k, x in enumerate(short.tokens)}
    place = [at[tuple(np.minimum(x, 2))] for x in long.tokens]
    np.testing.assert_allclose(long.surprisal, short.surprisal[place], atol=1e-7)
    # the future's filler is split as well, evenly: no loss changes
    np.testing.assert_allclose(long.loss, short.loss[place], atol=1e-7)


def test_bits_that_come_again():
    source = repeated_bits(2, 0.1)
    found = np.exp(source.log_probs(np.array([[0, 1, 0, 1]])).sum())
    assert found == pytest.approx(np.prod([0.5 * (0.9**2 + 0.1**2)] * 2))


def test_fillers_and_noise_differ_in_surprisal_alone(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    for name in CRITERIA:
        same = np.array_equal(data.drops["fillers"][name], data.drops["noise"][name])
        assert same != (name == "surprisal")


def test_all_tokens_as_surprising_is_chance():
    curves = contexts_of(Dropping(context_length=6).source("alone", 0), 6, 1).curves()
    np.testing.assert_allclose(curves["surprisal"], curves["chance"], atol=1e-12)
    assert regret(curves["leave_out"][3], curves["best"][3], curves["chance"][3]) == pytest.approx(0.0, abs=1e-9)


# ------------------------------------------------------------------------------------------------ rounded caches
@given(st.integers(0, 10**6), st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_divergence_is_half_the_variance_of_small_changes(seed, k):
    """KL(softmax(z) || softmax(z + e d)) = e^2 Var_q(d) / 2 + O(e^3): halving e quarters it."""
    rng = np.random.default_rng(seed)
    z, d = rng.standard_normal((2, k))

    def log_softmax(x):
        return x - np.log(np.sum(np.exp(x)))

    q = log_softmax(z)
    found = [float(divergence(q, log_softmax(z + e * d))) for e in (2e-3, 1e-3)]
    assert found[0] / found[1] == pytest.approx(4.0, rel=0.02)
    assert found[1] == pytest.approx(float(half_variance(q, log_softmax(z + 1e-3 * d))), rel=0.02)


def test_without_rotation_before_and_after_are_one_operation(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    for arm in CACHED:
        moved = data.caches[arm]["divergence"]
        pairs = [(NAMES.index(f"{by} before"), NAMES.index(f"{by} after")) for by in ("channel", "token")]
        for before, after in pairs:
            assert np.array_equal(moved[:, before], moved[:, after]) != arm.endswith("rope")
        assert (moved[:, :, -1] < moved[:, :, 0]).all()


def slow_rows(before, after, weights, new_weights):
    """Loops over rows: noise (sum, rows), exceeded (rows, decisive ones), decisive (rows, those of several keys)."""
    noise, beyond, sure = [], [], []
    for place in np.ndindex(*before.shape[:-1]):
        seen = np.isfinite(before[place])
        if seen.sum() > 1:
            noise.append(np.var(after[place][seen] - before[place][seen]))
            sure.append(weights[place].max() > 0.5)
        if weights[place].max() > 0.5:
            beyond.append(np.argmax(new_weights[place]) != np.argmax(weights[place]))
    return (sum(noise), len(noise)), (sum(beyond), len(beyond)), (sum(sure), len(sure))


def test_noise_and_exceeded_margins_against_loops():
    import torch

    rng = np.random.default_rng(0)
    hidden = np.triu(np.ones((5, 5), dtype=bool), 1)
    before, after = (np.where(hidden, -np.inf, 3 * rng.standard_normal((1, 4, 1, 5, 5))) for _ in range(2))
    given = [torch.from_numpy(one) for one in (before, after)]
    weights, new_weights = (torch.softmax(one, dim=-1) for one in given)
    noise, beyond, sure = slow_rows(before, after, weights.numpy(), new_weights.numpy())
    assert row_noise(*given) == pytest.approx(noise)
    assert exceeded(weights, new_weights) == beyond
    assert decisive(weights) == sure
    assert beyond[0] > 0


def test_rows_in_many_pieces_are_rows_in_one(smoke):
    cache = smoke.cache.replace(bits=(2, 3, 4, 8), high=4, n_sequences=5)
    spec = member_cell(smoke, "copy_rope", 0, 1e-2).training
    assert spec is not None
    one, many = (cache_arrays(Untrained(spec), cache, 0, "cpu", entries) for entries in (2**20, 20))
    for name, values in one.items():
        np.testing.assert_allclose(values, many[name], rtol=1e-9, atol=1e-15)
    assert (one["noise"] > 0).all()


def test_distance_from_the_law_against_loops(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    arms, found = ("copy_rope", "copy_bias"), data.from_law(("copy_rope", "copy_bias"), KEYS)
    beyond = {arm: data.caches[arm]["exceeded"].copy() for arm in arms}
    levels = (2.0**data.bits - 1) ** 2
    for row in range(len(data.seeds)):
        inside, outside = [], []
        for arm in arms:
            moved = data.caches[arm]["divergence"][row]
            for s in range(len(KEYS)):
                for b in range(len(data.bits) - 1):
                    away = np.log(moved[s, b] * levels[b] / (moved[s, -1] * levels[-1]))
                    (outside if beyond[arm][row, s, b] > 0 else inside).append(away)
        for one, values in zip(found, (np.abs(inside), outside), strict=True):
            assert one[row] == pytest.approx(np.mean(values) if len(values) else np.nan, nan_ok=True)


# ------------------------------------------------------------------------------------------------ adapters
def test_what_is_kept_along_a_front():
    """By hand: targets from what the rotation carries, .5, to .01 short of what the affine map does, 1."""
    carried, own = np.array([[0.6, 0.8]]), np.array([[0.9, 0.4]])
    given = Paths(carried, own, own, np.array([1.0, 0.5]), np.array([0.1, 0.95]))
    expected = []
    for target in np.linspace(0.5, 0.99, 101):
        points = ((0.6, 0.9), (0.8, 0.4), (1.0, 0.1), (0.5, 0.95))
        expected.append(max(kept for c, kept in points if c >= target - 1e-12))
    assert kept_on_front(given, 0) == pytest.approx(np.mean(expected))


def test_more_of_the_tokens_tells_more_of_the_belief():
    found = belief_of_tokens(Adapters(context_length=4))
    assert 0 < found[0] < found[1] < found[2] < 1


def test_one_network_turned_is_carried_whole_by_a_rotation():
    rng = np.random.default_rng(0)
    x, turn = rng.standard_normal((60, 4)), np.linalg.qr(rng.standard_normal((4, 4)))[0]
    beliefs = x @ rng.standard_normal((4, 2)) + 1.0
    found = paths(x, x @ turn + 3.0, beliefs, np.ones(60), Adapters(n_penalties=3))
    np.testing.assert_allclose(found.end_carried, 1.0, atol=1e-4)
    np.testing.assert_allclose(found.end_own, 1.0, atol=1e-4)
    np.testing.assert_allclose(found.carried[0], 1.0, atol=1e-4)
    decoder = Decoder(x, beliefs, np.ones(60), 1e-9)
    assert decoder.r_squared(x, beliefs, np.ones(60)) == pytest.approx(1.0)
    assert decoder.r_squared(np.zeros((60, 4)) + decoder.centre, beliefs, np.ones(60)) == pytest.approx(0.0, abs=1e-9)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_contexts_and_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = list(all_cells(study, {}))
    n_tuning = 6 * len(study.rates.learning_rates) * study.rates.n_seeds
    n_plain = (len(DROPPED) + len(CACHED)) * study.n_seeds
    assert len({cell.key for cell in cells}) == len(cells) == n_tuning + n_plain
    assert scale == "smoke" or min(study.seeds) >= 100


def test_two_networks_of_a_pair_share_the_source_alone(smoke):
    one, other = (member_cell(smoke, "mess3", 3, 1e-2, net).training for net in (0, 1))
    assert one is not None
    assert other is not None
    assert (one.initial_seed, one.data.seed) == (6, 6)
    assert (other.initial_seed, other.data.seed) == (7, 7)
    assert one.source == other.source


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cache.bits=[2,4,8,16]", "2, 3 and 4"),
        ("cache.bits=[3,2,4,8]", "must rise"),
        ("cache.high=8", "a slope needs two"),
        ("cache.copy_length=3", "copy_length"),
        ("cache={lag=8, copy_length=8}", "twice the lag"),
        ("dropping.context_length=5", "even"),
        ("dropping.context_length=12", "context_length"),
        ("model.depth=3", "each arm sets its own"),
        ('model.methods=["nope"]', "each arm sets its own"),
        ("optimiser.steps=7", "each arm sets its own"),
        ("dropping.share=[0.9,0.1]", "must rise"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["bits", "rotation", "dropped", "adapters"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    data = gather(smoke, finished)
    assert data is not None
    assert set(data.drops["alone"]) == set(CRITERIA)
    lost = smoke.judge(finished[:-1])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_a_claim_on_models_that_did_not_learn_says_so(smoke, finished):
    strict = smoke.replace(bounds=smoke.bounds.replace(gate=1e-9))
    reasons = {one.claim.id.partition(".")[2]: one.reason for one in strict.judge(finished).verdicts}
    assert "copy, rotary did not learn" in reasons["knee"]
    assert "did not learn" not in reasons["surprisal_fillers"]
