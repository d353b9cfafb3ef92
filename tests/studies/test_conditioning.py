"""The study `conditioning`: the frontier by search, planted kappa, choices of matrices, renamed tasks, a smoke run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.conditioning import condition_number
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.studies import load_studies
from testbed.studies.conditioning import Conditioning
from testbed.studies.conditioning.claims import CHOSEN, COMPARED
from testbed.studies.conditioning.config import ARMS, LEARNERS, Design
from testbed.studies.conditioning.data import gather, read_off
from testbed.studies.conditioning.evidence import evidence, gate
from testbed.studies.conditioning.frontier import divergence, frontier, joint, least_forgotten
from testbed.studies.conditioning.grid import model_of
from testbed.studies.conditioning.selection import N_KINDS, chosen, matrices, part, plant
from testbed.studies.conditioning.stream import renamed
from testbed.studies.conditioning.worlds import planted
from testbed.studies.judge import Open
from testbed.training.continuing import all_but

CONFIG = Path(__file__).parents[2] / "configs" / "conditioning.toml"
MODEL = ModelConfig(width=8, depth=3, heads=2, mlp_ratio=1, methods=("learned",))


@pytest.fixture(scope="module")
def smoke() -> Conditioning:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, Conditioning)
    return study


# ------------------------------------------------------------------------------------------------ the frontier
@given(seed=st.integers(0, 10**6), size=st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_no_law_forgets_less_than_the_frontier(seed, size):
    """Random laws, and laws near the frontier's own, lie on or above it; its ends are the two laws themselves."""
    design, rng = Design(vocab_size=size, order=1), np.random.default_rng(seed)
    old, new = design.chain(seed, 0), design.chain(seed, 1)
    front, a, b = frontier(old, new), joint(old), joint(new)
    assert front[1][0] == pytest.approx(0, abs=1e-12)
    assert front[0][-1] == pytest.approx(0, abs=1e-12)
    assert front[1][-1] == pytest.approx(float(divergence(a, np.log(joint(new) / joint(new).sum(1, keepdims=True)))))
    assert np.all(np.diff(front[0]) <= 1e-12)
    for _ in range(10):
        mixed = (1 - (share := rng.random())) * a + share * b
        law = mixed / mixed.sum(axis=1, keepdims=True) * np.exp(rng.choice([0.0, 0.01, 1.0]) * rng.normal(size=a.shape))
        law /= law.sum(axis=1, keepdims=True)
        least = least_forgotten(np.array([divergence(b, np.log(law))]), front)[0]
        assert divergence(a, np.log(law)) >= least - 1e-3


def test_forgetting_is_read_where_the_level_is_first_met():
    old, new = np.array([0.1, 0.3, 0.9, 0.8]), np.array([2.0, 1.0, 0.4, 1.2])
    np.testing.assert_allclose(read_off(old, new, (0.75, 0.5, 0.35, 0.1)), [0.1, 0.2, 0.5, np.nan])


# ------------------------------------------------------------------------------------------------ choices
@given(seed=st.integers(0, 10**6), number=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_every_arm_trains_as_many_matrices(seed, number):
    """6 matrices of each of 6 heads; a third of them, chosen as the arm says."""
    rng = np.random.default_rng(seed)
    given_matrices = rng.standard_normal((6 * N_KINDS, 4, 2))
    kappa = condition_number(given_matrices)
    sets = {arm: set(chosen(arm, given_matrices, number).tolist()) for arm in ARMS}
    assert {arm: len(places) for arm, places in sets.items()} == {arm: 36 if arm == "all" else 12 for arm in ARMS}
    rest = sorted(sets["all"] - sets["low"])
    assert kappa[sorted(sets["low"])].max() <= kappa[rest].min()
    assert kappa[sorted(sets["high"])].min() >= kappa[sorted(sets["all"] - sets["high"])].max()
    kinds = {arm: sorted(place % N_KINDS for place in sets[arm]) for arm in ARMS}
    assert kinds["low_in_kind"] == kinds["high_in_kind"] == sorted([*range(N_KINDS)] * 2)
    assert sets["planted_low"] == sets["planted_norm"] == sets["planted_high"]
    assert max(kinds["planted_low"]) < 4
    for kind in range(N_KINDS):
        low, high = ([one for one in sets[arm] if one % N_KINDS == kind] for arm in ("low_in_kind", "high_in_kind"))
        ordered = np.sort(kappa[kind::N_KINDS])
        assert np.array_equal(np.sort(kappa[low]), ordered[:2])
        assert np.array_equal(np.sort(kappa[high]), ordered[-2:])


def test_matrices_are_parts_of_the_weights():
    """Every weight of the blocks' matrices is in one of them, and in one alone; what is held is the others."""
    layout = Transformer(MODEL, 4, 3).layout
    views = layout.views(layout.initial_row(0)[None].clone())
    held = [all_but(layout, [part(place, 8, 2)]) for place in range(36)]
    assert {int((~one).sum()) for one in held} == {8 * 4}
    assert int(sum((~one).int() for one in held).max()) == 1
    assert len(matrices(views, 3, 8, 2)) == 36
    np.testing.assert_array_equal(matrices(views, 3, 8, 2)[6 + 3], views["0.attention_out"][0][4:].T.double())
    np.testing.assert_array_equal(matrices(views, 3, 8, 2)[12 + 1], views["1.qkv"][0][:, 8:12].double())


def test_planting_raises_kappa_and_leaves_the_function():
    """kappa 30 raises condition numbers of what is planted and of nothing else; the norm alone, with none of them."""
    model = Transformer(MODEL, 4, 3)
    for number in range(2):
        before = model.layout.views(model.layout.initial_row(number)[None].clone())
        planted_by = {}
        for norm_alone in (False, True):
            after = model.layout.views(model.layout.initial_row(number)[None].clone())
            plant(after, 3, 8, 2, 30.0, number, norm_alone)
            given_matrices, found = matrices(before, 3, 8, 2), matrices(after, 3, 8, 2)
            places = chosen("planted_high", found, number)
            changed = (found != given_matrices).any(axis=(1, 2))
            assert np.array_equal(np.flatnonzero(changed), places)
            tokens = torch.randint(0, 4, (1, 16, 3), generator=torch.Generator().manual_seed(number))
            logits = [model.logits(weights, tokens, read="all") for weights in (before, after)]
            torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-4)
            ratio = condition_number(found)[places] / condition_number(given_matrices)[places]
            planted_by[norm_alone] = ratio, (found[places] ** 2).sum(axis=(1, 2)).reshape(-1, 2).sum(axis=1)
        assert np.exp(np.log(planted_by[False][0]).mean()) > 2
        np.testing.assert_allclose(planted_by[True][0], 1, rtol=1e-4)
        np.testing.assert_allclose(planted_by[True][1], planted_by[False][1], rtol=1e-4)


def test_kappa_by_chance_decides_nothing(smoke):
    """Gaussian spread, or the order of the fresh weights, leaves open what kappa chooses, and nothing else."""
    data = planted(smoke, "as claimed", np.random.default_rng(0), 8)
    assert gate(smoke, data) == ()
    chance = replace(data, kappa=np.exp(np.log(data.kappa) / 4))
    same = replace(data, fresh=data.kappa**2)
    for one, said in ((chance, "hardly more than chance"), (same, "what the fresh weights had")):
        (reason,) = gate(smoke, one)
        assert said in reason
        opened = {name.split(".")[1] for name, number in evidence(smoke, one).items() if isinstance(number, Open)}
        assert opened == set(CHOSEN)


def test_a_claim_is_about_every_level(smoke):
    """Its number is the larger of the two differences."""
    data = planted(smoke, "at one level alone; norms count, kappa does not", np.random.default_rng(0), 20)
    number = evidence(smoke, data)["conditioning.low_high"]
    each = [(data.at("low", [one]) - data.at("high", [one])).mean() for one in smoke.bounds.levels]
    assert number.estimate == pytest.approx(max(each))
    assert min(each) < -0.05 < max(each)


# ------------------------------------------------------------------------------------------------ streams
@given(number=st.integers(0, 10**6), task=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_renamed_tasks_are_equally_hard(number, task):
    """To the last bit the same weights in other places; entropies are those of the chain."""
    chain = Design(vocab_size=5, order=2).chain(number, 2)
    other = renamed(chain, number, task)
    assert np.array_equal(np.sort(other.weights, axis=None), np.sort(chain.weights, axis=None))
    np.testing.assert_allclose(
        other.conditional_entropies(2).value, chain.conditional_entropies(2).value, rtol=0, atol=1e-12
    )
    assert np.array_equal(renamed(chain, number, task).weights, other.weights)


def test_the_learners_differ_as_they_should():
    shapes = {one: model_of(ModelConfig(methods=("learned",)), one) for one in LEARNERS}
    assert {one: (m.norm.type_name, m.activation.type_name) for one, m in shapes.items()} == {
        "layer": ("layer", "gelu"),
        "decayed": ("layer", "gelu"),
        "bare": ("none", "gelu"),
        "normalised": ("layer", "normalised"),
        "nap": ("layer", "normalised"),
        "fresh": ("layer", "gelu"),
        "fresh_nap": ("layer", "normalised"),
    }


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.depth=2", "multiple of 3"),
        ("model.mlp_ratio=4", "one shape"),
        ("model.heads=1", "2 or more"),
        ('model.methods=["rope"]', "learned positions"),
        ('stream_model.norm="rms"', "learner's own|rms"),
        ("bounds.levels=[0.33]", "levels: given"),
        ("stream.skipped=4", "skipped: given 4"),
        ("design.order=4", "order|contexts|4096"),
    ],
)
def test_bad_settings_are_named(override, message):
    more = ["design.vocab_size=16"] if override.startswith("design") else []
    more += ['stream_model.activation="relu"'] if override.startswith("stream_model") else []
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override, *more])


def test_what_was_not_reached_or_learnt_decides_nothing(smoke):
    """An arm that did not come down, a first task not learnt, tasks missed early; those missed late lower a slope."""
    data = planted(smoke, "as claimed", np.random.default_rng(0), 8)
    data.forgotten["low"][3, -1] = np.nan  # a level that is not judged
    assert not any(isinstance(one, Open) for one in evidence(smoke, data).values())
    data.forgotten["low"][3] = np.nan
    data.missed["layer"][:, -1] = True
    data.missed["nap"][:, -1] = True
    data.missed["bare"][:, 3] = True
    opened = {name.split(".")[1] for name, one in evidence(smoke, data).items() if isinstance(one, Open)}
    named = {name for name, pair in COMPARED.items() if "low" in pair}
    assert opened == named | {"nap_young", "nap_flat", "nap_less", "bare_ages"}  # not layer_ages, nor decay_less
    data.known[0] = 0.2
    assert all(isinstance(evidence(smoke, data)[f"conditioning.{name}"], Open) for name in COMPARED)


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
def test_replicates_have_chains_and_weights_of_their_own(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"rate"}
    trained = {cell.training.training_key: cell.training for cell in cells if cell.training is not None}
    assert len(trained) == study.rates.n_seeds  # all arms and rates start from one member a replicate
    assert len({one.initial_seed for one in trained.values()}) == len(trained)
    if scale != "smoke":
        assert min(study.seeds) >= 300


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}
    data = gather(smoke, finished)
    assert data is not None
    assert data.off["moved"] == 0
    assert all(rows.shape == (smoke.n_seeds, smoke.stream.n_tasks) for rows in data.logs.values())
    # the first task is the same for both, with the same weights
    assert np.array_equal(data.logs["layer"][:, 0], data.logs["fresh"][:, 0])
    assert np.array_equal(data.logs["nap"][:, 0], data.logs["fresh_nap"][:, 0])
    assert not np.array_equal(data.elr["layer"], data.elr["decayed"])
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
