"""The study `context_and_width`: its cells are those of `optimal_context`, numbers against slow twins, a smoke run."""

from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.studies import load_studies
from testbed.studies.context_and_width import ContextAndWidth
from testbed.studies.context_and_width.claims import at_best, evidence
from testbed.studies.judge import Ranking, Replicates

CONFIG = Path(__file__).parents[2] / "configs" / "context_and_width.toml"


@pytest.fixture(scope="module")
def smoke() -> ContextAndWidth:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ContextAndWidth)
    return study


def rankings(losses: dict[int, list[float]]) -> dict[int, list[Ranking]]:
    """One dataset size, order 2, six replicates with the same losses but for a common offset; more context is worse."""
    offsets = np.arange(6.0)[:, None]
    design = Replicates({"kernel": list(range(6))}, seed=0)
    return {width: [Ranking(offsets + np.array([*one, 2.0, 2.0, 2.0]), design)] for width, one in losses.items()}


@pytest.mark.parametrize(
    ("narrow", "wide", "grows", "never_falls", "better"),
    [
        ([0.2, 0.5, 0.9], [0.2, 0.1, 0.0], True, True, True),  # 0 to 2
        ([0.2, 0.1, 0.0], [0.2, 0.5, 0.9], False, False, False),  # 2 to 0, and worse
        ([0.2, 0.1, 0.3], [0.2, 0.1, 0.4], False, True, True),  # 1 both times
        ([0.2, 0.1, 0.0], [0.0, 0.1, 0.2], False, False, True),  # shorter, and as good
    ],
)
def test_numbers_say_what_the_best_contexts_do(narrow, wide, grows, never_falls, better):
    delta = 0.01
    found = evidence(delta, rankings({8: narrow, 16: wide}))
    assert (found["context_and_width.grows"].estimate > 0) == grows
    assert (found["context_and_width.never_falls"].estimate > -delta / 2) == never_falls
    assert (found["context_and_width.better"].estimate > -delta / 2) == better


def test_the_best_context_is_that_of_the_others():
    losses = np.array([[0.0, 1.0], [2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    found = at_best(Ranking(losses, Replicates({"kernel": list(range(4))}, seed=0)))
    assert found.tolist() == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    study.prepare()
    cells = study.cells({})
    per_rate = study.tuning.n_kernels * 3 * 2  # two sizes and an endless stream, at the extreme lengths
    assert len({cell.key for cell in cells}) == len(cells)
    assert len(cells) == len(study.widths) * len(study.tuning.learning_rates) * per_rate
    assert {cell.study for cell in cells} == {"context_and_width"}
    assert {cell.training.model.width for cell in cells} == set(study.widths)
    assert study.n_kernels >= 5


def test_widths_are_paired(smoke):
    """Members of one kernel, D and l differ in nothing but width and rate."""
    first, second = (smoke.of_width(width) for width in smoke.widths)
    assert [first.kernels_of(first.arms[0])] == [second.kernels_of(second.arms[0])]
    assert first.arms[0].kernel(3).fingerprint == second.arms[0].kernel(3).fingerprint


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("widths=[8, 4]", "must rise and be multiples of 4 heads"),
        ("widths=[6, 8]", "must rise and be multiples of 4 heads"),
        ("arm.source={type = 'markov', vocab_size = 2, order = 0, entropy_rate = 0.5}", "must have memory"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}  # training is the bottleneck here
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    some = [record for record in finished if record.probe["kind"] == "member"]
    assert not smoke.judge([record for record in finished if record is not some[0]]).verdicts
