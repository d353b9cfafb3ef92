"""The study `attention_theory`: its numbers, planted worlds, the printed tables, a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.attention_theory import AttentionTheory
from testbed.studies.attention_theory.comparison import Comparison, comparisons
from testbed.studies.attention_theory.cosine_figures import TrainedPeak, peak_figure
from testbed.studies.attention_theory.data import gather
from testbed.studies.attention_theory.evidence import slopes
from testbed.studies.tables import Table

CONFIG = Path(__file__).parents[2] / "configs" / "attention_theory.toml"
EXACT = {"p3_gap", "c3_peak", "c4_window", "p7_threshold", "p7_length_free"}


@pytest.fixture(scope="module")
def smoke() -> AttentionTheory:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, AttentionTheory)
    return study


# ------------------------------------------------------------------------------------------------ numbers
def test_tables_are_read_by_label():
    table = Table({"law": ("a", "b"), "n": (64, 256, 1024)}, np.arange(12.0).reshape(2, 2, 3))
    assert table.at(law="b", n=256).tolist() == [4.0, 10.0]
    assert table.at(law="a").shape == (2, 3)
    with pytest.raises(ValueError, match="no axis x"):
        table.at(x=1)
    with pytest.raises(ValueError, match="not in"):
        table.at(n=65)
    with pytest.raises(ValueError, match="do not end in"):
        Table({"n": (64, 256)}, np.zeros((2, 3)))


def test_a_slope_is_that_of_the_fitted_line():
    table = Table({"n": (64, 256, 1024, 4096)}, np.random.default_rng(0).standard_normal((3, 4)))
    fitted = [np.polyfit(np.log(table.axes["n"]), row, 1)[0] for row in table.values]
    assert slopes(table) == pytest.approx(fitted)


def test_printed_entries_agree_within_their_digits():
    entry = {"table": "t", "entry": "e", "error": 0.0, "unit": 0.01}
    assert Comparison(printed=1.23, found=1.2349, **entry).agrees
    assert not Comparison(printed=1.23, found=1.2353, **entry).agrees
    assert Comparison(printed=1.23, found=1.25, **entry | {"error": 0.004}).agrees


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == 1 + study.n_replicates * len(study.simulated)
    assert all(cell.training is None for cell in cells)


def test_verdicts_come_from_replicates_that_development_did_not_see():
    (laptop,) = load_studies(CONFIG, "laptop")
    (smoke,) = load_studies(CONFIG, "smoke")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 100
    assert laptop.n_replicates >= 8


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert {name for name, one in verdicts.items() if one.n_independent is None} == EXACT
    assert verdicts["c1_entropy"].verdict == verdicts["c2_focus"].verdict == "fails"
    assert all(verdicts[name].verdict == "holds" for name in EXACT)
    figures = smoke.figures(finished)
    assert {"entropy_gaussian_heads", "cosine_peak", "single_key", "aligned_window", "printed_tables"} <= set(figures)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown == {claim.id for claim in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption or "4 standard errors" in figure.caption


def test_laws_see_the_same_draws_and_are_paired(smoke, finished):
    """At n = m all laws give the same numbers, bit by bit; replicates share none."""
    data = gather(smoke, finished)
    assert data is not None
    at_m = data.arms["gaussian_heads"]["entropy"].at(n=64)
    assert np.ptp(at_m, axis=-1).max() == 0.0
    assert len(set(data.arms["gaussian_heads"]["second_moment"].values[:, 0])) == smoke.n_replicates


def test_every_closed_form_of_the_re_derivation_is_regenerated(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    compared = comparisons(smoke, data)
    assert [(one.table, one.entry) for one in compared if one.is_closed and not one.agrees] == [
        ("2.2", "YaRN temperature, n = 256"),
        ("3.4", "g(32)"),
    ]
    assert {one.table for one in compared} == {"2.2", "2.4 c", "2.4 f", "2.4 g", "2.5", "3.2", "3.3", "3.4", "3.5"}


def test_a_study_of_other_sizes_is_not_held_against_the_print(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    other = smoke.replace(gaussian_heads=smoke.gaussian_heads.replace(head_dim=64))
    assert all(one.is_closed for one in comparisons(other, data))


def altered(record: Record, **arrays: np.ndarray) -> Record:
    return Record(record.key, record.study, record.cell, record.status, {}, record.arrays | arrays)


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        altered(r, originals=r.arrays["originals"] + 0.5) if r.probe["arm"] == "gaussian_heads" else r for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.name for check in judgement.checks if not check.passed] == [
        "the mass on m of n exchangeable keys is m / n"
    ]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_trained_points_join_the_figure_of_the_peak(smoke, finished):
    import matplotlib.pyplot as plt

    data = gather(smoke, finished)
    assert data is not None
    figure = peak_figure(smoke, data, [TrainedPeak(64.0, 0.4, 0.38, 0.42)])
    assert figure.rows[-1] == {"quantity": "trained", "alpha": 64.0, "mean": 0.4, "lower": 0.38, "upper": 0.42}
    assert "trained" in [text.get_text() for text in figure.figure.axes[0].get_legend().get_texts()]
    plt.close(figure.figure)


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="must rise"):
        smoke.gaussian_heads.replace(lengths=(256, 64))
    with pytest.raises(ConfigError, match="must not be below train_length"):
        smoke.gaussian_heads.replace(lengths=(32, 64))
    with pytest.raises(ConfigError, match=r"gaussian_heads\.stds: none is judged by bounds\.frozen_from"):
        smoke.replace(gaussian_heads=smoke.gaussian_heads.replace(stds=(1.0, 2.0)))
    with pytest.raises(ConfigError, match="random_keys_small: head_dim must differ"):
        smoke.replace(random_keys_small=(smoke.random_keys,))
    with pytest.raises(ConfigError, match="must hold every one"):
        smoke.replace(random_keys=smoke.random_keys.replace(alphas=(8, 16, 20, 32, 64, 128)))
