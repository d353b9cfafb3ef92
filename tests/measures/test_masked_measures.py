"""Masked members at other lengths and under other methods: against the model run by hand and the exact law."""

import math

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.measures.attention import calibrate
from testbed.measures.extrapolation import log_laws_at
from testbed.measures.masked import masked_excess_at, masked_log_laws
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, TrainingSpec, first_sequence
from testbed.training.masking import draw_sites
from testbed.training.member import TrainedMember

SOURCE = MarkovSource.random(vocab_size=3, order=1, seed=4)
M = 7  # tokens of a training sequence; M + 1 keys
HEAD_DIM = {"standard": 4, "gau": 8}


def member(*methods, block="standard", **values) -> TrainedMember:
    """Not trained: random weights, large enough for attention to matter."""
    size = {"heads": 2} if block == "standard" else {"heads": 1, "key_size": 8}
    model = ModelConfig(
        **{"block": block, "width": 8, "depth": 2, "causal": False, "mask_symbol": True, "methods": methods} | size
    )
    spec = TrainingSpec(
        source=SOURCE,
        context_length=M,
        data=DataConfig(max_context=M, batch="masked", **values),
        model=model,
    )
    row = Transformer(model, 3, M + 1).layout.initial_row(0)
    noise = torch.randn(row.shape, generator=torch.Generator().manual_seed(1))
    return TrainedMember(spec, "done", (row + 0.4 * noise).numpy(), {}, {}, False)


def hidden(length: int, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return SOURCE.sample(n, length, seed=9), np.random.default_rng(0).random((n, length)) < 0.3


def by_hand(one: TrainedMember, tokens, masked, methods=None, calibrated=None, q_factor: float = 1.0) -> np.ndarray:
    """One window at a time; `q_factor` multiplies every query by its weights."""
    config = one.spec.model if methods is None else one.spec.model.replace(methods=methods)
    model = Transformer(config, 3, M + 1)
    weights = {name: w.clone() for name, w in model.layout.views(torch.from_numpy(one.weights)[None]).items()}
    for block in range(config.depth):
        if config.block == "gau":
            weights[f"{block}.q_scale"] *= q_factor
        else:
            weights[f"{block}.qkv"][:, :, : config.width] *= q_factor
    found = []
    for row, hide in zip(tokens, masked, strict=True):
        window = torch.tensor([[[3, *np.where(hide, 4, row).tolist()]]])
        with torch.no_grad():
            law = model.logits(weights, window, "all", calibrated=calibrated)[0, 0].double().log_softmax(dim=-1)
        found.append(law[1:].numpy()[hide])
    return np.concatenate(found)


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("count", ["query", "window"])
def test_infoscale_counts_all_keys_of_a_longer_sequence(block, count):
    """n is the whole window's, one number a sequence, so that the queries' weights can say it: q I(n) / I(m)."""
    one = member("rope", block=block)
    chosen = ("rope", {"type": "infoscale", "count": count})
    d = HEAD_DIM[block]

    def cosine(n: int) -> float:
        return math.sqrt(1 - n ** (-2 / d))

    for length in (M, 4 * M, 30 * M):
        tokens, masked = hidden(length)
        found = masked_log_laws(one, tokens, masked, chosen, chunk=100)
        ratio = cosine(length + 1) / cosine(M + 1)
        assert found == pytest.approx(by_hand(one, tokens, masked, q_factor=ratio), abs=3e-5)
        plain = masked_log_laws(one, tokens, masked)
        assert plain == pytest.approx(by_hand(one, tokens, masked), abs=3e-5)
        if length == M:
            assert found == pytest.approx(plain, abs=1e-6)
        else:
            assert np.abs(found - plain).max() > 1e-3


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("chosen", [None, ("rerope", "log_n"), ("rope", {"type": "banded", "reach": 4}, "infoscale")])
def test_laws_are_read_at_the_hidden_places(block, chosen):
    one = member("rope", block=block)
    tokens, masked = hidden(20)
    masked[2] = False  # a sequence of which nothing is hidden
    found = masked_log_laws(one, tokens, masked, chosen, chunk=45)
    assert found == pytest.approx(by_hand(one, tokens, masked, chosen), abs=1e-4)
    other = np.where(masked, (tokens + 1) % 3, tokens)  # what is hidden is not seen
    assert np.array_equal(masked_log_laws(one, other, masked, chosen, chunk=45), found)


def test_the_excess_is_the_mean_exact_divergence():
    one, length, n = member("rope"), 4 * M, 40
    scores = masked_excess_at(one, SOURCE, length, n, seed=5, methods=("rope", "infoscale"), n_masked=2)
    tokens = SOURCE.sample(n, length, seed=5, first_sequence=first_sequence("evaluation"))
    masked = draw_sites(np.ones(tokens.shape, dtype=bool), 2, "evaluation", 5)
    log_q = by_hand(one, tokens, masked, ("rope", "infoscale"))
    laws = SOURCE.predict_masked(tokens, masked)
    divergence = np.sum(laws * (np.log(laws) - log_q), axis=1)
    surprise = -log_q[np.arange(2 * n), tokens[masked]]
    entropy = -np.sum(laws * np.log(laws), axis=1)
    assert (scores.length, scores.n_hidden) == (length, 2 * n)
    for found, error, values in (
        (scores.excess, scores.excess_error, divergence),
        (scores.cross_entropy, scores.cross_entropy_error, surprise),
        (scores.bayes, scores.bayes_error, entropy),
    ):
        assert found == pytest.approx(values.mean(), abs=1e-4)
        assert error == pytest.approx(values.reshape(n, 2).mean(axis=1).std(ddof=1) / math.sqrt(n), rel=1e-3)
    assert abs(scores.bayes - float(SOURCE.masked_losses(9)[4].value)) < 6 * scores.bayes_error + 0.02  # far inside
    single = masked_excess_at(one, SOURCE, length, n, seed=5)
    assert single.n_hidden == n


def test_calibrated_methods_are_calibrated_on_masked_sequences_of_the_training_length():
    one = member("rope", masked_sites=2)
    tokens, masked = hidden(30)
    chosen = ("rope", "headwise_lambda")
    probe = SOURCE.sample(64, M, seed=5, first_sequence=first_sequence("probe"))
    sites = draw_sites(np.ones(probe.shape, dtype=bool), 2, "probe", 5)
    model = Transformer(one.spec.model.replace(methods=chosen), 3, M + 1)
    windows = np.concatenate([np.full((64, 1), 3), np.where(sites, 4, probe)], axis=1)
    weights = model.layout.views(torch.from_numpy(one.weights)[None])
    with torch.no_grad():
        calibrated = calibrate(model, weights, torch.from_numpy(windows)[None])
    found = masked_log_laws(one, tokens, masked, chosen, (probe, sites))
    assert found == pytest.approx(by_hand(one, tokens, masked, chosen, calibrated), abs=1e-4)
    scores = masked_excess_at(one, SOURCE, 30, 20, seed=5, methods=chosen)
    assert scores.excess != masked_excess_at(one, SOURCE, 30, 20, seed=5).excess
    for given in (None, (probe[:, 1:], sites[:, 1:])):
        with pytest.raises(ConfigError, match="calibration: headwise_lambda is read off"):
            masked_log_laws(one, tokens, masked, chosen, given)


def test_what_does_not_fit_is_refused():
    one, (tokens, masked) = member("rope"), hidden(10)
    with pytest.raises(ConfigError, match="newly method.ssmax.s"):
        masked_log_laws(one, tokens, masked, ("rope", "ssmax"))
    with pytest.raises(ConfigError, match="masked: need some of tokens"):
        masked_log_laws(one, tokens, np.zeros_like(masked))
    with pytest.raises(ConfigError, match="has 2 symbols, the member 3"):
        masked_excess_at(one, MarkovSource([[0.5, 0.5], [0.2, 0.8]]), 8, 4, seed=0)
    with pytest.raises(ConfigError, match="n_masked: given 0"):
        masked_excess_at(one, SOURCE, 8, 4, seed=0, n_masked=0)
    with pytest.raises(ConfigError, match="writes no sequences|symbols, the member"):
        masked_excess_at(one, build("noisy_retrieval"), 8, 4, seed=0)
    last = np.zeros_like(masked)
    last[:, -1] = True
    with pytest.raises(ConfigError, match="gives no law of the next one"):
        log_laws_at(one, tokens, last)
    causal = TrainingSpec(source=SOURCE, context_length=M, data=DataConfig(max_context=M), model=ModelConfig(width=8))
    plain = TrainedMember(
        causal, "done", Transformer(causal.model, 3, M + 1).layout.initial_row(0).numpy(), {}, {}, False
    )
    with pytest.raises(ConfigError, match="masked laws need data.batch = masked"):
        masked_log_laws(plain, tokens, masked)
