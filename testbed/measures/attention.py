"""Attention of a model on given tokens, row by row: entropy, spread, reach, and what calibrated methods read off it.

    model = trained.with_methods(("rope", "infoscale"))             # other methods, the same weights
    rows = attention_rows(model, weights, tokens, queries=torch.from_numpy(spread_places(4096, 256)))
    rows.mean("entropy")                                            # (L, E, H)

Axes   L block   E member   B batch   H head   Q query   T key
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from testbed.core import ConfigError
from testbed.measures.attention_entropy import attention_entropy
from testbed.measures.attention_metrics import (
    concentration,
    critical_scale_and_gap,
    entropy,
    logit_std,
    mass_by_distance,
    mass_width,
    two_largest,
    window_mass,
)
from testbed.measures.attention_scores import ENTRIES, attention_inputs, rows_of
from testbed.models.attention import masks_and_biases, scaled
from testbed.models.transformer import Calibrated, Transformer

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AttentionRows:
    """Measures of attention rows. Arrays are (L, E, B, H, Q) unless said otherwise; entropies and gaps in nats.

    queries            (Q,) places of the queries
    n_visible          (Q,) keys that each sees
    entropy            H = -sum p ln p
    concentration      sum p^2
    top_mass           the largest weight
    top_two_gap        D_n, the largest weight less the second largest
    logit_gap          the largest logit less the second largest
    logit_std          sigma_h, standard deviation of the row's visible logits
    critical_scale     Lambda_n = sup ln N(t) / t, the row's critical inverse temperature
    mass_width         w_90, the least distance within which 0.9 of the weight lies
    window_mass        W_w by w: weight within distance w on either side
    key_mass           F_n, weight on the keys asked about; None where none were
    """

    queries: NDArray[np.int64]
    n_visible: NDArray[np.int64]
    entropy: Floats
    concentration: Floats
    top_mass: Floats
    top_two_gap: Floats
    logit_gap: Floats
    logit_std: Floats
    critical_scale: Floats
    mass_width: Floats
    window_mass: dict[int, Floats]
    key_mass: Floats | None

    @cached_property
    def relative_entropy(self) -> Floats:
        """H / ln n for n visible keys; nan where n = 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.n_visible > 1, self.entropy / np.log(self.n_visible), np.nan)

    @cached_property
    def effective_keys(self) -> Floats:
        """e^H."""
        return np.exp(self.entropy)

    @cached_property
    def participation(self) -> Floats:
        """1 / sum p^2."""
        return 1.0 / self.concentration

    @cached_property
    def frozen(self) -> NDArray[np.bool_]:
        """Whether sigma_h passes sqrt(2 ln n), beyond which Gaussian logits put their weight on O(1) keys."""
        found: NDArray[np.bool_] = self.logit_std > np.sqrt(2.0 * np.log(self.n_visible))
        return found

    def mean(self, name: str) -> Floats:
        """(L, E, H): the mean of a measure over sequences and queries, rows where it is not defined left out."""
        found: Floats = np.nanmean(getattr(self, name).astype(np.float64), axis=(2, 4))
        return found


def attention_rows(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    queries: Tensor | None = None,
    keys: Tensor | None = None,
    windows: tuple[int, ...] = (),
    calibrated: Calibrated | None = None,
    entries: int = ENTRIES,
) -> AttentionRows:
    """All measures of the rows of these queries (all places, if left out), in pieces of `entries` numbers.

    tokens_EBT    windows as the model reads them, begin symbol first
    queries       places of the queries: `spread_places` where windows are long
    keys          (T,) or (E, B, T) bool: keys whose weight is `key_mass`
    windows       distances w for `window_mass`
    """
    E, B, T = tokens_EBT.shape
    if keys is not None and (keys.dtype != torch.bool or tuple(keys.shape) not in ((T,), (E, B, T))):
        raise ConfigError(f"keys: given {keys.dtype} of shape {tuple(keys.shape)}, need bool ({T},) or {(E, B, T)}")
    chosen = torch.arange(T) if queries is None else queries
    shape = (model.config.depth, E, B, model.geometry.heads, len(chosen))
    found: dict[str, Floats] = {}
    n_visible = np.zeros(len(chosen), dtype=np.int64)
    for rows in rows_of(model, weights, tokens_EBT, queries, calibrated, entries):
        top, second = two_largest(rows.weights)
        critical, gap = critical_scale_and_gap(rows.logits)
        by_distance = mass_by_distance(rows.weights, rows.at.query_order_T[:, None] - rows.at.key_order_T)
        measured = {
            "entropy": entropy(rows.weights),
            "concentration": concentration(rows.weights),
            "top_mass": top,
            "top_two_gap": top - second,
            "logit_gap": gap,
            "logit_std": logit_std(rows.logits),
            "critical_scale": critical,
            "mass_width": mass_width(by_distance),
        }
        measured |= {f"within {reach}": window_mass(by_distance, reach) for reach in windows}
        if keys is not None:
            asked = keys if keys.ndim == 1 else keys[:, rows.batch, None, None]
            measured["key_mass"] = (rows.weights * asked).sum(dim=-1)
        for name, values in measured.items():
            array = found.setdefault(name, np.full(shape, np.nan))
            array[rows.block, :, rows.batch, :, rows.wanted] = values.double().cpu().numpy()
        n_visible[rows.wanted] = rows.logits[0, 0, 0].isfinite().sum(dim=-1).cpu().numpy()
    window_masses = {reach: found.pop(f"within {reach}") for reach in windows}
    return AttentionRows(
        queries=chosen.cpu().numpy(),
        n_visible=n_visible,
        window_mass=window_masses,
        key_mass=found.pop("key_mass", None),
        **found,
    )


@torch.no_grad()
def attention_entropies(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    calibrated: Calibrated | None = None,
    entries: int = ENTRIES,
) -> Tensor:
    """(L, E, B, H, T): the entropy of every row, nats; without forming rows where methods change q and k alone."""
    found = tokens_EBT.new_zeros(
        (model.config.depth, *tokens_EBT.shape[:2], model.geometry.heads, tokens_EBT.shape[2]), dtype=torch.float32
    )
    explicit = any(method.is_explicit for method in model.config.methods)
    every = attention_inputs(model, weights, tokens_EBT, None, calibrated)
    if not explicit and masks_and_biases(every[0].at, every[0].active) == (None, None):
        for one in every:
            q, k = scaled(one.q_EBHTK, one.k_EBHTK, one.x_EBTD, one.at, None, one.active)
            found[one.block] = attention_entropy(q, k, model.config.causal)
    else:
        for rows in rows_of(model, weights, tokens_EBT, None, calibrated, entries):
            found[rows.block, :, rows.batch, :, rows.wanted] = entropy(rows.weights)
    return found


def attention_weights(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    queries: Tensor,
    calibrated: Calibrated | None = None,
) -> Tensor:
    """(L, E, B, H, Q, T): the weights of these queries' rows, for `shape_drift` and figures; few queries at a time."""
    E, B, T = tokens_EBT.shape
    found = torch.zeros(model.config.depth, E, B, model.geometry.heads, len(queries), T, device=tokens_EBT.device)
    for rows in rows_of(model, weights, tokens_EBT, queries, calibrated):
        found[rows.block, :, rows.batch, :, rows.wanted] = rows.weights
    return found


def head_logit_std(
    model: Transformer, weights: Mapping[str, Tensor], tokens_EBT: Tensor, entries: int = ENTRIES
) -> Tensor:
    """(L, E, H): sigma_h, root mean square over rows of the standard deviation of a row's visible logits.

    Over the second half of the window's queries, whose rows are about as long as the window. Methods that are
    calibrated are left out: what they read off is the model without them.
    """
    E, B, T = tokens_EBT.shape
    others = tuple(one for one in model.config.methods if not one.is_calibrated)
    plain = Transformer(model.config.replace(methods=others), model.vocab_size, model.geometry.train_length)
    queries = torch.arange(T // 2, T)
    total = torch.zeros(model.config.depth, E, model.geometry.heads, dtype=torch.float64, device=tokens_EBT.device)
    for rows in rows_of(plain, weights, tokens_EBT, queries, None, entries):
        total[rows.block] += logit_std(rows.logits).double().square().sum(dim=(1, 3))
    return (total / (B * len(queries))).sqrt().float()


def calibrate(model: Transformer, weights: Mapping[str, Tensor], tokens_EBT: Tensor) -> Calibrated:
    """What every calibrated method of the model reads off these weights on windows of the training length."""
    wanted = [method for method in model.config.methods if method.is_calibrated]
    if not wanted:
        return {}
    if tokens_EBT.shape[2] != model.geometry.train_length:
        raise ConfigError(
            f"tokens: given windows of {tokens_EBT.shape[2]} positions, calibration takes the training length,"
            f" {model.geometry.train_length} with the begin symbol"
        )
    std_LEH = head_logit_std(model, weights, tokens_EBT)
    return {method.type_name: method.calibrate(std_LEH, model.geometry) for method in wanted}
