"""The study `markov_landscape`: the network of the theory by finite differences and by chance, and a smoke run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.studies import load_studies
from testbed.studies.markov_landscape import MarkovLandscape
from testbed.studies.markov_landscape.config import MIRRORED, PANELS, VARIANTS, VARIED, Bounds, side
from testbed.studies.markov_landscape.data import Ends, gather
from testbed.studies.markov_landscape.evidence import caught, first_alone, high, learnt
from testbed.studies.markov_landscape.network import named, population_loss, shapes, unigram_point
from testbed.theory import marginal_entropy, unigram_hessian

CONFIG = Path(__file__).parents[2] / "configs" / "markov_landscape.toml"


@pytest.fixture(scope="module")
def smoke() -> MarkovLandscape:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, MarkovLandscape)
    return study


# ------------------------------------------------------------------------------------------------ the unigram point
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8)])
@pytest.mark.parametrize(("depth", "tied"), [(1, True), (1, False), (2, True)])
def test_the_hessian_by_central_differences(p, q, depth, tied):
    """Over embedding, read-out and bias, with everything else in the network; the closed form is that of two."""
    shape = shapes(width=2, hidden=3, length=2, depth=depth, tied=tied)
    point, n, h = unigram_point(p, q, shape, seed=1), 5 - 2 * tied, 1e-4
    shifts = h * torch.eye(len(point), dtype=torch.float64)[:n]

    def loss(shift):
        return float(population_loss(point + shift, p, q, shape, depth))

    found = [[(loss(a + b) - loss(a - b) - loss(b - a) + loss(-a - b)) / (4 * h * h) for b in shifts] for a in shifts]
    np.testing.assert_allclose(found, unigram_hessian(p, q, 2, tied), atol=1e-6)
    assert loss(torch.zeros(len(point))) == pytest.approx(marginal_entropy(p, q), abs=1e-12)


@given(p=st.floats(0.05, 0.95), q=st.floats(0.05, 0.95), depth=st.integers(1, 2), seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_no_point_near_it_is_lower_where_it_is_a_minimum(p, q, depth, seed):
    """All parameters moved at once, those of degenerate directions too; and below it a step of e alone is lower."""
    shape = shapes(width=2, hidden=3, length=3, depth=depth, tied=True)
    rng, point = np.random.default_rng(seed), unigram_point(p, q, shape, seed=seed)
    moved = point + 10 ** rng.uniform(-4, -1.5) * torch.from_numpy(rng.normal(size=len(point)))
    level = marginal_entropy(p, q)
    if p + q > 1.05:
        assert float(population_loss(moved, p, q, shape, depth)) >= level - 1e-14
    elif p + q < 0.95:
        point[0] = 0.05
        point[2] -= 0.05**2 * p / (p + q)  # the bias, so that the mean prediction stays
        assert float(population_loss(point, p, q, shape, depth)) < level


def test_parameters_by_name():
    shape = shapes(width=2, hidden=3, length=4, depth=1, tied=False)
    size = sum(int(np.prod(one, dtype=int)) for one in shape.values())
    parts = named(torch.arange(size).double(), shape)
    assert {name: tuple(one.shape) for name, one in parts.items()} == shape
    assert float(parts["b"]) == 4.0
    assert float(parts["0.back"][-1, -1]) == size - 1


# ------------------------------------------------------------------------------------------------ the study
def test_sides_of_the_line():
    assert [side(*one) for one in ((0.5, 0.8), (0.2, 0.3), (0.42, 0.58), (0.1, 0.9))] == [1, -1, 0, 0]


def test_pairs_of_which_one_is_stuck():
    yes, no = np.array([True, True, False, True]), np.array([False, True, False, False])
    assert first_alone(yes, no).estimate == 1.0
    assert first_alone(yes, yes).too_few


def test_who_is_caught_and_who_has_learnt():
    """A run that says neither pi nor the chain's law is high, and no more."""
    ends, bounds = Ends(np.array([1.0, 1.4, 0.3, 0.0]), np.array([0.01, 0.4, 0.3, 1.0])), Bounds()
    assert high(ends, bounds).tolist() == [True, True, False, False]
    assert caught(ends, bounds).tolist() == [True, False, False, False]
    assert learnt(ends, bounds).tolist() == [False, False, False, True]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_the_runs_of_a_panel_have_weights_and_tokens_of_their_own(scale):
    (study,) = load_studies(CONFIG, scale, ["n_seeds=2", "n_spot=2", "n_mirror=1", "grid.values=[0.2, 0.8]"])
    cells = study.cells({})
    runs = [cell for cell in cells if cell.training is not None]
    n_map = len(PANELS) * len(study.grid.chains) * study.n_seeds
    assert len(cells) == 3 + n_map + len(VARIED) * len(VARIANTS) * study.n_spot + len(MIRRORED) * study.n_mirror
    assert len({cell.training.training_key for cell in runs}) == len(runs)
    for panel in PANELS:
        seeds = [one.training.initial_seed for one in runs if one.probe.panel == panel and one.probe.kind == "map"]
        assert len(set(seeds)) == len(seeds)
    if scale != "smoke":
        assert min(study.seeds) >= 100
    assert {one.training.optimiser.clip for one in runs} == {None}
    by_name = {(one.probe.panel, one.probe.variant): one.training.model for one in runs}
    assert by_name["bare_two_untied", "plain"].norm.type_name == "none"
    assert by_name["two_tied", "plain"].depth == 2
    assert by_name["one_tied", "wide"].initial_std == study.recipe.wide_std
    assert by_name["one_tied", "memory_1"].methods[1].reach == 2
    (mirror,) = {(one.probe.panel, one.probe.p, one.probe.q) for one in runs if one.probe.kind == "mirror"}
    assert mirror == ("bare_one_tied", 0.5, 0.2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("grid.values=[0.5, 0.2]", "values: given"),
        ("grid.values=[0.7, 0.8]", "both sides"),
        ("grid.spot=[0.2, 0.3]", "spot: given"),
        ("recipe.heads=3", "heads: given 3, must divide"),
        ("optimiser.clip=1.0", "optimiser"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}
    data = gather(smoke, finished)
    assert data is not None
    assert all(np.isnan(one.units[data.side == 0]).all() for one in data.maps.values())
    ends = [*(one.at(data.side != 0) for one in data.maps.values()), *data.spots.values(), *data.mirrors.values()]
    assert all((one.units >= 0).all() and (one.away >= 0).all() for one in ends)
    assert data.off["excess_error"] == 0
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
