"""The hidden begin symbol: no later place depends on it, and every place but its own sees one key less."""

import torch

from testbed.models import ModelConfig
from testbed.models.transformer import Transformer


def logits(methods: tuple[str, ...], tokens: torch.Tensor, begin_shift: float) -> torch.Tensor:
    model = Transformer(ModelConfig(width=16, depth=2, heads=2, methods=methods), vocab_size=5, train_length=8)
    flat = torch.randn(1, model.layout.row_length, generator=torch.Generator().manual_seed(0))
    weights = model.layout.views(flat)
    weights["embedding"][:, -1] += begin_shift
    return model.logits(weights, tokens, "all")


def test_later_places_do_not_depend_on_the_begin_symbol():
    tokens = torch.tensor([[[5, 0, 3, 1, 1, 4, 2, 0]]])
    for methods, same in ((("nope", "no_begin"), True), (("rope", "no_begin"), True), (("nope",), False)):
        one, other = (logits(methods, tokens, shift) for shift in (0.0, 2.0))
        assert torch.allclose(one[:, :, 1:], other[:, :, 1:], atol=1e-5) == same
        assert not torch.allclose(one[:, :, 0], other[:, :, 0], atol=1e-3)
        assert torch.isfinite(one).all()


def test_the_last_place_read_alone_is_the_last_of_all():
    model = Transformer(
        ModelConfig(width=16, depth=1, heads=2, methods=("nope", "no_begin")), vocab_size=5, train_length=8
    )
    generator = torch.Generator().manual_seed(1)
    weights = model.layout.views(torch.randn(1, model.layout.row_length, generator=generator))
    tokens = torch.randint(0, 5, (1, 3, 8), generator=generator)
    tokens[:, :, 0] = 5
    last, everywhere = (model.logits(weights, tokens, read) for read in ("last", "all"))
    assert torch.allclose(last.view(1, 3, -1), everywhere[:, :, -1], atol=1e-5)
