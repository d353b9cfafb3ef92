"""The study `optimal_context_laws`: every fast learner against a slow twin, the laws, a smoke run, worlds."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import OrderTable
from testbed.predictors.softmax_regression import fit_softmax
from testbed.runs import Record
from testbed.sources.lags.selector_lag import SelectorLagSource
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.studies import load_studies
from testbed.studies.judge import Region
from testbed.studies.optimal_context_laws import OptimalContextLaws, tables
from testbed.studies.optimal_context_laws.config import Distance, Lags, Table
from testbed.studies.optimal_context_laws.data import optima, others_best, place_of, regrets, slopes
from testbed.studies.optimal_context_laws.lags import Examination, fit_logistic
from testbed.studies.optimal_context_laws.laws import dimension_fit, named_lengths, quanta_by_library
from testbed.studies.optimal_context_laws.measure import distances, geometric_lengths
from testbed.studies.optimal_context_laws.pairs import pair_excess
from testbed.studies.optimal_context_laws.selector import bernoulli_divergence, distance_tables, joint_table
from testbed.studies.optimal_context_laws.statements import HOME, pairs_judged
from testbed.studies.optimal_context_laws.teacher import Teacher
from testbed.studies.optimal_context_laws.worlds import clear_word
from testbed.theory import DimensionLaw, HorizonLaw, PowerDecay, optimal_context

CONFIG = Path(__file__).parents[2] / "configs" / "optimal_context_laws.toml"
STUDY = "optimal_context_laws"


@pytest.fixture(scope="module")
def smoke() -> OptimalContextLaws:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, OptimalContextLaws)
    return study


# ------------------------------------------------------------------------------------------------ the teacher
@given(exponent=st.floats(0.6, 2.0), amplitude=st.floats(0.1, 1.5), context=st.integers(0, 6))
@settings(max_examples=6, deadline=None)
def test_the_teachers_truths_are_those_of_an_enumeration(exponent, amplitude, context):
    teacher = Teacher(exponent, amplitude, 6)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=6)))
    chance = 1 / (1 + np.exp(-signs @ teacher.weights))
    seen = np.round(signs[:, :context] @ teacher.weights[:context], 12)
    risk = 0.0
    for row in np.unique(signs[:, :context], axis=0):
        mine = (signs[:, :context] == row).all(axis=1)
        p = chance[mine].mean()
        risk -= mine.mean() * (p * math.log(p) + (1 - p) * math.log(1 - p))
        assert teacher.law(seen[mine][:1], context)[0] == pytest.approx(p, abs=1e-9)
    assert teacher.risk(context) == pytest.approx(risk, abs=1e-7)
    assert teacher.correlations == pytest.approx(((2 * chance - 1)[:, None] * signs).mean(axis=0), abs=1e-9)


def test_risk_and_correlation_fall_as_the_powers_that_are_claimed():
    teacher = Teacher(1.0, 0.5, 1024)
    lengths = np.array([32, 64])
    risk = teacher.risks(lengths) - teacher.risk(1024)
    tail = [np.sum(teacher.weights[l:] ** 2) for l in lengths]
    assert risk[1] / risk[0] == pytest.approx(tail[1] / tail[0], rel=0.01)
    assert teacher.correlations[63] / teacher.correlations[31] == pytest.approx(0.5, rel=1e-3)
    assert Teacher(1.0, 0.5, 64, reach=8).risk(8) == pytest.approx(Teacher(1.0, 0.5, 8).risk(8), abs=1e-9)


# ------------------------------------------------------------------------------------------------ learners
@given(seed=st.integers(0, 2**31), size=st.integers(40, 400), n_lags=st.integers(0, 8))
@settings(max_examples=12, deadline=None)
def test_the_fast_regression_is_the_librarys(seed, size, n_lags):
    bits, targets = Teacher(1.0, 1.0, 8).sample(size, np.random.default_rng(seed))
    fast = fit_logistic(np.ascontiguousarray(bits[:, :n_lags]), targets, np.zeros(n_lags + 1))
    laws = np.column_stack([~targets, targets]).astype(np.float64)
    slow = fit_softmax(bits[:, :n_lags].astype(np.float64), laws, penalty=2.0)  # on two columns: w = w_1 - w_0
    logits = bits[:, :n_lags] @ np.diff(slow.weights, axis=1)[:, 0] + slow.bias[1] - slow.bias[0]
    assert fast[0] + bits[:, :n_lags] @ fast[1:] == pytest.approx(logits, abs=5e-3)


def test_the_examination_is_the_divergence_written_out():
    teacher = Teacher(1.0, 1.0, 4)
    exam = Examination.of(teacher, np.array([0, 2]), np.random.default_rng(0))
    logits = 0.3 * exam.bits[:, 0].astype(np.float64)
    seen = (exam.bits[:, :2] * teacher.weights[:2]).sum(axis=1)
    divergence = bernoulli_divergence(teacher.law(seen, 2), 1 / (1 + np.exp(-logits)))
    assert exam.excess(1, logits) == pytest.approx(divergence.mean(), rel=1e-9)


def test_tables_of_a_distance_are_those_of_drawn_tokens():
    """Mean excess over 400 data sets, by counts and by tokens of the source itself; false alarm below 1e-6."""
    q, noise, n = np.array([0.5, 0.3, 0.2]), 0.2, 30
    lengths = np.array([0, 1, 2, 3])
    rng = np.random.default_rng(5)
    fast = np.array([distance_tables(q, noise, True, (n,), lengths, rng)[0] for _ in range(400)])
    source = SelectorLagSource(probabilities=q, noise=noise)
    slow = np.zeros((400, 4))
    tokens = source.sample(400 * n, 5, seed=1).astype(np.int64).reshape(400, n, 5)
    for row, data in enumerate(tokens):
        bits, tau, y = data[:, :3][:, ::-1], data[:, 3] - 1, data[:, 4]
        for at, l in enumerate(lengths):
            for lag in (1, 2, 3):
                for bit in (0, 1):
                    truth = 0.5 if lag > l else (1 - noise if bit else noise)
                    mine = (tau > l) if lag > l else (tau == lag) & (bits[:, lag - 1] == bit)
                    law = (y[mine].sum() + 0.5) / (mine.sum() + 1.0)
                    slow[row, at] += q[lag - 1] / 2 * float(bernoulli_divergence(truth, np.array(law)))
    error = np.sqrt((fast.var(axis=0) + slow.var(axis=0)) / 400)
    assert np.all(np.abs(fast.mean(axis=0) - slow.mean(axis=0)) < 5.5 * error)


def test_the_joint_table_is_a_dictionary_of_counts():
    q, noise, size = np.array([0.5, 0.25, 0.25]), 0.3, 60
    lengths = np.array([0, 1, 2, 4])
    found = joint_table(q, noise, (20, size), lengths, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    tau = 1 + rng.choice(3, size=size, p=q)
    bits = rng.integers(0, 16, size=size)
    asked = np.where(tau <= 4, bits >> (tau - 1) & 1, rng.integers(0, 2, size=size))
    y = asked ^ (rng.random(size) < noise)
    for row, n in enumerate((20, size)):
        for at, l in enumerate(lengths):
            total = 0.0
            for lag in (1, 2, 3):
                for code in range(2**l):
                    mine = (tau[:n] == lag) & (bits[:n] % 2**l == code)
                    law = (y[:n][mine].sum() + 0.5) / (mine.sum() + 1.0)
                    truth = 0.5 if lag > l else (1 - noise if code >> (lag - 1) & 1 else noise)
                    total += q[lag - 1] / 2**l * float(bernoulli_divergence(truth, np.array(law)))
            assert found[row, at] == pytest.approx(total, abs=1e-12)


def test_tables_are_the_librarys_and_their_truths_the_sources():
    source = tables.hidden_source(0.1, 0.2)
    block = tables.block_law(source, 6)
    lengths = np.arange(7)
    assert tables.risks(block, lengths) == pytest.approx(source.conditional_entropies(6).value, abs=1e-12)
    codes, targets = tables.dataset(source, 300, 6, 3)
    excess = tables.table_excess(block, codes, targets, lengths)
    contexts = (codes[:, None] >> np.arange(5, -1, -1)) & 1
    for l in (0, 2, 6):
        every = (np.arange(2**l)[:, None] >> np.arange(l - 1, -1, -1)) & 1
        laws = OrderTable(2, l).fit(contexts, targets).laws(every)
        assert excess[l] == pytest.approx(tables.divergence(tables.context_joint(block, l), laws), abs=1e-12)


def test_targets_stand_behind_their_contexts():
    source = tables.hidden_source(0.1, 0.2)
    codes, targets = tables.dataset(source, 1500, 4, 9)
    tokens = source.sample(2, 4 + tables.ROW, seed=9)
    for i in (0, 7, 999, 1000, 1499):
        row, at = divmod(i, tables.ROW)
        window = tokens[row, at : at + 4]
        assert codes[i] == int("".join(map(str, window.tolist())), 2)
        assert targets[i] == tokens[row, at + 4]


def test_pairs_are_found_once_there_are_enough_examples():
    source = SparseParitySource(variant="B")
    lengths = np.array([0, 10, 30, 60])
    few, many = pair_excess(source, (200, 60_000), lengths, np.random.default_rng(0))
    missing = np.asarray(source.conditional_entropies(60).value)[lengths]
    assert few[0] == 0.0
    assert few[3] > 0.5
    assert many[3] < 0.01
    assert np.all(many >= 0)
    assert missing[3] + many[3] < missing[2] + many[2] < missing[1] + many[1]


# ------------------------------------------------------------------------------------------------ laws
def test_named_lengths_are_the_librarys():
    l = np.arange(200.0)
    decay = PowerDecay(0.3, 0.8)
    missing = np.append(0.4, decay(l[1:]))
    frequencies, sizes = 0.5 * l[1:] ** -1.5, np.array([100.0, 1e3, 1e4])
    found = named_lengths(missing, 0.4 * l[1:] ** -1.2, frequencies, 2.0, 1.0, sizes)
    assert found["horizon"].tolist() == np.floor(HorizonLaw(1.2, 0.4).horizon(sizes)).tolist()
    assert found["quanta"].tolist() == quanta_by_library(missing, frequencies, 1.0, sizes).tolist()
    assert np.all(np.diff(found["tabular"]) > 0)
    assert found["parameter"][-1] == pytest.approx((1e4 * 0.3 * 0.8) ** (1 / 1.8), rel=0.03)


def test_the_papers_law_is_found_where_it_is_true():
    missing = 0.5 * np.arange(1.0, 21) ** -0.7
    law = DimensionLaw(amplitude=2.0, coefficient=3.0, slope=0.05, dimension_limit=12.0)
    sizes = np.array([100.0, 1e3, 1e4])
    excess = law.losses(missing, sizes) - missing
    found = dimension_fit(missing, excess, sizes)
    assert found.losses(missing, sizes) - missing == pytest.approx(excess, rel=1e-3)
    assert found.critical_log_tokens == pytest.approx(law.critical_log_tokens, rel=0.05)
    assert optimal_context(found, missing, sizes).tolist() == optimal_context(law, missing, sizes).tolist()


def test_optima_regrets_and_slopes():
    x = np.log1p(geometric_lengths(64).astype(float))
    lengths = np.expm1(x)
    assert optima(1.0 + 0.3 * (x - 2.1) ** 2, lengths) == pytest.approx(2.1)
    assert optima(2.0 - x / 10, lengths) == pytest.approx(x[-1])
    losses = np.array([[[1.0, 2.0, 3.0]], [[3.0, 1.0, 2.0]], [[1.0, 0.5, 2.0]]])
    assert others_best(losses).ravel().tolist() == [1, 0, 1]  # never by its own row
    assert regrets(losses, np.zeros((3, 1), int)).ravel().tolist() == pytest.approx([-6 / 7, 0, 3 / 7])
    assert place_of(np.array([0.0, 4.0, 16.0]), np.array([1.0, 5.0, 50.0])).tolist() == [0, 1, 2]
    assert slopes((10, 100, 1000), np.log([[10.0, 100.0, 1000.0]]) * 0.5) == pytest.approx([0.5])


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == study.n_replicates * len(study.arms)
    assert all(cell.training is None for cell in cells)


def test_verdicts_come_from_replicates_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert min(laptop.numbers) >= 1000 > 100 > max(smoke.numbers)
    assert laptop.n_replicates >= 12


def test_every_law_has_a_home_or_is_the_papers():
    assert {law for law, roles in HOME.items() if roles} == {"tabular", "parameter", "horizon", "quanta"}
    assert {(law, role) for law, roles in HOME.items() for role in roles} <= set(pairs_judged())


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [one.claim for one in judgement.verdicts] == list(smoke.claims())
    said = {one.claim.id.rpartition(".")[2]: one.verdict for one in judgement.verdicts}
    for name in ("interior_blunt", "grows_blunt", "stronger_is_longer"):
        assert said[name] == "holds", name
    for name in ("tabular_on_sharp", "horizon_on_blunt", "quanta_on_blunt"):
        assert said[name] == "fails", name
    figures = smoke.figures(finished)
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption or "bootstrap" in figure.caption or "bands" in figure.caption
    missing = {one.id for one in smoke.claims()} - {claim for figure in figures.values() for claim in figure.claims}
    assert missing <= {f"{STUDY}.interior_{role}" for role in ("keys", "pairs")}


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"excess": r.arrays["excess"] - 1}) for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert not judgement.checks[0].passed
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_clear_words_leave_the_ends_open():
    upper, lower, around = Region(upper=0.1), Region(lower=1.0), Region.around(1.0, 0.2)
    assert [clear_word(upper, v) for v in (0.05, 0.1, 0.2)] == ["holds", None, "fails"]
    assert [clear_word(lower, v) for v in (0.5, 1.1, 2.0)] == ["fails", None, "holds"]
    assert [clear_word(around, v) for v in (1.0, 1.2, 2.0, 0.0)] == ["holds", None, "fails", "fails"]


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="must rise within"):
        Lags(sizes=(100, 50, 1000))
    with pytest.raises(ConfigError, match="above 1/2"):
        Lags(exponents=(0.4, 1.0, 1.5))
    with pytest.raises(ConfigError, match="longest: given 600"):
        Lags(longest=600)
    with pytest.raises(ConfigError, match="depths"):
        Table(depths=(4, 2))
    with pytest.raises(ConfigError, match="switch"):
        Table(switch=(0.6, 0.7))
    with pytest.raises(ConfigError, match=r"lags\.sizes: three must be"):
        smoke.replace(lags=smoke.lags.replace(sizes=(20, 50, 100)))
    assert distances(Distance(max_lag=64)).sum() == pytest.approx(1.0)
