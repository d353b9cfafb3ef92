"""The study `normalisers`: sources and numbers against slow twins, its cells, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.models import ModelConfig
from testbed.studies import load_studies
from testbed.studies.judge import Open
from testbed.studies.normalisers import Normalisers
from testbed.studies.normalisers.claims import CLAIMED, STUDY
from testbed.studies.normalisers.config import Bursts, Parts
from testbed.studies.normalisers.data import gather
from testbed.studies.normalisers.draws import balanced, fluctuation, kernels, stationary, switching
from testbed.studies.normalisers.evidence import evidence, slope, unlearnt
from testbed.studies.normalisers.grid import all_cells, member_cell
from testbed.studies.normalisers.judgement import judgement
from testbed.studies.normalisers.worlds import planted

CONFIG = Path(__file__).parents[2] / "configs" / "normalisers.toml"


@pytest.fixture(scope="module")
def smoke() -> Normalisers:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, Normalisers)
    return study


# ------------------------------------------------------------------------------------------------ the sources
@settings(max_examples=15)
@given(st.integers(0, 500), st.integers(2, 6))
def test_balanced_matrices_keep_odds_ratios_and_have_uniform_laws(seed, size):
    for own, flat in zip(kernels("burst", size, 0.8, seed), kernels("flat", size, 0.8, seed), strict=True):
        np.testing.assert_allclose(flat.sum(axis=0), 1.0, atol=1e-6)
        np.testing.assert_allclose(flat.sum(axis=1), 1.0)
        np.testing.assert_allclose(stationary(flat), 1 / size, atol=1e-6)
        np.testing.assert_allclose(stationary(own) @ own, stationary(own))
        odds = [one[:-1, :-1] * one[1:, 1:] / (one[:-1, 1:] * one[1:, :-1]) for one in (own, flat)]
        np.testing.assert_allclose(*odds, rtol=1e-6)
    np.testing.assert_allclose(balanced(np.eye(size)), np.eye(size))


@pytest.mark.parametrize("family", ["burst", "flat"])
@pytest.mark.parametrize("stay", [5.0])
def test_the_fluctuation_is_that_of_every_string_of_the_source(family, stay):
    size, length = 3, 4
    source = switching(family, size, 0.8, stay, 3)
    strings = np.array(list(itertools.product(range(size), repeat=length)))
    chance = np.exp(source.log_probs(strings).sum(axis=1))
    shares = np.stack([(strings == v).mean(axis=1) for v in range(size)], axis=1)
    mean = chance @ shares
    variance = chance @ ((shares - mean) ** 2).sum(axis=1)
    pair = kernels(family, size, 0.8, 3)
    np.testing.assert_allclose(mean, np.mean([stationary(one) for one in pair], axis=0), atol=1e-6)
    assert fluctuation(pair, stay, length, 5) == pytest.approx(np.sqrt(variance / 5), rel=1e-6)


def test_at_a_stay_of_two_regimes_are_independent():
    source = switching("burst", 4, 0.8, 2.0, 0)
    np.testing.assert_allclose(source.regime_matrix, 0.5)


def test_symbols_fluctuate_the_more_the_longer_regimes_stay_where_they_have_symbols_of_their_own():
    design = Bursts()
    for seed in range(6):
        found = {
            family: [
                fluctuation(kernels(family, design.vocab_size, design.tilt, seed), stay, design.length, 1)
                for stay in design.stays
            ]
            for family in ("burst", "flat")
        }
        assert (np.diff(found["burst"]) > 0).all()
        assert found["burst"][-1] / found["burst"][0] > 1.2 * found["flat"][-1] / found["flat"][0]


# ------------------------------------------------------------------------------------------------ the numbers
def test_slopes_are_of_least_squares_over_doublings():
    np.testing.assert_allclose(slope([2, 8, 64], np.array([[1.0, 3.0, 6.0], [2.0, 2.0, 2.0]])), [1.0, 0.0], atol=1e-12)


def test_no_gap_is_not_closed_and_arms_that_did_not_learn_decide_nothing():
    (study,) = load_studies(CONFIG, "laptop")
    data = planted(study, CLAIMED, np.random.default_rng(0), 12)
    assert not any(unlearnt(study, data).values())
    assert not isinstance(evidence(study, data)[f"{STUDY}.power_bare"], Open)
    data.norms["burst", "batch"][:] = data.norms["burst", "layer"]
    data.part_batch[:] = data.part_layer[:, None]
    numbers = evidence(study, data)
    for name, is_open in (("power_bare", True), ("steadier", True), ("power_scaled", False)):
        assert isinstance(numbers[f"{STUDY}.{name}"], Open) == is_open
    data.norms["flat", "layer"][:, -1] = 0.1
    missing = unlearnt(study, data)
    assert missing[f"{STUDY}.gap_net"] == [f"layer norm in flat, stay {study.bursts.stays[-1]:g}"]
    assert not missing[f"{STUDY}.gap_burst"]
    data.norms["burst", "power"][3] = np.nan
    assert unlearnt(study, data)[f"{STUDY}.power_scaled"]


def test_an_arm_learns_in_the_mean_and_in_most_of_its_runs():
    (study,) = load_studies(CONFIG, "laptop")
    data = planted(study, CLAIMED, np.random.default_rng(0), 12)
    data.norms["burst", "power_bare"][:] = 0.001
    for stuck, learns in ((5, True), (7, False)):  # of 12 runs; context tells .3, of which a quarter may be left
        data.norms["burst", "power_bare"][:stuck] = 0.08
        assert (not unlearnt(study, data)[f"{STUDY}.power_bare"]) == learns
    data.norms["burst", "power_bare"][:] = 0.001
    data.norms["burst", "power_bare"][0] = 2.0  # one run far out
    assert unlearnt(study, data)[f"{STUDY}.power_bare"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda: Bursts(stays=(1.0, 8.0)), "stays: given"),
        (lambda: Parts(sizes=(4, 2)), "sizes: given"),
        (lambda: Parts(sequences_per_step=6, sizes=(2, 4)), "sizes: given 4, must divide sequences_per_step 6"),
        (lambda: Normalisers(others=("batch",)), "others: given batch"),
        (lambda: Normalisers(model=ModelConfig(norm="batch")), "model.norm"),
    ],
)
def test_what_does_not_fit_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        part()


# ------------------------------------------------------------------------------------------------ cells and a run
def test_arms_of_a_replicate_share_source_sequences_and_first_weights(smoke):
    layer, batch, part, whole = (
        member_cell(smoke, arm, "burst", 8.0, 5, 1e-2, True, size).training
        for arm, size in (("layer", None), ("batch", None), ("batch", 2), ("batch", 4))
    )
    for one, other in ((layer, batch), (part, whole)):
        assert one.source == other.source
        assert one.data == other.data
        assert one.initial_seed == other.initial_seed
    assert layer.optimiser.clip > 1e6
    assert part.data.targets_per_step // part.model.norm.ghosts == 2
    assert whole.model.norm.ghosts == 1


def test_rates_come_first_and_every_cell_has_a_key_of_its_own(smoke, finished):
    tuned = smoke.replace(tuning={"learning_rates": (1e-3, 1e-2), "n_seeds": 1})
    first = list(all_cells(tuned, {}))
    assert {one.probe.kind for one in first} == {"norm_rate", "part_rate"}
    conditions = {(one.probe.arm, one.probe.family, one.probe.stay, one.probe.kind, one.probe.size) for one in first}
    assert len(first) == 2 * len(conditions)  # every norm, family, stay and size has rates of its own
    cells = list(all_cells(smoke, {one.key: one for one in finished}))
    assert len({one.key for one in cells}) == len(cells) == len(finished)
    assert not {one.probe.seed for one in first} & set(smoke.seeds)


def test_own_statistics_are_recorded_of_batch_norms_alone(smoke, finished):
    for one in finished:
        assert ("own" in one.metrics) == one.probe["arm"].startswith("batch")
        if "own" in one.metrics:
            assert np.isfinite([one.metrics["own"], one.metrics["running"]]).all()


def test_a_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    found = judgement(smoke, finished)
    assert all(check.passed for check in found.checks)
    assert {one.verdict for one in found.verdicts} == {"undecided"}
    assert len(found.verdicts) == len(smoke.claims())
    data = gather(smoke, finished)
    assert data is not None
    assert data.norms["burst", "power"].shape == (2, 1)
    np.testing.assert_allclose(data.part_fluctuation[:, 0] / data.part_fluctuation[:, 1], np.sqrt(2))
    drawn = smoke.figures(finished)
    assert set(drawn) == {"norms"}
    for one in drawn.values():
        assert one.rows
        plt.close(one.figure)
    assert gather(smoke, finished[1:]) is None
