"""The study `multipliers`: predicted rates, targets at a known slack, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.maxent import Constraint, ConstraintSet, marginal_of
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.multipliers import Multipliers
from testbed.studies.multipliers.cases import OUTCOMES, all_pairs, edge_law, edge_targets, solved
from testbed.studies.multipliers.claims import PREDICTED_TO_FAIL
from testbed.studies.multipliers.config import Edge, Interior
from testbed.studies.multipliers.data import gather
from testbed.studies.multipliers.evidence import evidence, slope
from testbed.studies.multipliers.rate import measured_rate, predicted_rate

CONFIG = Path(__file__).parents[2] / "configs" / "multipliers.toml"
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def smoke() -> Multipliers:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, Multipliers)
    return study


# ------------------------------------------------------------------------------------------------ rates
def slow_sweeps(constraints: ConstraintSet, n_sweeps: int) -> np.ndarray:
    """Residuals of proportional fitting written out: the largest error of each table before it is met."""
    law = np.full((constraints.vocab_size,) * constraints.length, constraints.vocab_size ** -float(constraints.length))
    found = []
    for _ in range(n_sweeps):
        worst = 0.0
        for one in constraints.constraints:
            now = marginal_of(law, one.positions)
            worst = max(worst, float(np.abs(now - one.table).max()))
            shape = [law.shape[0] if p in one.positions else 1 for p in range(law.ndim)]
            law = law * (one.table / now).reshape(shape)
        found.append(worst)
    return np.array(found)


@given(seed=seeds)
@settings(max_examples=4, deadline=None)
def test_the_predicted_rate_is_that_of_sweeps_written_out(seed):
    """Three bits near the boundary, where one direction is much the slowest."""
    targets = edge_targets(edge_law(Edge(), np.random.default_rng(seed)), 0.02)
    predicted, turn = predicted_rate(targets, targets.solve("newton").probabilities)
    trace = slow_sweeps(targets, 60)
    assert measured_rate(trace) == pytest.approx(predicted, rel=2e-3)
    assert 0.3 < predicted < 0.95
    assert turn == 0.0


def test_two_tables_that_share_nothing_need_no_second_sweep():
    pair = np.array([[0.4, 0.1], [0.2, 0.3]])
    apart = ConstraintSet(2, 4, [Constraint((0, 1), pair), Constraint((2, 3), pair)])
    assert predicted_rate(apart, apart.solve().probabilities)[0] == pytest.approx(0.0, abs=1e-6)


def test_a_chain_of_pairs_in_order_has_rate_zero():
    """Junction order: one sweep is enough. The product is nilpotent, so that rounding leaves a small radius."""
    law = np.random.default_rng(0).dirichlet(np.ones(27)).reshape(3, 3, 3)
    chain = ConstraintSet(3, 3, [Constraint(p, marginal_of(law, p)) for p in ((0, 1), (1, 2))])
    assert predicted_rate(chain, chain.solve().probabilities)[0] < 1e-4


def test_measured_rates_are_fitted_to_the_tail():
    assert measured_rate(0.5 * 0.8 ** np.arange(100)) == pytest.approx(0.8)
    assert np.isnan(measured_rate(1e-1 ** np.arange(6.0)[:3]))
    x = np.array([0.0, 1.0, 3.0])
    assert slope(x, np.array([[1.0, 3.0, 7.0], [0.0, -1.0, -3.0]])) == pytest.approx([2.0, -1.0])


# ------------------------------------------------------------------------------------------------ targets
@given(seed=seeds, slack=st.sampled_from([0.05, 0.01, 0.0, -0.005]))
@settings(max_examples=12, deadline=None)
def test_the_dialled_slack_is_the_true_one(seed, slack):
    law = edge_law(Edge(), np.random.default_rng(seed))
    targets = edge_targets(law, slack)
    found = targets.feasibility()
    assert found.slack == pytest.approx(slack, abs=1e-9)
    assert min(one.table.min() for one in targets.constraints) > 0
    assert found.status == ("interior" if slack > 0 else "boundary" if slack == 0 else "infeasible")


def test_outcomes_are_the_truth():
    law = edge_law(Edge(), np.random.default_rng(1))
    said = {
        slack: OUTCOMES[int(solved(edge_targets(law, slack), "ipf", 1e-10, 600)[0]["outcome"])]
        for slack in (0.02, 0.0, -0.005)
    }
    assert said == {0.02: "converged", 0.0: "not converged", -0.005: "infeasible"}
    for solver, within in (("newton", 1e-12), ("lbfgs", 1e-8), ("auto", 1e-10)):
        numbers, found = solved(edge_targets(law, 0.0), solver, within, 600)
        assert OUTCOMES[int(numbers["outcome"])] == "boundary"
    assert found is not None
    assert found.probabilities == pytest.approx(law, abs=1e-9)


def test_a_solver_that_stops_at_a_loose_tolerance_is_not_silent_but_one_that_lies_is(monkeypatch):
    targets = all_pairs(np.random.default_rng(0).dirichlet(np.ones(8)).reshape(2, 2, 2))
    assert OUTCOMES[int(solved(targets, "ipf", 1e-3, 100)[0]["outcome"])] == "converged"
    lying = targets.solve("ipf", max_iterations=1, on_failure="return").with_report(status="converged")
    monkeypatch.setattr(ConstraintSet, "solve", lambda *_, **__: lying)
    assert OUTCOMES[int(solved(targets, "ipf", 1e-10, 100)[0]["outcome"])] == "silent"


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == study.n_replicates * len(study.arms)
    assert all(cell.training is None for cell in cells)


def test_verdicts_come_from_replicates_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 300
    assert laptop.n_replicates >= 8


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert all(verdicts[name].verdict == "fails" for name in PREDICTED_TO_FAIL)
    for name in ("slack_power", "boundary_power", "boundary_growth", "cycle"):
        assert verdicts[name].verdict == "holds", name
    assert not [name for name, one in verdicts.items() if one.verdict == "fails" and name not in PREDICTED_TO_FAIL]
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown | {"multipliers.one_sweep"} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"slack": r.arrays["slack"] + 0.1})
        if r.probe["arm"] == "edge"
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.passed for check in judgement.checks].count(False) == 1
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_replicates_share_no_random_numbers(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    assert len(set(data.arms["edge"]["soft_residual"][:, 0])) == smoke.n_replicates
    assert set(evidence(smoke, data)) == {claim.id for claim in smoke.claims()}


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="must fall"):
        Interior(concentrations=(0.1, 1.0))
    with pytest.raises(ConfigError, match="over 1024"):
        Interior(vocab_size=4, length=6)
    with pytest.raises(ConfigError, match="must fall, and 0 lie between"):
        Edge(inside=(0.01, 0.02, 0.03))
    with pytest.raises(ConfigError, match="slacks must lie above"):
        Edge(outside=(-0.05,))
    with pytest.raises(ConfigError, match="must differ"):
        smoke.replace(interior=(smoke.interior[0], smoke.interior[0]))
    with pytest.raises(ConfigError, match=r"two slacks of at most 0\.02"):
        smoke.replace(edge=Edge(inside=(0.05, 0.04, 0.01)))
