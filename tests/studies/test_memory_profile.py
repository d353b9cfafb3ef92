"""The study `memory_profile`: crossed profiles, partial ranks, a smoke run."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.studies import load_studies
from testbed.studies.memory_profile import MemoryProfile
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import ARMS, MAIN, POWERS, Arm, Horizon, Networks, Profiles
from testbed.studies.memory_profile.data import crossing, gather
from testbed.studies.memory_profile.profiles import drawn_lags, far_cells, fitting, main_cells, noise_of, source_of
from testbed.studies.memory_profile.ranks import chance, partial_rank_correlation

CONFIG = Path(__file__).parents[2] / "configs" / "memory_profile.toml"


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
    reasons = {one.claim.id.removeprefix(f"{STUDY}."): one.reason for one in smoke.judge(changed).verdicts}
    assert reasons["local_steps_recency"] == "Undecided, because most members of recency never make the step."
    assert "never make the step" not in reasons["local_final_recency"] + reasons["local_steps_rotary"]


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
