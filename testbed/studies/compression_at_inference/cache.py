"""What rounding a cache does to a trained model: divergences, noise of logits, margins that are exceeded.

Let q be the model's law, q_b that with b bits, and d the change of its output's logits. Then

    KL(q || q_b) = Var_q(d) / 2 + O(d^3)        and        excess_b - excess = E (q - p) . d + KL(q || q_b) terms

for the Bayes law p: the first is quadratic in the noise whatever q is, the added excess only where q = p. Even levels
stand a range / (2^b - 1) apart, errors are proportional to that, and so at a high rate

    KL(q || q_b) = c (2^b - 1)^-2,        near c 2^(-2b).

Attention that has put all its weight on one key answers to noise only once the noise exceeds the margin of that key's
logit: below that c is tiny, above it the law breaks. All numbers are computed with the trained weights in float64, for
at 8 bits a divergence can lie below what float32 resolves.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.compression_at_inference.config import KEYS, SCHEMES, Cache, rounding
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.measures.attention_scores import Rows
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
OF_LAWS, OF_ROWS = ("divergence", "added", "response"), ("noise", "exceeded")


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


class Reader:
    """A trained model on fresh sequences, with any rounding of its cache."""

    def __init__(self, member: "TrainedMember", tokens: NDArray[np.int64], device: str) -> None:
        self.member, self.tokens, self.device = member, tokens, device

    def read(self, extra: tuple[object, ...] = (), with_rows: bool = True) -> "tuple[Floats, dict[int, Rows]]":
        """(N, T, V) ln q at all positions, and the attention rows of each block where they are wanted."""
        import torch

        from testbed.measures.attention_scores import rows_of
        from testbed.training.ensemble import log_sequence_laws

        methods = (*self.member.spec.model.methods, *extra)
        model, weights = self.member.opened(self.device, methods=methods)
        weights = {name: one.double() for name, one in weights.items()}
        everywhere = np.ones(self.tokens.shape, dtype=np.bool_)
        with torch.no_grad():
            laws = log_sequence_laws(model, weights, self.tokens, everywhere, torch.device(self.device))
        if not with_rows:
            return laws.reshape(*self.tokens.shape, -1), {}
        begin = np.full((len(self.tokens), 1), model.begin)
        seen = torch.from_numpy(np.concatenate([begin, self.tokens[:, :-1]], axis=1)).to(self.device)
        rows = {one.block: one for one in rows_of(model, weights, seen[None], entries=2**30)}
        return laws.reshape(*self.tokens.shape, -1), rows


def cache_arrays(member: "TrainedMember", cache: Cache, seed: int, device: str) -> dict[str, Floats]:
    """Of every scheme and number of bits, (schemes, bits):

    divergence   mean KL(q || q_b) over positions, nats;  added   excess with b bits less excess, nats
    response     divergence over mean Var_q(d) / 2

    Of the ways to round keys alone, (ways, bits):

    noise        variance of the change of attention logits over visible keys, mean over rows of the first block
    exceeded     share of decisive rows of the last block, whose largest weight is over 1/2, where another key is now
                 the largest

    excess (), uniform (): of q, and KL from the Bayes law to the uniform one;  decisive (): share of such rows
    """
    length = member.spec.data.max_context + 1
    tokens = draw_sequences(member.spec.source, "probe", seed, cache.n_sequences, length).tokens.astype(np.int64)
    reader = Reader(member, tokens, device)
    with np.errstate(divide="ignore"):
        log_p = np.log(member.spec.source.predict(tokens))
    plain, rows = reader.read()
    last = member.spec.model.depth - 1
    excess = float(divergence(log_p, plain).mean())
    found = {name: np.zeros((len(SCHEMES), len(cache.bits))) for name in OF_LAWS}
    found |= {name: np.zeros((len(KEYS), len(cache.bits))) for name in OF_ROWS}
    for s, scheme in enumerate(SCHEMES):
        for b, bits in enumerate(cache.bits):
            laws, now = reader.read((rounding(scheme, bits),), with_rows=scheme in KEYS)
            moved = float(divergence(plain, laws).mean())
            found["divergence"][s, b] = moved
            found["added"][s, b] = float(divergence(log_p, laws).mean()) - excess
            found["response"][s, b] = moved / max(float(half_variance(plain, laws).mean()), 1e-300)
            if now:
                found["noise"][s, b] = row_noise(rows[0].logits, now[0].logits)
                found["exceeded"][s, b] = exceeded(rows[last].weights, now[last].weights)
    found["excess"], found["decisive"] = np.asarray(excess), np.asarray(decisive(rows[last].weights))
    found["uniform"] = np.asarray(divergence(log_p, np.full_like(log_p, -np.log(log_p.shape[-1]))).mean())
    return found


def row_noise(before: "Tensor", after: "Tensor") -> float:
    """Variance over visible keys of after - before, mean over rows of two visible keys or more."""
    import torch

    seen = torch.isfinite(before)
    count = seen.sum(dim=-1)
    change = torch.where(seen, after - before, 0.0)
    mean = change.sum(dim=-1, keepdim=True) / count[..., None]
    variance = (torch.where(seen, change - mean, 0.0) ** 2).sum(dim=-1) / count
    return float(variance[count > 1].mean())


def exceeded(before: "Tensor", after: "Tensor") -> float:
    """Share of rows with a weight over 1/2 whose largest weight now stands at another key; 0 without such rows."""
    top = before.max(dim=-1)
    sure = top.values > 0.5
    return float((after.argmax(dim=-1) != top.indices)[sure].double().mean()) if bool(sure.any()) else 0.0


def decisive(weights: "Tensor") -> float:
    """Share of rows with a weight over 1/2, of those with two visible keys or more."""
    return float((weights.max(dim=-1).values > 0.5)[..., 1:].double().mean())
