"""Planted worlds: labelled arrays with known means, in place of simulated ones, through the same numbers and judge.

With x = ln(n/m) / ln m, entropies are planted as H_n = H_m (1 + g x); what a claim says of g decides which worlds it
holds in. Every entry of every replicate carries independent normal noise, about as wide as at laptop scale, though
there the entries of a replicate are paired: the power found here is the lower for it.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_theory.claims import CLAIMED, PREDICTED, SATURATED, claims
from testbed.studies.attention_theory.closed_forms import closed_forms
from testbed.studies.attention_theory.config import ClosedForms, GaussianHeads, RandomKeys, SingleKey
from testbed.studies.attention_theory.data import Data, axes_of, closed_axes, replicates_of
from testbed.studies.attention_theory.evidence import evidence
from testbed.studies.attention_theory.laws import LAWS, Law
from testbed.studies.attention_theory.rows import Floats
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

FAILS = {
    PREDICTED: {"c1_entropy", "c2_focus"},
    CLAIMED: {
        "c1_frozen",
        "p1_ratio",
        "p2_flat",
        "headwise",
        "log_n_nearer",
        "combined",
        "p9_sharp",
        "p11_small_heads",
        "p3_gap",
        "p4_loss",
        "p4_mass",
        "p6_saturates",
    },
    SATURATED: {"c1_entropy", "c2_focus", "c3_peak", "p6_follows", "c4_window", "p7_threshold", "p7_length_free"},
}
"""The claims that fail in each world; the others hold."""
NOISE = {"entropy": 0.03, "originals": 0.01, "mass": 0.015, "cosine": 0.002}
"""Standard deviation of each entry of a replicate; a divergence's is 5 per cent of it and 0.0005 nats."""


def worlds(study: "AttentionTheory") -> list[World]:
    """One in which the re-derivation's predictions hold, one for the paper's C1 and C2, one without alpha."""
    return [_world(study, name) for name in (PREDICTED, CLAIMED, SATURATED)]


def _world(study: "AttentionTheory", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "fails" if one.id.rpartition(".")[2] in FAILS[name] else "holds" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study.bounds, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "AttentionTheory", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    sown = _Sower(study, world, rng, n_replicates)
    arms = {name: sown.arm(settings) for name, settings in study.simulated.items()}
    return Data(replicates_of(range(n_replicates)), arms, sown.closed, study.random_keys.head_dim)


@dataclass(frozen=True, eq=False)
class _Sower:
    study: "AttentionTheory"
    world: str
    rng: np.random.Generator
    n_replicates: int

    def arm(self, settings: GaussianHeads | RandomKeys | SingleKey) -> dict[str, Table]:
        axes = axes_of(settings)
        if isinstance(settings, GaussianHeads):
            means = self._heads(settings)
        elif isinstance(settings, RandomKeys):
            means = self._keys(settings)
        else:
            means = self._single(settings)
        return {name: self._noisy(name, axes[name], mean) for name, mean in means.items()}

    def _noisy(self, name: str, axes: Axes, mean: Floats) -> Table:
        width = 0.05 * mean + 0.0005 if name == "divergence" else NOISE[name]
        return Table(axes, mean + width * self.rng.standard_normal((self.n_replicates, *mean.shape)))

    @property
    def _claimed(self) -> bool:
        return self.world == CLAIMED

    def _heads(self, settings: GaussianHeads) -> dict[str, Floats]:
        lengths = np.array(settings.lengths, dtype=np.float64)
        at_m = np.log(settings.train_length) * np.exp(-0.25 * np.array(settings.stds))
        growth = np.array([[self._growth(std, law) for law in LAWS] for std in settings.stds])
        if self._claimed:
            kept = np.full(len(lengths), 0.8)
        else:
            kept = settings.train_length / lengths
        return {
            "entropy": at_m[:, None, None] * (1.0 + growth[..., None] * _growth_axis(settings)),
            "originals": np.broadcast_to(kept, (*growth.shape, len(lengths))),
        }

    def _growth(self, std: float, law: Law) -> float:
        """g of a Gaussian head."""
        bounds = self.study.bounds
        frozen = std >= bounds.frozen_from
        if law == "infoscale":
            if self._claimed:
                return 1.0 if frozen else 0.0
            return 0.1 if frozen else (1.0 if std < bounds.annealed_to else 0.5)
        if law == "headwise":
            return 0.3 if self._claimed else 0.05
        return 0.3 if law == "log_n" else 1.0

    def _keys(self, settings: RandomKeys) -> dict[str, Floats]:
        bounds, scales = self.study.bounds, settings.scales
        small = settings in self.study.random_keys_small
        entropy = np.zeros((len(scales), len(LAWS), len(settings.lengths)))
        cosine, divergence = np.zeros_like(entropy), np.zeros_like(entropy)
        for i, alpha in enumerate(scales):
            diffuse = self._claimed and alpha == bounds.large_alpha
            at_m = 2.0 if diffuse else 4.0 / (1.0 + alpha / 16.0)
            divergence[i] = 0.1 if (alpha >= bounds.large_alpha) != self._claimed else 0.5
            cosine[i] = self._cosine(alpha) if not small else 0.5
            for j, law in enumerate(LAWS):
                if law == "infoscale":
                    growth = 0.0 if self._claimed else (0.1 if alpha >= bounds.combined_from else 1.0)
                else:
                    growth = 0.3
                entropy[i, j] = at_m * (1.0 + growth * _growth_axis(settings))
                if small:
                    entropy[i, j] = 2.5 if law == "infoscale" and not self._claimed else 0.8
        return {"entropy": entropy, "cosine": cosine, "divergence": divergence}

    def _cosine(self, alpha: float) -> float:
        bounds, peak = self.study.bounds, self.closed["peak"]
        follows = self._claimed or (self.world == PREDICTED and alpha <= bounds.follows_to)
        return float(peak.at(c="d-3", d=self.study.random_keys.head_dim, alpha=alpha)) if follows else bounds.saturated

    def _single(self, settings: SingleKey) -> dict[str, Floats]:
        x = _growth_axis(settings)
        sharpness = {"none": 0.0, "infoscale": 1.0, "log_n": 3.0}
        loss = np.array([sharpness.get(law, 2.0) * (0.0 if self._claimed else 0.1) * x for law in LAWS])
        gain = np.array([sharpness.get(law, 2.0) * (-0.05 if self._claimed else 0.05) * x for law in LAWS])
        return {"divergence": loss, "mass": 0.5 + gain}

    @cached_property
    def closed(self) -> dict[str, Table]:
        settings = self.study.closed_forms
        values = {name: array.copy() for name, array in _exact(settings).items()}
        if self._claimed:
            values["gap_mass"][:] = 0.7
        if self.world == SATURATED:
            values["peak"][:] = 0.8
            values["window_mass"][:] = np.linspace(0.6, 0.2, len(settings.window_lengths))
        return {name: Table(axes, values[name]) for name, axes in closed_axes(settings).items()}


@lru_cache(maxsize=4)
def _exact(settings: ClosedForms) -> dict[str, Floats]:
    return closed_forms(settings)


def _growth_axis(settings: GaussianHeads | RandomKeys | SingleKey) -> Floats:
    """x = ln(n/m) / ln m, (n_lengths,)."""
    lengths = np.array(settings.lengths, dtype=np.float64)
    return np.asarray(np.log(lengths / settings.train_length) / np.log(settings.train_length))
