"""Models whose every query sees every key: against explicit softmaxes, and what that asks of the methods."""

import math

import pytest
import torch
from torch import Tensor

from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig, attention
from testbed.models.attention import Bidirectional, attend, counted, placed
from testbed.models.transformer import Transformer
from testbed.theory import infoscale_ratio

M, K = 4, 8
CPU = torch.device("cpu")


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def placement(T: int, queries="all", heads: int = 2):
    return placed(T, queries, Geometry(heads * K, heads, 1, M), CPU, causal=False)


def weights_seen(T: int, method: Method | None, queries="all", seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(2, T', T) weights of random q and k for both heads, with q and k: attention over unit vectors as values."""
    q, k = torch.randn(2, 1, 1, 2, T, K, generator=torch.Generator().manual_seed(seed))
    at = placement(T, queries)
    unit = torch.eye(T).expand(1, 1, 2, T, T)
    x = torch.zeros(1, 1, len(at.queries_T), 2 * K)
    found = attend(q[..., at.query_order_T, :], k, unit, x, at, [] if method is None else [(method, {})], block=0)
    return found[0, 0], q[0, 0].double(), k[0, 0].double()


def softmax_row(logits: list[float]) -> Tensor:
    return torch.tensor(logits, dtype=torch.float64).softmax(dim=0)


QUERIES = [("all", range(6)), ("last", [5]), (torch.tensor([1, 4]), [1, 4])]


@pytest.mark.parametrize("queries, places", QUERIES)
@pytest.mark.parametrize("kind", ["plain", "banded", "alibi", "infoscale", "entmax-free explicit"])
def test_attention_equals_an_explicit_softmax_over_all_keys(queries, places, kind):
    T = 6
    method = {
        "plain": None,
        "banded": build("banded", reach=2),
        "alibi": build("alibi"),
        "infoscale": build("infoscale"),
        "entmax-free explicit": build("scale_invariant"),
    }[kind]
    found, q, k = weights_seen(T, method, queries)
    for h in range(2):
        for row, i in enumerate(places):
            logits = []
            for j in range(T):
                s = float(q[h, i] @ k[h, j]) / math.sqrt(K)
                t = abs(i - j)
                if kind == "banded" and t >= 2:
                    s = -math.inf
                elif kind == "alibi":
                    s -= 2.0 ** (-8 * (h + 1) / 2) * t
                elif kind == "infoscale":
                    s *= infoscale_ratio(T, M, K)
                elif kind == "entmax-free explicit":
                    square = 1 + 2 * math.log(1 + t / 10)
                    s = math.sqrt(square) * s + 1 - square
                logits.append(s)
            torch.testing.assert_close(found[h, row].double(), softmax_row(logits), rtol=1e-4, atol=1e-6)


def test_every_query_counts_all_keys_or_those_of_the_mask():
    assert counted(None, placement(7)).tolist() == [7] * 7
    assert counted(None, placement(7, "last")).tolist() == [7]
    at = placement(5)
    assert isinstance(at, Bidirectional)
    assert counted(build("banded", reach=2).mask(at), at).tolist() == [2, 3, 3, 3, 2]


def signed(distance):
    """min(|d|, ...) rules for keys behind the query have the other sign."""
    return lambda d: distance(d) if d >= 0 else -distance(-d)


@pytest.mark.parametrize(
    "name, values, distance",
    [
        ("rope", {}, signed(lambda d: d)),
        ("rerope", {"window": 3}, signed(lambda d: min(d, 3))),
        ("leaky_rerope", {"window": 3, "k": 4.0}, signed(lambda d: d if d <= 3 else 3 + (d - 3) / 4)),
    ],
)
def test_rotations_are_antisymmetric_in_the_distance(name, values, distance):
    """U7: keys behind the query are turned the other way, as far."""
    T = 14
    found, q, k = weights_seen(T, build(name, **values))
    theta = 10_000.0 ** (-2 * torch.arange(K // 2, dtype=torch.float64) / K)
    for h in range(2):
        for i in range(T):
            logits = []
            for j in range(T):
                a, b = (torch.view_as_complex(x.view(-1, 2)) for x in (q[h, i], k[h, j]))
                turn = torch.exp(-1j * distance(i - j) * theta)
                logits.append(float((a.conj() * b * turn).real.sum()) / math.sqrt(K))
            torch.testing.assert_close(found[h, i].double(), softmax_row(logits), rtol=1e-3, atol=1e-5)


def test_self_extend_counts_groups_on_both_sides():
    """Far pairs stand at floor(i/G) - floor(j/G) +- (w - floor(w/G)): swapping query and key changes the sign alone."""
    T, w, G = 16, 4, 3
    found, q, k = weights_seen(T, build("self_extend", window=w, group=G))
    theta = 10_000.0 ** (-2 * torch.arange(K // 2, dtype=torch.float64) / K)
    for i in range(T):
        logits = []
        for j in range(T):
            d = i - j
            if abs(d) > w:
                d = i // G - j // G + (w - w // G) * (1 if d > 0 else -1)
            a, b = (torch.view_as_complex(x.view(-1, 2)) for x in (q[0, i], k[0, j]))
            logits.append(float((a.conj() * b * torch.exp(-1j * d * theta)).real.sum()) / math.sqrt(K))
        torch.testing.assert_close(found[0, i].double(), softmax_row(logits), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["lm_infinite", "streaming"])
def test_bands_with_sinks_reach_both_ways(name):
    T, sinks = 3 * M, 1
    found, _, _ = weights_seen(T, build(name, **{"first" if name == "lm_infinite" else "sinks": sinks}))
    reach = M if name == "lm_infinite" else M - sinks
    for i in range(T):
        for j in range(T):
            assert (found[0, i, j] > 0) == (abs(i - j) < reach or j < sinks), (i, j)


@pytest.mark.parametrize("block", ["standard", "gau"])
def test_every_place_reads_every_token(block):
    config = ModelConfig(block=block, width=8, depth=1, causal=False)
    model = Transformer(config, 3, 6)
    row = model.layout.initial_row(0)
    weights = model.layout.views(row[None] + 0.1 * torch.randn(row.shape, generator=torch.Generator().manual_seed(1)))
    window = torch.tensor([[[3, 0, 1, 2, 1, 0]]])
    before = model.logits(weights, window, "all")
    for place in range(1, 6):
        changed = window.clone()
        changed[..., place] = (changed[..., place] + 1) % 3
        moved = (model.logits(weights, changed, "all") - before).abs().amax(dim=-1)[0, 0]
        assert torch.all(moved > 1e-6), place
    causal = Transformer(config.replace(causal=True), 3, 6)
    torch.testing.assert_close(causal.logits(weights, window), model.logits(weights, window))  # depth 1, last place


@pytest.mark.parametrize("block", ["standard", "gau"])
def test_two_sided_members_are_themselves_in_company_and_read_alike(block):
    model = Transformer(ModelConfig(block=block, width=8, depth=2, causal=False, methods=("rope", "log_n")), 3, 6)
    rows = torch.stack([model.layout.initial_row(seed) for seed in range(3)])
    windows = torch.randint(0, 4, (3, 4, 9), generator=torch.Generator().manual_seed(1))
    together = model.logits(model.layout.views(rows), windows, "all")
    some = torch.tensor([2, 5])
    torch.testing.assert_close(model.logits(model.layout.views(rows), windows, some), together[:, :, some])
    torch.testing.assert_close(model.logits(model.layout.views(rows), windows), together[:, :, -1])
    for member in range(3):
        part = slice(member, member + 1)
        alone = model.logits(model.layout.views(rows[part]), windows[part], "all")
        torch.testing.assert_close(together[part], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", ["rerope", "entmax15", "asentmax", "scale_invariant", "gap_counting", "affine"])
def test_large_explicit_windows_are_attended_some_queries_at_a_time(name, causal, monkeypatch):
    """Where no gradient is wanted; to the same values, wherever they are read."""
    one = build(name)
    chosen = (one,) if "position" in one.slots else ("rope", one, {"type": "banded", "reach": 5})
    model = Transformer(ModelConfig(width=8, depth=2, causal=causal, methods=chosen), 3, M)
    weights = model.layout.views(model.layout.initial_row(0)[None] * 2)
    windows = torch.randint(0, 4, (1, 3, 11), generator=torch.Generator().manual_seed(1))
    sizes: list[int] = []
    original = attention.logits_of

    def noting(*arguments):
        found = original(*arguments)
        sizes.append(found.numel())
        return found

    monkeypatch.setattr(attention, "logits_of", noting)
    with torch.no_grad():
        expected = [model.logits(weights, windows, read) for read in ("all", "last")]
        assert max(sizes) == 3 * 2 * 11 * 11
        monkeypatch.setattr(attention, "LARGEST_SCORES", 3 * 2 * 11 * 4)
        sizes.clear()
        for read, whole in zip(("all", "last"), expected, strict=True):
            torch.testing.assert_close(model.logits(weights, windows, read), whole, rtol=1e-5, atol=1e-6)
    assert max(sizes) <= 3 * 2 * 11 * 4
