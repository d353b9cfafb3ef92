"""The study `cosscale`: its arms, numbers, planted worlds, and a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.arms import arms_of, scaled, window
from testbed.studies.cosscale.grid import TUNING_SEEDS, cells, chosen_rate, in_range
from testbed.studies.cosscale.results import gather, mode, near

CONFIG = Path(__file__).parents[2] / "configs" / "cosscale.toml"
SCALES = ["smoke", "laptop", "gpu", "full"]


@pytest.fixture(scope="module")
def smoke() -> CosScaleStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CosScaleStudy)
    return study


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
    assert min(laptop.seeds) >= 490  # earlier runs: 100 to 107, 200 to 211, 400 to 411, 450 to 461 and 470 to 481
    assert laptop.n_replicates == 12
    assert laptop.tuning.n_seeds >= 3


def test_arms_of_each_task(smoke):
    local = {arm.name: arm for arm in arms_of(smoke, "local")}
    assert list(local) == [
        "plain",
        *("cosscale-16", "cosscale-32", "cosscale-128"),
        "key-norm",
        *("window-2", "window-4"),
        *("gau-plain", "gau-cosscale-16", "gau-cosscale-128", "gau-ones-cosscale-128"),
    ]
    assert [one.type_name for one in local["cosscale-32"].methods] == ["rope", "cosscale"]
    assert [one.type_name for one in local["window-4"].methods] == ["rope", "banded"]
    assert [arm.name for arm in arms_of(smoke, "far") if arm.reach] == ["window-4"]
    assert [arm.name for arm in arms_of(smoke, "content")] == ["nope"]
    assert [arm.name for arm in arms_of(smoke, "recall")] == [
        "plain",
        "cosscale-16",
        "nope",
        "nope-cosscale-16",
        "alibi",
        "alibi-cosscale-16",
    ]


def test_positions_stay_in_range_where_infoscale_is_tried_alone(smoke):
    found = {arm.name: in_range(arm) for role in ("local", "recall") for arm in arms_of(smoke, role)}
    assert {name for name, methods in found.items() if methods} == {"plain", "nope"}
    assert [one.type_name for one in found["plain"]] == ["rerope"]


def tuned(smoke, *losses: list[float], no_context: float = 1.0) -> float | None:
    """What is chosen where rate i left these held-out losses; excess is what exceeds 1, infinity a divergence."""
    asked = smoke.cells({})[20:]
    tuning = {0.01 * (i + 1): asked[i * len(row) : (i + 1) * len(row)] for i, row in enumerate(losses)}
    made = {}
    for of_rate, row in zip(tuning.values(), losses, strict=True):
        for cell, loss in zip(of_rate, row, strict=True):
            metrics = {"heldout": loss, "excess": loss - 1.0, "no_context": no_context}
            status = "done" if np.isfinite(loss) else "diverged"
            made[cell.key] = Record("k", "cosscale", {"probe": {}}, status, metrics)  # type: ignore[arg-type]
    return chosen_rate(tuning, made, 0.0, 0.05)


def test_the_rate_of_least_held_out_loss_is_taken_and_a_diverged_one_never(smoke):
    cell = smoke.cells({})[20]
    assert chosen_rate({0.01: [cell], 0.02: []}, {}, 0.0, 0.05) is None
    assert chosen_rate({0.02: []}, {}, 0.0, 0.05) == 0.02
    assert tuned(smoke, [1.04], [1.01]) == 0.02
    assert tuned(smoke, [1.01], [1.01]) == 0.01
    assert tuned(smoke, [1.5], [np.inf]) == 0.01
    assert tuned(smoke, [np.inf], [np.inf]) == 0.01


def test_rates_that_noise_cannot_tell_apart_go_to_the_smaller_one_where_all_learnt(smoke):
    """Means 1.02 and 1.01, standard error of the paired difference 0.02: a tie; with an error of 0.001 it is none."""
    assert tuned(smoke, [1.045, 1.0, 1.015], [1.0, 1.015, 1.015]) == 0.01
    assert tuned(smoke, [1.021, 1.019, 1.02], [1.0, 1.0, 1.0]) == 0.02
    assert tuned(smoke, [1.0, 1.015, 1.015], [1.045, 1.0, 1.015]) == 0.01


def test_a_rate_at_which_replicates_are_stuck_is_no_tie(smoke):
    """The scatter of stuck replicates, which once let the smallest rate pass, says nothing of rates."""
    stuck = [1.7, 1.01, 1.01]
    assert tuned(smoke, stuck, [1.02, 1.02, 1.02]) == 0.02
    assert tuned(smoke, [1.7, 1.0, 1.7], stuck) == 0.02
    assert tuned(smoke, [1.8, 1.01, 1.01], stuck) == 0.02  # as many learnt: the least mean, though the error is large
    assert tuned(smoke, [1.9, 1.5, 1.6], [1.6, 1.6, 1.4]) == 0.02  # none did


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert any("not learnt" in note for note in judgement.notes)
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
        if task in ("recall", "content"):
            assert "by_distance" not in records[0].arrays
            continue
        for one in records:
            arrays = one.arrays
            assert np.exp(arrays["log_rows"].astype(float)).sum(axis=-1) == pytest.approx(1.0, abs=1e-4)
            assert arrays["by_distance"].sum(axis=-1) == pytest.approx(1.0, abs=1e-6)
            assert (np.abs(arrays["cosine_mode"]) <= 1).all()
            assert arrays["effective_keys"].min() >= 1 - 1e-6
            if arm.endswith(window(smoke.reach)):
                assert near(arrays["by_distance"], smoke.reach) == pytest.approx(1.0, abs=1e-6)
            if "heat" in arrays:
                before, after = arrays["heat"][:, 0, 0]
                assert np.diagonal(after) == pytest.approx(np.diagonal(before), abs=1e-5)
        if arm.startswith("cosscale"):
            assert ("heat" in records[0].arrays, "heat" in records[1].arrays) == (True, False)
            first = records[0].arrays
            edges = np.linspace(-1, 1, 201)
            assert data.at(task, arm, "eta")[0] == mode(edges, first["cosine_mass"][0, 1])
            middles = (edges[1:] + edges[:-1]) / 2
            assert first["cosine_mean"][0, 1, 0] == pytest.approx(first["cosine_mass"][0, 1] @ middles, abs=0.0051)
    assert data.at("local", window(smoke.reach), "row_kl") == pytest.approx(0.0, abs=1e-6)
    assert set(data.values) >= {("local", "plain", "untrained-32"), ("far", "plain", "tilted-32")}
    assert set(data.values) >= {("content", "nope", "ranged"), ("far", "plain", "ranged_infoscale")}


def test_what_a_cosscale_arm_reads_under_its_own_alpha_is_what_it_was_trained_with(smoke, finished):
    """The first weights under alpha cos, read through the plain arm, are those that the CosScale arm started from."""
    import torch

    from testbed.measures.attention_cosines import attention_cosines
    from testbed.models.transformer import Transformer
    from testbed.studies.cosscale.reading import BINS, probe_tokens

    record = next(r for r in finished if r.probe["kind"] == "member" and r.probe["arm"] == "plain")
    cell = next(c for c in smoke.cells({r.key: r for r in finished}) if c.key == record.key)
    source, arm = cell.training.source, scaled(32.0)
    methods = next(one for one in arms_of(smoke, cell.probe.task) if one.name == arm).methods
    model = Transformer(cell.training.model.replace(methods=methods), source.vocab_size, smoke.train_length)
    weights = model.layout.views(model.layout.initial_row(cell.training.initial_seed)[None])
    tokens, queries = probe_tokens(source, cell.probe.seed, 4, smoke.train_length, model.begin, "cpu")
    assert torch.equal(tokens[0, :, 0], torch.full((4,), model.begin))
    law = attention_cosines(model, weights, tokens, queries, BINS).law(rotated=False, weighted=True, diagonal=False)
    at = smoke.alphas.index(32.0)
    assert record.arrays["untrained_mean"][at] == pytest.approx(law.mean[:, 0], abs=1e-5)


def altered(record: Record, **metrics: float) -> Record:
    return Record(record.key, record.study, record.cell, record.status, record.metrics | metrics, record.arrays)


def test_a_windowed_arm_below_its_floor_voids_the_study(smoke, finished):
    spoilt = [
        altered(r, excess=0.0) if (r.probe.get("task"), r.probe.get("arm")) == ("far", "window-4") else r
        for r in finished
        if r.probe["kind"] != "tuning"
    ]
    judgement = smoke.judge(spoilt)
    assert [check.name for check in judgement.checks if not check.passed] == [
        "windowed arms stay at the floor of their window, or above"
    ]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_a_diverged_member_is_left_out_and_the_others_are_judged(smoke, finished):
    first = next(r for r in finished if r.probe["kind"] == "member" and r.probe["arm"] == "plain")
    lost = Record(first.key, first.study, first.cell, "diverged", {"diverged_at": 3})
    records = [lost if r is first else r for r in finished]
    data = gather(smoke, records)
    assert data is not None
    assert not data.learnt((first.probe["task"], "plain"))[0]
    assert [one.claim for one in smoke.judge(records).verdicts] == list(smoke.claims())
    probe = first.probe
    gone = [
        Record(r.key, r.study, r.cell, "diverged", {"diverged_at": 3})
        if (r.probe.get("task"), r.probe.get("arm")) == (probe["task"], probe["arm"])
        else r
        for r in finished
    ]
    said = {one.claim.id: one.verdict for one in smoke.judge(gone).verdicts}
    assert said["cosscale.c8_angles"] == "undecided"


def test_configs_that_make_no_sense_are_refused(smoke):
    local, far, *others = smoke.tasks

    def with_far(**changes) -> tuple:
        return (local, far.replace(source=far.source.replace(**changes)), *others)

    with pytest.raises(ConfigError, match="a local task is a mixture_transition of few lags"):
        local.replace(source=local.source.replace(vocab_size=64))
    with pytest.raises(ConfigError, match="needs key_scales = normal"):
        smoke.replace(gau=smoke.gau.replace(key_scales="ones"))
    with pytest.raises(ConfigError, match="within reach of 1 blocks of 4 keys"):
        smoke.replace(tasks=with_far(min_distance=2, max_distance=2))
    with pytest.raises(ConfigError, match="needs a uniform kernel"):
        smoke.replace(tasks=with_far(n_symbols=4, kernel=np.array([[0.7, 0.1, 0.1, 0.1]] * 4)))
    with pytest.raises(ConfigError, match="one distance"):
        far.replace(source=far.source.replace(min_distance=3, max_distance=4))
    with pytest.raises(ConfigError, match="need one of each role"):
        smoke.replace(tasks=(local, local, *others))
    with pytest.raises(ConfigError, match=r"must hold bounds\.main_alpha = 32"):
        smoke.replace(alphas=(16, 64), position_alphas=(16,))
    with pytest.raises(ConfigError, match="must rise"):
        smoke.replace(reaches=(4, 2))
    with pytest.raises(ConfigError, match="must start at m = 16"):
        smoke.replace(key_lengths=(8, 16))
    with pytest.raises(ConfigError, match="must hold reach = 4"):
        smoke.replace(reaches=(2, 3))
    with pytest.raises(ConfigError, match="must be among alphas"):
        smoke.replace(position_alphas=(7,))
    with pytest.raises(ConfigError, match="need one of the name nope"):
        smoke.replace(baselines=({"name": "ali", "methods": ("alibi",)},))
