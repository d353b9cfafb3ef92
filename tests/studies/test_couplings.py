"""The study `couplings`: its chains and streams are what they claim, its searches climb, a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.couplings import Couplings
from testbed.studies.couplings.config import Maps, Merges, Pairs, Searches, Streams
from testbed.studies.couplings.couple import ENDS, OBJECTIVES, climb, gap_of, levels
from testbed.studies.couplings.data import gather
from testbed.studies.couplings.evidence import evidence
from testbed.studies.couplings.measure import measured
from testbed.studies.couplings.squeeze import chain
from testbed.studies.couplings.statements import NO_CONTROL, PREDICTED_TO_FAIL
from testbed.studies.couplings.stream import stream_source
from testbed.studies.judge import OWN

CONFIG = Path(__file__).parents[2] / "configs" / "couplings.toml"


@pytest.fixture(scope="module")
def smoke() -> Couplings:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, Couplings)
    return study


# ------------------------------------------------------------------------------------------------ parts
def test_chains_are_what_their_kinds_say():
    settings, rng = Merges(), np.random.default_rng(0)
    twins = chain(settings, "twins", rng)
    np.testing.assert_allclose(twins.stationary_law, 1 / 6, atol=1e-8)
    np.testing.assert_array_equal(twins.kernel[::2], twins.kernel[1::2])
    sticky = chain(settings, "sticky", rng)
    rest = sticky.kernel - np.diag(np.diag(sticky.kernel))
    for column in rest.T:  # where a new symbol comes from does not matter
        assert np.ptp(column[column > 0]) < 1e-8
    assert np.diag(sticky.kernel).min() >= settings.stay - 1e-8


def test_streams_are_what_their_kinds_say():
    leave, follow = np.array([0.1, 0.2]), np.array([[0.7, 0.3], [0.4, 0.6]])
    for kind in ("driven", "feedback"):
        kernel = stream_source(kind, 0.5, leave, follow).kernel.reshape(2, 2, 2, 2)  # type: ignore[attr-defined]
        of_x, of_y = kernel.sum(axis=3), kernel.sum(axis=2)
        np.testing.assert_allclose(of_y[0, :, 0], 0.5 * follow[:, 0] + 0.5, atol=1e-8)
        hears = np.abs(of_x[:, 0] - of_x[:, 1]).max()
        assert hears == pytest.approx(0.5 if kind == "feedback" else 0.0, abs=1e-8)
    heard = stream_source("common cause", 0.999999, leave, follow).sample(20, 50, seed=1)
    x, y = np.divmod(heard.astype(int), 2)
    np.testing.assert_array_equal(y[:, 1:], x[:, :-1])


def test_searches_climb_and_report_the_gap_of_their_laws():
    rng = np.random.default_rng(0)
    for name in OBJECTIVES:
        value, p, q = climb(gap_of(name), (3, 3), 2, 60, rng)
        assert value == pytest.approx(float(gap_of(name)(p[None], q[None])[0]))
        drawn = gap_of(name)(rng.dirichlet(np.ones(3), 20), rng.dirichlet(np.ones(3), 20))
        assert value > np.median(drawn)
        one = levels(p, q)
        assert value == pytest.approx(one[ENDS[name][0]] - one[ENDS[name][1]])


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == len(study.probes)
    assert all(cell.training is None for cell in cells)
    covered = [sum(one.count for one in study.probes if one.arm == arm) for arm in ("pairs", "maps", "streams")]
    assert covered == [study.pairs.n, study.maps.n, 3 * study.streams.n]


def test_verdicts_come_from_replicates_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert laptop.first_replicate >= 1000 > smoke.first_replicate + smoke.pairs.n


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert set(verdicts) >= PREDICTED_TO_FAIL
    for name, verdict in verdicts.items():
        assert verdict.verdict in (("fails", "undecided") if name in PREDICTED_TO_FAIL else ("holds", "undecided"))
    for name in ("entropy_sticky", "predictive_twins", "driver", "follower"):
        assert verdicts[name].verdict == "holds", name
    for name in ("entropy_twins", "no_feedback", "cause", "close"):
        assert verdicts[name].verdict == "fails", name
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    assert all(figure.rows and "interval" in figure.caption for figure in figures.values())


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"law": r.arrays["law"] + 1.0})
        if r.probe["arm"] == "streams"
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.passed for check in judgement.checks].count(False) == 1
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


@pytest.mark.parametrize(
    ("arm", "name", "broken", "check"),
    [
        ("pairs", "levels", lambda levels: levels[:, [0, 2, 1, 3]], "largest marginal"),
        ("searches", "found", lambda found: found + np.array([0.4, 0.0, 0.0]), "greedy over least"),
        ("searches", "found", lambda found: found + np.array([0.0, 0.7, 0.0]), "least over meet"),
        ("searches", "found", lambda found: found + np.array([0.0, 0.0, 1.0]), "greedy over meet"),
        ("maps", "commonest", lambda told: told - 1.0, "added to the commonest"),
    ],
)
def test_one_broken_theorem_voids_the_study(smoke, finished, arm, name, broken, check):
    """A single case is enough, where a claim on the share of cases would still hold."""
    (first, *_) = (r for r in finished if r.probe["arm"] == arm)
    values = first.arrays[name].copy()
    values[:1] = broken(values[:1])
    spoilt = [
        r if r is not first else Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {name: values})
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [one.name.startswith(check) for one in judgement.checks if not one.passed] == [True]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_controls_are_named_and_papers_are_those_of_the_claims(smoke):
    claims = smoke.claims()
    assert {claim.paper for claim in claims} == {*smoke.papers, OWN}
    assert all(claim.reading == "inferred" for claim in claims if claim.paper == OWN)
    for claim in claims:
        world, _, control = claim.control.partition("; ")
        assert world.startswith("world '")
        assert control == NO_CONTROL or control.endswith(("in this run", "of this run")), claim.id


def test_replicates_depend_on_their_number_alone(smoke, finished):
    """A cell of one replicate repeats that replicate of a larger cell; no two share random numbers."""
    data = gather(smoke, finished)
    assert data is not None
    assert set(evidence(smoke, data)) == {claim.id for claim in smoke.claims()}
    for arm, name in (("pairs", "levels"), ("maps", "rate"), ("random", "information")):
        assert len(np.unique(data[arm][name], axis=0)) == len(data[arm][name])
    probe = next(one for one in smoke.probes if one.arm == "pairs")
    alone = measured(probe.replace(first=probe.first + 3, count=1))
    np.testing.assert_array_equal(alone["levels"][0], data["pairs"]["levels"][3])


def test_configs_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="must be at most most"):
        Pairs(least=4, most=3)
    with pytest.raises(ConfigError, match="concentrations"):
        Pairs(concentrations=(0.0,))
    with pytest.raises(ConfigError, match="sizes"):
        Searches(sizes=(3, 5))
    with pytest.raises(ConfigError, match="sum to 1"):
        Maps(curve_law=(0.5, 0.4))
    with pytest.raises(ConfigError, match="even"):
        Merges(n_symbols=5)
    with pytest.raises(ConfigError, match="judged_rate"):
        Merges(judged_rate=0.4)
    with pytest.raises(ConfigError, match="must rise"):
        Streams(lengths=(500, 200))
    with pytest.raises(ConfigError, match="couplings"):
        Streams(couplings=(0.5, 0.5))
    with pytest.raises(ConfigError, match="judged_coupling"):
        Streams(judged_coupling=0.4)
