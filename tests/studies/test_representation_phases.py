"""The study `representation_phases`: its sources, its detector against plain twins and by chance, and a smoke run."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from testbed.core import ConfigError
from testbed.sources.markov import MarkovSource
from testbed.studies import load_studies
from testbed.studies.representation_phases import RepresentationPhases
from testbed.studies.representation_phases.config import CORNERS, FAMILIES, LayerArm
from testbed.studies.representation_phases.data import gather
from testbed.studies.representation_phases.evidence import (
    belief_block,
    believes,
    coincide,
    collapse_block,
    evidence,
    has,
    is_open,
    memorises,
    re_paired,
    says_unigrams,
)
from testbed.studies.representation_phases.laws import (
    coupled,
    informative,
    law_of,
    layer_source,
    mutual_information,
    zipf,
)
from testbed.studies.representation_phases.measure import matrix_entropy
from testbed.studies.representation_phases.pairing import Between, discordant, re_paired_sign, share
from testbed.studies.representation_phases.phases import (
    by_chance,
    jitter_of,
    one_turn,
    pending,
    smoothed,
    three_legs,
    two_legs,
)
from testbed.studies.representation_phases.worlds import BOTH, LEGS, NONE, path, planted

CONFIG = Path(__file__).parents[2] / "configs" / "representation_phases.toml"


@pytest.fixture(scope="module")
def smoke() -> RepresentationPhases:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, RepresentationPhases)
    return study


# ------------------------------------------------------------------------------------------------ the sources
@given(
    seed=st.integers(0, 10**6), m=st.integers(3, 6), n=st.integers(3, 6), exponent=st.sampled_from([0.0, 1.0]),
    information=st.floats(0.05, 0.4),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_margins_and_information_are_as_wanted(seed, m, n, exponent, information):
    rng = np.random.default_rng(seed)
    left, right = np.full(m, 1 / m), zipf(n, exponent)
    joint = informative(rng.normal(size=(m, n)), left, right, information)
    np.testing.assert_allclose(joint.sum(axis=1), left, atol=1e-12)
    np.testing.assert_allclose(joint.sum(axis=0), right, atol=1e-7)
    assert mutual_information(joint) == pytest.approx(information, abs=1e-3)


def test_no_strength_is_independence():
    left, right = zipf(3, 1.0), zipf(4, 0.0)
    np.testing.assert_allclose(coupled(np.ones((3, 4)), 5.0, left, right), np.outer(left, right), atol=1e-12)
    with pytest.raises(ConfigError, match="information: given 3.0 nats, out of reach"):
        informative(np.random.default_rng(0).normal(size=(3, 4)), left, right, 3.0)


def test_unigrams_of_the_sources_are_zipf_or_uniform(smoke):
    for name in FAMILIES:
        for corner in CORNERS:
            family = smoke.family(name)
            source = law_of(family, name, corner, smoke.exponent, 7)
            wanted = zipf(family.size(corner).vocab_size, float(corner.startswith("skewed")))
            blank = np.zeros((1, 1), dtype=np.int64)
            np.testing.assert_allclose(source.predict(blank, context=0)[0, 0], wanted, atol=1e-6)
            if name == "bigram":
                levels = source.conditional_entropies(1).value
                assert levels[0] - levels[1] == pytest.approx(family.information, abs=1e-3)


def test_a_drawn_chain_is_the_machine_of_its_last_symbols():
    arm = LayerArm(name="chain", vocab_size=3, order=2, rate_share=0.5)
    machine, chain = layer_source(arm, 3), MarkovSource.random(3, 2, entropy_rate=0.5 * np.log(3), seed=3)
    tokens = chain.sample(20, 6, seed=1)
    np.testing.assert_allclose(machine.predict(tokens), chain.predict(tokens), atol=1e-6)


# ------------------------------------------------------------------------------------------------ the detector
def plain_legs(values) -> float:
    """The smallest leg of the best fall, rise, fall: over every four points."""
    r = smoothed(values)
    return max(min(r[i] - r[j], r[k] - r[j], r[k] - r[l]) for i, j, k, l in four(len(r)))


def four(n):
    """i <= j < k <= l."""
    return [(i, j, k, l) for j, k in combinations(range(n), 2) for i in range(j + 1) for l in range(k, n)]


@given(arrays.arrays(np.float64, st.integers(4, 9), elements=st.floats(-3, 3)))
@settings(max_examples=25, deadline=None)
def test_the_legs_are_the_best_of_all(values):
    found = three_legs(values)
    assert min(found.legs) == pytest.approx(plain_legs(values), abs=1e-12)
    assert min(two_legs(values).legs) >= min(found.legs) - 1e-12
    mirrored = three_legs(values + 5.0)
    np.testing.assert_allclose(mirrored.legs, found.legs, atol=1e-9)


@given(arrays.arrays(np.float64, st.integers(4, 30), elements=st.floats(0, 1)))
@settings(max_examples=25, deadline=None)
def test_one_way_and_one_spike_are_no_phases(steps):
    down = -np.cumsum(steps)
    for values in (down, -down):
        assert min(three_legs(values).legs) <= 1e-12
        assert not three_legs(values).found(0.1, 4.0)
    spiked = np.zeros(12)
    spiked[4], spiked[8] = -9.0, 9.0
    assert min(three_legs(spiked).legs) == 0.0


def test_jitter_is_that_of_noise_on_a_line():
    """20,000 points; the median's relative error is about 1.7 / sqrt(20,000), a tenth of the tolerance."""
    rng = np.random.default_rng(0)
    noise = 0.3 * rng.standard_normal(20_000) + np.linspace(0, 5, 20_000)
    assert jitter_of(noise) == pytest.approx(0.3, rel=0.1)


def test_phases_are_found_and_noise_is_not():
    """Of 400 paths of noise alone, one in twenty would be 20; a chance below 1e-6 if it were one in a hundred."""
    rng = np.random.default_rng(1)
    for name, legs in LEGS.items():
        found = three_legs(path(legs) + 0.01 * rng.standard_normal(len(path(legs))))
        assert found.found(0.1, 4.0) == (name == "phases")
    noise = [three_legs(rng.standard_normal(37)).found(0.1, 4.0) for _ in range(400)]
    assert np.sum(noise) < 20


@given(arrays.arrays(np.float64, st.integers(4, 7), elements=st.integers(-3, 3).map(float)))
@settings(max_examples=15, deadline=None)
def test_one_turn_is_the_nearest_of_its_kind(values):
    """The fit has one turn at most, and no path of one turn on a grid of its values is nearer."""
    fit = one_turn(values)
    assert min(three_legs(np.repeat(fit, 3)).legs) <= 1e-9
    grid = np.unique(values)
    rng = np.random.default_rng(0)
    for _ in range(60):
        parts = np.split(rng.choice(grid, len(values)), [rng.integers(len(values) + 1)])
        for sign in (1, -1):
            other = np.concatenate([-sign * np.sort(-sign * parts[0]), sign * np.sort(sign * parts[1])])
            assert np.sum((fit - values) ** 2) <= np.sum((other - values) ** 2) + 1e-9


def test_false_alarms_are_told_by_noise_on_one_turn():
    """The control can fail: without a limit on jitter, noise alone makes phases. Few of 40 do with it."""
    rng = np.random.default_rng(5)
    noisy = path((1.0, 0.6, 0.0)) + 0.2 * rng.standard_normal(36)
    assert by_chance(noisy, 0, 0.1, 0.0, 40, rng) > 0.5
    assert by_chance(noisy, 0, 0.1, 4.0, 40, rng) < 0.2


def test_jitter_is_read_after_the_warm_up():
    """Half of the points are free of noise: over all of them the median says nothing of the noise."""
    rng = np.random.default_rng(6)
    values = np.concatenate([np.linspace(0, 1, 40), 1 + 0.1 * rng.standard_normal(30)])
    assert three_legs(values).sigma < 0.02
    assert three_legs(values, 40).sigma > 0.05


def test_an_end_is_open_where_it_rises_or_would_complete_the_phases():
    line = np.interp(np.arange(36), [0, 12, 35], [2.0, 1.0, 2.0])
    settings_ = (12, 0, 0.1, 4.0, 0.05)
    assert pending(line, *settings_)  # still rising
    flat = np.interp(np.arange(36), [0, 12, 20, 35], [2.0, 1.0, 1.6, 1.6])
    assert not pending(flat, 24, *settings_[1:])
    falling = np.interp(np.arange(36), [0, 12, 24, 35], [2.0, 1.0, 1.6, 1.53])
    assert pending(falling, 24, *settings_[1:])
    fallen = path(LEGS["phases"])
    assert three_legs(fallen).found(0.1, 4.0)
    assert not pending(fallen, 24, *settings_[1:])
    one_way = np.linspace(2.0, 0.0, 36)  # however far it goes on, it falls once
    assert not pending(one_way, 24, *settings_[1:])


# ------------------------------------------------------------------------------------------------ counts
@given(
    a=arrays.arrays(np.bool_, 24), b=arrays.arrays(np.bool_, 24), open_a=arrays.arrays(np.bool_, 24),
    open_b=arrays.arrays(np.bool_, 24), fill=arrays.arrays(np.bool_, 24),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_open_ends_count_against_whatever_is_said(a, b, open_a, open_b, fill):
    """However open runs end, the evidence is no stronger than if it had been known."""
    true_a, true_b = a | (open_a & fill), b | (open_b & fill)
    bounded, known = share(a, open_a), share(true_a)
    assert isinstance(bounded, Between)
    for r in (0.2, 0.5, 0.8):
        assert bounded.p_above(r) >= known.p_above(r) - 1e-12
        assert bounded.p_below(r) >= known.p_below(r) - 1e-12
    none = np.zeros(24, dtype=bool)
    paired, settled = discordant(a, b, open_a, open_b), discordant(true_a, true_b, none, none)
    if isinstance(paired, Between) and isinstance(settled, Between):
        assert paired.p_above(0.5) >= settled.p_above(0.5) - 1e-12
        assert paired.p_below(0.5) >= settled.p_below(0.5) - 1e-12
        low, high = paired.interval(0.05)
        assert low <= settled.estimate <= high


def test_re_pairing_tells_a_match_from_none():
    """Of 400 pairs without a match half are won, within five standard errors; all are where runs match themselves."""
    rng = np.random.default_rng(8)
    own = rng.normal(size=800)
    match = -np.abs(own[:, None] - own[None, :])
    assert re_paired_sign(match).estimate == 1.0
    other = -np.abs(own[:, None] - rng.normal(size=800)[None, :])
    assert re_paired_sign(other).estimate == pytest.approx(0.5, abs=0.13)
    assert re_paired_sign(np.ones((8, 8))).withheld  # always the same block: a swap changes nothing


# ------------------------------------------------------------------------------------------------ layers
def test_matrix_entropy_is_that_of_the_gram_matrix_and_keeps_under_rotation():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(12, 5))
    gram = z @ z.T / np.trace(z @ z.T)
    values = np.linalg.eigvalsh(gram)
    values = values[values > 1e-14]
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert matrix_entropy(z) == pytest.approx(-np.sum(values * np.log(values)), abs=1e-12)
    assert matrix_entropy(3 * z @ rotation) == pytest.approx(matrix_entropy(z), abs=1e-12)
    assert matrix_entropy(z) <= np.log(5)


def test_blocks_of_largest_change_and_their_coincidence():
    entropy = np.array([[3.0, 2.0, 1.9], [1.0, 2.0, 3.0], [3.0, 2.9, 1.0]])
    belief = np.array([[0.0, 0.5, 0.6], [0.0, 0.5, 0.6], [0.5, 0.4, 0.3]])
    i, j = collapse_block(entropy), belief_block(belief)
    assert (i.tolist(), j.tolist()) == ([1, 0, 2], [1, 1, -9])
    assert coincide(i, j).tolist() == [True, False, False]
    assert coincide([2, 0], [1, 0]).tolist() == [False, False]
    assert re_paired([1, 1, 2], [1, 2, 2]) == pytest.approx(2 / 6)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_the_early_part_is_the_start_of_the_late_one(scale):
    (study,) = load_studies(CONFIG, scale)
    family = study.bigram
    from testbed.studies.representation_phases.grid import early_steps, run_cell
    from testbed.training.evaluation import path_steps

    early, late, trial = (
        run_cell(study, "bigram", "skewed, tight", study.first_seed, 1e-2, kind) for kind in ("early", "late", "tuning")
    )
    assert path_steps(family.steps, study.recipe.late_points)[0] == early_steps(family.steps)
    assert early.training.optimiser.replace(steps=family.steps) == late.training.optimiser
    assert late.training.optimiser.clip is None
    assert late.training.optimiser == trial.training.optimiser
    assert early.training.source == late.training.source
    assert study.reading.n_inputs >= 16 * max(study.family(one).wide.width for one in FAMILIES) or scale == "smoke"
    if scale != "smoke":
        assert study.first_seed >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bigram.tight.width=3", "width: given 3"),
        ("bigram.tight.width=4", "at most a quarter of 8"),
        ("bigram.wide.width=4", "must be at least V = 8"),
        ("bigram.tight.learning_rates=[2e-2, 1e-2]", "must rise from above 0"),
        ("layers.heads=3", "heads: given 3"),
        ("layers.first_position=4", "first_position: given 4"),
        ("model.width=8", "model"),
        ('families=["hidden", "hidden"]', "families: given hidden, hidden"),
        ("bounds.near=1", "near"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_moments_of_memorising_and_beliefs_are_told_in_planted_worlds():
    """Claims on hidden sources are decided at larger scales alone."""
    (gpu,) = load_studies(CONFIG, "gpu", ["n_seeds=48"])
    rng = np.random.default_rng(4)
    for name in (BOTH, NONE):
        data = planted(gpu, name, rng, 48)
        runs = data.runs["hidden", "skewed, tight"]
        number = memorises(runs, has(runs, gpu.reading, "covariance"))
        assert (number.lower(0.01) > 0.5) == (name == BOTH)
        assert bool(number.withheld) == (name == NONE)
        assert (believes(data.streams["RRXOR"]).mean() > 0.5) == (name == BOTH)
    assert {one.decided_at for one in gpu.claims()} == {"gpu"}
    (laptop,) = load_studies(CONFIG, "laptop", ['families=["bigram", "hidden"]'])
    later = [one.id for one in laptop.claims() if one.decided_at == "gpu"]
    assert {one.rpartition(".")[2] for one in later} >= {"memorises", "phases_hidden", "bottleneck_hidden"}
    numbers = evidence(laptop, planted(laptop, BOTH, rng, 20))
    assert all(numbers[one].withheld for one in later)


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}
    data = gather(smoke, finished)
    assert data is not None
    for (name, corner), runs in data.runs.items():
        assert runs.step[0] == 0
        assert np.all(np.diff(runs.step) > 0)
        assert runs.rank.shape == (smoke.n_seeds, len(runs.step))
        assert runs.rank.max() <= smoke.family(name).size(corner).width + 1e-9
        assert runs.rank.min() >= 1
        flags = has(runs, smoke.reading, "covariance"), is_open(runs, smoke.reading, smoke.bounds)
        assert {len(one) for one in (*flags, says_unigrams(runs, smoke.bounds))} == {smoke.n_seeds}
        assert memorises(runs, flags[0]).withheld  # too few
        assert runs.step[runs.warm] >= smoke.recipe.warmup_steps or runs.warm == len(runs.step) - 3
        if name == "bigram":  # of a chain of order 1 longer contexts tell no more
            np.testing.assert_allclose(runs.divergence[:, 1], runs.divergence[:, 3], atol=1e-6)
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
