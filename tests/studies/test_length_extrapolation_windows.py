"""The study `length_extrapolation`: how far masks reach, what appended tokens do to attention, hidden tokens."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.runs import Store, finished_records, run
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.length_extrapolation import LengthExtrapolation
from testbed.studies.length_extrapolation.heads import appended
from testbed.studies.length_extrapolation.reach import contiguous, lags_back, reach_of, reached
from testbed.studies.length_extrapolation.results import Row, measured

CONFIG = Path(__file__).parents[2] / "configs" / "length_extrapolation.toml"


def load(scale: str, *overrides: str) -> LengthExtrapolation:
    (study,) = load_studies(CONFIG, scale, overrides)
    assert isinstance(study, LengthExtrapolation)
    return study


# ------------------------------------------------------------------------------------------------ reach
def band(n: int, w: int) -> np.ndarray:
    back = np.arange(n)[:, None] - np.arange(n)[None, :]
    return (back >= 0) & (back < w)


def walk(visible: np.ndarray, place: int, depth: int) -> set[int]:
    """The slow twin: every path of so many steps or fewer."""
    found = {place}
    for _ in range(depth):
        found |= {int(key) for query in found for key in np.flatnonzero(visible[query])}
    return found


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_reach_is_that_of_all_paths(n, depth, seed):
    visible = np.tril(np.random.default_rng(seed).random((n, n)) < 0.3) | np.eye(n, dtype=bool)
    places = np.arange(n)
    for row, place in zip(reached(visible, places, depth), places, strict=True):
        assert set(np.flatnonzero(row)) == walk(visible, place, depth)


@given(st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=24, deadline=None)
def test_a_band_reaches_as_its_docstring_says(w, depth):
    row = reached(band(40, w), np.array([39]), depth)[0]
    assert contiguous(row, 39) == depth * (w - 1) + 1


def test_the_nearest_token_of_the_phase_is_what_counts():
    row = np.zeros(20, dtype=bool)
    row[[19, 18, 17]] = True  # place p holds token p - 1 and predicts token p
    assert lags_back(row, 19, 3) == 1
    assert lags_back(row, 19, 4) is None
    row[19 + 1 - 8] = True  # two lags back: a copy of the copy
    assert lags_back(row, 19, 4) == 2


def test_the_bound_is_the_loss_of_the_exact_law_given_a_context():
    """A band in one layer is a context: the source's own conditional entropies are the twin."""
    study = load("laptop")
    task = next(one for one in study.tasks if one.role == "lag").replace(depth=1)
    source, arm = task.source, study.arm("rope")
    for change in ("band of m", "band of m/2", "band of m/4", "band of m/8"):
        found = reach_of(study, task, arm, change, 4)
        h = source.conditional_entropies(max(found.steps, source.lag)).value
        assert found.loss == pytest.approx(h[found.steps] - h[source.lag], abs=1e-6)
    assert reach_of(study, task, arm, "rerope", 4) is None


def test_both_kinds_of_masks_are_judged():
    """Of the laptop's masks some must fail, some must not; one reaches by its layers alone and is not judged."""
    study = load("laptop")
    task = next(one for one in study.tasks if one.role == "lag")
    found = {
        change.name: reach
        for change in study.changes
        if change.applies_to(task, study.arm("rope"))
        and (reach := reach_of(study, task, study.arm("rope"), change.name, study.largest(task))) is not None
    }
    assert {name for name, one in found.items() if one.steps < task.source.lag} == {"band of m/8", "band of m/16"}
    between = {name for name, one in found.items() if one.one_step < task.source.lag <= one.steps}
    assert between == {"band of m/4"}
    assert {"band of m", "band of m/2", "lm infinite", "streaming"} <= found.keys()


# ------------------------------------------------------------------------------------------------ appended tokens
@given(st.integers(6, 12), st.integers(0, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_last_tokens_are_a_sequence_to_which_the_others_were_added(m, more, seed):
    source = build({"type": "needle", "n_keys": 4, "n_values": 2, "noise": 0.1})
    tokens = source.sample(8, m + more, seed=seed)
    found = appended(source, tokens, m)
    assert (np.sort(found, axis=1) == np.sort(tokens, axis=1)).all()
    at = [m + more - 1]
    exact = source.predict(found, positions=at)
    assert exact == pytest.approx(source.predict(tokens, positions=at))
    assert exact[:, 0] == pytest.approx(source.predict(found[:, -m:], positions=[m - 1])[:, 0])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recall task and a lag copy, each with few steps, and an arm on hidden tokens."""
    study = load("laptop", "n_seeds=5", "tuning.learning_rates=[6e-3]", "model.width=16", "model.heads=2")
    recall, lag, local = (next(one for one in study.tasks if one.role == role) for role in ("recall", "lag", "local"))
    masked = {"name": "gau_masked", "methods": ["rope"], "masked": True, "changes": ["rerope", "infoscale, window"]}
    only = ("rerope", "rerope + infoscale", "headwise lambda")
    few = {"steps": 8, "sequences_per_step": 4, "n_sequences": 8, "ratios": (1, 2)}
    study = study.replace(
        arms=(*study.arms, masked),
        tasks=(
            recall.replace(arms=("rope",), changes=only, **few),
            lag.replace(arms=("rope",), changes=("band of m/8", "band of m/2"), **few),
            local.replace(arms=("rope", "gau_masked"), train_length=16, depth=1, changes=("rerope",), **few),
        ),
    )
    with Store(tmp_path_factory.mktemp("results"), writable=True) as store:
        assert not run(study, store).failed
        return study, list(finished_records(store, study).values())


def test_without_a_multiplier_appended_tokens_leave_the_attention_among_the_others(small):
    study, records = small
    data = measured(study, records)
    for change in ("none", "rerope"):
        drift = data.heads["T2_recall", Row("rope", change), 2]["drift"]
        assert drift == pytest.approx(np.zeros_like(drift), abs=1e-6)
    scaled = data.heads["T2_recall", Row("rope", "rerope + infoscale"), 2]["drift"]
    assert (scaled > 1e-9).all(), "a multiplier moves it"
    at_m = data.heads["T2_recall", Row("rope", "rerope + infoscale"), 1]["drift"]
    assert at_m == pytest.approx(np.zeros_like(at_m), abs=1e-6)
    assert "drift" not in data.heads["T2_recall", Row("rope", "headwise lambda"), 2], "it is read off the model"


def test_an_arm_on_hidden_tokens_is_scored_and_compared_with_no_other(small):
    study, records = small
    data = measured(study, records)
    assert ("T5_local", "gau_masked") in data.apart
    for row in (Row("gau_masked"), Row("gau_masked", "rerope")):
        assert (data.late["T5_local", row, 2] > 0).all()
    data.learnt = {key: np.ones(5, dtype=bool) for key in data.learnt}
    assert {row.arm for row in data.comparable("T5_local", 2)} == {"rope"}


def test_the_small_run_passes_its_checks_and_is_drawn(small):
    study, records = small
    judgement = study.judge(records)
    assert [check for check in judgement.checks if not check.passed] == []
    assert any("appended tokens" in check.name for check in judgement.checks)
    assert {"lines", "heat_T2_recall", "heat_T8_lag", "heat_T5_local"} <= study.figures(records).keys()
