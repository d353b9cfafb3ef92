"""The study `recall_order`: the best memory, where memory is bounded, and the judge's numbers."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.studies.configs import load_studies
from testbed.studies.recall_order.config import ARMS, ORDERS, Case
from testbed.studies.recall_order.data import gather
from testbed.studies.recall_order.evidence import evidence
from testbed.studies.recall_order.grid import all_cells, member_cell, tuning_score
from testbed.studies.recall_order.hardening import cuts, hardened, windows
from testbed.studies.recall_order.judgement import bound_of, excess_over_bound
from testbed.studies.recall_order.measure import answers, losses
from testbed.studies.recall_order.partition import (
    needed_bits,
)
from testbed.studies.recall_order.study import RecallOrder
from testbed.studies.recall_order.worlds import CLAIMED, RAISING, planted
from testbed.training.member import TrainedMember

CONFIG = Path(__file__).parents[2] / "configs" / "recall_order.toml"


@pytest.fixture(scope="module")
def smoke() -> RecallOrder:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, RecallOrder)
    return study


# ------------------------------------------------------------------------------------------------ cells
def test_arms_and_orders_of_a_replicate_differ_in_what_they_say(smoke):
    cells = {(arm, order): member_cell(smoke, arm, order, 3, 1e-2) for arm in ARMS for order in ORDERS}
    assert len({one.training.training_key for one in cells.values()}) == len(cells)
    assert all(one.training.optimiser.clip is None for one in cells.values())
    assert {(one.training.data.seed, one.training.initial_seed) for one in cells.values()} == {(3, 3)}
    for (arm, order), one in cells.items():
        source, length = one.training.source, one.training.context_length + 1
        case = smoke.design.main
        sizes = (case.small, case.large) if order == "small_first" else (case.large, case.small)
        assert source.sizes(length) == sizes
        assert source.intersecting == 0.5
        assert source.information_needed(length) / math.log(2) == pytest.approx(
            needed_bits(case.n_elements, min(sizes) if arm == "twice" else sizes[0])
        )


def test_the_rate_is_chosen_first_and_on_seeds_of_its_own(smoke, finished):
    assert {one.probe.kind for one in all_cells(smoke, {})} == {"exact", "rate"}
    every = list(all_cells(smoke, {one.key: one for one in finished}))
    assert {one.probe.seed for one in every if one.probe.kind == "rate"}.isdisjoint(smoke.seeds)
    assert {one.probe.arm for one in every if one.probe.kind == "rate"} == set(ARMS)
    (laptop,) = load_studies(CONFIG, "laptop")
    rates = [one for one in all_cells(laptop, {}) if one.probe.kind == "rate" and one.probe.arm == "twice"]
    assert {sum(one.probe.order == order for one in rates) for order in ORDERS} == {len(rates) // 2}
    assert min(laptop.seeds) >= 400


def test_rates_at_which_more_learn_come_first():
    few, many = [0.001, 0.001, 0.5, 0.6], [0.015, 0.015, 0.015, 0.6]
    assert tuning_score(many, 0.03) < tuning_score(few, 0.03) < tuning_score([math.inf] * 4, 0.03)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("design.main={n_elements=5, small=3, large=2}", "large"),
        ("design.main={n_elements=5, small=2, large=4}", "n_elements"),
        ("design.exact={n_elements=6, small=1, large=2}", "exact.n_elements"),
        ("network.narrow_key_size=2", "narrow_key_size"),
        ("network.depth=1", "network.depth"),
        ("memory.states=[4, 2, 8]", "states"),
        ("memory.n_fit=8", "n_fit"),
        ("memory.middle=[1, 2]", "middle"),
        ("memory.middle=[2, 12]", "memory.middle"),
        ('arms=["once", "once"]', "arms"),
        ('arms=["twice"]', "arms"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


# ------------------------------------------------------------------------------------------------ cuts
def untrained(smoke, arm, order="small_first"):
    from testbed.training.ensemble import Ensemble

    cell = member_cell(smoke, arm, order, 1, 1e-2)
    weights = Ensemble([cell.training]).weights_EP[0].numpy()
    return TrainedMember(cell.training, "done", weights, {}, {}, False)


@pytest.mark.parametrize(("arm", "order"), [("once", "small_first"), ("twice", "large_first")])
def test_memory_is_cut_behind_separators_and_first_questions(smoke, arm, order):
    member = untrained(smoke, arm, order)
    tokens, common = windows(member, 3, 6, "cpu")
    source = member.spec.source
    at = [t for t in range(tokens.shape[1] - 1) if int(tokens[0, t]) in (source.n_elements, source.n_elements + 1)]
    assert cuts(member) == tuple(at)
    shown = tokens[:, 1:].numpy()
    first, second = source.sizes(shown.shape[1] + 1)
    assert [bool(set(row[:first]) & set(row[first + 1 : first + 1 + second])) for row in shown] == common.tolist()


@pytest.mark.parametrize("arm", ["once", "twice"])
def test_a_network_is_trained_on_from_where_it_was_and_read_as_it_is(smoke, arm):
    """Its steps change it, its laws with the memory free are those of its weights, and one state tells nothing."""
    member = untrained(smoke, arm)
    network = hardened(member, smoke.memory, "cpu")
    tokens, _ = windows(member, 4, 12, "cpu", stream="probe")
    laws, codes, others = answers(network.model, network.weights, tokens, tokens, smoke.memory.states)
    assert len(laws) == len(smoke.memory.states) + 1
    row = torch.cat([network.weights[one.name].flatten() for one in network.model.layout.entries]).numpy()
    assert not np.allclose(row, member.weights[: len(row)])
    expected = network.model.logits(network.weights, tokens[None])[0].double().log_softmax(dim=-1)[:, -2:]
    np.testing.assert_allclose(laws[-1], expected.numpy(), atol=1e-5)
    for level, ours, theirs in zip(smoke.memory.states, codes, others, strict=True):
        assert ours.max() < level
        assert (ours == theirs).all()  # the same windows
    questions = tokens[:, cuts(member)[-1] + 1 :].numpy()
    for i in range(len(questions)):
        alike = (questions == questions[i]).all(axis=1)
        assert np.ptp(laws[0][alike], axis=0).max() < 1e-5


def test_losses_count_both_answers_alike():
    log_q = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    error, nats = losses(log_q, np.array([False, False, False, True]))
    assert error == pytest.approx((1 / 3 + 0) / 2)
    assert nats == pytest.approx(-np.mean(np.log([0.9, 0.2, 0.6, 0.7])))


# ------------------------------------------------------------------------------------------------ numbers
def test_numbers_are_those_of_slow_loops(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(3), 8)
    numbers = {name.partition(".")[2]: one for name, one in evidence(smoke, data).items()}
    columns = [i for i, one in enumerate(smoke.memory.states) if 2 <= one <= 4]

    def added(arm, r):
        large, small = (data.runs[arm, order] for order in ("large_first", "small_first"))
        whole = large.whole[r] - small.whole[r]
        return sum(large.bounded[r, i] - small.bounded[r, i] - whole for i in columns) / len(columns)

    once, twice = ([added(arm, r) for r in range(8)] for arm in ("once", "twice"))
    assert numbers["order"].estimate == pytest.approx(np.mean(once))
    harm = [
        (data.runs["twice", "large_first"].bounded[r, i] - data.runs["once", "large_first"].bounded[r, i])
        for r in range(8)
        for i in columns
    ]
    left, back = np.mean(twice) - 0.5 * np.mean(once), -np.mean(twice) - 0.5 * np.mean(once)
    expected = max(left, back, 0.05 - np.mean(once), np.mean(harm))
    assert numbers["repeat"].estimate == pytest.approx(expected)
    errors = [data.runs["narrow", order].error for order in ("large_first", "small_first")]
    assert numbers["size"].estimate == pytest.approx(np.mean(errors[0] - errors[1]))
    assert numbers["softmax"].estimate == 1.0


def test_repetition_that_harms_both_orders_alike_is_no_help():
    (laptop,) = load_studies(CONFIG, "laptop")
    data = planted(laptop, RAISING, np.random.default_rng(3), 36)
    assert evidence(laptop, data)["recall_order.repeat"].estimate > 0.05


@pytest.mark.parametrize(
    ("arm", "lost"), [("once", {"order", "repeat", "size"}), ("twice", {"repeat"}), ("narrow", set())]
)
def test_arms_that_did_not_learn_decide_nothing(smoke, arm, lost):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    data.runs[arm, "large_first"].excess[:5] = 0.69
    found = {name.partition(".")[2] for name, one in evidence(smoke, data).items() if one.withheld}
    assert found == lost


def test_a_few_that_did_not_learn_or_diverged_are_left_out(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    runs = data.runs["once", "large_first"]
    runs.excess[0], runs.error[1], runs.excess[2] = 0.69, 0.1, np.nan
    runs.bounded[:3] = np.nan
    data.runs["narrow", "large_first"].error[4] = np.nan  # diverged: a guess
    numbers = evidence(smoke, data)
    assert numbers["recall_order.order"].n_independent == 5
    assert numbers["recall_order.order"].estimate > 0
    assert np.isfinite(numbers["recall_order.size"].estimate)


def test_runs_below_any_memory_are_seen(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    for order in ORDERS:
        data.runs["once", order].bounded[:] = data.runs["once", order].reader[:] = bound_of(smoke, order)
    assert abs(excess_over_bound(smoke, data)) < 1e-9
    data.runs["once", "large_first"].bounded[:, 1] -= 0.2
    assert excess_over_bound(smoke, data) < -6


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judged.verdicts} == {"undecided"}
    figures = smoke.figures(finished)
    assert list(figures) == ["order", "size", "best"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    members = [one for one in finished if one.probe["kind"] == "member"]
    lost = smoke.judge([one for one in finished if one is not members[0]])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed
    data = gather(smoke, finished)
    assert data is not None
    assert data.runs["once", "small_first"].numbers > data.runs["narrow", "small_first"].numbers > 0
    assert np.isfinite(data.runs["once", "large_first"].reader).all()


def test_claims_are_those_of_the_arms_that_are_trained(smoke):
    (fewer,) = load_studies(CONFIG, "smoke", ['arms=["once", "softmax"]'])
    named = {one.id.partition(".")[2] for one in fewer.claims()}
    assert named == {"order", "softmax"}
    data = planted(fewer, CLAIMED, np.random.default_rng(0), 8)
    assert {one.partition(".")[2] for one in evidence(fewer, data)} == named


def test_a_case_holds_both_sets():
    assert Case(n_elements=6, small=2, large=4).first("large_first") == 4
    assert needed_bits(6, 4) == pytest.approx(math.log2(15))
