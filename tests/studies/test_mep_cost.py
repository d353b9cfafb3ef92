"""The study `mep_cost`: counts, kept keys, slopes and crossings, planted worlds, a smoke run. No time is asserted."""

from pathlib import Path

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.mep_cost import MepCost
from testbed.studies.mep_cost.cached import CachedDecoder
from testbed.studies.mep_cost.closed import counted, forward_operations, saved_share, window_dearness
from testbed.studies.mep_cost.config import Counts
from testbed.studies.mep_cost.data import gather
from testbed.studies.mep_cost.evidence import pair_saving, slope, solve_shares, window_ratio
from testbed.studies.mep_cost.judgement import crossing_words, signs
from testbed.studies.mep_cost.measure import peak_of
from testbed.studies.mep_cost.shapes import SHAPES, TABLED
from testbed.studies.mep_cost.worlds import HOLDS
from testbed.training.batches import with_begin

CONFIG = Path(__file__).parents[2] / "configs" / "mep_cost.toml"
EXACT = {
    "c8_window_tables",
    "c8_window_equations",
    "c8_pair_tables",
    "c8_pair_equations",
    "c8_fixed_lag",
    "c8_vocabulary",
    "c9_operations",
}


@pytest.fixture(scope="module")
def smoke() -> MepCost:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, MepCost)
    return study


# ------------------------------------------------------------------------------------------------ numbers
@pytest.mark.parametrize("depth", [1, 3])
def test_kept_keys_give_the_logits_of_whole_passes(depth):
    model = Transformer(ModelConfig(width=16, depth=depth, heads=4, mlp_ratio=2, methods=("nope",)), 5, 9)
    weights = model.layout.views(model.layout.initial_row(3)[None])
    weights = {
        name: one + 0.3 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
        for name, one in weights.items()
    }
    tokens = torch.randint(5, (3, 8), generator=torch.Generator().manual_seed(0))
    decoder = CachedDecoder(model, weights, batch=3, longest=9)
    inputs = with_begin(tokens[None], model.begin)
    whole = model.logits(weights, inputs, "all")[0]
    for place in range(9):
        torch.testing.assert_close(decoder.step(inputs[0, :, place]), whole[:, place], atol=1e-4, rtol=1e-4)
    for given in (1, 4, 9):  # so many read at once, the rest one by one
        torch.testing.assert_close(decoder.read(inputs[0, :, :given]), whole[:, given - 1], atol=1e-4, rtol=1e-4)
        for place in range(given, 9):
            torch.testing.assert_close(decoder.step(inputs[0, :, place]), whole[:, place], atol=1e-4, rtol=1e-4)


def test_operations_are_those_worked_out_beforehand():
    for (d, depth, v, t), (ratio, saved, dear) in zip(SHAPES, TABLED, strict=True):
        shape = (d, depth, v)
        assert forward_operations(2 * t, *shape) / forward_operations(t, *shape) == pytest.approx(ratio, abs=0.006)
        assert saved_share(t, *shape) == pytest.approx(saved, abs=0.0006)
        assert window_dearness(t, *shape) == pytest.approx(dear, rel=0.05)


def test_counts_follow_their_formulas():
    found = counted(Counts(lengths=(2, 3, 5), window_lengths=(2, 3, 4), vocab_sizes=(2, 3, 5)))
    for i, v in enumerate((2, 3, 5)):
        for j, t in enumerate((2, 3, 5)):
            pairs = t * (2 * t - 1)
            rank = 1 + 2 * t * (v - 1) + pairs * (v - 1) ** 2
            assert found["pairs"][0, i, j].tolist() == [pairs, pairs * v**2, rank]
        for j, t in enumerate((2, 3, 4)):
            rank = (t + 1) * v**t - t * v ** (t - 1)
            assert found["windows"][0, i, j].tolist() == [t + 1, (t + 1) * v**t, rank]


def test_slopes():
    t = np.array([2, 4, 8, 16])
    assert slope(t, np.array([[99.0, *(3.0 * t[1:] ** 1.5)], [1.0, 2.0, 2.0, 2.0]])) == pytest.approx([1.5, 0.0])


def test_peaks_are_those_of_arrays():
    assert 8e6 <= peak_of(lambda: np.ones(10**6)) < 8.1e6


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == 1 + 2 * study.n_replicates
    assert len(study.shared_lengths) >= 3


def test_verdicts_come_from_passes_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 200
    assert laptop.n_replicates >= 12


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert {name for name, one in verdicts.items() if one.n_independent is None} == EXACT
    assert {name for name in EXACT if verdicts[name].verdict == "holds"} == EXACT & HOLDS
    assert {name for name in EXACT if verdicts[name].verdict == "fails"} == EXACT - HOLDS
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


def test_totals_are_sums_of_what_was_timed(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    step, decode, b = data.tables["step"], data.tables["decode"], smoke.bounds
    assert (step.values > 0).all()
    t = smoke.transformers.lengths[1]
    theirs = b.steps * step.at(T=t, model="2T") + b.decoded * t * decode.at(T=t, way="cached")
    for way in ("window", "half"):
        ours = b.steps * step.at(T=t, model="T") + b.decoded * t * decode.at(T=t, way=way)
        np.testing.assert_allclose(window_ratio(smoke, data, way)[:, 1], ours / theirs)
    first = smoke.shared_lengths[0]
    short, long = (b.steps * step.at(T=first, model=model) for model in ("T", "2T"))
    np.testing.assert_allclose(pair_saving(smoke, data)[:, 0], 1 - (short + data.tables["dense"].at(T=first)) / long)
    np.testing.assert_allclose(solve_shares(smoke, data)[:, 0], data.tables["dense"].at(T=first) / long)


def test_signs_and_crossings_are_told_where_intervals_allow(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    noise = np.array([-0.1, 0.0, 0.1])[:, None]
    values = np.array([[1.0, 2.0, 0.01, -1.0]]) + noise
    assert signs(data, (4, 8, 16, 32), values) == "4: +, 8: +, 16: 0, 32: -"
    assert crossing_words(data, (4, 8, 16, 32), values) == "it changes from + to - between T = 8 and 32"
    assert crossing_words(data, (4, 8), values[:, :2]) == "no change of sign is certain"


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"dense_error": r.arrays["dense_error"] + 1.0})
        if "dense_error" in r.arrays
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.passed for check in judgement.checks].count(False) == 1
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("solving.dense_lengths=[3, 4, 17]", "at most 12"),
        ("solving.band_lengths=[16, 8, 4]", "must rise"),
        ("counts.window_lengths=[4, 6, 16]", "at most 14"),
        ("vocabularies.dense=[2, 4, 32]", "at most 4194304"),
        ("vocabularies.band=[8, 4, 2]", "must rise"),
        ("transformers.tokens_per_step=16", "must hold a window of 2T"),
        ("transformers.lengths=[16, 32, 64]", "must share three lengths"),
        ('model.methods=["rope"]', "take methods = nope"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])
