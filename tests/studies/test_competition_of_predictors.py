"""The study `competition_of_predictors`: predictors and weights against slow twins, the boundary, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import add_constant_law, finite_mixture_law
from testbed.runs import Record
from testbed.sources.in_context import DirichletMarkovSource, MarkovMixtureSource
from testbed.studies import load_studies
from testbed.studies.competition_of_predictors import CompetitionOfPredictors
from testbed.studies.competition_of_predictors.claims import COMPETITION
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import Arm, boundary, censored, gather
from testbed.studies.competition_of_predictors.evidence import arms_of, evidence
from testbed.studies.competition_of_predictors.grid import all_cells, family_of
from testbed.studies.competition_of_predictors.predictors import NAMES, Family, predictions
from testbed.studies.competition_of_predictors.weights import centred_logs, quadratic_on_simplex, simplex_weights
from testbed.studies.competition_of_predictors.worlds import planted

CONFIG = Path(__file__).parents[2] / "configs" / "competition_of_predictors.toml"
UNI_RET, BI_RET, UNI_INF, BI_INF, UNIFORM = range(5)


@pytest.fixture(scope="module")
def smoke() -> CompetitionOfPredictors:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CompetitionOfPredictors)
    return study


# ------------------------------------------------------------------------------------------------ predictors
@pytest.fixture(scope="module")
def family() -> Family:
    return Family.of(MarkovMixtureSource(vocab_size=3, order=1, n_chains=5, seed=3))


def test_predictions_are_the_laws_written_out_place_by_place(family):
    """Counts of all places before, for one sequence after the other, through the library's own mixture and table."""
    tokens = np.random.default_rng(0).integers(3, size=(3, 9))
    found = predictions(family, tokens)
    assert found.shape == (len(NAMES), 3, 8, 3)
    for row, sequence in enumerate(tokens):
        for t in range(1, 9):
            past, last = sequence[:t], sequence[t - 1]
            counts = np.bincount(past, minlength=3)
            pairs = np.zeros((3, 3), dtype=np.int64)
            np.add.at(pairs, (past[:-1], past[1:]), 1)
            first = family.stationary[:, past[0]]
            by_pairs = finite_mixture_law(pairs, family.transitions, first / first.sum())[last]
            likelihood = np.prod(family.stationary[:, past], axis=1)
            by_singles = (likelihood / likelihood.sum()) @ family.transitions[:, last]
            assert found[BI_RET, row, t - 1] == pytest.approx(by_pairs, abs=1e-12)
            assert found[UNI_RET, row, t - 1] == pytest.approx(by_singles, abs=1e-12)
            assert found[UNI_INF, row, t - 1] == pytest.approx(add_constant_law(counts[None], 1.0)[0], abs=1e-12)
            assert found[UNIFORM, row, t - 1] == pytest.approx([1 / 3] * 3)
            assert found[BI_INF, row, t - 1] == pytest.approx(add_constant_law(pairs, 1.0)[last], abs=1e-12)


def test_retrieval_and_inference_by_pairs_are_the_bayes_laws_of_the_sources():
    source = MarkovMixtureSource(vocab_size=4, order=1, n_chains=6, concentration=0.5, seed=1)
    continuum = DirichletMarkovSource(vocab_size=4, order=1, concentration="1/2")
    for one, place in ((source, BI_RET), (continuum, BI_INF)):
        tokens = one.sample(5, 12, seed=2)
        found = predictions(Family.of(source), tokens)[place]
        assert found == pytest.approx(one.predict(tokens)[:, 1:], abs=1e-8)


def test_with_one_chain_both_retrievals_are_its_rows():
    one = Family.of(MarkovMixtureSource(vocab_size=3, order=1, n_chains=1, seed=7))
    tokens = np.random.default_rng(1).integers(3, size=(4, 10))
    found = predictions(one, tokens)
    rows = one.transitions[0][tokens[:, :-1]]
    assert found[BI_RET] == pytest.approx(rows)
    assert found[UNI_RET] == pytest.approx(rows)


def test_families_of_a_replicate_are_nested(smoke):
    small, large = (Family.of(family_of(smoke.task, n, 5)) for n in (2, 8))
    assert large.transitions[:2] == pytest.approx(small.transitions)
    assert small.stationary[0] @ small.transitions[0] == pytest.approx(small.stationary[0], abs=1e-8)


def test_the_four_predictors_are_of_chains_of_order_1():
    with pytest.raises(ValueError, match="order: given 2"):
        Family.of(MarkovMixtureSource(vocab_size=2, order=2, n_chains=2))


# ------------------------------------------------------------------------------------------------ weights
@given(seed=st.integers(0, 10_000), n=st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_no_point_of_the_simplex_is_better_than_the_weights(seed, n):
    rng = np.random.default_rng(seed)
    predictors, model = rng.dirichlet(np.ones(3), size=(n, 20)), rng.dirichlet(np.ones(3), size=20)
    w = simplex_weights(predictors, model)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1.0)

    def loss(at: np.ndarray) -> float:
        return float(np.sum((model - np.einsum("i,i...->...", at, predictors)) ** 2))

    tried = np.concatenate(
        [rng.dirichlet(np.ones(n), size=200), np.eye(n), w + 0.02 * (rng.dirichlet(np.ones(n)) - w)[None]]
    )
    assert min(loss(one) for one in tried) >= loss(w) - 1e-7


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_planted_weights_are_found_of_laws_and_of_log_odds(seed):
    rng = np.random.default_rng(seed)
    predictors, true = rng.dirichlet(np.ones(4), size=(4, 60)), rng.dirichlet(np.ones(4))
    mixed = np.einsum("i,i...->...", true, predictors)
    assert simplex_weights(predictors, mixed) == pytest.approx(true, abs=1e-5)
    logs = centred_logs(predictors)
    geometric = np.exp(np.einsum("i,i...->...", true, logs))
    geometric /= geometric.sum(axis=-1, keepdims=True)
    assert simplex_weights(logs, centred_logs(geometric)) == pytest.approx(true, abs=1e-5)


def test_predictors_that_agree_share_their_weight():
    laws = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 30))
    twice = np.stack([laws[0], laws[0], laws[1]])
    assert simplex_weights(twice, laws[0]) == pytest.approx([0.5, 0.5, 0.0], abs=1e-4)
    assert quadratic_on_simplex(np.zeros((2, 2)), np.zeros(2)).sum() == pytest.approx(1.0)


def test_a_uniform_model_is_no_predictor_by_single_tokens(family):
    """Without the uniform law among the predictors it would be read as one."""
    tokens = np.random.default_rng(4).integers(3, size=(40, 16))
    predictors = predictions(family, tokens)
    uniform = np.full(predictors.shape[1:], 1 / 3)
    assert simplex_weights(predictors, uniform)[UNIFORM] == pytest.approx(1.0, abs=1e-4)
    of_four = simplex_weights(predictors[:4], uniform)
    assert of_four[[UNI_RET, UNI_INF]].sum() - of_four[[BI_RET, BI_INF]].sum() > 0.1


# ------------------------------------------------------------------------------------------------ the boundary
def test_the_boundary_is_where_the_lead_changes_sign(smoke):
    """Leads .4 and -.2 at N = 2 and 4: two thirds of the way in ln N; at the ends of the grid where there is none."""
    data = planted(smoke, COMPETITION, np.random.default_rng(0), 1)

    def with_leads(*leads: float) -> float:
        for n, lead in zip(smoke.task.chains[1:], leads, strict=True):
            weights = np.zeros((1, len(data.steps), 5))
            weights[..., BI_RET], weights[..., BI_INF] = (1 + lead) / 2, (1 - lead) / 2
            data.arms[n] = Arm({"weights": weights}, {})
        found = boundary(smoke, data)
        assert censored(smoke, found).all() == (leads[0] <= 0 or min(leads) > 0)
        return float(found[0, 0])

    assert smoke.task.chains == (1, 2, 4, 8)
    assert with_leads(0.4, -0.2, -0.5) == pytest.approx(np.log(2) * (1 + 2 / 3))
    assert with_leads(0.4, 0.3, -0.3) == pytest.approx(np.log(4) + np.log(2) / 2)
    assert with_leads(0.4, 0.3, 0.2) == pytest.approx(np.log(8))
    assert with_leads(-0.1, 0.3, -0.2) == pytest.approx(np.log(2))
    assert with_leads(0.4, -0.4, 0.2) == pytest.approx(np.log(2) * 1.5)


# ------------------------------------------------------------------------------------------------ the whole of it
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    judgement = smoke.judge(finished)
    assert {verdict.claim.id for verdict in judgement.verdicts} == {claim.id for claim in smoke.claims()}
    assert all(check.passed for check in judgement.checks)
    figures = smoke.figures(finished)
    assert set(figures) == {"phases", "weights", "divergences", "limit"}
    known = {claim.id for claim in smoke.claims()}
    for one in figures.values():
        assert one.rows
        assert set(one.claims) <= known
        plt.close(one.figure)
    assert smoke.figures(finished[1:]) == {}
    assert [check.name for check in smoke.judge(finished[1:]).checks] == ["complete"]


def test_what_is_kept_along_training(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    assert data.steps[-1] == smoke.optimiser.steps
    assert data.form_error < 1e-8
    for chains, arm in data.arms.items():
        weights = arm.paths["weights"]
        assert weights.shape == (smoke.n_seeds, len(data.steps), 5)
        assert weights.sum(axis=-1) == pytest.approx(1.0)
        assert np.all(arm.paths["kl_in"] > 0)
        assert np.all(arm.paths["apart"] > 0)
        assert np.all(arm.unexplained() < 2)  # single predictors are among the interpolations, weights of least squares
        if chains == CONTINUUM:  # fresh sequences of the family and of new chains are of one law
            assert arm.paths["kl_in"].mean() == pytest.approx(arm.paths["kl_out"].mean(), rel=0.2)
    assert data.gaps["gap_in"][:, 0].min() > data.gaps["gap_in"][:, -1].max()
    assert set(evidence(smoke, data)) == {claim.id for claim in smoke.claims()}
    assert {f"competition_of_predictors.{name}" for name in arms_of(smoke)} <= {one.id for one in smoke.claims()}


def test_a_closed_form_that_is_not_the_bayes_law_voids_the_study(smoke, finished):
    def broken(one: Record) -> Record:
        if one.probe["kind"] != "member":
            return one
        return Record(one.key, one.study, one.cell, one.status, {**one.metrics, "form_error": 0.1}, one.arrays)

    judgement = smoke.judge([broken(one) for one in finished])
    assert [check.name for check in judgement.checks if not check.passed] == [
        "closed forms are the sources' Bayes laws"
    ]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_tuning_comes_first_and_sees_replicates_of_its_own(smoke):
    first = [cell for cell in all_cells(smoke, {}) if cell.training is not None]
    assert {cell.probe.kind for cell in first} == {"tuning"}
    assert min(cell.probe.seed for cell in first) >= 1_000_000


def test_configs_that_make_no_sense_are_refused():
    for override, said in (
        ("task.chains=[2,4,8,16]", "must rise from 1"),
        ("task.between=2", "must be among"),
        ("optimiser.final_fraction=0.1", "must be 1"),
        ("reading.early=[0.5,0.9]", "must follow each other"),
        ("reading.limit_chains=[4,2]", "must rise"),
    ):
        with pytest.raises(ConfigError, match=said):
            load_studies(CONFIG, "smoke", [override])
