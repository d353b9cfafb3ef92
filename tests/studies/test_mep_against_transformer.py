"""The study `mep_against_transformer`: laws and their twins, tuning, planted worlds, a smoke run."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.maxent import marginal_of
from testbed.runs import Record
from testbed.sources import MarkovSource
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.studies import load_studies
from testbed.studies.mep_against_transformer import MepAgainstTransformer
from testbed.studies.mep_against_transformer.data import gather
from testbed.studies.mep_against_transformer.evidence import crossings, evidence
from testbed.studies.mep_against_transformer.extensions import (
    COUNTED,
    POLICIES,
    counted_losses,
    extension_losses,
    names_of,
    order_distance,
    policy_losses,
    pooled_back_off,
    true_law,
    windows_law,
)
from testbed.studies.mep_against_transformer.grid import TUNING_OFFSET, pair_bias, source_of, tuned_rate, weak_kernel
from testbed.studies.mep_against_transformer.judgement import rate_words
from testbed.studies.mep_against_transformer.measure import pair_losses

CONFIG = Path(__file__).parents[2] / "configs" / "mep_against_transformer.toml"
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def smoke() -> MepAgainstTransformer:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, MepAgainstTransformer)
    return study


def random_block(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(2**length)).reshape((2,) * length)


# ------------------------------------------------------------------------------------------------ laws
@pytest.mark.parametrize("source", [MarkovSource.random(2, 2, seed=4), NoisyCopySource(lag=3, noise=0.1)])
def test_the_true_law_is_the_product_of_the_exact_conditionals(source):
    n = 6
    law = true_law(source, n)
    sequences = np.array(list(itertools.product(range(2), repeat=n)), dtype=np.uint8)
    chances = np.exp(source.log_probs(sequences).sum(axis=1))
    np.testing.assert_allclose(law.reshape(-1), chances, atol=1e-12)


@given(seed=seeds, t=st.sampled_from([4, 6]))
@settings(max_examples=10, deadline=None)
def test_sliding_windows_take_the_models_own_conditionals(seed, t):
    block = random_block(seed, t)
    law = windows_law(block, t - 1, 2 * t)
    np.testing.assert_allclose(marginal_of(law, tuple(range(t))), block, atol=1e-12)
    for n in range(t + 1, 2 * t + 1):
        joint = marginal_of(law, tuple(range(n)))
        conditional = joint / joint.sum(axis=-1, keepdims=True)
        expected = block / block.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(conditional, np.broadcast_to(expected, conditional.shape), atol=1e-9)


@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_two_windows_differ_by_their_separators(seed):
    """The autoregressive and the backward law, and both orders of proportional fitting, which end at them."""
    orders, ways, delta = order_distance(random_block(seed, 4))
    assert ways == pytest.approx(delta, abs=1e-10)
    assert orders == pytest.approx(delta, abs=1e-6)


def test_tables_of_a_stationary_law_know_no_order():
    block = marginal_of(true_law(MarkovSource.random(2, 3, seed=1), 6), (0, 1, 2, 3, 4, 5))
    assert max(order_distance(block)) < 1e-8
    law = true_law(MarkovSource.random(2, 3, seed=1), 12)
    losses = dict(zip(POLICIES, policy_losses(law, block), strict=True))
    soft = losses.pop("soft")
    assert max(losses.values()) < 1e-9
    assert 0 < soft < 0.05


def test_exact_tables_lose_nothing_on_short_chains_and_all_of_a_long_copy():
    law = true_law(MarkovSource.random(2, 2, seed=2), 8)
    losses = dict(zip(names_of(4), extension_losses(law, marginal_of(law, (0, 1, 2, 3))), strict=True))
    assert losses["windows_3"].max() < 1e-9
    assert min(losses["chain"][4:].mean(), losses["unigram"][4:].mean()) > 1e-3
    copy = true_law(NoisyCopySource(lag=4, noise=0.1), 8)
    lost = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    blind = extension_losses(copy, marginal_of(copy, (0, 1, 2, 3)))
    np.testing.assert_allclose(blind[:, 4:], lost, atol=1e-9)


@pytest.mark.parametrize("reach", [1, 3])
def test_pooled_back_off_equals_its_slow_twin(reach):
    tokens = np.random.default_rng(0).integers(2, size=(7, 4))

    def law(context: tuple[int, ...]) -> np.ndarray:
        shorter = np.full(2, 0.5) if not context else law(context[1:])
        seen = np.zeros(2)
        for row in tokens.tolist():
            for t in range(len(context), 4):
                if tuple(row[t - len(context) : t]) == context:
                    seen[row[t]] += 1
        different = (seen > 0).sum()
        return (seen + different * shorter) / (seen.sum() + different) if seen.sum() else shorter

    found = pooled_back_off(tokens, 2, reach)
    for sequence in itertools.product(range(2), repeat=4):
        chances = [law(sequence[max(t - reach, 0) : t])[sequence[t]] for t in range(4)]
        assert found[sequence] == pytest.approx(np.prod(chances))


def test_many_counts_tend_to_the_laws_that_fit():
    copy = NoisyCopySource(lag=4, noise=0.1)
    law = true_law(copy, 8)
    losses = counted_losses(law, copy.sample(20_000, 8, seed=3), 4)
    by_name = dict(zip(COUNTED, losses[:, 4:].mean(axis=1), strict=True))
    assert by_name["pairs_all"] < 0.003
    assert by_name["back_off_all"] < 0.01
    assert by_name["back_off"] == pytest.approx(np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9), abs=0.01)


def test_bias_and_crossing_of_few_windows(smoke):
    kernel = weak_kernel(smoke, 3)
    source = MarkovSource(kernel)
    h = source.conditional_entropies(2).value
    law = true_law(source, 8)
    bias = pair_bias(marginal_of(law, (0, 1, 2)))
    assert bias == pytest.approx(h[1] - h[2], abs=1e-8)
    assert smoke.few.bias[0] <= bias <= smoke.few.bias[1]
    chain, window = pair_losses(law, marginal_of(law, (0, 1, 2, 3)))
    assert window == pytest.approx(0.0, abs=1e-9)
    assert chain == pytest.approx(bias, abs=1e-7)
    assert (weak_kernel(smoke, 3) == kernel).all()
    assert not (weak_kernel(smoke, 4) == kernel).all()


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    """The tuning and the models of few windows; both lengths see the same number of tokens."""
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    tuning = len(study.tasks) * 2 * len(study.budget.learning_rates) * study.budget.tuning_seeds
    assert len(cells) == study.n_replicates * len(study.few.sizes) + tuning
    tokens = {
        (cell.training.data.max_context + 1) * cell.training.data.targets_per_step
        for cell in cells
        if cell.probe.purpose == "tuning"
    }
    assert len(tokens) == 1
    seen = {cell.probe.replicate for cell in cells if cell.probe.purpose == "tuning"}
    assert min(seen) >= TUNING_OFFSET > max(study.numbers)


def test_verdicts_come_from_replicates_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not set(laptop.numbers) & set(smoke.numbers)
    assert min(laptop.numbers) >= 200
    assert laptop.n_replicates >= 8


def test_a_model_of_2T_that_has_not_learnt_is_not_judged(smoke, finished):
    """It would tie with any other."""
    data = gather(smoke, finished)
    assert data is not None
    assert data.learnt.all()
    spoilt = next(r for r in finished if r.probe["kind"] == "long" and r.probe["purpose"] == "judged")
    worse = Record(
        spoilt.key,
        spoilt.study,
        spoilt.cell,
        spoilt.status,
        spoilt.metrics,
        spoilt.arrays | {"own": spoilt.arrays["own"] + smoke.bounds.gate},
    )
    found = gather(smoke, [worse if r is spoilt else r for r in finished])
    assert found is not None
    assert [int(i) for i in np.flatnonzero(~found.learnt)] == [spoilt.probe["replicate"]]


def test_rates_at_an_edge_and_rates_that_are_all_one_are_told(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    key = next(iter(data.rates))
    grid = (1e-3, 1e-2, 1e-1)

    def words(rate: float, *scores: float) -> str:
        changed = replace(data, rates={key: rate}, tuning={key: dict(zip(grid, scores, strict=True))})
        return rate_words(changed, key, grid)

    assert words(1e-2, 0.1, 0.0, 0.2) == f"{key[0]} {key[1]} 0.01"
    assert words(1e-3, 0.1, 0.2, 0.2).endswith("0.001 (edge)")
    assert words(1e-1, 1e-6, 1e-6, 0.0).endswith("0.1 (edge, all within 0.0001 nats)")


def test_the_rate_of_least_excess_is_taken_and_of_equals_the_smaller():
    (study,) = load_studies(CONFIG, "smoke", ["budget.learning_rates=[1e-3, 2e-3, 4e-3]"])
    task = study.tasks[0]
    rate, cells = tuned_rate(study, task, "long", {})
    assert rate is None

    def with_scores(*scores: float) -> float | None:
        done = {
            cell.key: Record(cell.key, "", cell.resolved(), "done", {"own": score}, {})
            for cell, score in zip(cells, scores, strict=True)
        }
        return tuned_rate(study, task, "long", done)[0]

    assert with_scores(0.3, 0.1, 0.2) == 2e-3
    assert with_scores(0.1, 0.1, 0.2) == 1e-3


def test_redrawn_laws_differ_and_others_do_not(smoke):
    redrawn, fixed = smoke.tasks
    assert source_of(redrawn, 1).fingerprint != source_of(redrawn, 2).fingerprint
    assert source_of(fixed, 1).fingerprint == source_of(fixed, 2).fingerprint


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    assert verdicts["c10_window"].verdict != "fails"
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


def test_arrays_are_what_they_say(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    assert set(evidence(smoke, data)) == {claim.id for claim in smoke.claims()}
    t = smoke.context_length
    copy = smoke.tasks[1]
    lost = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    np.testing.assert_allclose(data.new("exact", task=copy.name), lost, atol=1e-9)
    np.testing.assert_allclose(data.tables["exact"].at(task=copy.name)[:, :t], 0.0, atol=1e-9)
    assert (crossings(data, "few_counted") > 0).all()
    assert {kind for _, kind in data.rates} == {"short", "long"}


def test_missing_records_and_models_that_have_not_learnt_void_the_study(smoke, finished):
    lost = next(r for r in finished if r.probe["kind"] == "early")
    assert not smoke.judge([r for r in finished if r is not lost]).verdicts
    assert smoke.figures([r for r in finished if r is not lost]) == {}
    strict = smoke.replace(bounds=smoke.bounds.replace(gate=1e-9))
    judgement = strict.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == [
        "the models of T and of 2T tokens have learnt their law"
    ]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}
    assert strict.figures(finished) == {}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("context_length=5", "must be even"),
        ("context_length=10", "V\\^\\(2T\\) = 1048576"),
        ("budget.early=[60]", "must rise and end below steps"),
        ("budget.learning_rates=[1e-2, 1e-3]", "must rise"),
        ("few.sizes=[4, 2]", "must rise"),
        ("few.bias=[0.2, 0.1]", "must rise"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_both_roles_and_a_law_of_pairs_are_needed(smoke):
    with pytest.raises(ConfigError, match="window cannot"):
        smoke.replace(tasks=smoke.tasks[:1])
    with pytest.raises(ConfigError, match="law of pairs"):
        smoke.replace(tasks=(smoke.tasks[0], smoke.tasks[1].replace(pairwise=False)))
    with pytest.raises(ConfigError, match="no seed"):
        smoke.replace(tasks=(smoke.tasks[0], smoke.tasks[1].replace(redrawn=True)))
