"""The study `causal_state_codes`: its sources, what is read off features, and a smoke run."""

import math
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.measures.features.activation_codes import nearest_votes
from testbed.studies import load_studies
from testbed.studies.causal_state_codes import CausalStateCodes
from testbed.studies.causal_state_codes.coding import (
    code_arrays,
    common_suffix,
    numbered_histories,
    squares,
    token_window,
)
from testbed.studies.causal_state_codes.config import Clusters, Codes, Factors
from testbed.studies.causal_state_codes.data import PARTITIONS, Data, gather, plateau, replicates_of, rival_accuracy
from testbed.studies.causal_state_codes.evidence import approach, laws_bits, partition_bits, shown, states_bits
from testbed.studies.causal_state_codes.factoring import factor_arrays, principal_components, shared_direction
from testbed.studies.causal_state_codes.measure import cluster_arrays, noisy, partitions, scaled
from testbed.studies.causal_state_codes.sources import (
    PULLS,
    UNIFILAR,
    beliefs_of,
    complexity,
    factor_beliefs,
    law_classes,
    n_states,
    source_of,
    sure_states,
)

CONFIG = Path(__file__).parents[2] / "configs" / "causal_state_codes.toml"


@pytest.fixture(scope="module")
def smoke() -> CausalStateCodes:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CausalStateCodes)
    return study


# ------------------------------------------------------------------------------------------------ sources
def test_states_laws_and_complexity_of_unifilar_sources():
    """C_mu by hand; RRXOR has five states and three laws, blocks of three has three states and two laws."""
    found = {arm: (n_states(arm), int(law_classes(arm).max()) + 1) for arm in UNIFILAR}
    assert found == {
        "golden_mean": (2, 2), "even": (2, 2), "triple": (3, 2), "zero_one_random": (3, 3), "rrxor": (5, 3),
    }  # fmt: skip
    p = np.array([1.0, 0.3, 0.3]) / 1.6
    assert complexity("triple") == pytest.approx(-np.sum(p * np.log(p)), abs=1e-8)
    assert complexity("even") == pytest.approx(math.log(3) - 2 / 3 * math.log(2), abs=1e-8)
    assert complexity("zero_one_random") == pytest.approx(math.log(3), abs=1e-8)
    assert states_bits("triple") == pytest.approx(math.log2(3))
    assert laws_bits("triple") == 1.0
    assert all(source_of(arm).unifilar for arm in UNIFILAR)


def test_the_coupled_pair_by_its_rows():
    """From (s, after a 0) the second token is 1 with the pull of s, after a 1 never; the first machine is Mess3."""
    transitions = source_of("coupled").transitions
    first = source_of("mess3").transitions
    ones = transitions[1::2].sum(axis=(0, 2))
    np.testing.assert_allclose(ones, np.stack([PULLS, np.zeros(3)], axis=1).ravel(), atol=1e-8)
    marginal = transitions.reshape(3, 2, 3, 2, 3, 2).sum(axis=(1, 5))  # (v, s, last, s')
    np.testing.assert_allclose(marginal, np.repeat(first[:, :, None], 2, axis=2), atol=1e-8)
    tokens = source_of("coupled").sample(50, 8, seed=1)
    second = factor_beliefs("coupled", tokens)[1]
    assert np.array_equal(second[:, 1:].argmax(axis=2), tokens % 2)


def planted_data(**at):
    """One replicate's arrays by arm."""
    return Data(replicates_of([0]), at, {})


def test_sure_states():
    assert sure_states(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])).tolist() == [0, -1, 1]


# ------------------------------------------------------------------------------------------------ what is read off
def test_histories_are_numbered_by_what_was_seen():
    tokens = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 0]])
    history, met = numbered_histories(tokens, 2, 2)
    places = [(0, 1), (0, 1, 0), (0, 1), (0, 1, 1), (1, 1), (1, 1, 0)]
    for i in range(6):
        assert [bool(one) for one in history == history[i]] == [one == places[i] for one in places]
    assert sorted(history[met].tolist()) == list(range(history.max() + 1))
    assert token_window(tokens, 2)[0, 2].tolist() == [2, 0, 1]  # none, then 0, then 1


def test_common_suffixes_and_squares_by_loops():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (6, 5)), rng.integers(0, 2, (7, 5))
    for i in range(6):
        for j in range(7):
            length = next((m for m in range(5) if a[i, -1 - m] != b[j, -1 - m]), 5)
            assert common_suffix(a, b)[i, j] == length
            assert squares(a * 1.0, b * 1.0)[i, j] == np.sum((a[i] - b[j]) ** 2)


def test_codes_that_are_the_belief_reach_the_bayes_accuracy():
    """On the even process, and on one unit of them; codes of chance do not; the longest common suffix does as well, so
    that reaching it needs no network; no accuracy is above it."""
    rng = np.random.default_rng(0)
    tokens = source_of("even").sample(300, 8, seed=0)
    beliefs = beliefs_of("even", tokens)
    known = np.repeat(beliefs > 0.9, 8, axis=2)
    codes = [known, rng.random(known.shape) < 0.5]
    reading = Codes(n_known=600, n_judged=300, units=(1, 2, 4), few=2, n_draws=2)
    found = code_arrays("even", codes, beliefs, tokens, 4, reading, rng)
    bayes = found["bayes"]
    for name in ("suffix", "ceiling"):
        assert found[name] == pytest.approx(bayes, abs=0.02)
    assert found["accuracy"][0] == pytest.approx(bayes, abs=0.01)
    assert found["law"][1] == pytest.approx(bayes, abs=0.01)
    assert found["units"].min() > bayes - 0.1
    assert found["accuracy"][1] < bayes - 0.1
    assert found["last"][0] < bayes - 0.05
    assert found["null"] < found["majority"] + 0.1
    assert max(found["tokens"], *found["accuracy"], *found["units"], *found["last"]) <= bayes + 1e-12
    assert found["redundancy"][0] > 0.9
    few = {name: np.array([value]) for name, value in found.items()}
    assert rival_accuracy(planted_data(even=few), "even")[0] == found["suffix"]


def test_codes_of_states_are_better_than_laws_of_the_next_token():
    """On blocks of three two states have one law; errors of a law tell them apart, twentieths do not."""
    rng = np.random.default_rng(0)
    tokens = source_of("triple").sample(300, 8, seed=0)
    beliefs = beliefs_of("triple", tokens)
    codes = [np.repeat(beliefs > 0.9, 4, axis=2)] * 2
    ones = beliefs @ [0.3, 1.0, 0.998]
    reading = Codes(n_known=600, n_judged=300, units=(1, 2), few=2, n_draws=1)
    found = code_arrays("triple", codes, np.stack([1 - ones, ones], axis=2), tokens, 4, reading, rng)
    assert found["law"][0] < found["accuracy"][0] - 0.05
    assert found["law"][1] > found["accuracy"][0] - 0.03


def test_votes_of_distances_by_sorting():
    rng = np.random.default_rng(1)
    known, asked, labels = rng.dirichlet(np.ones(3), 30), rng.dirichlet(np.ones(3), 5), rng.integers(0, 3, 30)
    for one, said in zip(asked, nearest_votes(squares(asked, known), labels, 3, 5), strict=True):
        nearest = sorted(range(30), key=lambda i: math.dist(known[i], one))[:5]
        counts = [sum(labels[i] == label for i in nearest) for label in range(3)]
        assert counts[said] == max(counts)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_clusters_that_are_states_laws_or_laws_and_tokens(smoke, kind):
    """Streams made of the exact state, of its law, of its law and the last token, on blocks of three; what the read-out
    is given: laws; before training: tokens."""
    rng = np.random.default_rng(0)
    tokens = source_of("triple").sample(60, 8, seed=0)
    states = sure_states(beliefs_of("triple", tokens))
    reading = Clusters(n_rows=100, sizes=(50, 100), noises=(0.02, 0.2), bandwidths=(0.1, 0.2, 0.4))
    last = np.concatenate([np.zeros((60, 1), dtype=np.int64), tokens.astype(np.int64)], axis=1)
    laws = (states > 0).astype(np.int64)

    def streams(labels):
        return np.stack([np.eye(6)[last], np.eye(6)[labels] + 0.01 * rng.normal(size=(60, 9, 6))])

    trained = streams([states, laws, 2 * laws + last][kind])
    behind = [streams(laws)[1], np.eye(6)[last]]
    found = cluster_arrays("triple", [trained, streams(last)], behind, tokens, 4, reading, rng)
    data = planted_data(triple={name: value[None] for name, value in found.items()})
    right = {0: ["state"], 1: ["law"], 2: ["law and token"]}[kind]
    assert [one for one in PARTITIONS if shown(smoke, data, "triple", one)[0]] == right
    assert [one for one in PARTITIONS if shown(smoke, data, "triple", one, behind=True)[0]] == ["law"]
    assert [one for one in PARTITIONS if shown(smoke, data, "triple", one, end=1)[0]] == ["token"]
    assert (approach(data, "triple")[0] > 0.5) == (kind == 1)
    np.testing.assert_allclose(found["layers"][:, 0], 1.0, atol=1e-6)
    np.testing.assert_allclose(found["exact"], math.log2(3), atol=1e-6)
    assert np.abs(found["noise"][0] - found["noise"][0, 0]).max() < 0.05


def test_partitions_of_the_sources():
    """Pairs of a law and the last token: even has three, blocks of three three, 0, 1, random four."""
    found = {arm: round(2 ** partition_bits(arm, "law and token")) for arm in ("even", "triple", "zero_one_random")}
    assert found == {"even": 3, "triple": 3, "zero_one_random": 4}
    states, laws, both, last = partitions("triple", np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]))
    assert (laws[2], laws[0]) == (laws[3], laws[1])
    assert len(set(both.tolist())) == 3
    assert (states.tolist(), last.tolist()) == ([0, 0, 1, 2], [0, 1, 1, 1])


def test_noise_moves_a_single_cloud_and_not_clusters_far_apart():
    """Two points: noise of a tenth of s leaves one bit; noise of ten s parts all rows. RankMe of a line is 1."""
    rng = np.random.default_rng(0)
    rows = np.repeat([[0.0, 0, 0, 1], [0, 0, 0, 2]], 30, axis=0)
    found = noisy(rows, Clusters(noises=(0.02, 2.0)), rng)
    np.testing.assert_allclose(found[0, :2], 1.0, atol=0.01)
    assert found[0, 2] > 2
    np.testing.assert_allclose(found[1:, 0], 0.0, atol=1e-6)
    assert found[1, 2] > 0.5


def test_factors_side_by_side_and_entangled():
    rng = np.random.default_rng(0)
    tokens = source_of("product").sample(150, 8, seed=0)
    first, second = factor_beliefs("product", tokens)
    side = np.concatenate([2 * first, second], axis=2)
    mixed = np.einsum("nti,ntj->ntij", first, second).reshape(150, 9, -1) @ rng.normal(size=(6, 6))
    found = factor_arrays("product", [side, mixed], tokens, 4, Factors(n_rows=600), rng)
    assert found["raw"][0, 0] > 0.97
    assert found["raw"][1, 0] < 0.6
    assert found["overlap"][0] < 0.02 < found["overlap"][1]
    assert found["mess3"][0] > 0.9
    assert 0.6 < found["window"] < 1.0
    rows = rng.normal(size=(50, 3)) * [3.0, 1.0, 0.01]
    assert principal_components(rows, 0.95).shape == (50, 2)
    assert np.sum(scaled(rows) ** 2) == pytest.approx(50)
    line = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    within = np.array(
        [[0.0, 0], [0, 0], [1, 0], [1, 0], [0, 1], [1, 1]]
    )  # the second factor moves in the first's plane
    assert shared_direction(within, np.array([[0, 0], [0, 0], [1, 0], [1, 0], [2, 0], [2, 1]])) == pytest.approx(1.0)
    assert shared_direction(line, np.array([[0, 0], [1, 0], [0, 1], [1, 1]])) == pytest.approx(0.0, abs=1e-12)


def test_plateaus_are_stretches():
    reading = Clusters(bandwidths=(0.01, 0.1, 1.0, 10.0))
    sweep = np.array([[5.0, 1.0, 1.05, 0.0], [1.0, 3.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert plateau(sweep, 1.0, 0.1, reading).tolist() == [1.0, 0.0, 3.0]


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('clustered=["even", "golden_mean"]', "clustered: given"),
        ('model.activation="gelu"', "codes are those"),
        ("reading.codes.units=[2, 4]", "units: given"),
        ("reading.codes.units=[1, 4, 64]", "of 16 hidden units"),
        ("reading.codes.n_neighbours_hidden=200", "n_neighbours_hidden: given"),
        ("reading.first_position=5", "first_position: given 5"),
        ("reading.clusters.noises=[1.0, 2.0]", "noises: given"),
        ("recipe.learning_rates=[2e-3, 1e-3]", "learning_rates: given"),
        ("optimiser.clip=1.0", "optimiser"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


@pytest.mark.parametrize("scale", ["laptop", "gpu", "full"])
def test_replicates_have_weights_and_tokens_of_their_own(scale):
    (study,) = load_studies(CONFIG, scale, ["n_seeds=2"])
    tuning = study.cells({})
    assert {cell.probe.kind for cell in tuning} == {"tuning"}
    assert {cell.training.optimiser.clip for cell in tuning} == {None}
    assert min(study.seeds) >= 100
    assert study.reading.clusters.decade
    assert any(one.id.endswith("states_rrxor") for one in study.claims()) == (scale != "laptop")


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}
    assert gather(smoke, finished) is not None
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
