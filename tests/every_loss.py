"""Every shipped training loss, with the costs and vectors that some of them have, for tests."""

import numpy as np
import torch

from testbed.training.losses import losses
from testbed.training.losses.emo import EmbeddingCost, cost_of

FIXED = {"vectors": "random", "dimension": 3, "draw": 4}
TABLES = {
    "cross_entropy": {},
    "label_smoothing": {"amount": 0.2},
    "focal": {"focus": 2.0},
    "total_variation": {},
    "mixce": {"mixing": 0.4},
    "brier": {},
    "spherical": {},
    "emo": FIXED,
    "adaptive_emo": FIXED,
    "cut_cross_entropy": {"threshold": 0.1},
}
LOSSES = {name: losses.build({"type": name, **table}) for name, table in TABLES.items()}
LOSSES["adaptive_emo_ce"] = losses.build({"type": "adaptive_emo", "scaled": "cross_entropy", **FIXED})
LOSSES["blunt_focal"] = losses.build({"type": "focal", "focus": 0.5})
PROPER = {"cross_entropy", "brier", "spherical"}
LINEAR = {"total_variation", "emo"}
ADAPTIVE = {"adaptive_emo", "adaptive_emo_ce"}
FILTERED = {"cut_cross_entropy"}
"""Whose field jumps, and vanishes nowhere."""


def law_from(draw_seed: int, n: int, least: float = 0.0) -> np.ndarray:
    p = np.random.default_rng(draw_seed).dirichlet(np.ones(n)) + least
    return p / p.sum()


def cost_for(loss, n: int) -> np.ndarray | None:
    return cost_of(loss.rows(n)) if isinstance(loss, EmbeddingCost) else None


def rows_for(loss, n: int) -> torch.Tensor | None:
    rows = loss.rows(n)
    return None if rows is None else torch.from_numpy(rows)[None]
