"""Networks built by hand that read chains of order k: attention alone, no norm, no MLP, with a bias for each distance.

The residual stream holds slots of V coordinates, slot j for the token j steps back, one coordinate for the begin
symbol, and V for what is read out. Slot 0 is the embedding.

    copying     one head:    layer l looks 2^(l - 1) steps back and writes the slots it finds there behind its own, so
                             that after l of them a place knows 2^l tokens (Rajaraman et al. 2024, 2407.17686)
                k heads:     one layer, head j looks j steps back
    looking     a key i matches a query t by sum_j <slot_j(t), slot_(j + 1)(i)>, k where the k tokens before i are the
                last k of t, and gives its own token to the readout. The begin symbol weighs as much as V of those and
                gives 1 / V of each, so that what is read is (n_cx + 1) / (n_c + V) as the logit of a match grows: the
                Bayes law
    readout     logits are `gain` times that law. They ought to be its logarithm: attention alone has to pay for it

Where a head looks further back than the sequence reaches it looks at the begin symbol, whose slots are empty; so does
the last layer where fewer than k tokens are known, and the law is uniform there, as it ought to be. Everything holds up
to e^(-sharpness) times the number of keys.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.studies.depth_and_order.config import layers_needed
from testbed.studies.depth_and_order.construct_full import coordinates_needed, full_weights, units_needed

if TYPE_CHECKING:
    from testbed.models.transformer import Transformer

Floats = NDArray[np.float64]
Weights = dict[str, Floats]


def width_needed(vocab_size: int, order: int) -> int:
    """Slots 0 .. k, the begin symbol and the readout."""
    return vocab_size * (order + 1) + 1 + vocab_size


def built_weights(model: "Transformer", order: int, sharpness: float, gain: float) -> Weights:
    """Every weight of the model by name, without the member axis.

    Raises ConfigError where the model has too few layers or heads, or is too narrow.
    """
    config, v = model.config, model.vocab_size
    check_fits(config, v, order)
    return (
        full_weights(model, order, sharpness, gain) if config.mlp_ratio else _attention(model, order, sharpness, gain)
    )


def _attention(model: "Transformer", order: int, sharpness: float, gain: float) -> Weights:
    """Attention alone."""
    v, d, h = model.vocab_size, model.config.width, model.config.heads
    slots, begin, out = (lambda j: slice(v * j, v * (j + 1))), v * (order + 1), slice(v * (order + 1) + 1, None)
    eye = np.eye(v)
    found: Weights = {one.name: np.zeros(one.shape) for one in model.layout.entries}
    found["embedding"][:v, slots(0)] = eye
    found["embedding"][v, begin] = 1.0
    bias = found["method.relative_bias.b"]  # (L, H, T)
    size = d // h
    root = np.sqrt(size)

    def project(layer: int, what: int, rows: slice | int, head: int, columns: slice | int, matrix: Floats) -> None:
        """One part of W_q, W_k or W_v (what = 0, 1, 2) of a head."""
        offset = what * d + head * size
        at = slice(offset + columns.start, offset + columns.stop) if isinstance(columns, slice) else offset + columns
        found[f"{layer}.qkv"][rows, at] += matrix

    def always(layer: int, head: int, column: int, logit: float) -> None:
        """Every query gives the begin symbol this logit: the sum of slot 0 and the begin coordinate is one."""
        project(layer, 0, slots(0), head, column, np.full(v, logit * root))
        project(layer, 0, begin, head, column, np.array(logit * root))
        project(layer, 1, begin, head, column, np.array(1.0))

    last = model.config.depth - 1
    for layer in range(last):
        for head in range(h):
            back = 2**layer if h == 1 else head + 1
            if layer >= layers_needed("attention", order, h) - 1 or back > order:
                continue  # more than is needed: attention reads nothing
            bias[layer, head, back] = 2.0 * sharpness
            always(layer, head, 0, sharpness)
            known = min(back, order + 1 - back) if h == 1 else 1  # slots that are found there and have a place
            for j in range(known):
                columns = slice(1 + v * j, 1 + v * (j + 1))
                project(layer, 2, slots(j), head, columns, eye)
                to = slots(back + j)
                found[f"{layer}.attention_out"][head * size + columns.start : head * size + columns.stop, to] = eye
    for j in range(order):
        columns = slice(1 + v * j, 1 + v * (j + 1))
        project(last, 0, slots(j), 0, columns, sharpness * root * eye)
        project(last, 1, slots(j + 1), 0, columns, eye)
    always(last, 0, 0, order * sharpness + np.log(v))
    project(last, 2, slots(0), 0, slice(0, v), eye)
    project(last, 2, begin, 0, slice(0, v), np.full(v, 1.0 / v))
    found[f"{last}.attention_out"][0:v, out.start : out.start + v] = eye
    found["head"][out.start : out.start + v] = gain * eye
    return found


def check_fits(model: ModelConfig, vocab_size: int, order: int) -> None:
    """ConfigError where a network for this order cannot be built in a model of this config."""
    if order < 1:
        raise ConfigError(f"built for order {order}: it must be 1 or more")
    depth, heads, width = model.depth, model.heads, model.width
    if model.mlp_ratio:
        hidden = model.mlp_ratio * width
        if (depth, heads, vocab_size) != (2, 1, 2) or hidden < units_needed(order) or width < coordinates_needed(order):
            raise ConfigError(
                f"the whole block is built of 2 layers with one head for two symbols, width {coordinates_needed(order)}"
                f" and {units_needed(order)} hidden units for order {order}; given are {depth} layers, {heads} heads,"
                f" {vocab_size} symbols, width {width} and {hidden} units"
            )
        return
    needed = layers_needed("attention", order, heads)
    if depth < needed or 1 < heads < order:
        raise ConfigError(
            f"depth: given {depth} with {heads} heads; order {order} is built of {needed} layers, with one head or"
            f" {order}"
        )
    if width < width_needed(vocab_size, order) or width // heads < 1 + vocab_size * order:
        raise ConfigError(f"width: given {width}, too narrow to build order {order} with heads = {heads}")


def sequence_laws(model: "Transformer", weights: Weights, tokens: NDArray[np.integer], device: str = "cpu") -> Floats:
    """(N, T, V) ln q at every position of sequences, of weights by name."""
    import torch

    from testbed.training.ensemble import log_sequence_laws

    on = torch.device(device)
    named = {name: torch.from_numpy(one)[None].float().to(on) for name, one in weights.items()}
    everywhere = np.ones(tokens.shape, dtype=np.bool_)
    with torch.no_grad():
        laws = log_sequence_laws(model, named, tokens, everywhere, on)
    return laws.reshape(*tokens.shape, -1)


def best_gain(laws: Floats) -> float:
    """The gain of the readout with the least mean KL(p || softmax(gain p)) over laws p (..., V)."""
    from scipy.optimize import minimize_scalar

    def price(gain: float) -> float:
        z = gain * laws
        high = z.max(axis=-1, keepdims=True)
        log_q = z - high - np.log(np.exp(z - high).sum(axis=-1, keepdims=True))
        return float((laws * (np.log(laws) - log_q)).sum(axis=-1).mean())

    return float(minimize_scalar(price, bounds=(0.1, 50.0), method="bounded", options={"xatol": 1e-4}).x)
