"""The study `tokenizers`: its numbers, its rule for the learning rate, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tokenizers")

from testbed.core import ConfigError
from testbed.runs import Record, pack
from testbed.sources import MarkovSource
from testbed.sources.tokens import token_chain, train_lzw
from testbed.studies import load_studies
from testbed.studies.judge import calibrate
from testbed.studies.tokenizers import Tokenizers
from testbed.studies.tokenizers.data import gather, numbers
from testbed.studies.tokenizers.evidence import evidence, slopes
from testbed.studies.tokenizers.grid import TUNING_OFFSET, tuned_rate, tuning_cells
from testbed.studies.tokenizers.measure import code_difference, counted_length, first_crossing

CONFIG = Path(__file__).parents[2] / "configs" / "tokenizers.toml"


def load(scale: str, *overrides: str) -> Tokenizers:
    (study,) = load_studies(CONFIG, scale, overrides)
    assert isinstance(study, Tokenizers)
    return study


@pytest.fixture(scope="module")
def smoke() -> Tokenizers:
    return load("smoke")


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_builds_and_its_first_stage_is_named_without_training(scale):
    study = load(scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    assert pack(cells, study.positions_per_ensemble)


def test_scales_share_no_replicates_and_tuning_none_with_any():
    loaded = [load(scale) for scale in ("smoke", "laptop", "gpu", "full")]
    numbered = [set(one.numbers) | set(one.member_numbers) for one in loaded]
    assert len(set.union(*numbered)) == sum(map(len, numbered))
    tuning = {cell.probe.replicate for cell in tuning_cells(load("laptop"), "symbols", 1e-2)}
    assert min(tuning) >= TUNING_OFFSET > max(set.union(*numbered))


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert all(check.passed for check in judgement.checks), judgement.checks
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert judgement.notes
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown == {claim.id for claim in smoke.claims()}
    assert all(figure.rows and figure.caption for figure in figures.values())


def test_a_missing_record_is_said_and_nothing_is_judged(smoke, finished):
    kept = [one for one in finished if one.probe["kind"] != "member" or one.probe["replicate"] != smoke.numbers[0]]
    judgement = smoke.judge(kept)
    assert not judgement.verdicts
    assert not judgement.checks[0].passed
    assert smoke.figures(kept) == {}


def test_a_failed_check_voids_the_study(smoke, finished):
    broken = []
    for one in finished:
        arrays = dict(one.arrays)
        if one.probe["kind"] == "texts" and one.probe["arm"] == "k2":
            arrays["size_rate"] = arrays["size_rate"] * 1.01
        broken.append(Record(one.key, one.study, one.cell, one.status, one.metrics, arrays))
    judgement = smoke.judge(broken)
    assert not judgement.checks[0].passed
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_the_numbers_of_the_claims_are_those_of_the_records(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    found = numbers(smoke, data)
    record = next(
        one
        for one in finished
        if one.probe["kind"] == "texts" and one.probe["arm"] == "k2" and one.probe["replicate"] == smoke.numbers[0]
    )
    place = [arm.name for arm in smoke.lag_arms].index("k2")
    true, length = record.arrays["size_true"], record.arrays["size_mean_length"]
    h = record.metrics["entropy_rate"]
    assert found.byte_pairs[0, place] == pytest.approx(true[0, :, 0] / length[0] / h)
    assert found.fall_true[0, place] == pytest.approx(true[0, 0, 3] / length[0, 0] - true[0, -1, 3] / length[0, -1])
    assert found.cost[:, 0].min() > -1e-12  # no tokens make coins cheaper than coins
    said = evidence(smoke, found)
    assert said["tokenizers.words"].estimate == pytest.approx(0.0, abs=1e-12)
    gain = (found.unigram[..., -1] - found.unigram[..., 0])[:, 1:].mean(axis=0)
    assert said["tokenizers.more_diverse"].estimate == pytest.approx(gain.min())


def test_transformers_can_have_replicates_of_their_own():
    """With twelve of them shares of runs are decided, which eight cannot be."""
    study = load("laptop", "learners.replicates=12", "learners.first_replicate=1100")
    assert (study.numbers, study.member_numbers) == (range(1000, 1008), range(1100, 1112))
    confusion = calibrate(study.worlds(), study.n_replicates, n_draws=6, seed=1)
    shares = [row for row in confusion.rows if row.claim.endswith(("plateau_stays", "no_plateau_at_one"))]
    assert len(shares) == 4
    assert all(row.counts[row.expected] == 6 for row in shares)


# ------------------------------------------------------------------------------------------------ the pieces
def test_the_crossing_is_found_on_log_steps():
    steps = np.array([1.0, 10.0, 100.0])
    assert first_crossing(steps, np.array([3.0, 2.0, 1.0]), 1.5) == pytest.approx(10**1.5)
    assert first_crossing(steps, np.array([1.0, 2.0, 1.0]), 1.5) == 1.0  # there from the beginning
    assert first_crossing(steps, np.array([3.0, 2.0, 1.6]), 1.5) is None


def test_slopes_are_exponents():
    contexts = np.array([8.0, 16.0, 64.0])
    log_steps = np.log2(3 * contexts**0.7)[None, :, None] * np.ones((2, 1, 3))
    assert slopes(contexts, log_steps) == pytest.approx(np.full((2, 3), 0.7))


def test_tokens_spend_on_a_text_what_symbols_do():
    source = MarkovSource.random(vocab_size=2, order=2, seed=3)
    text = source.sample(1, 5000, seed=1)[0].astype(np.int64)
    tokenizer = train_lzw(text, 2, 20)
    tokens = tokenizer.encode(text)
    chain = token_chain(source, tokenizer)
    assert code_difference(chain, tokens, -source.log_probs(text[None])[0]) == pytest.approx(0.0, abs=20.0)
    mean, error = counted_length(tokenizer.lengths[tokens])
    assert abs(mean - token_chain(source, tokenizer).mean_length) < 8 * error


def test_the_rate_is_chosen_by_the_path_and_the_smaller_one_where_they_tie(smoke):
    rates = smoke.learners.learning_rates

    def finished_with(losses: dict[float, float]) -> dict[str, Record]:
        return {
            cell.key: Record(
                cell.key,
                "tokenizers",
                cell.resolved(),
                "done" if np.isfinite(losses[rate]) else "diverged",
                {"mean_length": 2.0},
                {"path_heldout": np.full(4, 2 * losses[rate])},
            )
            for rate in rates
            for cell in tuning_cells(smoke, "lzw", rate)
        }

    assert tuned_rate(smoke, "lzw", {})[0] is None
    assert tuned_rate(smoke, "lzw", finished_with({rates[0]: 0.6, rates[1]: 0.5}))[0] == rates[1]
    assert tuned_rate(smoke, "lzw", finished_with({rates[0]: 0.501, rates[1]: 0.5}))[0] == rates[0]
    assert tuned_rate(smoke, "lzw", finished_with({rates[0]: 0.6, rates[1]: np.inf}))[0] == rates[0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("learners.contexts=[2,8]", "must reach back"),
        ("learners.token_context=5", "must be one of"),
        ("learners.learning_rates=[1e-2,1e-3]", "must rise"),
        ("texts.training_lengths=[5,100]", "must rise within"),
        ("replicates=1", "replicates"),
    ],
)
def test_what_cannot_be_asked_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        load("smoke", override)
