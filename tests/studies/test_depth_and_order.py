"""The study `depth_and_order`: levels against a loop, networks built by hand, readings of curves, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.norms.none import NoNorm
from testbed.models.transformer import Transformer
from testbed.studies import load_studies
from testbed.studies.depth_and_order import DepthAndOrder
from testbed.studies.depth_and_order.config import Order, Shape, layers_needed
from testbed.studies.depth_and_order.construct import best_gain, built_weights, sequence_laws, width_needed
from testbed.studies.depth_and_order.construct_full import codes, units_needed
from testbed.studies.depth_and_order.data import Built, Data, Level
from testbed.studies.depth_and_order.data import Path as Curves
from testbed.studies.depth_and_order.evidence import later, price, share_there, staying
from testbed.studies.depth_and_order.fates import fates
from testbed.studies.depth_and_order.levels import chains, count_laws, excess_of, level_rows, row_counts
from testbed.studies.depth_and_order.wait_figure import median_interval
from testbed.studies.induction_phases.levels import exact_binary_levels

CONFIG = Path(__file__).parents[2] / "configs" / "depth_and_order.toml"


@pytest.fixture(scope="module")
def smoke() -> DepthAndOrder:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, DepthAndOrder)
    return study


# ------------------------------------------------------------------------------------------------ levels
@given(v=st.integers(2, 3), order=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_rows_are_counted_as_a_loop_does(v, order, seed):
    tokens = np.random.default_rng(seed).integers(v, size=(2, 10))
    found = row_counts(tokens, order, v)
    for row in range(2):
        past = tokens[row].tolist()
        for t in range(10):
            after = (
                [past[i] for i in range(order, t) if past[i - order : i] == past[t - order : t]] if t >= order else []
            )
            assert found[row, t].tolist() == np.bincount(np.array(after, dtype=int), minlength=v).tolist()
    (law,) = count_laws(tokens, order, v, (1.0,))
    np.testing.assert_allclose(law, chains(v, order).predict(tokens), atol=1e-12)


def test_levels_of_order_one_are_the_exact_ones():
    """Sums over states know the excess of order 0 with each smoothing, and of the counts with the last symbol; 5
    standard errors are below .006, and the fit of the latter costs less than .002."""
    length, added = 16, (1.0, 2.0, 4.0)
    exact = exact_binary_levels(length, added)
    rows = level_rows(chains(2, 1), 1, length, 4096, added)
    bayes = exact["bayes"].mean()
    assert rows["counts_0"].mean() == pytest.approx(exact["unigram"].mean(axis=0).min() - bayes, abs=0.006)
    assert rows["uniform"].mean() == pytest.approx(np.log(2) - bayes, abs=0.006)
    edge = exact["counts_last"].mean() - bayes
    assert edge - 0.006 <= rows["edge"].mean() <= edge + 0.008


def test_more_is_lost_the_less_is_counted():
    rows = level_rows(chains(2, 2), 2, 24, 2048, (1.0, 2.0, 4.0, 8.0))
    assert rows["uniform"].mean() > rows["counts_0"].mean() > rows["counts_1"].mean() > rows["edge"].mean() > 0


# ------------------------------------------------------------------------------------------------ constructions
def built_model(shape: Shape, v: int, width: int, length: int) -> Transformer:
    whole = ModelConfig(width=width, depth=shape.depth, heads=shape.heads, mlp_ratio=2, methods=("relative_bias",))
    return Transformer(whole if shape.block == "full" else whole.replace(mlp_ratio=0, norm=NoNorm()), v, length)


@pytest.mark.parametrize(
    ("depth", "heads", "order", "v"),
    [(2, 1, 1, 2), (3, 1, 2, 2), (3, 1, 3, 2), (2, 2, 2, 2), (4, 1, 4, 2), (3, 1, 2, 3), (2, 3, 3, 2), (3, 1, 1, 2)],
)
def test_a_network_built_by_hand_holds_the_bayes_law(depth, heads, order, v):
    """Its readout is softmax(gain p) of the Bayes law p at every position, those without a whole context as well."""
    shape, width, length = Shape(block="attention", depth=depth, heads=heads), 24, 20
    model = built_model(shape, v, width, length)
    source = chains(v, order)
    tokens = source.sample(100, length, seed=3).astype(np.int64)
    laws = source.predict(tokens)
    gain = best_gain(laws)
    log_q = sequence_laws(model, built_weights(model, order, 24.0, gain), tokens)
    wanted = gain * laws - np.log(np.exp(gain * laws).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(log_q, wanted, atol=2e-5)
    assert excess_of(laws, log_q).mean() <= excess_of(laws, np.log(np.full_like(laws, 1 / v))).mean()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_two_layers_of_the_whole_block_hold_the_bayes_law(order):
    """To what float32 and the norms leave of it; with the steps of the MLP taken away they do not."""
    model = built_model(Shape(block="full", depth=2), 2, 16, 20)
    source = chains(2, order)
    tokens = source.sample(100, 20, seed=3).astype(np.int64)
    laws = source.predict(tokens)
    weights = built_weights(model, order, 24.0, 2.0)
    wanted = 2.0 * laws - np.log(np.exp(2.0 * laws).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(sequence_laws(model, weights, tokens), wanted, atol=5e-3)
    weights["0.mlp_out"][:] = 0.0
    assert np.abs(sequence_laws(model, weights, tokens) - wanted).max() > 0.1


@given(order=st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_tokens_are_the_digits_of_a_number(order):
    values, tokens = codes(order)
    assert (np.diff(values) > 0).all()
    assert np.diff(values) == pytest.approx(np.full(2**order - 1, 2 / (2**order - 1)))
    weights = 2.0 ** np.arange(order, 0, -1)
    assert (tokens * weights).sum(axis=1) / weights.sum() == pytest.approx(values)
    assert units_needed(order) == 2 * len(np.diff(values))


def test_what_is_built_comes_near_as_matches_grow_sharp():
    """The deviation falls as e^(-sharpness) until float32 stops it."""
    shape = Shape(block="attention", depth=3)
    model = built_model(shape, 2, 16, 20)
    tokens = chains(2, 3).sample(50, 20, seed=4).astype(np.int64)
    laws = chains(2, 3).predict(tokens)
    off = []
    for sharpness in (5.0, 7.0, 9.0):
        log_q = sequence_laws(model, built_weights(model, 3, sharpness, 2.0), tokens)
        wanted = 2.0 * laws - np.log(np.exp(2.0 * laws).sum(axis=-1, keepdims=True))
        off.append(float(np.abs(log_q - wanted).max()))
    assert all(after < before / 4 for before, after in itertools.pairwise(off))


def test_layers_needed():
    assert [layers_needed("attention", k) for k in range(9)] == [1, 2, 3, 3, 4, 4, 4, 4, 5]
    assert [layers_needed("full", k) for k in range(4)] == [1, 2, 2, 2]
    assert layers_needed("attention", 3, heads=3) == 2
    assert layers_needed("attention", 3, heads=2) == 3
    assert width_needed(2, 3) == 11


@pytest.mark.parametrize(
    ("shape", "order", "width", "message"),
    [
        (Shape(block="attention", depth=2), 2, 16, "built of 3 layers"),
        (Shape(block="attention", depth=2, heads=2), 4, 16, "given 2 with 2 heads"),
        (Shape(block="full", depth=3), 1, 16, "given are 3 layers"),
        (Shape(block="full", depth=2), 5, 16, "62 hidden units"),
        (Shape(block="attention", depth=3), 3, 8, "width: given 8"),
    ],
)
def test_what_cannot_be_built_is_said(shape, order, width, message):
    with pytest.raises(ConfigError, match=message):
        built_weights(built_model(shape, 2, width, 16), order, 24.0, 2.0)


@given(seed=st.integers(0, 2**16))
@settings(max_examples=10, deadline=None)
def test_one_head_puts_all_contexts_on_a_line(seed):
    """Whatever the weights: what the second layer sees at a place, by the three tokens before it, the others fixed."""
    model = built_model(Shape(block="attention", depth=2), 2, 8, 8)
    weights = model.layout.views(model.layout.initial_row(seed)[None].double())
    tokens = np.random.default_rng(seed).integers(2, size=(8, 7))
    tokens[:] = tokens[0]
    tokens[:, 3:6] = list(itertools.product((0, 1), repeat=3))
    seen = []
    model.logits(weights, torch.from_numpy(tokens)[None], "all", watch=lambda given: seen.append(given.x_EBTD))
    spread = np.linalg.svd(np.diff(seen[-1][0, :, -1].numpy(), axis=0), compute_uv=False)
    assert spread[0] > 1e-6
    assert spread[1] < 1e-6 * spread[0]


# ------------------------------------------------------------------------------------------------ readings
LEVELS = {1: Level(0.4, (0.2,), 0.15, 0.0), 2: Level(0.6, (0.4, 0.2), 0.15, 0.0)}


def data_of(paths: dict[int, list[list[float]]], step: list[float]) -> Data:
    arms = {("full_3", k): Curves(np.array(step), np.array(rows)) for k, rows in paths.items()}
    runs = len(next(iter(paths.values())))
    return Data(tuple(range(runs)), arms, LEVELS, {}, np.zeros(1))


def test_times_are_read_off_the_curve():
    step = np.exp(np.arange(5.0)).tolist()
    data = data_of({1: [[0.4, 0.3, 0.1, 0.1, 0.1], [0.4, 0.4, 0.4, 0.4, 0.4]]}, step)
    arm = ("full_3", 1)
    assert data.learnt_at(arm).tolist() == pytest.approx([2.0, np.inf])
    waited, made = data.waited(arm)
    assert (*waited, *made) == pytest.approx((1.0, 3.0))
    assert data.ratio(arm).tolist() == pytest.approx([0.5, 2.0])


def test_a_run_that_still_falls_has_not_failed(smoke):
    step = [1.0, 3.0, 4.0, 6.0, 8.0]
    rows = [[0.4, 0.1, 0.1, 0.05, 0.05], [0.4, 0.2, 0.2, 0.2, 0.2], [0.4, 0.4, 0.4, 0.3, 0.1]]
    data = data_of({1: rows}, step)
    assert fates(smoke, data, ("full_3", 1)).tolist() == [0, 1, 2]
    assert data.fall(("full_3", 1)).tolist() == pytest.approx([0.25, 0.0, 1.0])
    one = data_of({1: [rows[2]] * 6}, step)
    assert staying(one, ("full_3", 1)).estimate == pytest.approx(0.5 - 1.0)
    untrained = data_of({1: [[0.4] * 5] * 6}, step)
    assert staying(untrained, ("full_3", 1)).n_independent == 1  # it stays, and decides nothing


def test_order_k_is_later_in_replicates_that_learnt_the_order_before(smoke):
    """Of six runs that did, three never learn order 2, one is later, one earlier and one as late; a seventh did not
    learn order 1, and is left out."""
    step = np.exp(np.arange(4.0)).tolist()
    early, late, never = [0.6, 0.1, 0.1, 0.1], [0.6, 0.6, 0.6, 0.1], [0.6] * 4
    before = [[0.4, 0.4, 0.1, 0.1]] * 6 + [[0.4] * 4]
    data = data_of({1: before, 2: [never, never, never, late, early, [0.6, 0.6, 0.1, 0.1], early]}, step)
    found = later(smoke, data, "full_3", 2)
    assert (found.successes, found.trials) == (4, 6)
    few = data_of({1: before[2:], 2: [late] * 5}, step)
    assert later(smoke, few, "full_3", 2).n_independent == 1  # four pairs decide nothing


def test_a_share_of_runs_gets_there():
    data = data_of({1: [[0.4, 0.01]] * 6 + [[0.4, 0.19]] * 2}, [1.0, 2.0])
    share = share_there(data, ("full_3", 1), 0.4)
    assert (share.successes, share.trials) == (6, 8)
    assert share.lower(0.025) < 0.5 < share.upper(0.025)


def test_the_price_is_a_ratio_of_means():
    short = np.array([1.0, 2.0, 3.0])
    assert price(Built(0.1 * short, short)).interval(0.01) == pytest.approx((0.1, 0.1))


def test_a_median_may_be_infinite():
    """Of nine values the 2nd and the 8th bound it at 95 % (Bin(9, 1/2) below 2: 0.02)."""
    values = np.array([*range(1, 6), *[np.inf] * 4], dtype=float)
    assert median_interval(values) == (2.0, 5.0, np.inf)
    assert median_interval(np.array([1.0, 2.0])) == (1.0, 1.5, np.inf)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_levels_and_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    kinds = [cell.probe.kind for cell in study.cells({})]
    shapes = {shape.name for shape, _ in study.arms()}
    assert set(kinds) == {"levels", "built", "tuning"}
    assert kinds.count("tuning") == len(shapes) * len(study.rates.learning_rates) * study.rates.n_seeds
    assert len(study.claims()) == len({claim.id for claim in study.claims()})
    if scale != "smoke":
        assert min(study.seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("depths=[1, 3]", "depths"),
        ("headed=[3]", "headed: given 3"),
        ("rates.order=7", "rates.order: given 7"),
        ("bounds.stays=0.1", "stays: given 0.1"),
        ("width=4", "width: given 4"),
        ("orders=[{order=0, steps=1}, {order=2, steps=1}, {order=1, steps=1}]", "orders: given"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}  # two runs each
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}


def test_orders_are_named_in_order():
    assert [one.order for one in DepthAndOrder().orders] == list(range(4))
    assert Order(order=1, steps=1).steps == 1
