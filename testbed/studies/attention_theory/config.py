"""What the study `attention_theory` is asked: heads, lengths, rows, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.theory import critical_cosine_scale

Kind = Literal["gaussian_heads", "random_keys", "single_key", "closed_forms"]
"""What a cell is; the field of the study that holds its settings has the same name, or starts with it."""


class Rows(Config):
    """Rows of attention logits at several lengths; the keys of a shorter row are the first of the longer ones."""

    train_length: int = Field(64, ge=2, description="training length m: every law is a no-op there")
    lengths: tuple[int, ...] = Field((64, 256, 1024, 4096), min_length=1, description="numbers n of keys, rising")
    head_dim: int = Field(128, ge=4, description="head dimension d of the laws, and of keys on the sphere")
    n_rows: int = Field(100, ge=1, description="rows of each replicate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(f"lengths: given {self.lengths}, must rise")
        if self.lengths[0] < self.train_length:
            raise ValueError(f"lengths: given {self.lengths}, must not be below train_length = {self.train_length}")
        return self


class GaussianHeads(Rows):
    """I.i.d. Gaussian logits of standard deviation sigma at length m: heads without structure."""

    stds: tuple[float, ...] = Field(
        (1.0, 1.5, 2.0, 2.5, 2.88, 4.0, 5.0, 6.0, 8.0), min_length=1, description="sigma of each head, rising"
    )
    solved_to: float = Field(4.0, description="up to this sigma the factor that keeps the mean entropy is solved for")
    filler_gap: float = Field(6.0, ge=0, description="nats by which marked fillers lie below, in the control of C2")


class RandomKeys(Rows):
    """Logits alpha cos(q, k) with n keys uniform on the sphere in R^d: CosScale before it has learned anything."""

    alphas: tuple[float, ...] = Field(
        (8, 16, 32, 64, 96, 128, 256), description="scales; empty: the critical scale alpha_c(m) alone"
    )

    @property
    def scales(self) -> tuple[float, ...]:
        """The alphas."""
        return self.alphas or (float(critical_cosine_scale(self.train_length, self.head_dim)),)


class SingleKey(Rows):
    """One relevant key among n: evidence N(mu, sigma^2) there, N(0, sigma^2) elsewhere, at Bayes' temperature at m."""

    shift: float = Field(4.0, gt=0, description="mu")
    noise: float = Field(1.0, gt=0, description="sigma")

    @property
    def bayes_scale(self) -> float:
        """mu / sigma^2: softmax of this times the evidence is the exact posterior over positions, for every n."""
        return self.shift / self.noise**2

    @property
    def logit_std(self) -> float:
        """Root mean variance of the logits within a row of m keys."""
        share = 1.0 / self.train_length
        return self.bayes_scale * float((1.0 - share) * (self.noise**2 + share * self.shift**2)) ** 0.5


class ClosedForms(Config):
    """What needs no simulation."""

    train_length: int = Field(64, ge=2, description="training length m")
    factor_lengths: tuple[int, ...] = Field(
        (16, 32, 64, 128, 256, 512, 1024, 2048, 4096), description="n of the table of factors"
    )
    factor_dims: tuple[int, ...] = Field((16, 32, 64, 128, 1_000_000_000), description="d of InfoScale's factors")
    alphas: tuple[float, ...] = Field((8, 16, 32, 64, 96, 128, 256), description="scales of cosine attention")
    peak_dims: tuple[int, ...] = Field((32, 64, 128), description="d of the peak eta_1*")
    window_lengths: tuple[int, ...] = Field((64, 1024, 4096), description="n of aligned attention under RoPE")
    reaches: tuple[int, ...] = Field((4, 63), description="w: window mass within distance w")
    distances: tuple[int, ...] = Field((0, 1, 2, 4, 8, 16, 32, 63, 128, 512, 4095), description="Delta of the decay")
    gaps: tuple[float, ...] = Field((5.0, 6.0), description="logit of one key above equal distractors, at m")
    gap_lengths: tuple[int, ...] = Field((64, 256, 1024, 4096), description="n of those")
    head_dim: int = Field(128, ge=4, description="head dimension of aligned attention and of the laws on gaps")


class Bounds(Config):
    """Regions and regimes of the claims, from the re-derivation's predictions, fixed before any run of this study."""

    slope: float = Field(0.1, gt=0, description="entropy is constant if |dH / d ln n| is at most this (S1)")
    entropy_above_one_to: float = Field(4.0, description="heads of sigma up to this have H_m > 1 (table 2.4 c)")
    annealed_to: float = Field(
        2.9, description="heads of sigma below this are annealed at m: sqrt(2 ln 64) = 2.88 (P1)"
    )
    diffuse_to: float = Field(5.0, description="heads of sigma up to this are not flat under InfoScale (P2)")
    frozen_from: float = Field(6.0, description="heads of sigma from this on are flat under InfoScale (P2)")
    flat: float = Field(0.25, gt=0, description="flat: within this share of the value at m (P2, used for P1 too)")
    focus: float = Field(0.5, gt=0, lt=1, description="mass on the originals that counts as focus kept (C2)")
    peak_step: float = Field(0.01, gt=0, description="least rise of the peak from one alpha to the next (C3)")
    window: float = Field(0.9, gt=0, lt=1, description="mass within the window that counts as windowed (P7)")
    windowed_from: float = Field(16.0, description="alpha from which attention is windowed (P7)")
    large_alpha: float = Field(128.0, description="the 'much larger' alpha of C4: the paper's main setting")
    length_free: float = Field(0.05, gt=0, description="change of the window's mass with n that counts as none (P7)")
    divergence: float = Field(0.005, gt=0, description="smallest difference of mean KL that counts, nats (P4)")
    mass: float = Field(0.01, gt=0, description="smallest difference of attention mass that counts (P3, P4)")
    cosine: float = Field(0.03, gt=0, description="error of an attended cosine that counts as agreement (S2, P6)")
    follows_to: float = Field(32.0, description="alpha up to which random keys follow eq. 18 (P6)")
    saturated: float = Field(0.31, description="attended cosine of 4096 random keys beyond, d = 128 (P6)")
    combined: float = Field(0.3, gt=0, description="share by which InfoScale on CosScale may move H_m (section 3.5)")
    combined_from: float = Field(64.0, description="alpha from which it moves H_m by less (section 3.5)")
    small_head: float = Field(0.5, gt=0, description="nats between InfoScale and sphere-exact at small d (P11)")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Kind = Field(description="what is computed")
    arm: str = Field(description="field of the study that the settings come from")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    settings: GaussianHeads | RandomKeys | SingleKey | ClosedForms = Field(description="what is asked")
