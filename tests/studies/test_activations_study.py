"""The study `activations`: numbers against slow twins, SELU's moment map, its cells, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.models import ModelConfig
from testbed.studies import load_studies
from testbed.studies.activations import Activations
from testbed.studies.activations.claims import AHEAD, ALIKE, STUDY
from testbed.studies.activations.config import ACTS, ARMS, Depths, Kinds
from testbed.studies.activations.data import gather
from testbed.studies.activations.draws import source_of
from testbed.studies.activations.evidence import alike_steps, distance, evidence, first_share, unlearnt
from testbed.studies.activations.grid import act_cell, all_cells, depth_cell
from testbed.studies.activations.judgement import judgement
from testbed.studies.activations.measure import steps_to
from testbed.studies.activations.ranking import correlations, rank_rows
from testbed.studies.activations.units import hidden_units, unit_entropy
from testbed.studies.activations.worlds import planted

CONFIG = Path(__file__).parents[2] / "configs" / "activations.toml"


@pytest.fixture(scope="module")
def smoke() -> Activations:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, Activations)
    return study


def test_sources_are_drawn_for_each_replicate():
    for name in ("order1", "order2", "mess3", "rrxor"):
        assert source_of(name, 3, 0) == source_of(name, 3, 0) != source_of(name, 3, 1)


# ------------------------------------------------------------------------------------------------ SELU's theorem
@settings(max_examples=20)
@given(st.floats(-0.1, 0.1), st.floats(0.8, 1.5))
def test_layers_of_selu_bring_moments_back(mean, variance):
    """1706.02515: a wide layer y = selu(W x), W of mean 0 and variance 1 / fan-in, maps the moments (m, v) of its
    inputs to those of selu(N(0, v + m^2)); from anywhere in the domain they come to (0, 1). GELU's go to 0."""
    import torch

    from testbed.models.activations import activations

    z, weight = np.polynomial.hermite_e.hermegauss(201)
    weight = weight / weight.sum()
    for name in ("selu", "gelu"):
        activation = activations.build(name)
        m, v = mean, variance
        for _ in range(40):
            y = activation.apply(torch.from_numpy(np.sqrt(v + m**2) * z)[None, :, None], {})[0, :, 0].numpy()
            m = float(weight @ y)
            v = float(weight @ y**2) - m**2
            if name == "selu":
                assert distance(np.array([[[m], [v]]]), 0.8, 1.5, 0.1)[0] <= 1
        assert (m, v) == pytest.approx((0.0, 1.0 if name == "selu" else 0.0), abs=5e-3)


# ------------------------------------------------------------------------------------------------ the numbers
@settings(max_examples=15)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_the_entropy_of_units_does_not_depend_on_their_scale(seed, factor):
    values = np.random.default_rng(seed).standard_normal((50, 3))
    values[:, 2] = np.maximum(values[:, 2], 0.0)
    expected = []
    for column in values.T:
        counts: dict[float, int] = {}
        for one in column / column.std():
            counts[round(one / 0.25)] = counts.get(round(one / 0.25), 0) + 1
        expected.append(-sum(n / 50 * np.log(n / 50) for n in counts.values()))
    assert unit_entropy(values, 0.25) == pytest.approx(np.mean(expected))
    assert unit_entropy(factor * values, 0.25) == pytest.approx(np.mean(expected), abs=0.1)
    assert unit_entropy(np.full((9, 2), factor), 0.25) == 0.0


@pytest.mark.parametrize("act", ["gelu", "crrelu", "selu"])
def test_hidden_units_are_those_that_the_stream_is_made_of(act):
    from testbed.measures.features.residual_streams import residual_streams
    from testbed.models.transformer import Transformer

    model = Transformer(ModelConfig(width=8, depth=1, heads=2, norm="none", activation=act), 3, 6)
    weights = model.layout.views(model.layout.initial_row(0)[None])
    tokens = np.random.default_rng(0).integers(0, 3, (4, 5))
    ((into, out),) = hidden_units(model, weights, tokens)
    written = out @ weights["0.mlp_out"][0].double().numpy()
    before = residual_streams(model, weights, tokens)[-1].reshape(-1, 8) - written
    np.testing.assert_allclose(before @ weights["0.mlp_in"][0].double().numpy(), into, atol=1e-5)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_rank_correlations_are_spearmans(seed):
    from scipy.stats import spearmanr

    x, y = np.random.default_rng(seed).integers(0, 5, (2, 6)).astype(float)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    product = float((rank_rows(x[None, :, None]) * rank_rows(y[None, :, None])).sum())
    assert product == pytest.approx(spearmanr(x, y)[0])


def test_the_null_is_that_of_all_relabellings_alike_in_all_sources_and_replicates():
    x, y = np.random.default_rng(1).standard_normal((2, 3, 4, 2))
    found, p = correlations(x, y)
    totals = [
        float((rank_rows(x)[:, list(order)] * rank_rows(y)).sum()) / 6 for order in itertools.permutations(range(4))
    ]
    assert p == pytest.approx(np.mean(np.array(totals) >= totals[0] - 1e-12))
    assert found.mean() == pytest.approx(totals[0])
    own, least = correlations(x, x)
    assert own.mean() == pytest.approx(1.0)
    assert least == pytest.approx(1 / 24)


def test_steps_lie_between_evaluations():
    steps = np.array([1.0, 2.0, 4.0])
    assert steps_to(steps, np.array([0.5, 0.4, 0.3]), 0.2) == np.inf
    assert steps_to(steps, np.array([0.1, 0.4, 0.3]), 0.2) == 1.0


# ------------------------------------------------------------------------------------------------ claims
def world(study, name):
    return planted(study, name, np.random.default_rng(0), 12)


def test_crrelu_must_be_first_on_two_thirds_of_the_sources():
    (study,) = load_studies(CONFIG, "laptop")
    data, sources = world(study, AHEAD), study.kinds.sources
    assert study.kinds.needed == 3
    for source in sources:
        data.acts["own", "crrelu", source][:] = 1e-9
    for behind, first in ((1, 1.0), (2, 0.0)):
        data.acts["own", "crrelu", sources[behind - 1]][:] = 1.0
        assert first_share(data, "own", sources, study.kinds.needed).estimate == first


def test_both_settings_of_the_rate_must_agree():
    (study,) = load_studies(CONFIG, "laptop")
    ahead, alike = (planted(study, name, np.random.default_rng(0), 20) for name in (AHEAD, ALIKE))
    for key in ahead.acts:
        if key[0] == "common":
            ahead.acts[key][:] = alike.acts[key]
    number = evidence(study, ahead)[f"{STUDY}.crrelu_gelu"]
    assert number.lower(0.01) < -study.bounds.near_gelu < number.upper(0.01)


def test_steps_that_too_few_runs_reach_leave_the_claim_open():
    (study,) = load_studies(CONFIG, "laptop")
    data, source = world(study, ALIKE), study.kinds.sources[0]
    data.steps["own", "gelu", source][0] = np.inf
    assert not alike_steps(study, data, "own").withheld
    data.steps["own", "gelu", source][:3] = np.inf
    assert alike_steps(study, data, "own").withheld == (f"too few runs come near: gelu on {source}",)


def test_arms_that_did_not_learn_decide_nothing():
    (study,) = load_studies(CONFIG, "laptop")
    data = world(study, AHEAD)
    assert not any(unlearnt(study, data)[f"{STUDY}.{name}"] for name in ("crrelu_gelu", "norm_helps", "identity"))
    data.acts["common", "crrelu", "mess3"][:] = 0.5
    missing = unlearnt(study, data)
    assert missing[f"{STUDY}.crrelu_gelu"] == ["crrelu on mess3 at the common rate"]
    assert not missing[f"{STUDY}.identity"]
    data.deep["none_gelu"][:] = 0.5
    missing = unlearnt(study, data)
    assert not missing[f"{STUDY}.norm_helps"]  # what no norm does not learn is what is asked
    assert not missing[f"{STUDY}.selu_gelu"]
    data.deep["none_selu"][:] = 0.5
    assert unlearnt(study, data)[f"{STUDY}.selu_gelu"]
    data.acts["own", "silu", "counts"][2] = np.nan
    assert evidence(study, data)[f"{STUDY}.entropy_predicts"].withheld


def test_where_norms_do_not_help_there_is_nothing_to_mend():
    (study,) = load_studies(CONFIG, "laptop")
    for name, is_open in ((AHEAD, False), (ALIKE, True)):
        numbers = evidence(study, planted(study, name, np.random.default_rng(0), 20))
        for claim in ("selu_excess", "selu_gelu"):
            assert bool(numbers[f"{STUDY}.{claim}"].withheld) == is_open


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda: Depths(depths=(4, 2)), "depths: given"),
        (lambda: Depths(source="mess3", vocab_size=4), "mess3 has 3"),
        (lambda: Kinds(sources=("order1", "order1")), "sources: given"),
        (lambda: Activations(model=ModelConfig(activation="relu")), "model.activation"),
        (lambda: Activations(model=ModelConfig(embedding_std=1.0)), "model.embedding_std"),
    ],
)
def test_what_does_not_fit_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        part()


# ------------------------------------------------------------------------------------------------ cells and a run
def test_arms_of_a_replicate_share_source_sequences_and_first_weights(smoke):
    relu, gelu, null = (act_cell(smoke, one, "order1", 5, 1e-2, True).training for one in ("relu", "gelu", "gelu2"))
    assert relu.source == gelu.source == null.source
    assert relu.data == gelu.data != null.data
    assert relu.initial_seed == gelu.initial_seed != null.initial_seed
    assert gelu.model == null.model
    assert gelu.optimiser.clip > 1e6


def test_embeddings_of_stacks_start_at_variance_one(smoke):
    from testbed.models.transformer import Transformer

    config = depth_cell(smoke, "none_selu", 2, 0, 1e-2, True).training.model
    stds = {entry.name: entry.std for entry in Transformer(config, 3, 8).layout.entries}
    assert stds["embedding"] == 1.0
    assert stds["0.mlp_out"] == pytest.approx(1 / np.sqrt(4 * config.width))


def test_rates_come_first_and_every_cell_has_a_key_of_its_own(smoke, finished):
    rates = {"learning_rates": (1e-3, 1e-2), "n_seeds": 1}
    tuned = smoke.replace(tuning=rates, depth_tuning=rates)
    first = list(all_cells(tuned, {}))
    assert {one.probe.setting for one in first if one.probe.kind == "act"} == {"common"}
    trials = [one.probe for one in first if one.probe.kind == "act_rate"]
    assert len(trials) == 2 * len(ACTS) * len(smoke.kinds.sources)
    assert not {one.seed for one in trials} & set(smoke.seeds)
    cells = list(all_cells(smoke, {one.key: one for one in finished}))
    assert len({one.key for one in cells}) == len(cells) == len(finished)


def test_a_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    found = judgement(smoke, finished)
    assert all(check.passed for check in found.checks)
    assert {one.verdict for one in found.verdicts} == {"undecided"}
    assert len(found.verdicts) == len(smoke.claims())
    data = gather(smoke, finished)
    assert data is not None
    assert data.stream["none_selu"][-1].shape == (2, smoke.depths.depths[-1] + 1)
    assert data.units["none_selu"][-1].shape == (2, 2, smoke.depths.depths[-1])
    assert len(data.acts) == 2 * len(ARMS) * len(smoke.kinds.sources)
    assert all((one > 0).all() for one in data.entropy.values())
    np.testing.assert_allclose(data.epsilon, 0.01, atol=0.1)
    drawn = smoke.figures(finished)
    assert set(drawn) == {"depths", "activations", "entropy"}
    for one in drawn.values():
        assert one.rows
        plt.close(one.figure)
    assert gather(smoke, finished[1:]) is None
