"""Trained members in longer windows and under other methods: against models built by hand, and what is refused."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from testbed.core import ConfigError
from testbed.measures.attention import attention_rows, calibrate
from testbed.measures.extrapolation import excess_at, last_attention_rows, log_laws_at
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, TrainingSpec, first_sequence
from testbed.training.member import TrainedMember

SOURCE = MarkovSource.random(vocab_size=3, order=1, seed=4)
MAX_CONTEXT = 7


def member(*methods, source=SOURCE, **model) -> TrainedMember:
    """As if trained: weights away from the start."""
    spec = TrainingSpec(
        source=source,
        context_length=MAX_CONTEXT,
        data=DataConfig(max_context=MAX_CONTEXT, batch="sequences"),
        model=ModelConfig(width=8, depth=2, methods=methods, **model),
    )
    layout = Transformer(spec.model, source.vocab_size, MAX_CONTEXT + 1).layout
    row = layout.initial_row(0)
    row = row + 0.3 * torch.randn(row.shape, generator=torch.Generator().manual_seed(1))
    return TrainedMember(spec, "done", row.numpy(), {}, {}, False)


def by_hand(one: TrainedMember, methods, tokens, judged, calibrated=None) -> np.ndarray:
    """One sequence and one position at a time, the window cut off there; weights by name from the member's own row."""
    trained = Transformer(one.spec.model, 3, MAX_CONTEXT + 1)
    model = Transformer(one.spec.model.replace(methods=methods), 3, MAX_CONTEXT + 1)
    weights = trained.layout.views(torch.from_numpy(one.weights)[None])
    found = []
    for row, t in np.argwhere(judged):
        window = torch.tensor([[[3, *tokens[row, :t].tolist()]]])
        with torch.no_grad():
            logits = model.logits(weights, window, calibrated=calibrated)[0, 0].double()
        found.append(logits.log_softmax(dim=-1).numpy())
    return np.stack(found)


def some_tokens(length: int, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return SOURCE.sample(n, length, seed=9), np.random.default_rng(0).random((n, length)) < 0.3


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("length", [8, 30])
@pytest.mark.parametrize(
    "trained, changed",
    [
        (("rope",), None),
        (("rope",), ("rope", "log_n")),
        (("rope",), ("rerope", "infoscale")),
        (("rope", "cosscale"), ({"type": "cosscale", "alpha": 128.0}, "rope", "infoscale")),
        (("rope", "ssmax"), ("ssmax", {"type": "banded", "reach": 4}, "rope")),
    ],
)
def test_laws_are_those_of_the_changed_model_cut_off_at_each_position(block, length, trained, changed):
    """Methods that count the query's own keys act alike in a cut window; the training length is that of training."""
    one = member(*trained, block=block)
    tokens, judged = some_tokens(length)
    found = log_laws_at(one, tokens, judged, changed, chunk=40)
    expected = by_hand(one, trained if changed is None else changed, tokens, judged)
    assert found == pytest.approx(expected, abs=2e-4)


def test_whole_window_methods_go_by_the_whole_window():
    one = member("rope")
    tokens, _ = some_tokens(30)
    judged = np.zeros(tokens.shape, dtype=bool)
    judged[:, -1] = True
    for chosen in (("dynamic_ntk",), ("rope", {"type": "infoscale", "count": "window"})):
        found = log_laws_at(one, tokens, judged, chosen)
        assert found == pytest.approx(by_hand(one, chosen, tokens, judged), abs=1e-4)


def test_calibrated_methods_are_calibrated_at_the_training_length():
    one = member("rope")
    tokens, judged = some_tokens(40)
    calibration = SOURCE.sample(6, 12, seed=3)
    chosen = ("rope", "headwise_lambda")
    model = Transformer(one.spec.model.replace(methods=chosen), 3, MAX_CONTEXT + 1)
    weights = model.layout.views(torch.from_numpy(one.weights)[None])
    windows = np.concatenate([np.full((6, 1), 3), calibration[:, :MAX_CONTEXT]], axis=1)
    calibrated = calibrate(model, weights, torch.from_numpy(windows.astype(np.int64))[None])
    found = log_laws_at(one, tokens, judged, chosen, calibration)
    assert found == pytest.approx(by_hand(one, chosen, tokens, judged, calibrated), abs=1e-4)
    assert not np.allclose(found, log_laws_at(one, tokens, judged))
    short = judged & (np.arange(40) <= MAX_CONTEXT)
    assert log_laws_at(one, tokens, short, chosen, calibration) == pytest.approx(
        log_laws_at(one, tokens, short), abs=1e-5
    )
    for given in (None, calibration[:, : MAX_CONTEXT - 1]):
        with pytest.raises(ConfigError, match="calibration_tokens: headwise_lambda is read off"):
            log_laws_at(one, tokens, judged, chosen, given)


def test_the_excess_is_the_mean_exact_divergence():
    one, length, n = member("rope"), 25, 7
    scores = excess_at(one, SOURCE, length, n, seed=5, methods=("rope", "infoscale"))
    tokens = SOURCE.sample(n, length, seed=5, first_sequence=first_sequence("evaluation"))
    judged = np.ones(tokens.shape, dtype=bool)
    log_q = by_hand(one, ("rope", "infoscale"), tokens, judged).reshape(n, length, 3)
    laws = SOURCE.predict(tokens)
    divergence = np.sum(laws * (np.log(laws) - log_q), axis=2)
    surprise = -np.take_along_axis(log_q, tokens.astype(np.int64)[..., None], axis=2)[..., 0]
    guessed = np.take_along_axis(laws, log_q.argmax(axis=2)[..., None], axis=2)[..., 0]
    assert scores.length == length
    assert scores.n_judged == n * length
    for found, error, values in (
        (scores.excess, scores.excess_error, divergence),
        (scores.cross_entropy, scores.cross_entropy_error, surprise),
        (scores.brier, scores.brier_error, np.sum((np.exp(log_q) - laws) ** 2, axis=2)),
        (scores.accuracy, scores.accuracy_error, guessed),
    ):
        assert found == pytest.approx(values.mean(), abs=1e-4)
        assert error == pytest.approx(values.mean(axis=1).std(ddof=1) / np.sqrt(n), rel=1e-2)


def test_sampled_positions_are_spread_and_estimate_the_whole():
    """8 of 64 positions: their number, and a mean within the range of the divergences; a function of the seed."""
    one = member("rope")
    whole = excess_at(one, SOURCE, 64, 20, seed=5)
    part = excess_at(one, SOURCE, 64, 20, seed=5, max_judged=8)
    assert part.n_judged == 160
    assert part == excess_at(one, SOURCE, 64, 20, seed=5, max_judged=8)
    assert part.excess == pytest.approx(whole.excess, rel=0.3)
    headwise = excess_at(one, SOURCE, 64, 20, seed=5, methods=("rope", "headwise_lambda"), max_judged=8)
    assert headwise.excess != part.excess


def test_only_judged_positions_count():
    source = build({"type": "key_value_recall"})
    length = next(n for n in source.lengths(64) if n >= 16)
    short = max(n for n in source.lengths(12))
    spec = member("rope").spec.replace(
        source=source, context_length=short - 1, data=DataConfig(max_context=short - 1, batch="sequences")
    )
    layout = Transformer(spec.model, source.vocab_size, short).layout
    one = TrainedMember(spec, "done", layout.initial_row(0).numpy(), {}, {}, False)
    batch = source.batch(5, length, seed=5, first_sequence=first_sequence("evaluation"))
    scores = excess_at(one, source, length, 5, seed=5)
    assert scores.n_judged == int(batch.judged.sum()) < batch.judged.size
    log_q = log_laws_at(one, batch.tokens, batch.judged)
    laws = source.predict(batch.tokens)[batch.judged]
    kl = np.where(laws > 0, laws * (np.log(np.where(laws > 0, laws, 1)) - log_q), 0).sum(axis=1)
    assert scores.excess == pytest.approx(kl.mean(), abs=1e-9)


def test_a_bidirectional_member_judges_the_last_token_alone():
    one = member("rope", causal=False)
    tokens, judged = some_tokens(10)
    with pytest.raises(ConfigError, match="bidirectional model sees every token but the last"):
        log_laws_at(one, tokens, judged)
    last = np.zeros_like(judged)
    last[:, -1] = True
    assert log_laws_at(one, tokens, last) == pytest.approx(by_hand(one, ("rope",), tokens, last), abs=1e-5)


def test_what_does_not_fit_is_refused():
    one, (tokens, judged) = member("rope"), some_tokens(10)
    with pytest.raises(ConfigError, match="newly method.ssmax.s"):
        log_laws_at(one, tokens, judged, ("rope", "ssmax"))
    with pytest.raises(ConfigError, match="not method.learned.position"):
        excess_at(member("learned"), SOURCE, 8, 4, seed=0, methods=("rope",))
    with pytest.raises(ConfigError, match="learned positions end at 8"):
        excess_at(member("learned"), SOURCE, 20, 4, seed=0)
    with pytest.raises(ConfigError, match="judged: need some of tokens"):
        log_laws_at(one, tokens, np.zeros_like(judged))
    with pytest.raises(ConfigError, match="has 2 symbols, the member 3"):
        excess_at(one, MarkovSource([[0.5, 0.5], [0.2, 0.8]]), 8, 4, seed=0)
    recall = build({"type": "selector_lag", "probabilities": [0.5, 0.5]})
    with pytest.raises(ConfigError, match="symbols, the member|writes no sequences"):
        excess_at(one, recall, 1, 4, seed=0)


# ------------------------------------------------------------------------------------------------ rows of heads
@pytest.mark.parametrize("changed", [None, ("rope", "log_n"), ("rerope", "infoscale"), ("rope", "headwise_lambda")])
def test_the_last_row_is_that_of_all_rows(changed):
    one = member("rope")
    tokens = SOURCE.sample(5, 20, seed=9)
    keys = np.random.default_rng(1).random(tokens.shape) < 0.4
    keys[:, -1] = False
    calibration = SOURCE.sample(16, MAX_CONTEXT, seed=3)
    found = last_attention_rows(one, tokens, changed, keys, calibration)
    assert found.n_visible.tolist() == [20]
    spec = one.spec.model.replace(methods=changed or ("rope",))
    model = Transformer(spec, 3, MAX_CONTEXT + 1)
    weights = Transformer(one.spec.model, 3, MAX_CONTEXT + 1).layout.views(torch.from_numpy(one.weights)[None])
    window = torch.nn.functional.pad(torch.from_numpy(tokens[:, :-1].astype(np.int64)), (1, 0), value=3)[None]
    seen = torch.nn.functional.pad(torch.from_numpy(calibration.astype(np.int64)), (1, 0), value=3)[None]
    with torch.no_grad():
        calibrated = calibrate(model, weights, seen)
        asked = torch.nn.functional.pad(torch.from_numpy(keys[:, :-1]), (1, 0))[None]
        every = attention_rows(model, weights, window, None, asked, (), calibrated)
    for name in ("entropy", "logit_std", "key_mass"):
        assert getattr(found, name)[..., 0] == pytest.approx(getattr(every, name)[..., -1], abs=1e-4), name
    assert 1 / found.critical_scale[..., 0] == pytest.approx(1 / every.critical_scale[..., -1], abs=1e-4)


def test_keys_of_the_last_row_are_checked():
    with pytest.raises(ConfigError, match="without the last token"):
        last_attention_rows(member("rope"), SOURCE.sample(2, 9), keys=np.ones((2, 9), dtype=bool))


class LargestTensor(TorchDispatchMode):
    """Remembers the most numbers that any operation gave, views that repeat numbers not counted."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple | list) else (found,):
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.untyped_storage().nbytes() // one.element_size())
        return found


def largest_tensor(trained, changed, length: int) -> int:
    tokens = SOURCE.sample(1, length, seed=2)
    judged = np.zeros(tokens.shape, dtype=bool)
    judged[:, [length // 2, length - 1]] = True
    calibration = SOURCE.sample(4, MAX_CONTEXT, seed=3)
    with LargestTensor() as seen:
        log_laws_at(member(*trained), tokens, judged, changed, calibration)
    return seen.numbers


FUSED = [
    (("nope",), ("nope", "infoscale")),
    (("nope",), ("nope", "log_n")),
    (("nope",), ("nope", "headwise_lambda")),
    (("rope",), ("rope", {"type": "infoscale", "count": "window"})),
    (("rope",), ("yarn", "yarn_temperature")),
    (("rope",), ("dynamic_ntk", "sphere_infoscale")),
    (("rope", "cosscale"), ("rope", "cosscale", "infoscale")),
]


@pytest.mark.parametrize("trained, changed", FUSED)
def test_methods_that_change_q_and_k_form_no_square_of_the_length(trained, changed):
    length = 2048
    assert largest_tensor(trained, changed, length) < length**2 / 16


def test_the_square_would_be_noticed():
    length = 512
    assert largest_tensor(("nope",), ("nope", "gap_counting"), length) >= length**2
