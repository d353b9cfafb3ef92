"""Rotary frequencies changed for longer windows: position interpolation, NTK, YaRN's bands."""

import math
from typing import ClassVar, Literal

from pydantic import Field

from testbed.methods.method import method
from testbed.methods.rope import RotaryPositions


class StretchedRotary(RotaryPositions):
    """Base: frequencies that depend on the stretch s = n / m, n the window's length and m the training length."""

    stretch: float | None = Field(None, gt=0, description="s; left out: n / m, and 1 for windows up to m")

    def stretch_of(self, window: int, train_length: int) -> float:
        return max(window / train_length, 1.0) if self.stretch is None else self.stretch

    def frequencies(self, head_dim: int, window: int, train_length: int) -> tuple[float, ...]:
        plain = super().frequencies(head_dim, window, train_length)
        return self.stretched(plain, self.stretch_of(window, train_length), train_length)

    def stretched(self, plain: tuple[float, ...], stretch: float, train_length: int) -> tuple[float, ...]:
        """The frequencies for this stretch; `plain` at 1."""
        return plain


@method("pi")
class PositionInterpolation(StretchedRotary):
    """Frequencies theta_i / s: positions squeezed into the training range (Chen et al. 2023, 2306.15595).

    `released_code`: theta_i s, which expands instead, as in the code of 2501.08570. A no-op for windows up to m.
    """

    released_code: bool = Field(False, description="multiply instead of dividing, as the code of 2501.08570 does")

    def stretched(self, plain: tuple[float, ...], stretch: float, train_length: int) -> tuple[float, ...]:
        factor = stretch if self.released_code else 1.0 / stretch
        return tuple(theta * factor for theta in plain)


@method("ntk")
class NTKRotary(StretchedRotary):
    """RoPE with base s^(d/(d-2)) times as large: the longest wavelength is stretched by s, the shortest stays.

    bloc97 2023. A no-op at s = 1.
    """

    def stretched(self, plain: tuple[float, ...], stretch: float, train_length: int) -> tuple[float, ...]:
        d = 2 * len(plain)
        base = self.base * stretch ** (d / (d - 2)) if d > 2 else self.base
        return tuple(base ** (-2 * i / d) for i in range(d // 2))


@method("dynamic_ntk")
class DynamicNTKRotary(NTKRotary):
    """NTK with s = f L / m - (f - 1), L = max(n, m): nothing changes for windows up to the training length."""

    factor: float = Field(1.0, ge=1, description="f")

    def stretch_of(self, window: int, train_length: int) -> float:
        longest = max(window, train_length)
        return self.factor * longest / train_length - (self.factor - 1.0) if self.stretch is None else self.stretch


@method("yarn")
class YarnBands(StretchedRotary):
    """Frequencies theta_i (g_i + (1 - g_i) / s): pairs that turn often stay, those that hardly turn are interpolated.

        g_i = clip((r_i - low) / (high - low), 0, 1),     r_i = m theta_i / 2 pi, turns in the training length

    Peng et al. 2023 (2309.00071), sec. 3.2; the temperature is the method yarn_temperature.

    `ramp = "index"`: g is linear in i between the two cut-offs, as in the authors' code. A no-op at s = 1.
    """

    low: float = Field(1.0, gt=0, description="turns below which a pair is interpolated")
    high: float = Field(32.0, gt=0, description="turns above which a pair is left alone")
    version: ClassVar[int] = 2
    ramp: Literal["turns", "index"] = Field("turns", description="what g is linear in")
    needs_even_head_dim: ClassVar[bool] = True

    def stretched(self, plain: tuple[float, ...], stretch: float, train_length: int) -> tuple[float, ...]:
        kept = self.kept(plain, train_length)
        return tuple(theta * (g + (1.0 - g) / stretch) for theta, g in zip(plain, kept, strict=True))

    def kept(self, plain: tuple[float, ...], train_length: int) -> list[float]:
        """g_i for each pair."""
        if self.ramp == "turns":
            turns = [train_length * theta / (2 * math.pi) for theta in plain]
            return [min(max((r - self.low) / (self.high - self.low), 0.0), 1.0) for r in turns]
        d = 2 * len(plain)

        def index_at(turns: float) -> float:
            return d * math.log(train_length / (turns * 2 * math.pi)) / (2 * math.log(self.base))

        first, last = max(math.floor(index_at(self.high)), 0), min(math.ceil(index_at(self.low)), d - 1)
        return [1.0 - min(max((i - first) / max(last - first, 1e-3), 0.0), 1.0) for i in range(d // 2)]
