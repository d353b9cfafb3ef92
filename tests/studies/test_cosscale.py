"""The study `cosscale`: its arms, numbers, planted worlds, and a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record, Store, finished_records, run
from testbed.sources.recall.far_source import FarSource
from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.arms import arms_of, scaled, window
from testbed.studies.cosscale.evidence import evidence, matched_reach
from testbed.studies.cosscale.grid import TUNING_SEEDS, cells, chosen_rate
from testbed.studies.cosscale.measure import scored, windowed_floor
from testbed.studies.cosscale.results import ATTENDED, _divergences, aligned_within, gather
from testbed.studies.cosscale.worlds import FAILS, planted
from testbed.studies.judge import calibrate
from testbed.theory import aligned_weights

CONFIG = Path(__file__).parents[2] / "configs" / "cosscale.toml"
SCALES = ["smoke", "laptop", "gpu", "full"]


@pytest.fixture(scope="module")
def smoke() -> CosScaleStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CosScaleStudy)
    return study


@pytest.fixture(scope="module")
def finished(smoke, tmp_path_factory) -> list[Record]:
    with Store(tmp_path_factory.mktemp("results"), writable=True) as store:
        outcome = run(smoke, store)
        assert not outcome.failed
        assert run(smoke, store).ran == 0
        return list(finished_records(store, smoke).values())


# ------------------------------------------------------------------------------------------------ what is asked
@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_tunes_first_and_every_arm_alike(scale):
    (study,) = load_studies(CONFIG, scale)
    first = cells(study, {})
    assert len({cell.key for cell in first}) == len(first)
    members = [cell for cell in first if cell.training is not None]
    n_arms = sum(len(arms_of(study, task.role)) for task in study.tasks)
    assert len(members) == n_arms * len(study.tuning.learning_rates) * study.tuning.n_seeds
    assert {cell.probe.kind for cell in members} == {"tuning"}
    assert all(cell.probe.seed >= TUNING_SEEDS for cell in members)
    assert len(first) - len(members) == 2 * study.n_seeds  # random keys, of both blocks' head dimensions


@pytest.mark.parametrize("scale", SCALES)
def test_the_far_source_stands_beyond_all_blocks_of_windows(scale):
    (study,) = load_studies(CONFIG, scale)
    assert 2 * study.task("far").source.min_distance - 1 > study.model.depth * (study.reach - 1)


def test_verdicts_come_from_seeds_that_development_did_not_see():
    (laptop,) = load_studies(CONFIG, "laptop")
    assert min(laptop.seeds) >= 100
    assert laptop.n_replicates >= 8


def test_arms_of_each_task(smoke):
    study = smoke.replace(baselines=({"name": "ali", "methods": ("alibi",)},))
    local = {arm.name: arm for arm in arms_of(study, "local")}
    assert list(local) == [
        "plain",
        "cosscale-16",
        "cosscale-64",
        "cosscale-128",
        "window-2",
        "window-5",
        "gau-plain",
        "gau-cosscale-16",
        "gau-cosscale-128",
        "gau-window-5",
        "ali",
        "ali-cosscale-128",
    ]
    assert [one.type_name for one in local["cosscale-64"].methods] == ["rope", "cosscale"]
    assert [one.type_name for one in local["window-5"].methods] == ["rope", "banded"]
    assert [arm.name for arm in arms_of(study, "far") if arm.reach] == ["window-5", "gau-window-5"]
    assert [arm.name for arm in arms_of(study, "content")] == ["plain", "cosscale-128", "nope", "nope-cosscale-128"]


def test_the_rate_of_least_held_out_loss_is_taken_and_a_diverged_one_never(smoke):
    tuning = {rate: [cell] for rate, cell in zip((0.01, 0.03), smoke.cells({}), strict=False)}

    def record(loss: float, status: str = "done") -> Record:
        return Record(
            "k", "cosscale", {"probe": {}}, status, {"heldout": loss} if status == "done" else {"heldout": None}
        )  # type: ignore[arg-type]

    (a,), (b,) = tuning.values()
    assert chosen_rate(tuning, {}) is None
    assert chosen_rate(tuning, {a.key: record(1.0), b.key: record(0.9)}) == 0.03
    assert chosen_rate(tuning, {a.key: record(1.0), b.key: record(1.0)}) == 0.01
    assert chosen_rate(tuning, {a.key: record(2.0), b.key: record(0.0, "diverged")}) == 0.01
    assert chosen_rate({0.02: []}, {}) == 0.02


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


def test_matched_windows_hold_the_effective_keys(smoke):
    assert matched_reach(smoke, 128.0) == 2
    assert matched_reach(smoke, 0.001) == smoke.reaches[-1]


def test_divergences_of_rows():
    def of(rows: list[float]) -> Record:
        return Record("k", "s", {"probe": {}}, "done", {}, {"log_rows": np.log(np.array([[[rows]]]))})

    kl, js = _divergences(of([0.5, 0.5]), of([0.9, 0.1]))
    assert kl == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))
    assert 0 < js < np.log(2)
    assert _divergences(of([0.3, 0.7]), of([0.3, 0.7])) == pytest.approx((0.0, 0.0), abs=1e-12)


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert {"cosine_peak", "heat_maps_local", "heat_maps_far", "windows", "matched_windows", "gains"} <= set(figures)
    assert {claim for one in figures.values() for claim in one.claims} == {claim.id for claim in smoke.claims()}
    for one in figures.values():
        assert one.rows
        assert "interval" in one.caption
        plt.close(one.figure)
    assert smoke.figures(finished[:-1]) == {}
    assert not smoke.judge(finished[:-1]).verdicts


def test_what_is_kept_of_a_member(smoke, finished):
    """Masses are shares, rows are laws, cosines lie in [-1, 1], and RoPE leaves the query's own key alone."""
    data = gather(smoke, finished)
    assert data is not None
    for (task, arm), records in data.records.items():
        for one in records:
            arrays = one.arrays
            assert np.exp(arrays["log_rows"].astype(float)).sum(axis=-1) == pytest.approx(1.0, abs=1e-4)
            assert arrays["by_distance"].sum(axis=-1) == pytest.approx(1.0, abs=1e-6)
            nearest = arrays["by_distance"][..., : smoke.reach].sum(axis=-1)
            assert arrays["within"][-1] == pytest.approx(nearest, abs=1e-6)
            assert (np.abs(arrays["cosine_mode"]) <= 1).all()
            assert arrays["effective_keys"].min() >= 1 - 1e-6
            if arm.endswith(window(smoke.reach)):
                assert arrays["within"][-1] == pytest.approx(1.0, abs=1e-6)
            if "heat" in arrays:
                before, after = arrays["heat"][:, 0, 0]
                assert np.diagonal(after) == pytest.approx(np.diagonal(before), abs=1e-5)
        if arm.startswith("cosscale") and task != "content":
            assert ("heat" in records[0].arrays, "heat" in records[1].arrays) == (True, False)
            assert data.at(task, arm, "eta")[0] == records[0].arrays["cosine_mode"][ATTENDED].mean()
    for family in smoke.families:
        assert data.at("local", family.window(), "row_kl") == pytest.approx(0.0, abs=1e-6)
    assert set(data.values) >= {("local", "plain", "untrained-64"), ("far", "plain", "tilted-64")}


def test_what_a_cosscale_arm_reads_under_its_own_alpha_is_what_it_was_trained_with(smoke, finished):
    """The first weights under alpha cos, read through the plain arm, are those that the CosScale arm started from."""
    import torch

    from testbed.measures.attention_cosines import attention_cosines
    from testbed.models.transformer import Transformer
    from testbed.studies.cosscale.reading import BINS, probe_tokens

    record = next(r for r in finished if r.probe["kind"] == "member" and r.probe["arm"] == "plain")
    cell = next(c for c in smoke.cells({r.key: r for r in finished}) if c.key == record.key)
    source, arm = cell.training.source, scaled(64.0)
    methods = next(one for one in arms_of(smoke, cell.probe.task) if one.name == arm).methods
    model = Transformer(cell.training.model.replace(methods=methods), source.vocab_size, smoke.train_length)
    weights = model.layout.views(model.layout.initial_row(cell.training.initial_seed)[None])
    tokens, queries = probe_tokens(source, cell.probe.seed, 4, smoke.train_length, model.begin, "cpu")
    assert torch.equal(tokens[0, :, 0], torch.full((4,), model.begin))
    law = attention_cosines(model, weights, tokens, queries, BINS).law(rotated=False, weighted=True, diagonal=False)
    at = smoke.alphas.index(64.0)
    assert record.arrays["untrained_mean"][at] == pytest.approx(law.mean[:, 0], abs=1e-5)


def altered(record: Record, **metrics: float) -> Record:
    return Record(record.key, record.study, record.cell, record.status, record.metrics | metrics, record.arrays)


def test_a_windowed_arm_below_its_floor_voids_the_study(smoke, finished):
    spoilt = [
        altered(r, excess=0.0) if (r.probe.get("task"), r.probe.get("arm")) == ("far", "window-5") else r
        for r in finished
        if r.probe["kind"] != "tuning"
    ]
    judgement = smoke.judge(spoilt)
    assert [check.name for check in judgement.checks if not check.passed] == [
        "on the far source the windowed arms stay at the floor of their window, or above"
    ]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_a_diverged_member_leaves_no_verdict(smoke, finished):
    first = next(r for r in finished if r.probe["kind"] == "member")
    lost = Record(first.key, first.study, first.cell, "diverged", {"diverged_at": 3})
    judgement = smoke.judge([lost if r is first else r for r in finished])
    assert not judgement.verdicts
    assert not judgement.checks[0].passed


def test_planted_worlds_are_recognised():
    """8 replicates: no wrong verdict (seeded); each claim is seen to hold in some world and to fail in another."""
    (laptop,) = load_studies(CONFIG, "laptop")
    confusion = calibrate(laptop.worlds(), n_replicates=8, n_draws=2, seed=1)
    assert sum(row.wrong for row in confusion.rows) == 0
    for claim in laptop.claims():
        mine = [row for row in confusion.rows if row.claim == claim.id]
        for word in ("holds", "fails"):
            assert any(row.expected == word and row.counts[word] for row in mine), (claim.id, word)
        failing = [row.world for row in mine if row.expected == "fails"]
        assert len(failing) == 1
        assert f"'{failing[0]}'" in claim.control


@pytest.mark.parametrize("world", FAILS)
def test_planted_numbers_are_all_that_the_evidence_needs(smoke, world):
    numbers = evidence(smoke, planted(smoke, world, np.random.default_rng(0), 5))
    assert set(numbers) == {claim.id for claim in smoke.claims()}


def test_configs_that_make_no_sense_are_refused(smoke):
    local, far, content = smoke.tasks

    def with_far(**changes) -> tuple:
        return (local, far.replace(source=far.source.replace(**changes)), content)

    with pytest.raises(ConfigError, match="within reach of 1 blocks of 5 keys"):
        smoke.replace(tasks=with_far(min_distance=2, max_distance=2))
    with pytest.raises(ConfigError, match="needs a uniform kernel"):
        smoke.replace(tasks=with_far(n_symbols=4, kernel=np.array([[0.7, 0.1, 0.1, 0.1]] * 4)))
    with pytest.raises(ConfigError, match="one distance"):
        far.replace(source=far.source.replace(min_distance=6, max_distance=7))
    with pytest.raises(ConfigError, match="need one of each role"):
        smoke.replace(tasks=(local, local, content))
    with pytest.raises(ConfigError, match=r"must hold bounds\.main_alpha = 128"):
        smoke.replace(alphas=(16, 64))
    with pytest.raises(ConfigError, match="must rise"):
        smoke.replace(reaches=(5, 2))
    with pytest.raises(ConfigError, match="must start at m = 16"):
        smoke.replace(key_lengths=(8, 16))
