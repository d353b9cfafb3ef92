"""The study `probability_gap`: its laws, its statements, planted worlds, a smoke run."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from testbed.core import ConfigError
from testbed.measures.probability_gap import gap_statistics, source_gap
from testbed.runs import Record
from testbed.sources import MarkovSource
from testbed.studies import load_studies
from testbed.studies.judge.proportion import Proportion
from testbed.studies.probability_gap import ProbabilityGap
from testbed.studies.probability_gap.chains import (
    PROVED,
    STATEMENTS,
    TOLERANCE,
    UNPROVED,
    random_kernel,
    rising_entropy,
    stationary_block,
    violations,
)
from testbed.studies.probability_gap.claims import PREDICTED_TO_FAIL
from testbed.studies.probability_gap.config import Chains, Samples, Search
from testbed.studies.probability_gap.data import gather
from testbed.studies.probability_gap.evidence import evidence
from testbed.studies.probability_gap.samples import draw
from testbed.studies.probability_gap.search import depths_of, first_order_depths, search_arrays

CONFIG = Path(__file__).parents[2] / "configs" / "probability_gap.toml"
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def smoke() -> ProbabilityGap:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ProbabilityGap)
    return study


# ------------------------------------------------------------------------------------------------ chains
@given(seed=seeds, size=st.integers(2, 3), order=st.integers(1, 3), kind=st.sampled_from(["random", "copy"]))
@settings(max_examples=25, deadline=None)
def test_a_block_is_the_stationary_law_of_its_chain(seed, size, order, kind):
    """Against the slow recursion on whole sequences; every shift has the same marginals."""
    chains = Chains(kind=kind, vocab_size=size, order=order)
    kernel = random_kernel(chains, np.random.default_rng(seed))
    block = stationary_block(kernel, order + 2)
    assert block.sum() == pytest.approx(1.0)
    assert np.allclose(block.sum(axis=0), block.sum(axis=-1), atol=1e-12)
    for tokens in itertools.product(range(size), repeat=order + 2):
        past = int(np.ravel_multi_index(tokens[1:-1], (size,) * order))
        assert block[tokens] == pytest.approx(block.sum(axis=-1)[tokens[:-1]] * kernel[past, tokens[-1]], abs=1e-12)


def test_a_block_agrees_with_the_source_of_the_same_chain():
    kernel = random_kernel(Chains(vocab_size=3, order=2), np.random.default_rng(5))
    source = MarkovSource(kernel=kernel.reshape(3, 3, 3))
    found, truth = gap_statistics(stationary_block(kernel, 4)), source_gap(source, 3)
    for name in ("gap", "margin", "entropy", "supremum", "infimum"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), abs=1e-7), name


@given(seed=seeds, size=st.integers(2, 4), order=st.integers(1, 2), concentration=st.floats(0.1, 10.0))
@settings(max_examples=40, deadline=None)
def test_what_is_proved_holds_on_every_law(seed, size, order, concentration):
    kernel = random_kernel(
        Chains(vocab_size=size, order=order, concentration=concentration), np.random.default_rng(seed)
    )
    block = stationary_block(kernel, order + 1)
    depth = dict(zip(STATEMENTS, violations(gap_statistics(block), rising_entropy(block), order), strict=True))
    assert all(depth[name] == 0.0 for name in PROVED)
    if size == 2:
        assert depth["margin"] == depth["ratio"] == 0.0  # both are convex functions of one probability


@given(seed=seeds, size=st.integers(2, 4), lag=st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_copying_chains_violate_nothing_but_strictness(seed, size, lag):
    kernel = random_kernel(Chains(kind="copy", vocab_size=size, order=lag), np.random.default_rng(seed))
    block = stationary_block(kernel, lag + 1)
    found = gap_statistics(block)
    depth = dict(zip(STATEMENTS, violations(found, rising_entropy(block), lag), strict=True))
    assert all(value == 0.0 for name, value in depth.items() if name != "strict")
    assert depth["strict"] == float(lag > 1)
    assert found.gap[-1] == pytest.approx(kernel[0].max() - kernel[0].min())


def test_the_worked_counterexamples_are_seen():
    """Y alone against Y and a binary Z, as laws of (Z, X)."""

    def depths(weights, laws) -> dict[str, float]:
        size = len(laws[0])
        block = np.zeros((size, size))
        block[: len(laws)] = np.array(weights)[:, None] * np.array(laws)
        return dict(zip(STATEMENTS, violations(gap_statistics(block), np.zeros(2), 1), strict=True))

    assert depths([0.5, 0.5], [(0.4, 0.6), (0.9, 0.1)])["every_context"] == pytest.approx(0.5)
    common = depths([0.5, 0.5], [(0.5, 0.5), (1.0, 0.0)])
    assert common["strict"] == 1.0
    assert depths([0.99, 0.01], [(0.5, 0.5), (1.0, 0.0)])["most_contexts"] == pytest.approx(0.49)
    margin = depths([0.5, 0.5], [(0.55, 0.35, 0.10), (0.55, 0.10, 0.35)])
    assert margin["margin"] == pytest.approx(0.325 - 0.20)
    ratio = depths([0.5, 0.5], [(0.45, 0.10, 0.45), (0.75, 0.12, 0.13)])
    assert ratio["ratio"] == pytest.approx(60 / 11 - 5.375)


# ------------------------------------------------------------------------------------------------ search
@given(seed=seeds, size=st.integers(3, 4))
@settings(max_examples=25, deadline=None)
def test_many_first_order_chains_at_once_are_each_alone(seed, size):
    weights = np.random.default_rng(seed).integers(1, 10, (4, size, size)).astype(float)
    found = first_order_depths(weights)
    for i, one in enumerate(weights):
        assert found[:, i] == pytest.approx(depths_of(one)[len(PROVED) :], abs=1e-9)


def test_a_search_reports_the_first_violation_of_each_statement():
    found = search_arrays(Search(n_draws=6000), np.random.default_rng(3))
    for i, name in enumerate(UNPROVED):
        if math.isnan(found["draws"][i]):
            assert name == "ratio"
            continue
        assert found["depth"][i] == pytest.approx(depths_of(found["weights"][i])[len(PROVED) + i])
        assert found["depth"][i] > TOLERANCE


# ------------------------------------------------------------------------------------------------ samples, proportions
def test_sampled_tokens_follow_the_chain():
    """40,000 pairs of a chain; largest of 9 deviations within 6 standard errors of independent pairs, doubled."""
    kernel = random_kernel(Chains(vocab_size=3, order=1), np.random.default_rng(2))
    tokens = draw(kernel, 1, 20_000, 3, np.random.default_rng(4))
    pairs = np.bincount(tokens[:, 1] * 3 + tokens[:, 2], minlength=9) / len(tokens)
    truth = stationary_block(kernel, 2).ravel()
    assert (np.abs(pairs - truth) < 6 * np.sqrt(truth / len(tokens))).all()


@given(trials=st.integers(1, 200), share=st.floats(0, 1), r=st.floats(0.001, 0.999), alpha=st.floats(0.001, 0.4))
@settings(max_examples=60, deadline=None)
def test_exact_binomial_bounds_invert_their_p_values(trials, share, r, alpha):
    one = Proportion(round(share * trials), trials)
    assert one.p_above(r) == pytest.approx(binom.sf(one.successes - 1, trials, r), abs=1e-12)
    assert one.p_below(r) == pytest.approx(binom.cdf(one.successes, trials, r), abs=1e-12)
    if abs(one.lower(alpha) - r) > 1e-6:
        assert (one.p_above(r) <= alpha) == (one.lower(alpha) >= r)
    if abs(one.upper(alpha) - r) > 1e-6:
        assert (one.p_below(r) <= alpha) == (one.upper(alpha) <= r)


def test_no_success_is_no_certainty():
    one = Proportion(0, 200)
    assert one.upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert (one.lower(0.05), one.p_above(0.0), one.p_below(1.0)) == (0.0, 0.0, 0.0)
    assert one.with_replicates(50) == Proportion(0, 50)
    with pytest.raises(ValueError, match="0 <= successes"):
        Proportion(3, 2)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    trained = study.n_replicates * study.trained.n_models
    assert len(cells) == study.n_replicates * (len(study.arms) - 1) + trained
    assert len({cell.training.initial_seed for cell in cells if cell.training is not None}) == trained
    assert {cell.probe.arm for cell in cells if cell.training is not None} == {"trained"}


def test_verdicts_come_from_replicates_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 100
    assert laptop.n_replicates >= 8


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    wrong = {name for name, one in verdicts.items() if (one.verdict, name in PREDICTED_TO_FAIL) == ("holds", True)}
    assert not wrong
    for name in ("every_context", "margin", "strict", "learner_gap", "plug_in_test", "shrunk_unbiased"):
        assert verdicts[name].verdict == "fails", name
    assert verdicts["averaged_gap"].estimate == verdicts["margin_binary"].estimate == 0.0
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"plug_in": r.arrays["plug_in"][..., ::-1]})
        if r.probe["arm"] == "samples_noise"
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.passed for check in judgement.checks].count(False) == 1
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_replicates_share_no_random_numbers(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    first = data.raw[smoke.chains[0].label]["gap"][:, 0, 1]
    assert len(set(first)) == smoke.n_replicates
    assert set(evidence(smoke, data)) == {claim.id for claim in smoke.claims()}


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="must differ"):
        smoke.replace(chains=(smoke.chains[0], smoke.chains[0]))
    with pytest.raises(ConfigError, match="V = 2 and with V > 2"):
        smoke.replace(chains=smoke.chains[1:])
    with pytest.raises(ConfigError, match="needs copying ones"):
        smoke.replace(chains=smoke.chains[:-1])
    with pytest.raises(ConfigError, match="max_context: given 2"):
        Samples(max_context=2)
    with pytest.raises(ConfigError, match="least_weight: given 12"):
        Search(least_weight=12)
