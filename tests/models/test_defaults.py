"""An untouched config means what it always meant: its keys, where its weights lie, how they start."""

import hashlib

import pytest
import torch

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.attention import Bidirectional, placed
from testbed.models.transformer import Transformer


def test_content_keys_are_those_of_before_there_were_blocks_to_choose():
    assert ModelConfig().content_key == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert (
        ModelConfig(width=8, depth=1).content_key == "07c602c6cce5a2baccaa6c6c772bbb213fd43d4fb8e8d467801e988a3caad195"
    )
    written_out = ModelConfig(block="standard", causal=True, key_size=None, expansion=2)
    assert written_out == ModelConfig()
    assert ModelConfig(causal=False) != ModelConfig() != ModelConfig(block="gau")


def test_weights_lie_and_start_where_they_did():
    layout = Transformer(ModelConfig(width=8, depth=2, methods=("rope", "ssmax")), 3, 6).layout
    listed = repr([(one.name, one.shape, one.offset, round(one.std, 9), one.mean, one.decay) for one in layout.entries])
    assert hashlib.sha256(listed.encode()).hexdigest()[:16] == "0ac104bf7cb55705"
    assert [one.name for one in layout.entries[:4]] == ["embedding", "method.ssmax.s", "0.attention_norm", "0.qkv"]


def test_defaults_written_out_give_bitwise_equal_logits():
    plain = Transformer(ModelConfig(width=8), 3, 6)
    written_out = Transformer(ModelConfig(width=8, block="standard", causal=True), 3, 6)
    row = plain.layout.initial_row(0)
    assert torch.equal(row, written_out.layout.initial_row(0))
    windows = torch.randint(0, 4, (1, 5, 6), generator=torch.Generator().manual_seed(0))
    views = plain.layout.views(row[None])
    assert torch.equal(plain.logits(views, windows, "all"), written_out.logits(views, windows, "all"))


def test_places_are_causal_unless_said():
    geometry = ModelConfig().geometry(4)
    assert not isinstance(placed(3, "all", geometry, torch.device("cpu")), Bidirectional)


# ------------------------------------------------------------------------------------------------ other methods
def test_other_methods_on_the_same_weights():
    """`train_length` stays, the order of methods is free, what is learned must be the same."""
    trained = Transformer(ModelConfig(width=8, methods=("rope", "ssmax")), 3, 6)
    weights = trained.layout.views(trained.layout.initial_row(0)[None])
    windows = torch.randint(0, 4, (1, 5, 12), generator=torch.Generator().manual_seed(0))
    turned = trained.with_methods(["ssmax", "rope"])
    torch.testing.assert_close(turned.logits(weights, windows), trained.logits(weights, windows))
    squeezed = trained.with_methods([{"type": "pi"}, "ssmax"])
    assert squeezed.geometry == trained.geometry
    assert (squeezed.logits(weights, windows) - trained.logits(weights, windows)).abs().max() > 1e-5


@pytest.mark.parametrize(
    "before, after, message",
    [
        (("rope", "ssmax"), ("rope", "log_n"), r"rope, log_n cannot .* they learn not method.ssmax.s \(2, 2\)"),
        (("rope",), ("rope", "ssmax"), r"they learn newly method.ssmax.s \(2, 2\)"),
        (("learned",), ("rope",), r"they learn not method.learned.position \(6, 8\)"),
        (("rope", "ssmax"), ("qk_norm",), r"not method.ssmax.s \(2, 2\) and newly method.qk_norm.g \(2, 2\)"),
    ],
)
def test_methods_that_learn_something_else_are_refused(before, after, message):
    with pytest.raises(ConfigError, match=message):
        Transformer(ModelConfig(width=8, methods=before), 3, 6).with_methods(after)


def test_calibrated_methods_need_what_they_read_off():
    model = Transformer(ModelConfig(width=8, methods=("rope", "headwise_lambda")), 3, 6)
    with pytest.raises(ConfigError, match="headwise_lambda is read off a trained model"):
        model.logits(model.layout.views(model.layout.initial_row(0)[None]), torch.zeros(1, 1, 3, dtype=torch.int64))
