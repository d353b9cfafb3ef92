"""The study `memory_profile`: crossed profiles, partial ranks, exact exponents, learners, a smoke run."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import OrderTable
from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.lags.staircase_design import noise_of_drop
from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.power_law.renewal import RenewalSource
from testbed.studies import load_studies
from testbed.studies.memory_profile import MemoryProfile
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import ARMS, FAMILIES, MAIN, POWERS, Arm, Horizon, Networks, Profiles
from testbed.studies.memory_profile.data import Data, crossing, gather
from testbed.studies.memory_profile.evidence import slopes, tabular_error
from testbed.studies.memory_profile.exponents import farthest, law_exponents, leaf_correlations, linear_risks
from testbed.studies.memory_profile.families import drawn
from testbed.studies.memory_profile.learners import divergence, pair_losses, table_losses
from testbed.studies.memory_profile.profiles import drawn_lags, far_cells, fitting, main_cells, noise_of, source_of
from testbed.studies.memory_profile.ranks import chance, partial_rank_correlation

CONFIG = Path(__file__).parents[2] / "configs" / "memory_profile.toml"
SMALL = Horizon(
    sizes=(50, 100, 200, 400), longest=8, tested=32, copy_lags=4, mixture_reach=16, renewal_gap=64, tree_levels=3,
    keys=3, key_window=8, parity_window=12, parity_degrees=(5,), tree_depth=6, table_entries=256,
)  # fmt: skip


@pytest.fixture(scope="module")
def smoke() -> MemoryProfile:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, MemoryProfile)
    return study


# ------------------------------------------------------------------------------------------------------------ profiles
@given(st.integers(6, 24), st.integers(2, 12), st.integers(0, 3), st.integers(6, 60))
@settings(max_examples=40, deadline=None)
def test_fitting_lags_are_all_there_are(window, split, n_far, total):
    slow = [
        lags
        for lags in combinations(range(1, window + 1), 3)
        if sum(lags) == total and sum(lag >= split for lag in lags) == n_far
    ]
    assert sorted(fitting(range(1, window + 1), split, n_far, total)) == slow


def test_crossed_sources_have_one_rate_and_the_two_quantities_apart():
    profiles = Profiles()
    assert abs(source_of(profiles, (1, 2, 9)).entropy_rate().value - 0.5 * LN2) < 1e-8
    assert 0 < noise_of(0.5) < 0.03
    for far, cells in ((False, main_cells(profiles)), (True, far_cells(profiles) * profiles.far_draws)):
        lags = drawn_lags(profiles, far, seed=5)
        assert len(lags) == len(cells)
        assert lags == drawn_lags(profiles, far, seed=5) != drawn_lags(profiles, far, seed=6)
        local, whole = [], []
        for one, (_, m, n_far, total) in zip(lags, cells, strict=True):
            source = source_of(profiles, one)
            h, rate = (
                np.asarray(source.conditional_entropies(profiles.window).value),
                float(source.entropy_rate().value),
            )
            drop = LN2 - rate / 3
            assert abs(h[m - 1] - rate - n_far * drop) < 1e-9
            assert abs(float(source.excess_entropy().value) - total * drop) < 1e-7
            assert abs(np.sum(h - rate) - total * drop) < 1e-7  # the sum over all m is E itself
            local.append(h[m - 1])
            whole.append(total)
        assert abs(np.corrcoef(local, whole)[0, 1]) < 1e-9  # crossed: each with each
    assert min(min(lags) for lags in drawn_lags(profiles, True, 1)) * 2 > profiles.window  # no bit shows twice


def test_in_the_farther_half_no_second_copy_is_in_sight_but_contexts_depend():
    """A window of 21 holds 21 - b pairs of copies at lag b: its law moves with E, if not with what the target reads."""
    profiles = Profiles()
    for lags in ((11, 15, 19), (12, 16, 21)):
        assert all(2 * lag > profiles.window for lag in lags)
        source = source_of(profiles, lags)
        h = np.asarray(source.conditional_entropies(profiles.window).value)
        drop = LN2 - float(source.entropy_rate().value) / 3
        pairs = sum(profiles.window - lag for lag in lags)
        assert h[: profiles.window].sum() == pytest.approx(3 * profiles.window * LN2 - drop * pairs, abs=1e-9)


# --------------------------------------------------------------------------------------------------------------- ranks
def spearman(x, y):
    def ranked(values):
        return np.array([sum(b < a for b in values) + (sum(b == a for b in values) + 1) / 2 for a in values])

    a, b = ranked(x), ranked(y)
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(np.corrcoef(a, b)[0, 1])


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_partial_ranks_are_those_of_the_residuals(seed):
    rng = np.random.default_rng(seed)
    x, y, z = rng.integers(0, 4, 9), rng.standard_normal(9), rng.integers(0, 3, 9)
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    left = (1 - xz**2) * (1 - yz**2)
    slow = 0.0 if left < 1e-9 else (xy - xz * yz) / left**0.5
    assert partial_rank_correlation(x, y, z) == pytest.approx(slow, abs=1e-9)
    assert partial_rank_correlation(x, -y, z) == pytest.approx(-slow, abs=1e-9)  # so that chance has mean 0
    assert partial_rank_correlation(x, np.exp(y), z) == pytest.approx(slow, abs=1e-9)


def test_permutations_tell_a_relation_from_none():
    rng = np.random.default_rng(0)
    x = np.tile(np.repeat([1.0, 2.0, 3.0], 3), (8, 1))
    z = np.tile([1.0, 2.0, 3.0], (8, 3))
    noise = rng.standard_normal((8, 9))
    assert chance(x, x + 0.1 * noise, z, 99, 0) == 0.01
    assert chance(x, z + 0.1 * noise, z, 99, 0) > 0.01


def test_steps_are_read_between_points():
    path = np.array([[0.8, 0.4, 0.2], [0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    found = crossing(np.array([10.0, 20.0, 30.0]), path, worth=1.0, share=0.5)
    assert found[0] == pytest.approx(17.5)
    assert np.isinf(found[1])
    assert found[2] == pytest.approx(10 * 0.5 / 0.9)


# ------------------------------------------------------------------------------------------------------- horizon: exact
def test_exponents_of_planted_powers_are_found():
    lags = np.arange(1, 257)
    missing = 0.3 * np.arange(1, 258) ** -1.5
    kappa = 0.9 * lags**-0.7
    sizes = (100, 200, 400, 800)
    gamma, beta = law_exponents("renewal", missing, lags, kappa, sizes)
    assert beta == pytest.approx(0.7, abs=1e-9)
    assert gamma == pytest.approx(1.5, rel=0.1)  # (n + 1)^-1.5
    assert farthest(lags, kappa, 100) == np.flatnonzero(kappa > 0.1)[-1] + 1
    assert slopes(sizes, np.log([[s**-0.8 for s in sizes]]))[0] == pytest.approx(-0.8)


def test_copies_have_the_two_exponents_apart():
    settings = Horizon(sizes=(50, 100, 200, 400), tested=16, copy_lags=5)
    one = drawn("copy", settings, 3)
    assert one.counts == (1, 2, 4, 8, 16)
    gamma, beta = -np.diff(np.log(one.missing[one.lags[:-1] - 1])) / LN2, -np.diff(np.log(one.correlations[:-1])) / LN2
    assert np.allclose(gamma, gamma[0])
    assert 1.4 <= gamma[0] <= 2.0
    assert np.allclose(beta[-1], (gamma[0] + 1) / 2, atol=0.05)  # kappa^2 = 2 d / b but for higher powers of d
    assert one.missing[0] == pytest.approx(settings.copy_amplitude)
    assert one.missing[-1] == 0.0


@pytest.mark.parametrize("scale", ["gpu", "full"])  # a check of every run says so of the others
def test_the_horizon_stays_within_the_longest_context(scale):
    (study,) = load_studies(CONFIG, scale)
    one = study.horizon
    lags, last = np.arange(1, one.longest + 1), one.sizes[-1]
    renewal = RenewalSource(survival_exponent=one.renewal_exponent[0], max_gap=one.renewal_gap)
    mixture = MixtureTransitionSource(
        vocab_size=2, n_lags=one.mixture_reach, fresh=one.mixture_fresh, lag_exponent=one.mixture_exponent[0]
    )
    for source in (renewal, mixture):
        kappa = np.abs(np.asarray(source.two_point(lags.tolist()).value))
        assert farthest(lags, kappa, last) < one.longest
    drop = one.copy_amplitude * 2.0 ** (-(one.copy_lags - 1) * one.copy_exponent[0])  # all the last lag's bits
    assert 1 - 2 * noise_of_drop(drop / 2 ** (one.copy_lags - 1)) < last**-0.5


def test_a_constant_length_does_not_pass_for_the_law_of_tables(smoke):
    found = np.tile([1.0, 1.0, 2.0, 3.0], (6, 1))
    for named, passes in ((found, True), (np.ones((6, 4)), False), (np.full((6, 4), 2.0), False)):
        data = Data({}, {}, {"copy": {"length_table": found, "tabular": named}})
        assert (tabular_error(smoke, data, "copy") <= 0).all() == passes


def test_leaf_correlations_are_those_of_the_joint_law_of_leaves():
    source = RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=3, seed=3)
    tokens = np.asarray(source.sample(60_000, 8, seed=0))
    found = leaf_correlations(source.tree)
    assert found.shape == (7,)
    for n in range(1, 8):  # sampled joint laws: sqrt(chi^2 / 3) has errors of 0.004
        joint = np.histogram2d(tokens[:, 7 - n], tokens[:, 7], bins=[np.arange(5)] * 2)[0] / len(tokens)
        product = np.outer(joint.sum(1), joint.sum(0))
        assert found[n - 1] == pytest.approx(np.sqrt(np.sum((joint - product) ** 2 / product) / 3), abs=0.03)


def test_the_best_linear_prediction_is_the_law_where_the_law_is_linear():
    source = MixtureTransitionSource(vocab_size=2, n_lags=4, fresh=0.4)
    kappa = np.asarray(source.two_point(list(range(9))).value)
    past = np.asarray(source.sample(512, 60, seed=1))[:, -9:]
    laws = source.predict(past, positions=[8])[:, 0]
    risks = linear_risks(kappa, past[:, :8], laws)
    exact = np.asarray(source.conditional_entropies(8).value) - float(source.entropy_rate().value)
    assert np.all(risks[4:] < 1e-12)
    assert np.allclose(risks[:4], exact[:4], rtol=0.35, atol=2e-3)  # 512 contexts


# ---------------------------------------------------------------------------------------------------- horizon: learners
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_aligned_data_and_falling_entropies(family):
    one = drawn(family, SMALL, seed=2)
    assert np.all(np.diff(one.missing) <= 1e-9) or family == "mixture"
    assert len(one.lags) == len(one.correlations)
    for stream in one.streams:
        assert stream.contexts.shape == (SMALL.sizes[-1], stream.longest)
        assert stream.tested.shape == (SMALL.tested, stream.longest)
        assert np.allclose(stream.laws.sum(axis=1), 1.0)
    again = drawn(family, SMALL, seed=2)
    assert np.array_equal(one.streams[0].contexts, again.streams[0].contexts)
    if family not in ("hierarchy", "parity", "twin"):  # successive targets of one sequence
        first = one.streams[0]
        assert np.array_equal(first.contexts[1, -1], first.targets[0])
    assert (one.correlations.max() < 1e-9) == (family == "parity")


def test_parities_and_their_twins_have_the_same_profile():
    parity, twin = drawn("parity", SMALL, 0), drawn("twin", SMALL, 0)
    assert np.array_equal(parity.missing, twin.missing)


def test_tables_are_those_of_the_library():
    stream = drawn("renewal", SMALL, seed=3).streams[0]
    found = table_losses(stream, SMALL, np.arange(4))
    for row, size in enumerate(SMALL.sizes):
        for order in range(4):
            table = OrderTable(2, order).fit(stream.contexts[:size], stream.targets[:size])
            assert found[row, order] == pytest.approx(divergence(stream.laws, table.laws(stream.tested)), abs=1e-12)


@pytest.mark.parametrize("family", ["mixture", "hierarchy"])
def test_pairs_are_least_squares_by_the_library(family):
    stream = drawn(family, SMALL, seed=4).streams[0]
    v, lengths = stream.vocab_size, np.array([0, 2, stream.longest])
    dense, screened = pair_losses(stream, SMALL, lengths)
    assert dense.shape == (4, 3)
    assert np.isfinite(screened).all()
    n = SMALL.sizes[1]
    for column, length in enumerate(lengths):

        def hot(tokens):
            return (tokens[:, :, None] == np.arange(1, v)).reshape(len(tokens), -1).astype(float)

        seen, y = hot(stream.contexts[:n, stream.longest - length :]), hot(stream.targets[:n, None])
        centred = seen - seen.mean(axis=0)
        prior = np.eye(seen.shape[1])  # a unit ridge as further rows
        weights = np.linalg.lstsq(
            np.vstack([centred, prior]), np.vstack([y - y.mean(axis=0), np.zeros((seen.shape[1], v - 1))]), rcond=None
        )[0]
        guess = y.mean(axis=0) + (hot(stream.tested[:, stream.longest - length :]) - seen.mean(axis=0)) @ weights
        law = np.maximum(np.column_stack([1 - guess.sum(axis=1), guess]), SMALL.least)
        slow = divergence(stream.laws, law / law.sum(axis=1, keepdims=True))
        assert dense[1, column] == pytest.approx(slow, rel=1e-4, abs=1e-6)


# --------------------------------------------------------------------------------------------------------------- study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_tunes_each_arm_alike_and_first(scale):
    (study,) = load_studies(CONFIG, scale)
    study.prepare()
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"tuning", "horizon", "network_tuning"} - (
        set() if study.networks.families else {"network_tuning"}
    )
    assert len({cell.key for cell in cells}) == len(cells)
    tuning = [cell for cell in cells if cell.probe.kind == "tuning"]
    for arm in MAIN:
        assert len([one for one in tuning if one.probe.arm == arm]) == 3 * study.tuning_seeds * len(
            study.arm(arm).learning_rates
        )
        assert scale == "smoke" or len(study.arm(arm).learning_rates) >= 3
    assert scale == "smoke" or (study.tuning_seeds >= 3 and study.first_seed >= 100 and study.n_seeds >= 8)


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.removeprefix(f"{STUDY}."): verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    # a few steps teach nothing: whatever rests on a trained member is left open
    ranked = [one for name, one in verdicts.items() if name.split("_")[0] in ("local", "excess", "none")]
    assert {one.verdict for one in ranked} == {"undecided"}
    assert verdicts["loss_network_renewal"].verdict == "undecided"
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    assert all(figure.rows and "intervals" in figure.caption for figure in figures.values())


def test_steps_that_most_never_make_are_not_judged(smoke, finished):
    """Members learn at once, but of one arm a fifth never make the step: its steps alone stay open."""

    def taught(record, n):
        path = np.full(len(record.arrays["path"]), 0.1)
        never = record.probe["arm"] == "recency" and n % 5 == 0
        metrics = record.metrics | {"excess": 1.2 if never else 0.1 + 0.01 * record.probe["place"]}
        return Record(record.key, record.study, record.cell, record.status, metrics,
                      record.arrays | {"path": path + 1.5 * never})  # fmt: skip

    changed = [taught(r, n) if r.probe["kind"] == "member" else r for n, r in enumerate(finished)]
    widths = {one.claim.id.removeprefix(f"{STUDY}."): one.upper for one in smoke.judge(changed).verdicts}
    assert np.isinf(widths["local_steps_recency"])
    assert np.isfinite(widths["local_final_recency"])
    assert np.isfinite(widths["local_steps_rotary"])


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, r.metrics, r.arrays | {"rate": r.arrays["rate"] + 0.1})
        if r.probe["kind"] == "member" and r.probe["arm"] == "rotary"
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert next(check.name for check in judgement.checks if not check.passed) == "all sources have one entropy rate"
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_gathered_arrays_are_those_of_the_members(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    for arm in ARMS:
        one = data.arms[arm]
        assert one["final"].shape == one["steps"].shape == one["lags"].shape[:2]
        assert one["worth"] == pytest.approx(3 * LN2 - 0.5 * LN2)
    for family in POWERS:
        assert np.isfinite(data.families[family]["gamma"]).all()


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="must rise"):
        Arm(methods=("learned",), learning_rates=(2e-3, 1e-3))
    with pytest.raises(ConfigError, match="sizes"):
        Horizon(sizes=(100, 50, 200, 400))
    with pytest.raises(ConfigError, match="copy_exponent"):
        Horizon(copy_exponent=(2.0, 1.0))
    with pytest.raises(ConfigError, match="parity_degrees"):
        Horizon(parity_degrees=(1, 5))
    with pytest.raises(ConfigError, match="tree_rules"):
        Horizon(tree_rules=9, tree_symbols=8)
    with pytest.raises(ConfigError, match="stand once"):
        Profiles(sums=(12, 12))
    with pytest.raises(ConfigError, match="must rise"):
        Networks(learning_rates=(3e-3, 1e-3))
    with pytest.raises(ConfigError, match="needs twin"):
        Networks(families=("parity",))
    with pytest.raises(ConfigError, match="far_split"):
        smoke.replace(profiles=smoke.profiles.replace(far_split=60))
    with pytest.raises(ConfigError, match=r"model\.methods"):
        smoke.replace(model=smoke.model.replace(methods=("nope",)))
    with pytest.raises(ConfigError, match="have the sum"):
        smoke.replace(profiles=smoke.profiles.replace(sums=(12, 60))).prepare()
