"""The numbers of the study `cosscale`: floors, modes, windows, intervals, what the gate leaves, planted worlds."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.runs import Record
from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.recall.far_source import FarSource
from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.drawing import interval
from testbed.studies.cosscale.evidence import matched_reach
from testbed.studies.cosscale.floors import lag_floors, windowed_floor
from testbed.studies.cosscale.judgement import _two_sided
from testbed.studies.cosscale.measure import scored
from testbed.studies.cosscale.results import _divergences, aligned_within, left, mode, near
from testbed.studies.cosscale.stated import CLAIMED
from testbed.studies.cosscale.worlds import planted
from testbed.theory import aligned_weights

CONFIG = Path(__file__).parents[2] / "configs" / "cosscale.toml"


@pytest.fixture(scope="module")
def smoke() -> CosScaleStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CosScaleStudy)
    return study.replace(bounds=study.bounds.replace(gate=0.05))


# ------------------------------------------------------------------------------------------------ numbers
def test_the_floor_of_a_window_is_that_of_the_exact_posterior():
    """Brute force: the law of a copy given the last 3 units, from the joint law of all data tokens."""
    n, d, noise = 2, 4, 0.1
    source = FarSource(
        n_symbols=n, min_distance=d, max_distance=d, pointer_probability=0.5, noise=noise, kernel=np.full((n, n), 0.5)
    )
    units = 8
    pointed = np.zeros(units, dtype=bool)
    pointed[[5, 6, 7]] = True
    joint = np.ones((n,) * units)
    for t in range(units):
        shape = [1] * units
        if not pointed[t]:
            shape[t] = n
            joint = joint * np.full(shape, 1 / n)
        else:
            channel = np.where(np.eye(n, dtype=bool), 1 - noise, noise / (n - 1))
            shape[t - d], shape[t] = n, n
            joint = joint * channel.reshape(shape)
    assert joint.sum() == pytest.approx(1.0)
    near = joint.sum(axis=tuple(range(units - 4)))  # the last token and the three before it
    given = near.reshape(-1, n) / near.reshape(-1, n).sum(axis=1, keepdims=True)
    entropy = -(near.reshape(-1, n) * np.log(given)).sum()
    channel_entropy = -(noise * np.log(noise) + (1 - noise) * np.log(1 - noise))
    tokens = np.zeros((1, 2 * units), dtype=np.uint8)
    tokens[0, 0::2] = n + pointed
    judged = np.zeros(tokens.shape, dtype=bool)
    judged[0, -1] = True
    assert windowed_floor(source, tokens, judged) == pytest.approx(entropy - channel_entropy)
    assert windowed_floor(source, np.where(tokens == n + 1, n, tokens), judged) == 0.0


@given(
    st.integers(1, 3),
    st.lists(st.integers(0, 8), min_size=1, max_size=3).filter(any),
    st.floats(0.05, 1.0),
    st.integers(2, 7),
)
@settings(max_examples=25)
def test_the_floors_of_lags_are_those_of_all_sequences(size, law, fresh, length):
    """Brute force: the probability of every sequence, summed over what stands before the window."""
    source = MixtureTransitionSource(vocab_size=size, fresh=fresh, lag_law=np.array(law) / sum(law), n_lags=len(law))
    every = np.array(list(product(range(size), repeat=length)), dtype=np.int64)
    joint = np.exp(source.log_probs(every).sum(axis=1)).reshape((size,) * length)
    losses = np.zeros(len(law) + 1)
    for t in range(length // 2, length):
        upto = joint.sum(axis=tuple(range(t + 1, length)))
        for width in range(len(law) + 1):
            block = upto.sum(axis=tuple(range(t - min(width, t))))
            given_window = block / np.maximum(block.sum(axis=-1, keepdims=True), 1e-300)
            losses[width] -= np.sum(block * np.log(np.maximum(given_window, 1e-300))) / (length - length // 2)
    assert lag_floors(source, length) == pytest.approx(losses - losses[-1], abs=1e-9)


def test_floors_of_long_sequences_are_those_of_the_stationary_process():
    source = MixtureTransitionSource(vocab_size=3, fresh=0.2, lag_law=np.array([0.2, 0.3, 0.5]), n_lags=3)
    h = source.conditional_entropies(3).value
    assert lag_floors(source, 400) == pytest.approx(h - h[-1], abs=1e-9)
    with pytest.raises(ValueError, match="above"):
        lag_floors(source.replace(vocab_size=64), 24)


def test_a_window_is_asked_for_its_own_floor_alone(smoke):
    """It learnt where it stands at the best law that it could know; the same excess without a window has not."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    floor = data.values["local", "window-2", "own_floor"]
    assert floor.min() > 0.1
    assert data.learnt(("local", "window-2")).tolist() == [True] * 7 + [False]
    data.values["local", "plain", "excess"] = data.values["local", "window-2", "excess"]
    assert not data.learnt(("local", "plain")).any()


def test_places_that_are_scored_lie_in_the_second_half(smoke):
    seen = scored(smoke.task("far").source, 32, 8, 0)
    columns = np.nonzero(seen.judged)[1]
    assert columns.min() >= 16
    assert (columns % 2 == 1).all()
    assert seen.laws.laws.sum(axis=1) == pytest.approx(1.0)


def test_the_aligned_window_is_a_mean_over_queries():
    direct = np.mean([aligned_weights(16.0, i + 1, 16, query=i)[i - 2 :].sum() for i in range(8, 16)])
    assert aligned_within(16.0, 16, 16, 3) == pytest.approx(direct)
    assert aligned_within(1e6, 16, 16, 1) == pytest.approx(1.0)


def test_windows_are_matched_by_what_is_measured_and_only_where_learnt(smoke):
    """Windows of 2 and 4 keys measure 0.4 and 2.9: an arm of 1.5 goes to the first, and to the other if it is lost."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    for arm, width in (("window-2", 0.4), ("window-4", 2.9), ("cosscale-32", 1.5)):
        data.values["local", arm, "mass_width"] = np.full(8, width)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 2
    data.values["local", "window-2", "excess"] = np.full(8, 1.5)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 4
    data.values["local", "cosscale-32", "excess"] = np.full(8, 0.6)  # a third of 2 nats is asked for, not a twentieth
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 4
    data.values["local", "cosscale-32", "excess"] = np.ones(8)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") is None


def test_the_paired_check_bounds_rare_tokens_that_student_does_not():
    """24 of 512 places at which a model is sure of the wrong one of two tokens of 0.95 and 0.05: the bound holds the
    rate of p <= 0.05 in 4,000 draws below 0.05, also of those in which no rare token came."""
    rng = np.random.default_rng(0)
    common, kl = np.log(0.95 / 0.05), 0.9 * np.log(0.95 / 0.05)
    off = np.array([common - kl, -common - kl])
    error = np.sqrt(24 * (0.95 * off[0] ** 2 + 0.05 * off[1] ** 2)) / 512
    rare = rng.binomial(24, 0.05, size=4000)
    paired = ((24 - rare) * off[0] + rare * off[1]) / 512

    def bound(d: float) -> float:
        metrics = {"paired": d, "paired_error": error, "paired_range": np.abs(off).max() / 512}
        return _two_sided(Record("k", "s", {"probe": {}}, "done", metrics), "")

    assert np.mean([bound(d) <= 0.05 for d in paired]) < 0.05
    assert bound(24 * off[0] / 512) > 0.1
    assert bound(0.2) < 1e-9


def test_divergences_of_rows():
    def of(rows: list[float]) -> Record:
        return Record("k", "s", {"probe": {}}, "done", {}, {"log_rows": np.log(np.array([[[rows]]]))})

    kl, js = _divergences(of([0.5, 0.5]), of([0.9, 0.1]))
    assert kl == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))
    assert 0 < js < np.log(2)
    assert _divergences(of([0.3, 0.7]), of([0.3, 0.7])) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_the_mode_can_stand_at_an_end_and_is_the_fullest_bin():
    edges = np.linspace(-1, 1, 201)
    assert mode(edges, np.eye(200)[199]) == pytest.approx(0.995)
    assert mode(edges, np.eye(200)[0]) == pytest.approx(-0.995)
    bump = np.exp(-(((edges[1:] + edges[:-1]) / 2 - 0.3) ** 2) / 0.02)
    assert mode(edges, bump) == pytest.approx(0.3, abs=0.0101)
    two = np.stack([np.eye(200)[199], np.eye(200)[0]])
    assert mode(edges, two[:, None]) == pytest.approx(0.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=14))
def test_intervals_of_shares_are_shares_around_the_mean(values):
    middle, low, high = interval(np.array(values))
    assert 0 <= low <= middle <= high <= 1
    assert middle == pytest.approx(np.mean(values))


def test_intervals_cover_as_often_as_they_say():
    """Exponential values, n = 12: BCa's 95 % interval covers in 1,000 draws more often than 84 % (it does about 90 %;
    at 88 % the bound has probability below 1e-3 of a false alarm, and the seed is fixed)."""
    rng = np.random.default_rng(0)
    hits = [low <= 1.0 <= high for _, low, high in (interval(rng.exponential(size=12)) for _ in range(1000))]
    assert 0.84 < np.mean(hits) < 0.99


def test_what_a_window_leaves_is_its_complement():
    profile = np.array([[[0.9, 0.06, 0.04]], [[0.2, 0.5, 0.3]]])
    for own in (True, False):
        assert left(profile, 2, own) == pytest.approx(1 - near(profile, 2, own))
    assert left(np.array([[[1.0, 0.0, 0.0]]]), 2, own=False) == 1.0  # as `near`: nothing is near


def test_the_floor_of_the_own_key_is_left_out_of_the_others():
    own = np.array([[[0.95, 0.01, 0.01, 0.03]]])
    assert near(own, 3) == pytest.approx(0.97)
    assert near(own, 3, own=False) == pytest.approx(0.4)
    assert near(np.array([[[1.0, 0.0]]]), 2, own=False) == 0.0
