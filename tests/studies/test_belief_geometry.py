"""The study `belief_geometry`: fits, exact parts and streams against slow twins, known geometries, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.features import belief_probe
from testbed.measures.features.belief_probe import fold_of_groups
from testbed.measures.features.residual_streams import residual_streams
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources.combinators.product import ProductSource
from testbed.sources.hidden import RRXOR, Mess3, Nemo, SimpleNonunifilar
from testbed.studies import load_studies
from testbed.studies.belief_geometry import BeliefGeometry
from testbed.studies.belief_geometry.config import Reading
from testbed.studies.belief_geometry.data import gather
from testbed.studies.belief_geometry.evidence import evidence
from testbed.studies.belief_geometry.exact import (
    explained,
    factor_beliefs,
    factor_laws,
    histories,
    interaction,
    joint_belief,
    means_given_law,
    one_hot_window,
)
from testbed.studies.belief_geometry.fits import Moments, held_out_predictions
from testbed.studies.belief_geometry.measure import Rows
from testbed.studies.belief_geometry.worlds import planted
from testbed.studies.judge import judge

CONFIG = Path(__file__).parents[2] / "configs" / "belief_geometry.toml"


@pytest.fixture(scope="module")
def smoke() -> BeliefGeometry:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, BeliefGeometry)
    return study


# ------------------------------------------------------------------------------------------------ fits
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 3), st.sampled_from([1e-8, 1e-4, 1e-1]))
def test_fits_by_moments_are_the_probe_on_repeated_rows(seed, d, k, ridge):
    """Weights are counts: the probe on every row repeated so often, in the same folds, gives the same R^2."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, d))
    y = x @ rng.standard_normal((d, k)) + rng.standard_normal((40, k))
    counts = rng.integers(1, 4, 40)
    repeated = np.repeat(np.arange(40), counts)
    folds = fold_of_groups(40, 4, np.random.Generator(np.random.Philox(key=7)))
    probe = belief_probe(x[repeated], y[repeated], groups=repeated, n_folds=4, ridge=ridge, n_shuffles=0, seed=7)
    padded = np.concatenate([rng.standard_normal((40, 2)), x], axis=1)
    moments = Moments.of(padded, y, counts.astype(float), folds, 4)
    found = moments.r_squared(np.arange(2, 2 + d), np.arange(k), ridge)
    assert found == pytest.approx(probe.r_squared, abs=1e-7)
    assert found == pytest.approx(moments.r_squared(np.arange(2, 2 + d), np.arange(k), ridge, rank=k), abs=1e-9)
    predicted = held_out_predictions(x, y, counts.astype(float), folds, 4, ridge)
    np.testing.assert_allclose(predicted[repeated], probe.predicted, atol=1e-6)


# ------------------------------------------------------------------------------------------------ exact parts
def enumerated(source, length: int):
    """Every sequence of a length with its probability, by the chain rule."""
    v = source.vocab_size
    tokens = np.stack(np.meshgrid(*[np.arange(v)] * length, indexing="ij"), axis=-1).reshape(-1, length)
    with np.errstate(divide="ignore"):
        p = np.exp(source.log_probs(tokens).sum(axis=1))
    return tokens[p > 0], p[p > 0]


@pytest.mark.parametrize("source", [Mess3(), SimpleNonunifilar(), RRXOR(), Nemo()])
def test_the_law_gives_the_belief_where_as_many_states_as_symbols_show(source):
    """Mess3 and SNS: p = b E with E of full rank, so that the law gives the belief exactly; RRXOR and nemo: not."""
    tokens, p = enumerated(source, 6)
    beliefs = source.beliefs(tokens)[:, -1]
    emissions = source.transitions.sum(axis=2).T
    laws = beliefs @ emissions
    bound = explained(means_given_law(laws, beliefs, p), beliefs, p)
    shown = np.linalg.matrix_rank(emissions) == source.n_states
    assert shown == isinstance(source, Mess3 | SimpleNonunifilar)
    if shown:
        assert bound == pytest.approx(1.0, abs=1e-9)
        np.testing.assert_allclose(laws @ np.linalg.pinv(emissions), beliefs, atol=1e-9)
    else:
        assert bound < 0.6
        # twin: the mean belief of every class of equal laws, one class at a time
        left = 0.0
        for law in np.unique(np.round(laws, 9), axis=0):
            mine = np.all(np.round(laws, 9) == law, axis=1)
            mean = p[mine] @ beliefs[mine] / p[mine].sum()
            left += p[mine] @ np.sum((beliefs[mine] - mean) ** 2, axis=1)
        whole = p @ np.sum((beliefs - p @ beliefs / p.sum()) ** 2, axis=1)
        assert bound == pytest.approx(1 - left / whole, abs=1e-9)


def test_of_a_product_the_best_function_of_the_law_is_taken_factor_by_factor():
    """Over all sequences of one length: conditional means given the whole law, and given each factor's, agree."""
    source = ProductSource(Nemo(), SimpleNonunifilar())
    tokens, p = enumerated(source, 4)
    factors = [one[:, -1] for one in factor_beliefs(source, tokens)]
    padded = np.concatenate([tokens, np.zeros((len(tokens), 1), dtype=tokens.dtype)], axis=1)
    laws = source.predict(padded)[:, -1]
    means = [means_given_law(law, belief, p) for law, belief in zip(factor_laws(source, laws), factors, strict=True)]
    both, crossed = np.concatenate(factors, axis=1), interaction(factors, p)
    np.testing.assert_allclose(np.concatenate(means, axis=1), means_given_law(laws, both, p), atol=1e-6)
    np.testing.assert_allclose(interaction(means, p), means_given_law(laws, crossed, p), atol=1e-6)


def test_a_products_belief_is_the_outer_product_and_splits_in_four():
    source = ProductSource(Mess3(), Nemo())
    tokens = source.sample(50, 6, seed=1)
    first, second = factor_beliefs(source, tokens)
    whole = source.finite_form()
    from testbed.sources.as_machine import EdgeMachine

    machine = EdgeMachine.model_construct(given=whole[0], law=whole[1], vocab_size=6)
    np.testing.assert_allclose(joint_belief([first[:, -1], second[:, -1]]), machine.beliefs(tokens)[:, -1], atol=1e-6)
    factors = [first[:, -1], second[:, -1]]
    weights = np.ones(50)
    m1, m2 = (one.mean(axis=0) for one in factors)
    parts = (
        np.einsum("i,j->ij", m1, m2).ravel()
        + joint_belief([factors[0] - m1, np.tile(m2, (50, 1))])
        + joint_belief([np.tile(m1, (50, 1)), factors[1] - m2])
        + interaction(factors, weights)
    )
    np.testing.assert_allclose(parts, joint_belief(factors), atol=1e-12)


def test_the_window_and_its_histories():
    tokens = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]])
    window = one_hot_window(tokens, 2).reshape(3, 4, 3, 3)
    assert window[0, 0].argmax(axis=1).tolist() == [2, 2, 2]  # nothing before the first token
    assert window[1, 2].argmax(axis=1).tolist() == [2, 1, 0]  # the last token comes last
    rows, counts = histories(tokens, 2, 2)
    assert sorted(counts.tolist()) == [1, 2, 3]  # "10" three times, "101" twice, "100" once
    assert dict(zip(rows.tolist(), counts.tolist(), strict=True)) == {0: 3, 1: 2, 3: 1}


# ------------------------------------------------------------------------------------------------ streams
def test_streams_are_the_models_own():
    """The last stream, normalised with its gain and read out, gives the logits; the first is the embedding."""
    model = Transformer(ModelConfig(width=8, depth=2, heads=2, mlp_ratio=2), 3, 6)
    weights = model.layout.views(model.layout.initial_row(5)[None])
    tokens = np.random.default_rng(0).integers(3, size=(7, 5))
    streams = residual_streams(model, weights, tokens)
    assert streams.shape == (3, 7, 6, 8)
    seen = np.concatenate([np.full((7, 1), 3), tokens], axis=1)
    np.testing.assert_allclose(streams[0], weights["embedding"][0].numpy()[seen], rtol=1e-6)
    last = streams[-1].astype(np.float64)
    normed = last / np.sqrt(np.mean(last**2, axis=-1, keepdims=True) + 1e-5)
    logits = normed * weights["final_norm"][0].numpy() @ weights["head"][0].numpy()
    with torch.no_grad():
        expected = model.logits(weights, torch.from_numpy(seen)[None], "all")[0].numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-5)


# ------------------------------------------------------------------------------------------------ known geometries
@pytest.fixture(scope="module")
def rows() -> Rows:
    source = ProductSource(Mess3(), Nemo())
    return Rows(source, source.sample(600, 6, seed=3), Reading(n_sequences=600, first_position=3), seed=0)


def planted_streams(rows: Rows, values: np.ndarray) -> np.ndarray:
    """(2, N, T + 1, D): noise, then a stream that holds these values at the places read, turned and shifted."""
    rng = np.random.default_rng(1)
    n, places = len(rows.tokens), rows.tokens.shape[1] + 1
    streams = 0.1 * rng.standard_normal((2, n, places, 12))
    turned = values @ rng.standard_normal((values.shape[1], 12)) + 0.3
    streams[1, :, rows.first :] = turned.reshape(n, rows.n_places, 12)
    return streams


def test_both_geometries_are_read_as_what_they_are(rows):
    parts = [rows.everywhere[:, :3], rows.everywhere[:, 3:]]
    held = rows.fitted(planted_streams(rows, np.concatenate(parts, axis=1)))
    assert held["streams"][1] > 0.999
    assert held["crossed"][1] < 0.05
    assert held["rank"][-1] - held["rank"][3] == pytest.approx(0.0, abs=1e-3)  # 2 + 2 dimensions
    joint = rows.fitted(planted_streams(rows, joint_belief(parts)))
    assert joint["streams"][1] > 0.999  # the factors are marginals of it
    assert joint["crossed"][1] > 0.999
    assert joint["rank"][-1] > 0.999
    assert joint["rank"][3] < 0.9
    exact = rows.baselines(rows.everywhere.reshape(600, rows.n_places, -1), rows.beliefs)
    np.testing.assert_allclose(held["rank"], exact["rank_factored"], atol=0.01)
    np.testing.assert_allclose(joint["rank"], exact["rank_joint"], atol=0.03)


def test_noise_alone_makes_no_joint_geometry(rows):
    """Beliefs side by side, read badly: ranks above 4 still add next to nothing of what they add to an exact joint."""
    rng = np.random.default_rng(2)
    streams = planted_streams(rows, rows.everywhere)
    streams += 0.5 * streams[1, :, rows.first :].std() * rng.standard_normal(streams.shape)
    found = rows.fitted(streams)
    assert 0.5 < found["streams"][1] < 0.95
    exact = rows.baselines(rows.everywhere.reshape(600, rows.n_places, -1), rows.beliefs)["rank_joint"]
    assert abs(found["rank"][-1] - found["rank"][3]) < 0.05 * (exact[-1] - exact[3])


def test_streams_that_hold_the_law_alone_do_not_pass_its_bound():
    source = RRXOR()
    tokens = source.sample(400, 8, seed=2)
    rows = Rows(source, tokens, Reading(n_sequences=400, first_position=3), seed=0)
    laws = rows.everywhere @ source.transitions.sum(axis=2).T
    streams = planted_streams(rows, np.concatenate([laws, laws**2, np.exp(laws)], axis=1))
    found = rows.fitted(streams)["streams"][1]
    means = means_given_law(rows.distinct(laws.reshape(400, -1, 2)), rows.beliefs, rows.weights)
    bound = explained(means, rows.beliefs, rows.weights)
    assert 0.3 < found < bound + 0.01 < 0.7
    assert rows.null(streams, np.random.default_rng(0)).max() < 0.05


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    n_tuning = sum(len(arm.learning_rates) for arm in study.arms) * study.tuning_seeds
    assert len({cell.key for cell in cells}) == len(cells) == n_tuning
    assert study.n_seeds >= 5
    assert scale == "smoke" or (min(study.seeds) >= 100 and study.tuning_seeds >= 3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("headline=nobody", "headline: given 'nobody'"),
        ("headline=product", "headline: given 'product', must be no product"),
        ("factored=RRXOR", "factored: given 'RRXOR', must be a product"),
        ("reading.first_position=5", "must be below context_length"),
        ("reading.ridges=[1e-2, 1e-3]", "must rise within"),
        ("model.block=gau", "mlp_ratio|residual streams are those of standard blocks"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_what_was_not_learnt_decides_nothing_and_lets_the_worst_of_all_fail(smoke):
    """Without RRXOR: its own claims are open; a worst case may fail on the other sources, and not hold by them."""
    for held, word in ((True, "undecided"), (False, "fails")):
        data = planted(smoke, held, np.random.default_rng(0), 8)
        numbers = evidence(smoke, data, lost=["RRXOR"])
        pairs = [(claim, numbers[claim.id]) for claim in smoke.claims()]
        said = {one.claim.id.removeprefix("belief_geometry."): one.verdict for one in judge(pairs, smoke.alpha)}
        assert {said[name] for name in ("spread_beyond", "layers", "last_is_law", "beyond_everywhere")} == {"undecided"}
        assert said["headline_everywhere"] == said["loss_curve"] == word
        assert said["headline"] == ("holds" if held else "fails")


def test_claims_that_rest_on_slow_sources_are_decided_where_those_are_learnt():
    """At laptop scale only what Mess3 and untrained networks show is decided."""
    for scale in ("laptop", "gpu", "full"):
        (study,) = load_studies(CONFIG, scale)
        early = {one.id.partition(".")[2] for one in study.claims() if one.decided_at == "laptop"}
        about_mess3 = {"headline", "headline_needs_training", "more_linear_than_logits", "sequences_held_out"}
        assert early == (about_mess3 if scale == "laptop" else set())


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    about_training = [v for v in judgement.verdicts if not v.claim.scope.startswith("all streams together, untrained")]
    assert {verdict.verdict for verdict in about_training} == {"undecided"}  # little is learnt in so few steps
    data = gather(smoke, finished)
    assert data is not None
    assert data.hidden(smoke) == ["RRXOR"]
    for arm in smoke.arms:
        exact = arm.source.position_losses(smoke.context_length + 1).value
        np.testing.assert_allclose(data.arms[arm.name]["risk"], np.tile(exact, (smoke.n_seeds, 1)))
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
