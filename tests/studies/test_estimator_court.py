"""The study `estimator_court`: corrections against enumeration, planted worlds, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.entropy import conditional_entropies
from testbed.measures.entropy.profile import entropy_profiles
from testbed.runs import Record
from testbed.sources import IIDSource, MarkovSource
from testbed.studies import load_studies
from testbed.studies.estimator_court import EstimatorCourt
from testbed.studies.estimator_court.config import Correction, CourtSource, Extrapolated, Size, Streams
from testbed.studies.estimator_court.data import Data, alarm_shares, coverage, gather, held_within, warnings
from testbed.studies.estimator_court.evidence import evidence
from testbed.studies.estimator_court.measure import (
    NAMES,
    correction_arrays,
    dependence_factor,
    extrapolated_arrays,
    stream,
    stream_arrays,
    word_log_probs,
)
from testbed.studies.estimator_court.stated import PREDICTED_TO_FAIL

CONFIG = Path(__file__).parents[2] / "configs" / "estimator_court.toml"
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def smoke() -> EstimatorCourt:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, EstimatorCourt)
    return study


@pytest.fixture(scope="module")
def data(smoke, finished) -> Data:
    found = gather(smoke, finished)
    assert found is not None
    return found


# ------------------------------------------------------------------------------------------------ corrections
@given(seed=seeds, size=st.integers(2, 3), k=st.integers(0, 2))
@settings(max_examples=8, deadline=None)
def test_words_have_the_probabilities_of_the_chain(seed, size, k):
    kernel = np.random.default_rng(seed).dirichlet(np.ones(size), size)
    source = MarkovSource(kernel)
    law = np.linalg.lstsq(
        np.vstack([kernel.T - np.eye(size), np.ones(size)]), np.append(np.zeros(size), 1.0), rcond=None
    )[0]
    found = np.exp(word_log_probs(source, k))
    for number, word in enumerate(itertools.product(range(size), repeat=k)):
        p = 1.0
        for i, token in enumerate(word):
            p *= kernel[word[i - 1], token] if i else law[token]
        assert found[number] == pytest.approx(p, abs=1e-8)


@given(stay=st.floats(0.05, 0.95), leave=st.floats(0.05, 0.95))
@settings(max_examples=10, deadline=None)
def test_dependence_of_two_states_has_a_closed_form(stay, leave):
    source = MarkovSource([[stay, 1 - stay], [leave, 1 - leave]])
    eigenvalue = stay - leave
    assert dependence_factor(source) == pytest.approx((1 + eigenvalue) / (1 - eigenvalue), rel=1e-6)


def test_dependence_against_the_variance_of_frequencies():
    """N var(frequency) / p summed over symbols, V - 1 taken off, from streams: 6 standard errors of a variance."""
    source = MarkovSource([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
    tokens = source.sample(4000, 500, seed=3)
    counts = np.stack([(tokens == x).mean(axis=1) for x in range(3)])
    law = counts.mean(axis=1)
    measured = 500 * (counts.var(axis=1, ddof=1) / law).sum() / 2
    assert measured == pytest.approx(dependence_factor(source), rel=6 * np.sqrt(2 / 4000) + 0.02)


def test_corrections_are_in_units_of_the_first_order_bias():
    """Four equal symbols, whose realised and true entropy are the same: the mean is about -1, by seeded streams."""
    settings_ = Correction(
        label="a", role="independent", source=IIDSource(vocab_size=4), order=1, n_tokens=2000, replicates=40
    )
    found = correction_arrays(settings_, "correction a", 0)
    assert found["plug_in"].mean() == pytest.approx(-1.0, abs=6 * np.sqrt(2 / 12 / 40) + 0.01)
    assert found["corrected"].mean() == pytest.approx(0.0, abs=6 * np.sqrt(2 / 12 / 40) + 0.01)
    assert found["rarest"] == pytest.approx(2000 / 16)
    assert found["factor"] == 1.0


# ------------------------------------------------------------------------------------------------ streams
def test_arrays_of_streams_are_those_of_the_library():
    chosen = CourtSource(label="a", kind="other", source=IIDSource(probabilities=(0.7, 0.3)), max_order=4, depth=2)
    size = Size(n_tokens=600, replicates=5, blocks=4)
    arrays = stream_arrays(Streams(source=chosen, size=size), "streams a", 2)
    tokens = stream(chosen.source, "streams a", 600, 4)
    profile = conditional_entropies(tokens, 4, "nsb", 2, n_blocks=4)
    assert arrays["estimates"][2, NAMES.index("nsb")] == pytest.approx(profile.values)
    assert arrays["half"][2, NAMES.index("nsb")] == pytest.approx((profile.upper - profile.lower) / 2)
    assert arrays["trust"][2] == profile.trust_limit
    assert arrays["bayes"][2] == pytest.approx(-np.log(np.where(tokens == 0, 0.7, 0.3)).mean(), abs=1e-8)
    assert arrays["truth"] == pytest.approx(np.full(5, arrays["rate"]))
    some = stream_arrays(Streams(source=chosen, size=size.replace(replicates=6, first_with=5)), "streams a", 2)
    assert some["half"][:5] == pytest.approx(arrays["half"])
    assert np.isnan(some["half"][5]).all()
    bare = stream_arrays(Streams(source=chosen, size=size.replace(intervals=False, coders=False)), "streams a", 2)
    assert bare["estimates"] == pytest.approx(arrays["estimates"])
    assert np.isnan(bare["half"]).all()
    assert np.isnan(bare["coded"]).all()


def test_lengths_and_arms_share_no_random_numbers():
    source = IIDSource(vocab_size=4)
    first = stream(source, "streams a", 1000, 0)
    assert not np.array_equal(first, stream(source, "streams b", 1000, 0))
    assert not np.array_equal(first[:500], stream(source, "streams a", 500, 0))
    assert np.array_equal(first, stream(source, "streams a", 1000, 0))


def test_the_ansatz_on_exact_numbers():
    """Independent tokens: flat, so that the limit is the rate and the fit says that nothing is determined."""
    flat = Extrapolated(label="flat", role="other", source=IIDSource(vocab_size=3), first=4, last=64)
    found = extrapolated_arrays(flat, "a", 0)
    assert found["limit"] == pytest.approx(np.log(3), abs=1e-9)
    assert not found["determined"]
    assert found["coded"].shape == (0,)


# ------------------------------------------------------------------------------------------------ what is read off
def test_coverage_at_the_limit_is_counted_stream_by_stream(smoke, data):
    held = total = 0
    for source in smoke.sources:
        if source.kind in ("slow", "mixture"):
            continue
        for size in smoke.judged_sizes:
            arrays = data.streams[source.label, size.n_tokens]
            for r in range(size.replicates):
                k = int(arrays["trust"][r])
                if 0 <= k < source.max_order:  # elsewhere the limit was not reached
                    error = abs(arrays["estimates"][r, NAMES.index("nsb"), k] - arrays["truth"][k])
                    held += bool(error <= arrays["half"][r, NAMES.index("nsb"), k])
                    total += 1
    found = coverage(smoke, data, "nsb", 0)
    assert found is not None
    assert (found.successes, found.trials) == (held, total)


def test_alarms_are_counted_order_by_order(smoke, data):
    shares, total = alarm_shares(smoke, data, "plug_in", ("other",), True)
    excluded, number = np.zeros(smoke.n_replicates), 0
    for source in smoke.sources:
        if source.kind == "other":
            arrays = data.streams[source.label, smoke.judged_sizes[0].n_tokens]
            for k in range(source.max_order + 1):
                if abs((arrays["estimates"][:, 0, k] - arrays["truth"][k]).mean()) > smoke.bounds.tolerance:
                    number += 1
                    excluded += k > arrays["trust"]
    assert total == number
    assert shares == pytest.approx(excluded / number)


def test_warnings_are_streams_whose_limit_excludes_all_that_is_off(smoke, data):
    warned = total = orders = 0
    for source in smoke.sources:
        if source.kind == "other":
            arrays = data.streams[source.label, smoke.sizes[0].n_tokens]
            error = np.abs((arrays["estimates"][:, 0] - arrays["truth"]).mean(axis=0))
            off = [k for k in range(source.max_order + 1) if error[k] > smoke.bounds.tolerance]
            orders += len(off)
            if off:
                warned += sum(min(off) > limit for limit in arrays["trust"])
                total += len(arrays["trust"])
    found, n_orders = warnings(smoke, data, "plug_in", ("other",))
    assert found is not None
    assert (found.successes, found.trials, n_orders) == (warned, total, orders)


def test_intervals_within_the_limit_are_counted_one_by_one(smoke, data):
    size = smoke.sizes[0]
    for source in smoke.sources:
        arrays = data.streams[source.label, size.n_tokens]
        held, total = np.zeros(len(NAMES)), 0
        for r, limit in enumerate(arrays["trust"].astype(int)):
            for k in range(limit + 1):
                total += 1
                held += np.abs(arrays["estimates"][r, :, k] - arrays["truth"][k]) <= arrays["half"][r, :, k]
        shares, n = held_within(smoke, data, source, size)
        assert n == total
        assert shares == pytest.approx(held / total if total else np.full(len(NAMES), np.nan), nan_ok=True)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == len(study.probes)
    assert len(study.sources) == 10
    assert all(cell.training is None for cell in cells)


def test_verdicts_come_from_streams_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert laptop.first_replicate >= 3000 > smoke.first_replicate + smoke.n_replicates
    assert laptop.n_replicates >= 8


def test_the_full_grid_runs_to_ten_million_tokens():
    (full,) = load_studies(CONFIG, "full")
    (laptop,) = load_studies(CONFIG, "laptop")
    for study in (laptop, full):
        assert [size.n_tokens for size in study.interval_sizes] == [10**k for k in range(3, 8)]
    assert full.judged_sizes == full.sizes
    assert laptop.judged_sizes == laptop.sizes[:4]


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    verdicts = {verdict.claim.id.rpartition(".")[2]: verdict for verdict in judgement.verdicts}
    assert [verdict.claim for verdict in verdicts.values()] == list(smoke.claims())
    for name in ("tokens_fall", "ansatz_class", "nsb_still_better"):
        assert verdicts[name].verdict == "holds", name
    for name in ("nsb_power_law", "correction_dependent", "limit_slow", "plug_in_above", "ansatz_any"):
        assert verdicts[name].verdict == "fails", name
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown | {"estimator_court.dependence_factor"} == {one.id for one in smoke.claims()}
    assert all(figure.rows for figure in figures.values())
    assert all("interval" in figure.caption for figure in figures.values())


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"truth": r.arrays["truth"][::-1] + 0.1})
        if r.probe["arm"] == "streams Markov 3"
        else r
        for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert not all(check.passed for check in judgement.checks)
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_every_claim_has_a_number(smoke):
    assert {f"estimator_court.{name}" for name in PREDICTED_TO_FAIL} <= {one.id for one in smoke.claims()}
    assert set(evidence(smoke, _planted(smoke))) == {claim.id for claim in smoke.claims()}


def _planted(study: EstimatorCourt) -> Data:
    from testbed.studies.estimator_court.worlds import PLANS, planted

    return planted(study, PLANS["as predicted"], np.random.default_rng(0), 8)


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="labels must differ"):
        smoke.replace(sources=(*smoke.sources, smoke.sources[0]))
    with pytest.raises(ConfigError, match="missing mixture"):
        smoke.replace(sources=smoke.sources[:-1])
    with pytest.raises(ConfigError, match="n_tokens must rise"):
        smoke.replace(sizes=(smoke.sizes[0], smoke.sizes[0]))
    with pytest.raises(ConfigError, match="one needs coders"):
        smoke.replace(sizes=tuple(one.replace(coders=False) for one in smoke.sizes))
    with pytest.raises(ConfigError, match="one of each role"):
        smoke.replace(corrections=(smoke.corrections[0], smoke.corrections[0].replace(label="b")))
    with pytest.raises(ConfigError, match="needs coded streams"):
        smoke.replace(extrapolated=tuple(one.replace(replicates=0) for one in smoke.extrapolated))
    with pytest.raises(ConfigError, match="first_with"):
        Size(n_tokens=1000, replicates=10, first_with=11)
    with pytest.raises(ConfigError, match="over 4096"):
        smoke.corrections[0].replace(order=8)
    with pytest.raises(ConfigError, match="order 0"):
        smoke.corrections[1].replace(order=1)
    with pytest.raises(ConfigError, match="four times first"):
        smoke.extrapolated[0].replace(first=1000)


def test_the_estimates_of_all_estimators_come_in_the_order_of_their_names():
    tokens = np.random.default_rng(0).integers(0, 2, 400).astype(np.uint8)
    assert [one.estimator for one in entropy_profiles(tokens, 2, NAMES, 2, "none")] == list(NAMES)
