"""MAN: a label that depends smoothly on the first d0 of l real coordinates, with its exact law for every l."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Truth, UndefinedError
from testbed.sources.query import QuerySource
from testbed.sources.randomness import derive_seed, in_range
from testbed.sources.recall._draws import law_fingerprint, uniform_reals
from testbed.sources.recall._input_query import check_inputs
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import (
    Batch,
    Floats,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)

COORDINATES, LABEL = 2, 3
GRID = 2**17  # cells of the phase circle in every truth
ROUNDING = 1e-12  # float64 sums over the grid, outward
Complex = NDArray[np.complex128]


@source("manifold")
class Manifold(QuerySource):
    """Coordinates u_1, u_2, ... uniform on [-1, 1] as inputs, then a label that depends on u_1 .. u_d0 through a phase:

        inputs  u_n ... u_2 u_1 .
        tokens  0   ... 0   0   y        y = 1 .. C,   p(y = c + 1 | u) = softmax_c( beta cos(phi(u) - 2 pi c / C) )

        phi(u) = b + theta_1(u_1) + ... + theta_d0(u_d0),     e^(i theta_j(u)) = (z + a_j) / (1 + conj(a_j) z),
        z = e^(i pi u),   |a_j| = retention,   arg a_j and b drawn by `seed`

    The nearest coordinate is u_1. The teacher is analytic, and depends on all of u_1 .. u_d0 and on nothing else:
    dim(l) = min(l, d0) exactly. `inverse_noise` is beta; left out, it is infinite and the
    label is the argmax, y - 1 = the nearest of C directions on the circle.

    Why this teacher: theta_j is a disc automorphism on the circle, so a coordinate that isn't seen turns the phase by a
    wrapped Cauchy law, E e^(i m theta_j) = a_j^m. Whatever is hidden, the law of the label is the harmonic extension of
    the softmax, read at one point of the disc:

        p(y | u_1 .. u_l) = Re( q_0 + 2 sum_m q_m zeta^m ),   zeta = e^(ib) prod_(j <= l) e^(i theta_j) prod_(j > l) a_j

    (q_m the Fourier coefficients of the softmax; for beta infinite the harmonic measure of an arc, in closed form), and
    h_l is one integral over the visible phase, whose law is wrapped Cauchy too. `retention` is what is left of the
    label's first harmonic when one coordinate is hidden: 0 hides all at once, near 1 a coordinate hardly matters.
    The slopes of theta lie between pi (1 - r)/(1 + r) and pi (1 + r)/(1 - r).

    The price: logits are functions of a sum of one-coordinate functions. A learner that finds this out needs not pay
    for d0 dimensions; only one that treats the teacher as any smooth function does.

    >>> h = Manifold(n_relevant=2, retention=0.0).conditional_entropies(3)     # both coordinates, or nothing
    >>> np.round(h.value, 6)
    array([0.693147, 0.693147, 0.137139, 0.137139])
    """

    takes_inputs: ClassVar[bool] = True
    question_length: ClassVar[int] = 0
    context_unit: ClassVar[str] = "one coordinate"

    n_relevant: int = Field(2, ge=1, le=64, description="d0, the number of coordinates that the label depends on")
    n_labels: int = Field(2, ge=2, le=256, description="C, the number of labels")
    inverse_noise: float | None = Field(
        4.0, ge=0, le=32, description="beta of the softmax; None: no noise, the label is the argmax"
    )
    retention: float = Field(0.5, ge=0, le=0.95, description="modulus of a_j: what hiding a coordinate leaves")
    seed: int = Field(0, ge=0, description="seed of the phases arg a_j and b")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(),
            cls(n_relevant=3, n_labels=3, inverse_noise=None, retention=0.7, seed=1),
            cls(n_relevant=1, n_labels=4, inverse_noise=32.0, retention=0.95),
            cls(n_relevant=2, inverse_noise=None, retention=0.0),
            cls(n_relevant=1, inverse_noise=0.0),
        ]

    # -- the teacher
    @cached_property
    def parameters(self) -> tuple[Complex, complex]:
        """a_1 .. a_d0, and e^(i b)."""
        rng = np.random.default_rng(derive_seed(self.seed, "manifold"))
        angles = rng.uniform(-np.pi, np.pi, self.n_relevant + 1)
        return self.retention * np.exp(1j * angles[1:]), complex(np.exp(1j * angles[0]))

    @property
    def vocab_size(self) -> int:
        """The token 0 beside coordinates, and C labels."""
        return self.n_labels + 1

    @property
    def fingerprint(self) -> str:
        a, b = self.parameters
        return law_fingerprint(self.type_name, self.n_labels, self.inverse_noise, a, b)

    def dimension(self, n_visible: int) -> int:
        """dim(l) = min(l, d0), of the visible coordinates that the label depends on."""
        return min(n_visible, self.n_relevant)

    def disc_points(self, coordinates: Floats) -> Complex:
        """zeta (N,) of the visible coordinates u_1 .. u_l (N, l); on the unit circle for l >= d0."""
        a, b = self.parameters
        seen = min(coordinates.shape[1], self.n_relevant)
        z = np.exp(1j * np.pi * coordinates[:, :seen])
        turned = np.prod((z + a[:seen]) / (1.0 + np.conj(a[:seen]) * z), axis=1)
        return b * turned * np.prod(a[seen:])

    def label_laws(self, coordinates: Floats) -> Floats:
        """(N, C): p(y | u_1 .. u_l) of the visible coordinates (N, l), nearest first."""
        return self._laws_in_disc(self.disc_points(coordinates), coordinates.shape[1] >= self.n_relevant)

    def _laws_in_disc(self, zeta: Complex, on_circle: bool) -> Floats:
        centres = 2.0 * np.pi * np.arange(self.n_labels) / self.n_labels
        if on_circle:
            logits = np.cos(np.angle(zeta)[:, None] - centres)
            if self.inverse_noise is None:
                return np.asarray(np.eye(self.n_labels)[logits.argmax(axis=1)])
            laws = np.exp(self.inverse_noise * (logits - logits.max(axis=1, keepdims=True)))
        elif self.inverse_noise is None:
            # Harmonic measure of an arc: the angle under which it is seen, less half its length, over pi.
            ends = np.exp(1j * (centres - np.pi / self.n_labels))
            beyond = np.exp(1j * (centres + np.pi / self.n_labels))
            seen_under = np.angle((beyond - zeta[:, None]) / (ends - zeta[:, None])) % (2.0 * np.pi)
            laws = seen_under / np.pi - 1.0 / self.n_labels
        else:
            points = zeta[:, None] * np.exp(-1j * centres)
            series = np.polynomial.polynomial.polyval(points, self._harmonics)
            laws = 2.0 * series.real - self._harmonics[0]
        laws = np.maximum(laws, 0.0)
        return laws / laws.sum(axis=1, keepdims=True)

    @cached_property
    def _harmonics(self) -> Floats:
        """Fourier coefficients of the first label's softmax, an even function, down to rounding."""
        angles = 2.0 * np.pi * np.arange(2**13) / 2**13
        coefficients = np.fft.rfft(self._laws_in_disc(np.exp(1j * angles), True)[:, 0]).real / 2**13
        kept = np.flatnonzero(np.abs(coefficients) * self.retention ** np.arange(len(coefficients)) > 1e-18)
        return coefficients[: int(kept[-1]) + 1]

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        return self.batch(n_sequences, length, seed, first_sequence).tokens

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Tokens (N, L) and coordinates as inputs (N, L, 1); the label is judged. Coordinate u_j and, beyond d0 of
        them, the label of a sequence are the same at every length. All reals have 53 bits."""
        n = self.n_units(in_range("length", length, 2**31))
        drawn = uniform_reals(n_sequences, max(n, self.n_relevant), seed, first_sequence, COORDINATES)
        coordinates = 2.0 * drawn - 1.0
        level = uniform_reals(n_sequences, 1, seed, first_sequence, LABEL)
        ends = np.cumsum(self.label_laws(coordinates[:, : self.n_relevant]), axis=1)[:, :-1]
        tokens = np.zeros((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, -1] = 1 + (level >= ends).sum(axis=1)
        inputs = np.zeros((n_sequences, length, 1))
        inputs[:, :-1, 0] = coordinates[:, :n][:, ::-1]
        judged = np.zeros(tokens.shape, dtype=np.bool_)
        judged[:, -1] = True
        return Batch(tokens, judged, inputs)

    # -- prediction
    def predict(
        self,
        tokens: Tokens,
        context: int | None = None,
        positions: Sequence[int] | None = None,
        inputs: Floats | None = None,
    ) -> Floats:
        """(N, L, V) exact laws given the coordinates `inputs` (N, L, 1); `context` counts them, nearest first."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        given = check_inputs(inputs, (*tokens.shape, 1))
        length = tokens.shape[1]
        n_units = self.n_units(length)
        at = check_positions(positions, length)
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        for column, t in enumerate(at):
            if t < length - 1:
                laws[:, column, 0] = 1.0
            else:
                seen = n_units if context is None else min(context, n_units)
                laws[:, column, 1:] = self.label_laws(given[:, :-1, 0][:, ::-1][:, :seen])
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None, inputs: Floats | None = None) -> Floats:
        """(N, L): ln p(tokens[:, t] | what stands before it, inputs)."""
        law = self.predict(tokens, context, inputs=inputs)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(law, np.asarray(tokens, dtype=np.int64)[..., None], axis=2)[..., 0])

    def _context_laws(self, tokens: Tokens, t: int) -> Floats:
        raise UndefinedError("manifold takes inputs: its laws come from predict(tokens, inputs=...)")

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        raise UndefinedError("manifold takes inputs: its laws come from predict(tokens, inputs=...)")

    # -- truths
    @cached_property
    def _brackets(self) -> Floats:
        """(d0 + 1, 2): bounds on h_0 .. h_d0."""
        return np.array([self._bracket(l) for l in range(self.n_relevant + 1)])

    def _bracket(self, n_visible: int) -> tuple[float, float]:
        """Bounds on h_l = integral of g(psi) P(psi) d psi / 2 pi, g = H(law at |A| e^(i psi)), P the wrapped Cauchy
        density of modulus B = r^l around a fixed angle, |A| = r^(d0 - l).

        The midpoint rule on cells of width w errs by at most w^2 / 8 times the mean of |(g P)''|
        <= sup|g''| + 2 sup|g'| mean|P'| + sup g mean|P''|.   With K1 >= |q'/q|, K2 >= |q''/q| for every label's q,
        |g'| = |sum q' ln q| <= K1 ln C  and  |g''| <= K2 ln C + K1^2.  Both K are kept by averaging over hidden phases;
        the averaging itself also bounds them (the Poisson kernel's own log-derivatives).
        """
        r, hidden, log_c = self.retention, self.n_relevant - n_visible, math.log(self.n_labels)
        if hidden == 0 and self.inverse_noise is None:
            return 0.0, 0.0
        a, b = self.parameters
        if n_visible == 0:
            value = float(law_entropies(self._laws_in_disc(np.array([b * np.prod(a)]), False))[0])
            return max(value - ROUNDING, 0.0), min(value + ROUNDING, log_c)
        bounds = []
        if self.inverse_noise is not None:
            bounds.append((2.0 * self.inverse_noise, 4.0 * self.inverse_noise**2 + 2.0 * self.inverse_noise))
        if hidden:
            k = 2.0 * r**hidden / (1.0 - r ** (2 * hidden))
            bounds.append((k, 2.0 * k**2 + 2.0 * r**hidden / (1.0 - r**hidden) ** 2))
        k1, k2 = (min(one) for one in zip(*bounds, strict=True))
        modulus = r**n_visible
        top = (1.0 + modulus) / (1.0 - modulus)
        mean_slope = (top - 1.0 / top) / np.pi
        mean_bend = 4.0 * modulus / (1.0 - modulus) ** 2 / np.pi
        width = 2.0 * np.pi / GRID
        error = width**2 / 8.0 * (k2 * log_c + k1**2 + 2.0 * k1 * log_c * mean_slope + log_c * mean_bend) + ROUNDING
        psi = np.asarray(width * (np.arange(GRID) + 0.5), dtype=np.float64)
        centre = np.angle(b * np.prod(np.exp(1j * np.angle(a)))) if r else 0.0
        density = (1.0 - modulus**2) / (1.0 - 2.0 * modulus * np.cos(psi - centre) + modulus**2)
        value = float(np.mean(self._entropies_on_circle(psi, hidden) * density))
        return max(value - error, 0.0), min(value + error, log_c)

    def _entropies_on_circle(self, psi: Floats, hidden: int) -> Floats:
        """H of the label's law at r^hidden e^(i psi), psi the equally spaced grid; label by label, to bound memory."""
        found = np.zeros(len(psi))
        if self.inverse_noise is None:
            for first in range(0, len(psi), 2**10):
                part = slice(first, first + 2**10)
                found[part] = law_entropies(self._laws_in_disc(self.retention**hidden * np.exp(1j * psi[part]), False))
            return found
        centres = 2.0 * np.pi * np.arange(self.n_labels) / self.n_labels
        total = np.zeros(len(psi))
        for centre in centres:
            total += np.exp(self.inverse_noise * (np.cos(psi - centre) - 1.0))
        fade = self.retention ** (hidden * np.arange(len(psi) // 2 + 1.0))  # a rotation is averaged: Poisson's kernel
        for centre in centres:
            law: Floats = np.exp(self.inverse_noise * (np.cos(psi - centre) - 1.0)) / total
            if hidden:
                law = np.asarray(np.fft.irfft(np.fft.rfft(law) * fade, len(psi)), dtype=np.float64)
            law = np.maximum(law, np.finfo(np.float64).tiny)
            found -= law * np.log(law)
        return found

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l of the label given u_1 .. u_l, a rigorous bracket; h_l = h_d0 for l >= d0, and 0 there without noise."""
        l = np.arange(in_range("max_context", max_context, 2**31) + 1)
        lower, upper = self._brackets[np.minimum(l, self.n_relevant)].T
        return Truth.bracket(lower, upper)

    def entropy_rate(self) -> Truth:
        """h_d0, a bracket: the label noise that no coordinate removes; 0 without noise."""
        return Truth.bracket(*self._brackets[-1])

    def excess_entropy(self) -> Truth:
        """Sum over l < d0 of (h_l - h_d0), a bracket."""
        lower, upper = self._brackets.T
        return Truth.bracket(max(float((lower[:-1] - upper[-1]).sum()), 0.0), float((upper[:-1] - lower[-1]).sum()))

    def position_losses(self, length: int) -> Truth:
        """(length,): 0 beside coordinates, h_(length - 1) for the label, given the coordinates."""
        label = self.conditional_entropies(self.n_units(length))[-1]
        before = np.zeros(length - 1)
        return Truth.bracket(np.append(before, label.lower), np.append(before, label.upper))
