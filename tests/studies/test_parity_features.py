"""The study `parity_features`: answers, features and ranks against slow twins, gates, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.models.mlp import MLP
from testbed.sources.bits import LN2
from testbed.studies import load_studies
from testbed.studies.linear_entropy.data import Data, replicates_of
from testbed.studies.linear_entropy.rise_figure import rises_of
from testbed.studies.parity_features import ParityFeatures
from testbed.studies.parity_features.config import ROLES, Reading
from testbed.studies.parity_features.data import exact_pairs, off_by, unevenness
from testbed.studies.parity_features.measure import answers, features_of, features_read

CONFIG = Path(__file__).parents[2] / "configs" / "parity_features.toml"


@pytest.fixture(scope="module")
def smoke() -> ParityFeatures:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ParityFeatures)
    return study


# ------------------------------------------------------------------------------------------------ the state
@pytest.mark.parametrize("role", ROLES)
def test_the_state_is_the_list_of_answers(smoke, role):
    """Over all strings of bits the answers are uniform on 2^n lists, and R(l) is that of the tasks left: enumerated."""
    table = smoke.table(role)
    bits = np.array(list(itertools.product((0, 1), repeat=table.n_bits)), dtype=np.uint8)
    law = table.parities.question_law
    for l, s, risk in zip(table.lengths, table.entropies, table.risks, strict=True):
        known = answers(table.parities, bits, l)
        counts = np.unique(known, axis=0, return_counts=True)[1]
        p = counts / counts.sum()
        assert -np.sum(p * np.log(p)) == pytest.approx(s, abs=1e-12)
        unsolved = sum(f for f, task in zip(law, table.parities.tasks, strict=True) if max(task) > l)
        assert risk == pytest.approx(LN2 * unsolved, abs=1e-9)
        rank = np.linalg.matrix_rank(np.cov(2.0 * known - 1.0, rowvar=False, ddof=0).reshape(known.shape[1], -1))
        assert rank == known.shape[1] == len(table.solved(l))


def test_features_see_their_context_alone(smoke):
    model = MLP(smoke.model, smoke.even.n_bits, len(smoke.even.parities.tasks))
    bits = np.random.default_rng(0).integers(2, size=(20, smoke.even.n_bits)).astype(np.uint8)
    row = model.initial_row(3, smoke.even.n_bits)
    changed = bits.copy()
    changed[:, 4:] ^= 1
    np.testing.assert_array_equal(features_of(model, row, bits, 4), features_of(model, row, changed, 4))
    assert not np.allclose(features_of(model, row, bits, 5), features_of(model, row, changed, 5))
    weights = {name: one[0] for name, one in model.layout.views(row[None]).items()}
    x = torch.from_numpy(bits).float()
    x[:, 4:] = 0.0
    hidden = torch.nn.functional.leaky_relu(x @ weights["weight_0"] + weights["bias_0"], smoke.model.slope)
    expected = hidden @ weights["weight_1"] + weights["bias_1"]
    np.testing.assert_allclose(features_of(model, row, bits, 4), expected.numpy(), atol=1e-5)


def test_features_that_are_the_answers_are_read_as_such():
    """The answers +-1 in a plane of 10 dimensions with little noise: counts, rank, probes and information are exact."""
    rng = np.random.default_rng(2)
    truth = rng.integers(2, size=(2000, 4))
    plane = np.linalg.qr(rng.standard_normal((10, 10)))[0][:4]
    cloud = (2.0 * truth - 1.0) @ plane + 0.01 * rng.standard_normal((2000, 10))
    reading = Reading(n_samples=2000, thresholds=(0.5, 0.1), n_terms=(4,), n_shuffles=2)
    found = features_read(cloud, truth, reading, seed=0)
    assert found["dimension"].tolist() == [4.0, 4.0]
    assert found["probe"][0] > 0.999
    assert found["information"] == pytest.approx(4 * LN2, rel=0.01)
    assert found["information"] <= 4 * LN2
    flat = features_read(np.tile(cloud[:, :1], (1, 10)), truth, reading, seed=0)
    assert np.isnan(flat["kde"])
    assert np.isnan(flat["s_n"]).all()


# ------------------------------------------------------------------------------------------------ numbers of the claims
def planted(study: ParityFeatures, counts: np.ndarray, spectrum: np.ndarray) -> Data:
    arm = {"dimension": counts, "spectrum": spectrum}
    return Data(replicates_of(range(len(counts))), exact_pairs(study), 0.0, dict.fromkeys(ROLES, arm), {})


def test_a_count_is_judged_by_the_threshold_of_the_others(smoke):
    """Threshold 0 is right for all replicates but the last, for which threshold 1 is: it is judged by theirs."""
    solved = np.array(smoke.even.n_solved, dtype=float)
    counts = np.stack([np.stack([solved, solved + 2], axis=1)] * 5)
    counts[-1] = counts[-1][:, ::-1]
    spectrum = np.ones((5, len(solved), 4))
    np.testing.assert_allclose(off_by(smoke, planted(smoke, counts, spectrum), "true"), [0, 0, 0, 0, 2])


def test_one_factor_is_even_and_a_new_direction_is_not(smoke):
    n = len(smoke.even.lengths)
    counts = np.zeros((5, n, 1))
    even = np.tile(np.exp(0.3 * np.arange(n))[:, None], (5, 1, 6)) * 1e-4
    even[..., 0] = 1.0
    assert unevenness(planted(smoke, counts, even), "true") == pytest.approx(np.zeros(5), abs=1e-9)
    steps = np.where(np.arange(6) <= np.arange(n)[:, None], 1.0, 1e-6) * np.ones((5, 1, 1))
    assert unevenness(planted(smoke, counts, steps), "true").min() > 0.4
    risen, known = rises_of(steps)
    assert risen.shape == (5, n - 1, 5)
    assert known.all()
    assert risen[0, 0].round(3).tolist() == [round(np.log(1e6), 3), 0, 0, 0, 0]


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    n_tuning = 2 * len(study.tuning.learning_rates) * study.tuning.n_seeds
    assert len({cell.key for cell in cells}) == len(cells) == n_tuning
    assert study.n_seeds >= 5
    assert study.uneven.bend > 0.05 > 1e-6 > study.even.bend


def test_verdicts_come_from_seeds_that_development_did_not_see():
    assert min(load_studies(CONFIG, "laptop")[0].seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.kind=mlp", "model.kind: given mlp, must be bi_mlp"),
        ("even.lengths=[2, 3, 4, 5]", "even.lengths"),
        ("even.lengths=[2, 3, 4, 5, 5]", "must rise within 1"),
        ("even.source.tasks=[[2, 1], [3, 1], [3, 2], [4, 1], [5, 1], [6, 1]]", "some answers follow from others"),
        ("uneven.source.frequencies=[0.2, 0.2, 0.2, 0.2, 0.2]", "no more bent"),
        ("reading.n_samples=100", None),
    ],
)
def test_bad_settings_are_named(override, message):
    if message is None:
        load_studies(CONFIG, "smoke", [override])
        return
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}  # little is learnt in so few steps
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
