"""The study `mep_extension`: its laws and numbers against slow twins, planted worlds, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.maxent import Constraint, ConstraintSet, JointMarginals, fit_conditional, token_divergences
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.mep_extension import MepExtension, laws, schemes
from testbed.studies.mep_extension.closed import coverage
from testbed.studies.mep_extension.config import Arm
from testbed.studies.mep_extension.counts import crossing_size, parameter_noise, smoothed, with_uniform
from testbed.studies.mep_extension.data import gather

CONFIG = Path(__file__).parents[2] / "configs" / "mep_extension.toml"
EXACT = {"c1_faithful", "c2_beats_truncation", "c2_separation", "c12_windows", "c5_pairwise", "c6_parity", "c7_copies"}
EXACT |= {"c3_three", "c3_four", "c8_tables", "c8_equations", "c14_tables", "c14_equations", "c13_order"}
EXACT |= {"c13_both_ways"}


@pytest.fixture(scope="module")
def smoke() -> MepExtension:
    (study,) = load_studies(CONFIG, "smoke", ["replicates=5"])  # as few as may decide: this is run
    assert isinstance(study, MepExtension)
    return study


# ------------------------------------------------------------------------------------------------ laws
@pytest.mark.parametrize("name", laws.names_of(4))
def test_every_source_is_a_law(name):
    law = laws.law_of(name, Arm(), np.random.default_rng(0))
    assert law.shape == (2,) * 8
    assert law.min() > 0
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    if name.startswith(("markov", "logit", "hidden", "mixture")):
        np.testing.assert_allclose(law.sum(axis=0), law.sum(axis=-1), atol=1e-12)  # stationary


@pytest.mark.parametrize(("vocab_size", "order"), [(2, 1), (2, 3), (3, 2)])
def test_a_chain_has_its_kernel(vocab_size, order):
    kernel = laws.markov_kernel(np.random.default_rng(1), vocab_size, order, 0.5)
    law = laws.chain_law(kernel, 5)
    for context in itertools.product(range(vocab_size), repeat=4):
        np.testing.assert_allclose(law[context] / law[context].sum(), kernel[context[-order:]], atol=1e-12)


def test_sums_and_their_noise():
    """x_3 = x_1 + x_2: ln V less the noise's entropy is what the pair law loses; 0.494632 for V = 2, eps = 0.1."""
    assert laws.noise_loss(2, 0.1) == pytest.approx(0.494632, abs=1e-6)
    assert laws.noise_loss(3, 0.0) == pytest.approx(np.log(3))
    law = laws.noisy_sum_law(3, 3, [(2, (0, 1))], 0.2)
    for x in itertools.product(range(3), repeat=3):
        right = (x[0] + x[1]) % 3 == x[2]
        assert law[x] == pytest.approx((right * 0.8 + 0.2 / 3) / 9)


def test_names_that_are_none():
    with pytest.raises(ValueError, match="there is no source 'potts_3'; known: markov_1"):
        laws.law_of("potts_3", Arm(), np.random.default_rng(0))


# ------------------------------------------------------------------------------------------------ the theorem of R1
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.tuples(st.integers(0, 5), st.integers(1, 7)), min_size=1))
def test_no_set_within_windows_beats_the_window_at_any_token(seed, chosen):
    """Separation: with every clique inside T = 3 successive tokens, no new token loses less than under the window."""
    law = np.random.default_rng(seed).dirichlet(np.full(2**6, 1.0)).reshape((2,) * 6)
    tables = JointMarginals(law)
    cliques = {tuple(sorted({min(start + i, 5) for i in range(3) if places >> i & 1})) for start, places in chosen}
    fitted = ConstraintSet(2, 6, [Constraint(c, tables(c)) for c in cliques]).solve().probabilities
    window = schemes.extended(schemes.window(2), law, 3)
    assert (token_divergences(law, fitted)[3:] >= token_divergences(law, window)[3:] - 1e-9).all()


def test_conditional_baselines_lie_between():
    law = laws.law_of("dirichlet", Arm(), np.random.default_rng(3))
    loss = {
        name: token_divergences(law, schemes.extended(name, law, 4))
        for name in ("conditional_near", "conditional_all", "pairs_all", "windows_3")
    }
    assert np.abs(loss["conditional_all"][:4]).max() < 1e-12  # the prefix is kept
    assert (loss["conditional_all"][4:] <= loss["conditional_near"][4:] + 1e-9).all()
    assert loss["conditional_all"][-1] <= loss["pairs_all"][-1] + 1e-9  # the fit in the same family, last token
    assert (loss["windows_3"][4:] <= loss["conditional_near"][4:] + 1e-12).all()


def test_conditional_baselines_are_softmax_regressions():
    law = laws.law_of("potts", Arm(), np.random.default_rng(4))
    found = schemes.extended("conditional_near", law, 4)
    contexts = np.array(list(itertools.product(range(2), repeat=3)))
    fit = fit_conditional(contexts, law.sum(axis=(0, 1, 2, 3)).reshape(-1, 2), 2, tolerance=1e-6)
    last = found.sum(axis=(0, 1, 2, 3)).reshape(-1, 2)
    np.testing.assert_allclose(last / last.sum(axis=1, keepdims=True), fit.laws(contexts), atol=1e-4)


# ------------------------------------------------------------------------------------------------ counts
def slow_back_off(counts, reach, strength):
    """The recursion one context at a time."""
    v, n = counts.shape[0], counts.ndim
    law = np.ones(counts.shape)
    for x in itertools.product(range(v), repeat=n):
        for t in range(n):
            guess = np.full(v, 1.0 / v)
            for depth in range(min(t, reach) + 1):
                seen = np.zeros(v)
                for y in itertools.product(range(v), repeat=n):
                    if y[t - depth : t] == x[t - depth : t]:
                        seen[y[t]] += counts[y]
                d = strength if strength is not None else (seen > 0).sum()
                if seen.sum() > 0:
                    guess = (seen + d * guess) / (seen.sum() + d)
            law[x] *= guess[x[t]]
    return law


@pytest.mark.parametrize(("reach", "strength"), [(1, None), (3, None), (2, 2.0)])
def test_back_off_equals_its_slow_twin(reach, strength):
    counts = np.random.default_rng(0).multinomial(6, np.full(16, 1 / 16)).reshape((2,) * 4).astype(float)
    found = schemes.back_off_law(counts, reach, strength)
    np.testing.assert_allclose(found, slow_back_off(counts, reach, strength), atol=1e-14)
    assert found.sum() == pytest.approx(1.0)


def test_half_counts_in_every_cell_of_a_window():
    counts = np.random.default_rng(0).multinomial(20, np.full(2**8, 2.0**-8)).reshape((2,) * 8).astype(float)
    law = smoothed("window_kt", counts, 4)
    cells = counts.sum(axis=(0, 5, 6, 7))[0, 1, 1] + 0.5  # x_5 behind x_2 x_3 x_4 = 0 1 1
    behind = law.sum(axis=(0, 5, 6, 7))[0, 1, 1]
    np.testing.assert_allclose(behind / behind.sum(), cells / cells.sum(), atol=1e-12)


def test_uniform_counts_keep_one_law():
    mixed = with_uniform(np.array([[3.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(mixed, np.array([[3.25, 0.25], [0.25, 0.25]]) / 4)


def test_crossings_are_read_off():
    """b - a / N is zero at a / b."""
    sizes = np.array([32.0, 128.0, 512.0])
    assert crossing_size(sizes, 0.01 - 2.0 / sizes) == pytest.approx(200.0)
    assert np.isnan(crossing_size(sizes, -1.0 / sizes))


def test_the_trace_is_the_rank_in_the_family_and_not_outside():
    law = laws.law_of("potts", Arm(), np.random.default_rng(0))
    for name in ("pairs_all", "windows_3"):
        constraints = schemes.constraints_of(name, law, 4)
        best = schemes.extended(name, law, 4)
        assert parameter_noise(constraints, law, best) == pytest.approx(constraints.rank - 1, rel=1e-6)
    other = laws.law_of("markov_3", Arm(), np.random.default_rng(0))
    constraints = schemes.constraints_of("pairs_all", other, 4)
    trace = parameter_noise(constraints, other, schemes.extended("pairs_all", other, 4))
    assert abs(trace / (constraints.rank - 1) - 1) > 0.01


def test_three_groups_reach_three_halves():
    assert [coverage(t) for t in (4, 6, 8, 10)] == [6, 9, 12, 15]


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == 1 + study.n_replicates * len(study.random_arms)
    assert all(cell.training is None for cell in cells)
    assert study.n_replicates >= 8


def test_verdicts_come_from_replicates_that_development_did_not_see():
    (laptop,) = load_studies(CONFIG, "laptop")
    (smoke,) = load_studies(CONFIG, "smoke")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("exact.context_length=5", "must be even"),
        ("exact.vocab_size=5", "at most 65536"),
        ("counts.draws=[1, 1]", "one number from 1 for each of sizes"),
        ('counts.sources=["markov_9"]', "counts.sources: unknown markov_9"),
        ('counts.schemes=["pairs_all"]', "must hold chain, windows_3"),
        ("bounds.few=77", "must hold bounds.few = 77"),
        ("closed_forms.copy_sizes=[[2, 4], [2, 6]]", "must share one T"),
        ("closed_forms.table_lengths=[8, 9]", "must be even, from 4"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert {name for name, one in verdicts.items() if one.n_independent is None} == EXACT
    words = {name: verdicts[name].verdict for name in EXACT}
    refuted = {"c2_beats_truncation", "c3_three", "c8_tables", "c8_equations", "c14_equations"}
    assert {name for name, word in words.items() if word == "fails"} == refuted
    assert {name for name, word in words.items() if word == "holds"} == EXACT - refuted
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


def test_replicates_share_nothing_and_repeat(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    entropy = data.arms["exact"]["entropy"]
    assert len(set(entropy.at(source="markov_3"))) == smoke.n_replicates
    assert len(set(entropy.at(source="copy"))) == 1
    from testbed.studies.mep_extension.measure import measured

    cell = next(one for one in smoke.cells({}) if one.probe.arm == "crossing")
    first, second = (measured(cell.probe) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def altered(record: Record, **arrays: np.ndarray) -> Record:
    return Record(record.key, record.study, record.cell, record.status, {}, record.arrays | arrays)


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [altered(r, formula=r.arrays["formula"] + 0.5) if r.probe["arm"] == "exact" else r for r in finished]
    judgement = smoke.judge(spoilt)
    assert [check.name for check in judgement.checks if not check.passed] == ["windows lose what the closed form says"]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}
