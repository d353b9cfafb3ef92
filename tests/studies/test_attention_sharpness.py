"""The study `attention_sharpness`: its laws, the readout carried on, events along training, and a smoke run."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.attention_sharpness import AttentionSharpness
from testbed.studies.attention_sharpness.config import Bounds
from testbed.studies.attention_sharpness.evidence import row_mean
from testbed.studies.attention_sharpness.grid import all_cells, lengths
from testbed.studies.attention_sharpness.laws import (
    binary_entropy,
    crossing,
    failing_length,
    information,
    lost_share,
    others,
    slope,
)
from testbed.studies.attention_sharpness.readout import carried_excess, counts
from testbed.studies.attention_sharpness.results import collapse_and_spike, gather, largest_rate, lead
from testbed.theory import copy_information_loss

CONFIG = Path(__file__).parents[2] / "configs" / "attention_sharpness.toml"


@pytest.fixture(scope="module")
def smoke() -> AttentionSharpness:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, AttentionSharpness)
    return study


# ------------------------------------------------------------------------------------------------ laws
@given(st.floats(0.0, 6.0), st.floats(3.0, 1e6))
@settings(max_examples=15, deadline=None)
def test_without_noise_the_law_is_that_of_the_theory_room(gap, length):
    """There one bit of T is not known; here the query's own is, so that T - 2 others add noise where T - 1 did."""
    n_keys = round(length)
    theory = copy_information_loss(gap, n_keys) / math.log(2.0)
    assert lost_share(gap, n_keys + 1.0, 1e-12) == pytest.approx(theory, abs=1e-6)


def test_the_law_is_what_sampled_signs_leave():
    """Twin: the mutual information of the target and u + S / e^g, estimated by binning 400,000 draws; a bin is as wide
    as 12 steps of S, so that the reader is a smooth one. Binning loses less than .01 here."""
    gap, n_keys, noise = 3.0, 602, 0.1
    rng = np.random.default_rng(0)
    u = rng.choice([-1.0, 1.0], 400_000)
    mixed = u + (2.0 * rng.binomial(n_keys - 2, 0.5, len(u)) - (n_keys - 2)) * math.exp(-gap)
    bins = np.digitize(mixed, np.arange(-8, 8, 24 * math.exp(-gap) / 4))
    ones = np.bincount(bins, u > 0, 400)
    total = np.bincount(bins, minlength=400)
    share = np.divide(ones, total, out=np.zeros(400), where=total > 0)
    left = (total * binary_entropy(noise + (1 - 2 * noise) * share)).sum() / len(u) - binary_entropy(noise)
    assert left / information(noise) == pytest.approx(lost_share(gap, n_keys, noise), abs=0.02)


@given(st.floats(0.2, 6.0), st.floats(0.01, 0.3), st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_the_failing_length_is_where_the_share_is_lost_and_grows_as_the_square(gap, noise, share):
    found = failing_length(gap, noise, share)
    assert lost_share(gap, found, noise) == pytest.approx(share, abs=1e-6)
    assert failing_length(gap + 1.0, noise, share) - 2.0 == pytest.approx(math.e**2 * (found - 2.0))


def test_a_head_that_scores_tokens_too_escapes_the_noise():
    """Why the study's head goes by distance alone: with logits within g, ones scored 0 and worth 1, zeros scored g and
    worth e^-g, every other key adds 1 to the numerator, and a constant key shows the normaliser. A linear readout of
    the mixture then tells the target where the law leaves next to nothing."""
    gap, n_keys = 1.0, 2000
    assert lost_share(gap, n_keys, 0.05) > 0.98
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (200, n_keys))
    logits = np.where(bits == 1, 0.0, gap)
    logits[:, 0] = gap  # the target, whatever it is
    mass = np.exp(np.column_stack([np.zeros(200), logits]))  # a begin symbol first
    weights = mass / mass.sum(axis=1, keepdims=True)
    values = np.where(bits == 1, 1.0, math.exp(-gap))
    numerator, constant = (weights[:, 1:] * values).sum(axis=1), weights[:, 0]
    read = numerator - (n_keys - 1 + (math.exp(gap) + 1) / 2) * constant
    assert ((read > 0) == (bits[:, 0] == 1)).all()


def test_crossings():
    assert math.exp(crossing([4, 16, 64], [0.1, 0.3, 0.7])) == pytest.approx(32.0)
    assert math.isnan(crossing([4, 16], [0.1, 0.3]))
    assert math.isnan(crossing([4, 16], [0.6, 0.7]))
    assert math.isnan(crossing([4, 16, 64], [0.1, math.nan, 0.7]))
    assert math.exp(crossing([4, 16, 64], [0.0, 0.5, math.nan])) == pytest.approx(16.0)
    assert slope([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(2.0)
    law = [math.log(failing_length(gap, 0.05)) for gap in (0.5, 1.0, 2.0)]
    assert slope([0.5, 1.0, 2.0], others(law)) == pytest.approx(2.0)
    assert np.isnan(others([0.5])).all()
    assert math.isnan(slope([1.0, 2.0], [math.nan, 1.0]))


def test_quantiles_of_counts_are_those_of_the_binomial_law():
    from scipy.stats import binom

    middles = (np.arange(50) + 0.5) / 50
    for n in (1, 2, 7, 60, 4001, 10**6):
        assert counts(n, 50) == pytest.approx(binom.ppf(middles, n, 0.5), abs=1)


# ------------------------------------------------------------------------------------------------ events
def along(entropy: list[float], excess: list[float], status: str = "done") -> Record:
    arrays = {
        "step": np.arange(1.0, len(entropy) + 1),
        "entropy": np.array(entropy)[:, None, None],
        "excess": np.array(excess),
    }
    return Record("k", "attention_sharpness", {"probe": {}}, status, {"no_context": 1.0}, arrays)  # type: ignore[arg-type]


def test_collapse_and_spike_are_the_first_of_their_kind():
    b = Bounds(collapsed=0.25, rise=0.2)
    one = along([0.9, 0.2, 0.1, 0.5], [0.5, 0.4, 0.55, 0.7])
    assert collapse_and_spike(one, b) == (2.0, 4.0)
    assert lead(one, b) == 2.0
    assert lead(along([0.9, 0.9, 0.1], [0.1, 0.5, 0.6]), b) == -1.0
    assert math.isnan(lead(along([0.9, 0.9], [0.1, 0.5]), b))
    assert math.isnan(lead(along([0.9, 0.1], [0.5, 0.4]), b))
    assert collapse_and_spike(along([0.9, 0.9], [0.1, math.nan]), b) == (math.inf, 2.0)  # a loss that is lost


def test_the_largest_rate_is_the_last_of_those_that_work_in_a_row(smoke):
    rates = np.log(smoke.sweep.rates)
    works = np.array([[True, True, False], [False, True, True], [True, False, True], [False, False, False]])
    found = largest_rate(smoke, works)
    assert found[:3] == pytest.approx([rates[1], rates[2], rates[0]])
    assert found[3] == pytest.approx(2 * rates[0] - rates[1])


def test_means_leave_out_what_is_not_known():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    assert row_mean(values)[0] == 2.0
    assert np.isnan(row_mean(values)[1])
    assert row_mean(values, np.array([[True, True, False], [True] * 3]))[0] == 1.0


# ------------------------------------------------------------------------------------------------ the study
def test_a_readout_carried_to_its_own_length_is_the_model(smoke, finished):
    """The transformer with its logits set, on all bits of the other keys, against the closed form with its quantiles
    replaced by all counts."""
    import torch

    from testbed.methods.distance_logits import DistanceLogits
    from testbed.studies.attention_sharpness.readout import _parts, log_law
    from testbed.training.trainer import train

    cell = next(c for c in all_cells(smoke, {r.key: r for r in finished}) if c.probe.kind == "readout")
    (member,) = train([cell.training])
    length, gap = cell.probe.length, cell.probe.gap
    model, weights = member.opened()
    assert isinstance(model.config.methods[0], DistanceLogits)
    b = weights["method.distance_logits.b"]
    b[:] = -60.0
    b[..., length - 1] = 60.0
    codes = np.arange(2**length)[:, None] // 2 ** np.arange(length) % 2
    tokens = np.concatenate([np.full((len(codes), 1), 2), codes], axis=1)
    with torch.no_grad():
        found = model.logits(weights, torch.from_numpy(tokens)[None])[0].log_softmax(-1).numpy()
    for code, law in zip(codes[::7], found[::7], strict=True):
        ones = np.array([float(code[1:-1].sum())])
        closed = log_law(_parts(member), gap, length, int(code[0]), int(code[-1]), ones)[0]
        assert law == pytest.approx(closed, abs=1e-4)
    noise = smoke.copies.noise
    truth = np.where(codes[:, :1] == np.arange(2), 1 - noise, noise)
    exact = float((truth * (np.log(truth) - found)).sum(axis=1).mean())
    assert carried_excess(member, gap, [length], noise)[0] == pytest.approx(exact, abs=0.02 * exact + 1e-3)


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    import matplotlib.pyplot as plt

    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert set(figures) == {"rates", "ramp", "floor", "lengths"}
    assert {claim for one in figures.values() for claim in one.claims} == {claim.id for claim in smoke.claims()}
    for one in figures.values():
        assert one.rows
        plt.close(one.figure)
    members = [one for one in finished if not one.probe["tuning"]]
    assert smoke.figures(members[:-1]) == {}
    assert [check.name for check in smoke.judge(members[:-1]).checks] == ["complete"]


def test_entropies_are_shares_and_no_row_lies_below_its_floor(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    assert data.least_slack > -1e-4
    for one in finished:
        if one.probe["kind"] in ("sweep", "ramp"):
            entropy = one.arrays["entropy"]
            assert entropy.shape == (len(one.arrays["step"]), 1, smoke.model.heads)
            assert (entropy > -1e-6).all()
            assert (entropy < 1 + 1e-6).all()
        if one.probe["kind"] == "sweep" and one.probe["arm"] == "none":
            assert 0 <= one.metrics["floor_of_weights"] <= 1
        if one.probe["kind"] == "length" and not one.probe["tuning"]:
            assert one.metrics["gap_reached"] <= one.probe["gap"]


def test_a_row_below_its_floor_voids_the_study(smoke, finished):
    broken = [
        Record(one.key, one.study, one.cell, one.status, one.metrics | {"least_slack": -0.1}, one.arrays)
        if one.probe["kind"] == "sweep"
        else one
        for one in finished
    ]
    judgement = smoke.judge(broken)
    assert [check.passed for check in judgement.checks] == [False]
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_members_that_diverged_are_counted_as_failures(smoke, finished):
    lost = [
        Record(one.key, one.study, one.cell, "diverged", one.metrics, one.arrays)
        if one.probe["kind"] == "sweep" and one.probe["seed"] == smoke.first_seed
        else one
        for one in finished
    ]
    data = gather(smoke, lost)
    assert data is not None
    assert not any(works[0].any() for works in data.works.values())
    assert all(np.isnan(entropy[0]).all() for entropy in data.entropy.values())
    assert [one.claim for one in smoke.judge(lost).verdicts] == list(smoke.claims())


def test_tuning_comes_first_and_sees_seeds_of_its_own(smoke):
    first = [cell.probe for cell in all_cells(smoke, {}) if cell.probe.kind in ("length", "readout")]
    assert all(probe.tuning and probe.seed >= 1_000_000 for probe in first)
    for gap in smoke.copies.gaps:
        at = lengths(smoke, gap)
        assert at[0] < failing_length(gap, smoke.copies.noise) < at[-1]


def test_verdicts_come_from_seeds_that_trials_did_not_see():
    (laptop,) = load_studies(CONFIG, "laptop")
    assert min(laptop.seeds) >= 100
    assert laptop.n_seeds >= 8
    assert laptop.copies.tuning_seeds >= 3


def test_configs_that_make_no_sense_are_refused():
    for override, said in (
        ("copies.gaps=[2.0,1.0,3.0]", "must rise"),
        ("copies.multiples=[1.5,2.0]", "both sides of 1"),
        ("sweep.rates=[0.1,0.1,0.2]", "must rise"),
        ('sweep.arms=[{name="sigma"},{name="none"}]', "need none"),
        ('sweep.arms=[{name="none"},{name="sigma"},{name="sigma"}]', "two of one name"),
    ):
        with pytest.raises(ConfigError, match=said):
            load_studies(CONFIG, "smoke", [override])
