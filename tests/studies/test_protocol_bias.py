"""The study `protocol_bias`: readings and tables against slow twins, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.protocol_bias import ProtocolBias
from testbed.studies.protocol_bias.config import Tables, whole_share
from testbed.studies.protocol_bias.data import Point, gather
from testbed.studies.protocol_bias.exact import CASES, distances, missing_of, table_arrays
from testbed.studies.protocol_bias.grid import TIED, all_cells, member_cell, steps_of, visible_cell
from testbed.studies.protocol_bias.measure import block_excess, divergences
from testbed.studies.protocol_bias.readings import apparent, block_average, block_factor, stopped_at
from testbed.training import TrainingSpec
from testbed.training.evaluation import evaluation_set
from testbed.training.trainer import train
from testbed.training.windows import TargetSet

CONFIG = Path(__file__).parents[2] / "configs" / "protocol_bias.toml"
SMALL = Tables(max_lag=512, longest=256, reach=16, sizes=(1000, 10_000), budget=192, lengths=(16, 64, 128))


@pytest.fixture(scope="module")
def smoke() -> ProtocolBias:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ProtocolBias)
    return study


# ------------------------------------------------------------------------------------------------ readings
@given(st.integers(1, 500), st.integers(1, 500))
def test_whole_batches_keep_over_half_of_a_step_that_holds_a_window(budget, length):
    kept = 0
    while kept + length <= budget:  # window by window
        kept += length
    assert whole_share(budget, length) == pytest.approx(kept / budget)
    assert (whole_share(budget, length) > 0.5) == (length <= budget)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_the_stop_is_that_of_a_run_that_is_watched(losses, patience):
    best, least, waited = 0, np.inf, 0
    for number, loss in enumerate(losses):
        waited += 1
        if loss < least:
            best, least, waited = number, loss, 0
        if waited == patience:
            break
    assert stopped_at(losses, patience) == best


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0, 0.5))
def test_the_apparent_optimum_is_the_first_that_is_near_the_least(losses, delta):
    lengths = [2**i for i in range(len(losses))]
    first = next(l for l, loss in zip(lengths, losses, strict=True) if loss <= min(losses) + delta)
    assert apparent([losses], lengths, delta)[0] == pytest.approx(np.log(first))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_block_averages_are_means_of_prefixes(losses):
    assert block_average(losses) == pytest.approx([np.mean(losses[: i + 1]) for i in range(len(losses))])


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.lists(st.floats(0.01, 1), min_size=1, max_size=8))
def test_a_block_average_is_least_at_the_optimum_or_beyond(falls, rises):
    curve = np.append(np.cumsum(falls[::-1])[::-1], np.append(0.0, np.cumsum(rises)))
    assert np.argmin(block_average(curve)) >= np.argmin(curve) == len(falls)


@pytest.mark.parametrize("gamma", [0.2, 0.5, 0.8])
def test_the_predicted_factor_is_that_of_numbers(gamma):
    """On a grid of 2e6 lengths, with costs so small that the constant of the sum over t matters little."""
    lengths = np.arange(1.0, 2e6)
    curve = lengths**-gamma + 1e-7 * lengths
    average = np.cumsum(curve) / lengths
    ratio = lengths[np.argmin(average)] / lengths[np.argmin(curve)]
    assert np.log(ratio) == pytest.approx(block_factor(gamma), abs=0.12)


# ------------------------------------------------------------------------------------------------ tables
@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_is_what_farther_distances_tell(case):
    source = build(
        {"type": "selector_lag", "law": "power", "max_lag": 512, "exponent": 0.5, "noise": 0.4}
    )  # the same law, by the source's own truth
    missing, q = missing_of(SMALL, case), distances(SMALL)
    assert q.sum() == pytest.approx(1.0)
    gap = np.log(2) + 0.4 * np.log(0.4) + 0.6 * np.log(0.6)
    useful = {"power": 512, "order": SMALL.reach, "none": 0}[case]
    slow = [gap * sum(q[l:useful]) for l in range(SMALL.longest + 1)]
    assert missing == pytest.approx(slow, abs=1e-12)
    if case == "power":
        h = np.asarray(source.conditional_entropies(SMALL.longest).value)
        assert missing - missing[-1] == pytest.approx(h - h[-1], abs=1e-6)


def test_the_tables_of_a_replicate():
    found = table_arrays(SMALL, np.random.default_rng(3))
    for case in CASES:
        assert (found[f"{case}_loss"] >= found[f"{case}_missing"] - 1e-12).all()
        assert (found[f"{case}_block"][:, 0] == found[f"{case}_loss"][:, 0]).all()
    assert (found["whole"][:, 1] == found["nominal"][:, 1]).all()  # 64 divides 192
    assert (found["whole"][:, 2] != found["nominal"][:, 2]).all()  # 128 does not
    assert (np.diff(found["none_loss"], axis=1) > 0).mean() > 0.9


# ------------------------------------------------------------------------------------------------ members
def test_a_block_is_read_as_its_windows_one_by_one(smoke):
    small = smoke.replace(optimiser=smoke.optimiser.replace(steps=3))
    spec = member_cell(small, "designed", "all_positions", 60, 4, seed=7, rate=1e-2).training
    (member,) = train([spec])
    found = block_excess(member, "cpu")
    targets = TargetSet.draw(spec.source, "evaluation", 7, spec.evaluation.n_contexts, spec.data.max_context)
    contexts, _, _ = targets.windows(4)
    for place in range(5):
        seen = contexts[:, :place]
        padded = np.concatenate([seen, np.zeros((len(seen), 1), dtype=seen.dtype)], axis=1)
        laws = spec.source.predict(padded, context=place, positions=[place])[:, 0]
        assert found[place] == pytest.approx(divergences(laws, member.log_laws(seen)).mean(), abs=1e-6)
    assert found[-1] == pytest.approx(member.scores["excess"], abs=1e-6)
    assert not evaluation_set(spec).exact


def test_protocols_differ_in_what_they_are_named_after_alone(smoke):
    def spec(protocol: str, length: int, size: int = 60) -> TrainingSpec:
        return member_cell(smoke, "designed", protocol, size, length, 0, 1e-2).training

    sound = spec("sound", 4)
    blocks = sound.data.replace(n_targets=round(60 / 5), targets_per_step=round(16 / 5))
    assert spec("all_positions", 4) == sound.replace(loss="all", data=blocks)
    assert spec("tied_steps", 4) == sound.replace(optimiser=sound.optimiser.replace(steps=6))
    assert spec("tied_steps", 4, 240) == spec("sound", 4, 240)
    assert spec("whole_batches", 2) == spec("sound", 2)  # 2 divides 6
    assert spec("whole_batches", 4).data == sound.data.replace(targets_per_step=round(16 * 4 / 6))
    together = spec("together", 4)
    assert (together.loss, together.optimiser.steps, together.data.targets_per_step) == ("all", 6, round(11 / 5))
    assert {steps_of(smoke, protocol, 240) for protocol in ("sound", *TIED)} == {24}


def test_models_of_visible_lengths_have_as_many_targets_masked_or_not(smoke):
    masked, unmasked = (visible_cell(smoke, "designed", arm, 0, 1e-2).training for arm in ("masked", "unmasked"))
    assert masked == unmasked.replace(loss="one")
    assert masked.data.max_context == smoke.visible.lengths[-1] > masked.context_length


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_first_cells(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = list(all_cells(study, {}))
    n_tuning = len(study.tuning.learning_rates) * study.tuning.n_seeds * (4 + 2)
    assert len({cell.key for cell in cells}) == len(cells) == study.n_seeds + n_tuning
    assert study.n_seeds >= 5


def test_verdicts_come_from_seeds_that_development_did_not_see():
    assert min(load_studies(CONFIG, "laptop")[0].seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("networks.control={type = 'santa_fe', n_keys = 2}", "context must tell nothing on it"),
        ("networks.budget=3", "must hold a window of 4 tokens"),
        ("networks.control_sizes=[61]", "must be among sizes"),
        ("visible.train_length=5", "must lie inside lengths"),
        ("tables.longest=8", "longest"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim.id for one in judged.verdicts] == [claim.id for claim in smoke.claims()]
    figures = smoke.figures(finished)
    assert list(figures) == ["shift", "loss", "position_average", "visible_length", "tables"]
    assert all(one.rows and one.caption for one in figures.values())
    data = gather(smoke, finished)
    lengths = smoke.networks.lengths
    for point, losses in data.losses.items():
        assert losses.shape == (5, len(lengths)), point
        if point.reading == "whole_batches":  # of lengths that divide the budget, the same members
            same = [6 % length == 0 for length in lengths]
            sound = data.losses[Point(point.role, point.size, "sound")]
            assert (losses[:, same] == sound[:, same]).all()


def test_a_missing_record_leaves_no_verdict(smoke, finished):
    judged = smoke.judge([one for one in finished if one.probe["kind"] != "visible"])
    assert judged.verdicts == ()
    assert not judged.checks[0].passed
