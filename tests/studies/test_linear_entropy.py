"""The study `linear_entropy`: features against logits, exact lines, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.measures.features import final_features
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources.hidden import Mess3
from testbed.studies import load_studies
from testbed.studies.linear_entropy import LinearEntropy
from testbed.studies.linear_entropy.measure import beliefs
from testbed.training.batches import with_begin

CONFIG = Path(__file__).parents[2] / "configs" / "linear_entropy.toml"


@pytest.fixture(scope="module")
def smoke() -> LinearEntropy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, LinearEntropy)
    return study


# ------------------------------------------------------------------------------------------------ features
@pytest.mark.parametrize("tied", [False, True])
def test_features_times_the_readout_are_the_logits(tied):
    model = Transformer(ModelConfig(width=8, depth=2, heads=2, tied_head=tied), vocab_size=3, train_length=6)
    weights = model.layout.views(model.layout.initial_row(5)[None])
    tokens = np.random.default_rng(0).integers(3, size=(4, 5))
    features = final_features(model, weights, tokens)
    logits = model.logits(weights, with_begin(torch.from_numpy(tokens)[None], model.begin), "all")[0]
    head = weights["embedding"][0, :3].T * 8**-0.5 if tied else weights["head"][0]
    assert features.shape == (4, 6, 8)
    np.testing.assert_allclose(features @ head.numpy(), logits.numpy(), atol=1e-5)


def test_gated_blocks_have_no_such_features():
    model = Transformer(ModelConfig(block="gau", width=8, heads=1), vocab_size=3, train_length=6)
    weights = model.layout.views(model.layout.initial_row(0)[None])
    with pytest.raises(ValueError, match="features are those of standard blocks"):
        final_features(model, weights, np.zeros((1, 2), dtype=np.int64))


def test_beliefs_are_those_of_a_plain_filter():
    source = Mess3(x=0.05, a=0.85)
    tokens = source.sample(6, 9, seed=1)
    found = beliefs(source, source.predict(tokens)[:, 8])
    move = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    channel = np.full((3, 3), 0.075) + 0.775 * np.eye(3)
    for row, sequence in enumerate(tokens):
        belief = np.full(3, 1 / 3)
        for token in sequence[:8]:
            belief = (belief @ move) * channel[:, token]
            belief /= belief.sum()
        np.testing.assert_allclose(found[row], belief, atol=1e-6)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_first_cells(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    n_tuning = len(study.arms) * len(study.tuning.learning_rates) * study.tuning.n_seeds
    assert len({cell.key for cell in cells}) == len(cells) == len(study.exact) + n_tuning
    assert study.n_seeds >= 5


def test_verdicts_come_from_seeds_that_development_did_not_see():
    assert min(load_studies(CONFIG, "laptop")[0].seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("geometry=torus", "geometry: given 'torus'; the arms are coin, mess3"),
        ("exact=[{name = 'a', role = 'true', source = {type = 'mess3'}}]", "Bayes state of mess3 is not known"),
        ("estimators.thresholds=[]", "thresholds"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    words = {verdict.claim.id.rpartition(".")[2]: verdict.verdict for verdict in judgement.verdicts}
    assert words["c3_by_design"] == words["c3_slope"] == "holds"
    assert words["c3_everywhere"] == words["c3_correlation"] == "fails"
    assert words["c3_features_linear"] == "undecided"  # nothing was learnt in so few steps
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
