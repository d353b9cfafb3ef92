"""The study `linear_attention_entropy`: entropies and the price of soft weights against slow twins, cells, a run."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.studies import load_studies
from testbed.studies.linear_attention_entropy import LinearAttentionEntropy
from testbed.studies.linear_attention_entropy.claims import CLAIMED, NOTHING, STUCK, STUDY
from testbed.studies.linear_attention_entropy.config import (
    BIGRAM,
    KERNELS,
    LEARNED,
    LONGER,
    MISSES,
    READERS,
    UNIGRAM,
    Design,
    Reading,
)
from testbed.studies.linear_attention_entropy.data import gather
from testbed.studies.linear_attention_entropy.evidence import allowed, numbers
from testbed.studies.linear_attention_entropy.gates import UNTRAINED, reasons
from testbed.studies.linear_attention_entropy.grid import all_cells, member_cell
from testbed.studies.linear_attention_entropy.measure import heads, kl, sampled_laws, visible
from testbed.studies.linear_attention_entropy.worlds import RESTS_ON_COPIES, planted
from testbed.training.member import TrainedMember

CONFIG = Path(__file__).parents[2] / "configs" / "linear_attention_entropy.toml"
SMALL = Reading(n_draws=3, size=4, n_keys=5, norms=(0.5, 2.0, 50.0))


@pytest.fixture(scope="module")
def smoke() -> LinearAttentionEntropy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, LinearAttentionEntropy)
    return study


# ------------------------------------------------------------------------------------------------ cells
def test_arms_of_a_replicate_differ_in_their_methods_alone(smoke):
    for task, arms in ((smoke.design.central, KERNELS), (MISSES, READERS)):
        specs = [member_cell(smoke, task, arm, 3, 1e-2).training for arm in arms]
        assert len({one.training_key for one in specs}) == len(arms)
        assert len({one.replace(model=smoke.model) for one in specs}) == 1
    assert member_cell(smoke, LONGER, "nala", 3, 1e-2).training.optimiser.steps == 8
    copied = member_cell(smoke, LEARNED, "nala", 3, 1e-2).training
    assert [one.type_name for one in copied.model.methods] == ["learned", "nala"]
    assert copied.source == smoke.design.source(smoke.design.central)


@pytest.mark.slow
def test_rates_are_chosen_before_members_on_replicates_of_their_own(smoke, finished):
    assert {one.probe.kind for one in all_cells(smoke, {})} == {"untrained", "rate"}
    every = list(all_cells(smoke, {one.key: one for one in finished}))
    tried = {one.probe.seed for one in every if one.probe.kind == "rate"}
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not tried & set(laptop.seeds)
    assert min(laptop.seeds) >= 300
    design = laptop.design
    assert {design.tuned_on(task) for task in design.tasks} == {design.central, LEARNED, BIGRAM, MISSES}


def test_a_copy_is_read_off_the_key_half_a_sequence_back(smoke):
    """What `mass` counts: the place in the window, begin symbol first, of the token that comes again."""
    length = smoke.design.middle
    tokens = smoke.design.source(smoke.design.central).sample(4, length, seed=1)
    seen = np.concatenate([np.full((4, 1), 99), tokens[:, :-1]], axis=1)
    for query in range(length // 2, length):
        assert (seen[:, query - length // 2 + 1] == tokens[:, query]).all()
    assert [visible(one) for one in (4, 12, 24, 36)] == [4, 10, 19, 28]  # 3.5, 9.5, 18.5 and 27.5, halves up


def untrained_member(cell):
    """Its first weights, larger, so that heads are sharp enough to differ."""
    from testbed.models.transformer import Transformer

    spec = cell.training
    layout = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1).layout
    return TrainedMember(spec, "done", 3 * layout.initial_row(1).numpy(), {}, {}, False)


def test_heads_are_read_where_they_are(smoke):
    """Rows of the softmax of a first layer, by hand from the weights that the measure of attention gives."""
    import torch

    from testbed.measures.attention import attention_weights

    design, task = smoke.design, smoke.design.central
    length = design.length(task)
    member = untrained_member(member_cell(smoke, task, "softmax", 3, 1e-2))
    tokens = design.source(task).sample(3, length, seed=2).astype(np.int64)
    entropy, mass = heads(member, design, task, tokens, "cpu")
    model, weights = member.opened()
    h, own = [], []
    for row in tokens:
        seen = torch.tensor([[[model.begin, *row[:-1]]]])
        for t in range(length // 2, length):
            w = attention_weights(model, weights, seen, torch.tensor([t]))[0, 0, 0, 0, 0].double().numpy()
            assert w[: t + 1].sum() == pytest.approx(1.0, abs=1e-5)
            h.append(-sum(one * math.log(one) for one in w if one > 0))
            own.append(w[t - length // 2 + 1])
    assert entropy == pytest.approx([np.mean(h)], abs=1e-5)
    assert mass == pytest.approx(np.mean(own), abs=1e-5)


def test_hyper_attention_takes_the_softmax_s_place(smoke):
    """It is the softmax where a block has all keys, and else it is not, by draws of the replicate's own."""
    cell = member_cell(smoke, smoke.design.central, "softmax", 3, 1e-2)
    member = untrained_member(cell)
    tokens = smoke.design.source(smoke.design.central).sample(4, smoke.design.middle, seed=2).astype(np.int64)
    plain = member.sequence_log_laws(tokens)
    exact = cell.probe.replace(reading=smoke.reading.replace(block=64))
    np.testing.assert_allclose(sampled_laws(member, exact, tokens, "cpu"), plain, atol=1e-5)
    found, other = (sampled_laws(member, cell.probe.replace(seed=seed), tokens, "cpu") for seed in (3, 4))
    assert kl(np.exp(plain), plain, found).mean() > 1e-4
    assert not np.allclose(found, other)


def test_settings_of_a_later_run_leave_what_was_run_as_it_is(smoke):
    """Arms that part NaLa from ReLU, rates at each T, and a begin symbol that is hidden in recall."""
    design = smoke.design.replace(ablations=True, rates_by_length=True, hide_begin=True)
    assert [design.arms(task)[len(KERNELS) :] for task in design.copies] == [
        ("nala_rope", "relu_split", "nala_fixed")
    ] * 2
    assert [design.tuned_on(task) for task in (*design.copies, LONGER)] == [*design.copies, design.central]
    hidden = [task for task in design.tasks if "no_begin" in design.methods(task, "softmax")]
    assert hidden == [MISSES]
    later = smoke.replace(design=design)
    assert not any(
        name != "hyper_copies" for name in reasons(later, planted(later, CLAIMED, np.random.default_rng(0), 8))
    )
    assert Design().identity() == {}
    for arm in ("relu_split", "nala_fixed"):
        member_cell(later, design.central, arm, 3, 1e-2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("design.lengths=[8, 9]", "even"),
        ("design.lengths=[16, 8]", "rise"),
        ("design.n_pairs=3", "n_pairs"),
        ("model.depth=3", "model.depth"),
        ("model.heads=2", "model.heads"),
        ("model.mlp_ratio=2", "model.mlp_ratio"),
        ('model.methods=["nope"]', "model.methods"),
        ("optimiser.steps=7", "optimiser.steps"),
        ("optimiser.learning_rate=0.5", "optimiser.learning_rate"),
        ("reading.block=8", "HyperAttention is exact"),
        ("reading.norms=[2.0, 1.0]", "norms"),
        ("rates.recall=[0.1, 0.01]", "learning_rates"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


# ------------------------------------------------------------------------------------------------ the study
def test_the_numbers_of_the_claims_are_those_of_slow_loops(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    found = {
        (one.probe["task"], one.probe["arm"], one.probe["seed"]): one.metrics
        for one in finished
        if one.probe["kind"] == "member"
    }

    def mean(task, arm, what="lost"):
        return np.mean([found[task, arm, s][what] / found[task, arm, s]["told"] for s in smoke.seeds])

    claimed = numbers(smoke, data)
    copies = smoke.design.copies
    assert claimed["copy_relu"].estimate == pytest.approx(max(mean(t, "nala") - mean(t, "relu") for t in copies))
    grown = [mean(t, "nala") - mean(t, "softmax") for t in copies]
    assert claimed["copy_grows"].estimate == pytest.approx(grown[-1] - grown[0])
    hits = max(mean(MISSES, a, "hit") - mean(MISSES, "softmax", "hit") for a in ("affine", "affine_window"))
    assert claimed["affine_hits"].estimate == pytest.approx(hits)
    added = {t: mean(t, "softmax", "added") for t in (copies[0], BIGRAM, UNIGRAM)}
    assert claimed["hyper_coins"].estimate == pytest.approx(added[BIGRAM] - added[UNIGRAM])
    assert claimed["hyper_copies"].estimate == pytest.approx(added[BIGRAM] - added[copies[0]])
    counts = [one["misses"] for key, one in found.items() if key[0] == MISSES]
    assert min(counts) > 0


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["random", "copies", "price", "context", "recall", "hyper"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    members = [one for one in finished if one.probe["kind"] == "member"]
    lost = smoke.judge([one for one in finished if one is not members[0]])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_models_that_have_learnt_nothing_decide_nothing(smoke, finished):
    words = {one.claim.id.removeprefix(f"{STUDY}."): one.verdict for one in smoke.judge(finished).verdicts}
    gated = ("copy_relu", "copy_softmax", "copy_longer", "copy_mass", "bigram_relu", "sinks_hits", "hyper_coins")
    assert {words[name] for name in gated} == {"undecided"}


@pytest.fixture
def well(smoke):
    """A world in which every gate is met but that on windows."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    assert list(reasons(smoke, data)) == ["hyper_copies"]
    return data


@pytest.mark.parametrize(
    ("task", "arm", "claim", "one"),
    [
        ("copy_8", "softmax", "copy_relu", True),
        ("copy_8", "softmax", "copy_longer", True),
        ("copy_8", "nala", "copy_grows", False),
        ("copy_8", "nala", "copy_spiky", False),
        ("copy_8", "taylor", "copy_mass", True),
        (LONGER, "nala", "copy_longer", False),
        (LEARNED, "softmax", "learned_copies", True),
        (LEARNED, "relu", "learned_flat", False),
        (BIGRAM, "softmax", "bigram_relu", True),
        (UNIGRAM, "softmax", "unigram_equal", True),
        (MISSES, "affine", "affine_misses", True),
        (MISSES, "sink", "whole_equal", True),
    ],
)
def test_arms_that_did_not_learn_are_named(smoke, well, task, arm, claim, one):
    """`one`: a single replicate that is stuck shuts the gate."""
    well.values["lost"][task, arm][:1] = well.told[task][:1]
    assert (f"1 of 8 runs stuck: {arm} on {task}" in reasons(smoke, well).get(claim, ())) == one
    well.values["lost"][task, arm][:] = well.told[task]
    assert any(f"{arm} on {task}" in reason for reason in reasons(smoke, well)[claim])


def test_rates_at_an_end_of_their_ladder_leave_claims_on_the_arm_open(smoke, well):
    (study,) = load_studies(CONFIG, "laptop")
    design, ladder = study.design, study.rates.rotary
    data = planted(study, CLAIMED, np.random.default_rng(0), 7)
    inside = {(task, arm): 1e-2 for task in design.tasks for arm in design.arms(task)}
    for rate, expected in (
        (ladder[1], {"hyper_copies"}),
        (ladder[-1], {"hyper_copies", "copy_relu", "copy_best", "copy_released"}),
    ):
        found = reasons(study, replace(data, rates=inside | {(task, "relu"): rate for task in design.copies}))
        assert set(found) == expected
        assert all(f"relu on {design.central}" in found[name][0] for name in expected - {"hyper_copies"})
    found = reasons(study, replace(data, rates=inside | {(BIGRAM, "elu"): ladder[-1], (UNIGRAM, "elu"): ladder[-1]}))
    assert set(found) == {"hyper_copies", "unigram_equal"}


def test_nothing_is_better_where_there_is_no_room(smoke, well):
    well.values["miss"][MISSES, "softmax"][:] = 0.0007 * well.told[MISSES]
    found = reasons(smoke, well)
    assert set(found) == {"affine_misses", "window_misses", "sinks_misses", "hyper_copies"}
    assert "no room: the softmax is at 0.0007" in found["sinks_misses"][0]
    assert "windows of 8 tokens are too short, 16 would do" in found["hyper_copies"]


def test_a_stuck_softmax_among_seven_shuts_claims_on_copies_alone(smoke):
    found = reasons(smoke, planted(smoke, STUCK, np.random.default_rng(0), 7))
    assert set(found) == set(RESTS_ON_COPIES)


def test_random_rows_need_no_training(smoke):
    for world in (CLAIMED, NOTHING):
        data = planted(smoke, world, np.random.default_rng(0), 7)
        assert data.random[:, KERNELS.index("nala"), -1].mean() > 0.5 * math.log(smoke.reading.n_keys)
    assert not set(reasons(smoke, data)) & set(UNTRAINED)


def test_allowed_entropy_is_read_between_the_points_of_the_price(well, smoke):
    length = smoke.design.middle
    assert np.interp(allowed(well, length), *well.demand[length]) == pytest.approx(0.01 * math.log(4))


def test_only_recall_has_sources_without_missing_keys():
    design = Design()
    assert design.source(MISSES).missing == 0.3
    assert design.source(MISSES, missing=False).missing == 0.0
    assert design.source(MISSES).vocab_size == design.source(MISSES, missing=False).vocab_size
