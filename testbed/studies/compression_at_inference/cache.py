"""What rounding a cache does to a trained model: divergences, noise of logits, margins that are exceeded.

Let q be the model's law, q_b that with b bits, and d the change of its output's logits. Then

    KL(q || q_b) = Var_q(d) / 2 + O(d^3)        and        excess_b - excess = sum (q - p) d + KL(q || q_b)

for the Bayes law p, the second exactly: the first is quadratic in the noise whatever q is (of an untrained model, too),
the added excess only where q = p. Even levels
stand a range / (2^b - 1) apart, errors are proportional to that, and so at a high rate

    KL(q || q_b) = c (2^b - 1)^-2,        near c 2^(-2b).

Attention that has put all its weight on one key answers to noise only once the noise exceeds the margin of that key's
logit: below that c is tiny, above it the law breaks. All numbers are computed with the trained weights in float64, for
at 8 bits a divergence can lie below what float32 resolves.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.compression_at_inference.config import KEYS, SCHEMES, Cache, rounding
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.measures.attention_scores import Rows
    from testbed.models.transformer import Transformer
    from testbed.training import TrainingSpec
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
OF_LAWS, OF_ROWS = ("divergence", "added", "response"), ("noise", "exceeded")
ROW_NUMBERS = 2**26
"""Numbers that the attention rows of one block may hold."""
SORTED = 256
"""Tokens on which uneven levels are measured."""


def divergence(log_p: Floats, log_q: Floats) -> Floats:
    """KL(p || q) of laws in the last axis, nats; 0 ln 0 = 0."""
    p = np.exp(log_p)
    return np.asarray(np.sum(np.where(p > 0, p * (log_p - np.where(p > 0, log_q, 0.0)), 0.0), axis=-1))


def half_variance(log_q: Floats, log_other: Floats) -> Floats:
    """Var_q(d) / 2 of the change d of logits (up to a constant, which does not matter): what the divergence is for
    small d.

    >>> q = np.log([0.5, 0.3, 0.2]); d = 1e-3 * np.array([1.0, -1.0, 0.0])
    >>> other = q + d - np.log(np.sum(np.exp(q + d)))
    >>> round(float(divergence(q, other) / half_variance(q, other)), 3)
    1.0
    """
    q, d = np.exp(log_q), log_other - log_q
    mean = np.sum(q * d, axis=-1, keepdims=True)
    return np.asarray(0.5 * np.sum(q * (d - mean) ** 2, axis=-1))


class Untrained:
    """A model at its first weights, in the place of a trained one: what a rounding does where nothing is learnt."""

    def __init__(self, spec: "TrainingSpec") -> None:
        self.spec = spec

    def opened(
        self, device: str = "cpu", point: int | None = None, methods: Iterable[Any] | None = None
    ) -> "tuple[Transformer, dict[str, Tensor]]":
        """As of a trained member."""
        from testbed.models.transformer import Transformer

        spec = self.spec
        model = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1)
        weights = model.layout.views(model.layout.initial_row(spec.initial_seed)[None].to(device))
        return model if methods is None else model.with_methods(methods), weights


class Reader:
    """A model on fresh sequences, with any rounding of its cache. Rows are looked at on the first sequences alone
    where those of all would be over ROW_NUMBERS; each piece of them holds `entries` numbers."""

    def __init__(
        self, member: "TrainedMember | Untrained", tokens: NDArray[np.int64], device: str, entries: int = 2**23
    ) -> None:
        self.member, self.tokens, self.device, self.entries = member, tokens, device, entries

    def _opened(self, extra: tuple[object, ...]) -> "tuple[Transformer, dict[str, Tensor]]":
        methods = (*self.member.spec.model.methods, *extra)
        model, weights = self.member.opened(self.device, methods=methods)
        return model, {name: one.double() for name, one in weights.items()}

    def laws(self, extra: tuple[object, ...] = (), length: int | None = None) -> Floats:
        """(N, T, V) ln q at all positions of the sequences, or of so many first tokens of each."""
        import torch

        from testbed.training.ensemble import log_sequence_laws

        tokens = self.tokens[:, :length]
        model, weights = self._opened(extra)
        everywhere = np.ones(tokens.shape, dtype=np.bool_)
        with torch.no_grad():
            laws = log_sequence_laws(model, weights, tokens, everywhere, torch.device(self.device))
        return laws.reshape(*tokens.shape, -1)

    def rows(self, extra: tuple[object, ...] = ()) -> "Iterator[Rows]":
        """Attention rows, block by block and piece by piece."""
        import torch

        from testbed.measures.attention_scores import rows_of

        model, weights = self._opened(extra)
        n, length = self.tokens.shape
        tokens = self.tokens[: max(1, min(n, ROW_NUMBERS // (model.geometry.heads * length**2)))]
        begin = np.full((len(tokens), 1), model.begin)
        seen = torch.from_numpy(np.concatenate([begin, tokens[:, :-1]], axis=1)).to(self.device)
        yield from rows_of(model, weights, seen[None], entries=self.entries)


def cache_arrays(
    member: "TrainedMember | Untrained", cache: Cache, seed: int, device: str, entries: int = 2**23
) -> dict[str, Floats]:
    """Of every scheme and number of bits, (schemes, bits):

    divergence   mean KL(q || q_b) over positions, nats;  added   excess with b bits less excess, nats
    response     divergence over mean Var_q(d) / 2

    Of the ways to round keys alone, (ways, bits):

    noise        variance of the change of attention logits over visible keys, mean over rows of the first block
    exceeded     share of decisive rows of the last block, whose largest weight is over 1/2, where another key is now
                 the largest

    excess (), uniform (): of q, and KL from the Bayes law to the uniform one;  decisive (): share of such rows

    Uneven levels, whose outliers are sorted anew at each position, are measured on the first SORTED tokens.
    """
    length = member.spec.data.max_context + 1
    tokens = draw_sequences(member.spec.source, "probe", seed, cache.n_sequences, length).tokens.astype(np.int64)
    reader = Reader(member, tokens, device, entries)
    with np.errstate(divide="ignore"):
        log_p = np.log(member.spec.source.predict(tokens))
    plain, rows = reader.laws(), list(reader.rows())
    last = member.spec.model.depth - 1
    found = {name: np.zeros((len(SCHEMES), len(cache.bits))) for name in OF_LAWS}
    found |= {name: np.zeros((len(KEYS), len(cache.bits))) for name in OF_ROWS}
    for s, (scheme, table) in enumerate(SCHEMES.items()):
        upto = SORTED if table.get("outliers") else length
        true, whole = log_p[:, :upto], plain[:, :upto]
        excess = float(divergence(true, whole).mean())
        for b, bits in enumerate(cache.bits):
            extra = (rounding(scheme, bits),)
            laws = reader.laws(extra, upto)
            moved = float(divergence(whole, laws).mean())
            found["divergence"][s, b] = moved
            found["added"][s, b] = float(divergence(true, laws).mean()) - excess
            found["response"][s, b] = moved / max(float(half_variance(whole, laws).mean()), 1e-300)
            if scheme in KEYS:
                found["noise"][s, b], found["exceeded"][s, b] = changes(rows, reader.rows(extra), last)
    sure, n = np.sum([decisive(one.weights) for one in rows if one.block == last], axis=0)
    found["excess"], found["decisive"] = np.asarray(divergence(log_p, plain).mean()), np.asarray(sure / max(n, 1))
    found["uniform"] = np.asarray(divergence(log_p, np.full_like(log_p, -np.log(log_p.shape[-1]))).mean())
    return found


def changes(before: "Iterable[Rows]", after: "Iterable[Rows]", last: int) -> tuple[float, float]:
    """Noise of the first block and share of exceeded rows of the last, over all pieces; 0 where no row counts."""
    noise, beyond = np.zeros(2), np.zeros(2)
    for one, other in zip(before, after, strict=True):
        if one.block == 0:
            noise += row_noise(one.logits, other.logits)
        if one.block == last:
            beyond += exceeded(one.weights, other.weights)
    return float(noise[0] / max(noise[1], 1)), float(beyond[0] / max(beyond[1], 1))


def row_noise(before: "Tensor", after: "Tensor") -> tuple[float, int]:
    """Sum over rows of two visible keys or more of the variance over these of after - before, and how many rows."""
    import torch

    seen = torch.isfinite(before)
    count = seen.sum(dim=-1)
    change = torch.where(seen, after - before, 0.0)
    mean = change.sum(dim=-1, keepdim=True) / count[..., None]
    variance = (torch.where(seen, change - mean, 0.0) ** 2).sum(dim=-1) / count
    return float(variance[count > 1].sum()), int((count > 1).sum())


def exceeded(before: "Tensor", after: "Tensor") -> tuple[int, int]:
    """Of rows with a weight over 1/2: those whose largest weight now stands at another key, and all."""
    top = before.max(dim=-1)
    sure = top.values > 0.5
    return int(((after.argmax(dim=-1) != top.indices) & sure).sum()), int(sure.sum())


def decisive(weights: "Tensor") -> tuple[int, int]:
    """Rows with a weight over 1/2, of those with two visible keys or more, and all these."""
    several = (weights > 0).sum(dim=-1) > 1
    return int(((weights.max(dim=-1).values > 0.5) & several).sum()), int(several.sum())
