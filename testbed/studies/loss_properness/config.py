"""What the study `loss_properness` is asked: losses, sources, bounds. Fixed before the run."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Config
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.source import Source
from testbed.training.losses import AnyLoss, losses

Kind = Literal["iid", "markov", "deterministic"]
NOISY: tuple[Kind, ...] = ("iid", "markov")
"""Sources on which losses differ; on the deterministic one all but label smoothing have the same optimum."""
KINDS: tuple[Kind, ...] = (*NOISY, "deterministic")
EMO_ARMS = ("emo", "emo_distance", "emo_cross_entropy", "emo_own_head")


class Arm(Config):
    """A training loss by a short name."""

    name: str = Field(
        min_length=1, max_length=40, pattern="^[a-z][a-z0-9_]*$", description="name in claims and figures"
    )
    objective: AnyLoss = Field(description="the loss")


def standard_arms() -> tuple[Arm, ...]:
    """The losses of the study; the vectors of EMO's cost lie in a plane, so that the medoid is often not the mode."""
    fixed: dict[str, Any] = {"vectors": "random", "dimension": 2, "draw": 189}
    tables: dict[str, dict[str, Any]] = {
        "cross_entropy": {"type": "cross_entropy"},
        "brier": {"type": "brier"},
        "spherical": {"type": "spherical"},
        "label_smoothing": {"type": "label_smoothing", "amount": 0.2},
        "focal": {"type": "focal", "focus": 2.0},
        "mixce": {"type": "mixce", "mixing": 0.5},
        "total_variation": {"type": "total_variation"},
        "emo": {"type": "emo", **fixed},
        "emo_distance": {"type": "adaptive_emo", "scaled": "distance", **fixed},
        "emo_cross_entropy": {"type": "adaptive_emo", "scaled": "cross_entropy", **fixed},
        "emo_own_head": {"type": "adaptive_emo", "scaled": "distance", "vectors": "head"},
    }
    return tuple(Arm(name=name, objective=losses.build(table)) for name, table in tables.items())


class Design(Config):
    """The sources of a replicate: laws are one Zipf law with its tokens permuted, anew in every context."""

    vocab_size: int = Field(4, ge=3, le=64, description="tokens V")
    exponent: float = Field(1.0, gt=0, le=4, description="p_k ~ k^-exponent")
    context_length: int = Field(2, ge=1, le=4, description="l that models see; the Markov chain has order one")

    def source(self, kind: Kind, seed: int) -> Source:
        """The source of a replicate."""
        rng = np.random.default_rng([seed, 17, ("iid", "markov", "deterministic").index(kind)])
        v = self.vocab_size
        if kind == "iid":
            return IIDSource(vocab_size=v, probabilities=self.law[rng.permutation(v)].tolist())
        if kind == "markov":
            kernel = np.stack([self.law[rng.permutation(v)] for _ in range(v)])
        else:  # one cycle through all tokens
            order = rng.permutation(v)
            kernel = np.zeros((v, v))
            kernel[order, np.roll(order, 1)] = 1.0
        return MarkovSource(vocab_size=v, order=1, kernel=kernel.tolist())

    @property
    def law(self) -> NDArray[np.float64]:
        """(V,) the Zipf law."""
        weights = np.arange(1, self.vocab_size + 1) ** -self.exponent
        return np.asarray(weights / weights.sum())


class Training(Config):
    """What all members share but the rate, which is chosen for each loss."""

    steps: int = Field(1200, ge=1, le=10**7, description="optimiser steps")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps of linear warm-up")
    targets_per_step: int = Field(128, ge=1, le=10**6, description="targets drawn a step, of an endless stream")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    at: float = Field(0.015, gt=0, lt=1, description="total variation within which a law is another")
    moved: float = Field(0.1, gt=0, lt=1, description="share of the predicted shift by which it may be missed")
    floor: float = Field(0.1, gt=0, lt=1, description="share of the predicted excess by which it may be missed")
    better: float = Field(1e-3, gt=0, lt=1, description="gain that counts, nats or total variation")
    gate: float = Field(0.1, gt=0, lt=1, description="at rest: gradient below this share of that at the uniform law")


class Probe(Config):
    """A member: which point of the grid it is."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    arm: str = Field(description="name of the loss")
    source: Kind = Field(description="which source of the replicate")
    seed: int = Field(ge=0, description="replicate: seed of laws, data and first weights")
    learning_rate: float = Field(gt=0, description="peak learning rate")
