"""Variable projection: for every shape the best C_0 and C in closed form, for many data sets at once.

Data and bases are divided by the errors (or whitened by a covariance), and the constant is projected out; what is left
is one amplitude: chi^2(theta) = |y - (y.g / g.g) g|^2. A grid over theta finds the basin, Levenberg-Marquardt on
ln theta the minimum; both take a thousand data sets in one array.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.decay.laws import DecayLaw

Floats = NDArray[np.float64]

MAX_STEPS = 200
STEP = 1e-5  # of ln theta, for differences
CHUNK_ENTRIES = 2**22


@dataclass(frozen=True, eq=False)
class Projection:
    """A law on places x with errors, ready for any number of data sets y (M, n).

    whiten      (n,) 1 / sigma, or (n, n) with whiten^T whiten the inverse covariance
    constant    C_0 where it is known, None where it is fitted
    log_bounds  (k, 2) of ln theta
    """

    law: DecayLaw
    x: Floats
    whiten: Floats
    constant: float | None
    log_bounds: Floats

    @classmethod
    def of(cls, law: DecayLaw, x: ArrayLike, errors: ArrayLike | None, constant: float | None) -> "Projection":
        """errors: None (all equal, unknown), (n,) standard errors, or an (n, n) covariance."""
        places = np.asarray(x, dtype=np.float64)
        free = law.n_shape + 1 + (constant is None)
        if places.ndim != 1 or not np.isfinite(places).all() or len(np.unique(places)) < free:
            raise ConfigError(f"x: the {law.name} law has {free} free numbers, given {places.shape} places")
        if np.any(places < 0) or (np.any(places == 0) and law.name not in ("exponential", "stretched exponential")):
            raise ConfigError(f"x: the {law.name} law needs positive x, given {places.min()}")
        if constant is not None and not np.isfinite(constant):
            raise ConfigError(f"constant: given {constant}, must be finite")
        if law.log_shape is None and constant is not None:
            raise ConfigError("constant: the logarithmic law has no limit; leave the constant free")
        return cls(law, places, _whitening(errors, len(places)), constant, np.log(law.bounds(places)))

    @property
    def n_free(self) -> int:
        """Fitted numbers: shape, amplitude, and the constant where it is free."""
        return self.law.n_shape + 1 + (self.constant is None)

    def data(self, y: ArrayLike) -> Floats:
        """(M, n) whitened data without the constant's direction, from y (M, n) or (n,)."""
        values = np.atleast_2d(np.asarray(y, dtype=np.float64))
        if values.shape[1] != len(self.x) or not np.isfinite(values).all():
            raise ConfigError(f"y: need finite numbers (n,) or (M, n) for {len(self.x)} places, given {values.shape}")
        return self._project(self._whitened(values - (self.constant or 0.0)))

    def bases(self, log_theta: Floats) -> Floats:
        """(..., n) likewise for f(x; theta), log_theta (..., k), scaled to f = 1 at the least x."""
        return self._project(self._whitened(self._raw(log_theta)))

    def chi_squared(self, data: Floats, log_theta: Floats) -> Floats:
        """(M, K) at log_theta (M, K, k), or (K, k) for all data sets alike."""
        bases = self.bases(log_theta)
        if bases.ndim == 2:
            bases = bases[None]
        return np.asarray(np.sum(self._residuals(data[:, None], bases) ** 2, axis=-1))

    def grid(self) -> Floats:
        """(K, k) points of the first search."""
        axes = [np.linspace(low, high, n) for (low, high), n in zip(self.log_bounds, self.law.grid, strict=True)]
        if not axes:
            return np.empty((1, 0))
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))

    def search(self, data: Floats, grid: Floats) -> Floats:
        """(M, K) chi^2 on a grid (K, k) that all data sets share, good enough to find the basin."""
        bases = self.bases(grid)
        norms = np.sum(bases**2, axis=1)
        explained = np.empty((len(data), len(grid)))
        step = max(1, CHUNK_ENTRIES // max(len(grid), 1))
        for first in range(0, len(data), step):
            part = slice(first, first + step)
            explained[part] = (data[part] @ bases.T) ** 2 / np.maximum(norms, 1e-300)
        return np.sum(data**2, axis=1)[:, None] - explained

    def minimise(self, data: Floats, start: Floats, held: int = 0) -> tuple[Floats, Floats]:
        """(M, k) ln theta and (M,) chi^2 at the minimum near `start`; the first `held` parameters stay as they are."""
        theta, k = start.copy(), start.shape[1]
        best = self.chi_squared(data, theta[:, None])[:, 0]
        free = list(range(held, k))
        if not free:
            return theta, best
        damping = np.full(len(data), 1e-3)
        active = np.ones(len(data), dtype=np.bool_)
        for _ in range(MAX_STEPS):
            if not active.any():
                break
            gradient, curvature = self._slopes(data[active], theta[active], free)
            scale = curvature[:, range(len(free)), range(len(free))]
            curvature[:, range(len(free)), range(len(free))] += damping[active, None] * scale + 1e-300
            step = -np.linalg.solve(curvature, gradient[..., None])[..., 0]
            tried = theta[active].copy()
            tried[:, free] = np.clip(tried[:, free] + np.clip(step, -1.0, 1.0), *self.log_bounds[free].T)
            found = self.chi_squared(data[active], tried[:, None])[:, 0]
            better = found < best[active]
            at = np.flatnonzero(active)
            moved = np.abs(tried - theta[active]).max(axis=1)
            theta[at[better]], best[at[better]] = tried[better], found[better]
            damping[at] = np.where(better, damping[at] / 10.0, damping[at] * 10.0)
            active[at] = (moved > 1e-9) & (damping[at] < 1e9)
        return theta, best

    def linear(self, y: Floats, log_theta: Floats) -> tuple[Floats, Floats, Floats]:
        """(M,) constants, (M,) amplitudes and (M, n) fitted y at log_theta (M, k)."""
        data, bases = self.data(y), self.bases(log_theta)
        scaled = np.sum(data * bases, axis=1) / np.sum(bases**2, axis=1)
        raw = self._raw(log_theta)
        if self.constant is not None:
            constant = np.full(len(scaled), self.constant)
        else:
            ones = self._whitened(np.ones(len(self.x)))
            rest = self._whitened(np.atleast_2d(y) - scaled[:, None] * raw)
            constant = rest @ ones / (ones @ ones)
        fitted = constant[:, None] + scaled[:, None] * raw
        if self.law.log_shape is None:
            return constant + scaled * np.log(self.x.min()), scaled, fitted
        least = self.law.log_shape(self.x.min(), *np.exp(log_theta).T)
        if self.constant is None:
            constant = constant - scaled  # bases are f - 1 there
        return constant, scaled * np.exp(-least), fitted

    def _raw(self, log_theta: Floats) -> Floats:
        """f(x) / f(least x), less 1 where the constant is free: smooth where f turns constant, and never overflows."""
        if self.law.log_shape is None:
            return np.broadcast_to(-np.log(self.x / self.x.min()), (*log_theta.shape[:-1], len(self.x)))
        theta = [np.exp(log_theta[..., i, None]) for i in range(log_theta.shape[-1])]
        log_f = self.law.log_shape(self.x, *theta) - self.law.log_shape(self.x.min(), *theta)
        return np.asarray(np.exp(log_f) if self.constant is not None else np.expm1(log_f))

    def _slopes(self, data: Floats, theta: Floats, free: list[int]) -> tuple[Floats, Floats]:
        """Half the gradient of chi^2 and its Gauss-Newton curvature, by central differences of the residuals."""
        steps = np.zeros((2 * len(free), theta.shape[1]))
        for row, which in enumerate(free):
            steps[2 * row, which], steps[2 * row + 1, which] = STEP, -STEP
        points = np.concatenate([theta[:, None], theta[:, None] + steps], axis=1)
        residuals = self._residuals(data[:, None], self.bases(points))
        jacobian = (residuals[:, 1::2] - residuals[:, 2::2]) / (2.0 * STEP)
        return np.einsum("mkn,mn->mk", jacobian, residuals[:, 0]), np.einsum("mkn,mjn->mkj", jacobian, jacobian)

    def _residuals(self, data: Floats, bases: Floats) -> Floats:
        norms = np.maximum(np.sum(bases**2, axis=-1, keepdims=True), 1e-300)
        return data - np.sum(data * bases, axis=-1, keepdims=True) / norms * bases

    def _whitened(self, values: Floats) -> Floats:
        return values * self.whiten if self.whiten.ndim == 1 else values @ self.whiten.T

    def _project(self, values: Floats) -> Floats:
        if self.constant is not None:
            return values
        ones = self._whitened(np.ones(len(self.x)))
        return np.asarray(values - (values @ ones)[..., None] / (ones @ ones) * ones)


def _whitening(errors: ArrayLike | None, n: int) -> Floats:
    if errors is None:
        return np.ones(n)
    given = np.asarray(errors, dtype=np.float64)
    if given.shape == (n,) and np.all(given > 0) and np.isfinite(given).all():
        return 1.0 / given
    if given.shape == (n, n) and np.allclose(given, given.T):
        try:
            return np.linalg.inv(np.linalg.cholesky(given))
        except np.linalg.LinAlgError:
            raise ConfigError("errors: the covariance is not positive definite") from None
    raise ConfigError(f"errors: need (n,) positive or an (n, n) covariance for n = {n}, given shape {given.shape}")
