"""Arguments that must be whole numbers, and powers that must not be computed before they are compared."""

import math
from typing import Any

import numpy as np

from testbed.core import ConfigError


def whole(name: str, given: Any, least: int) -> int:
    """The given whole number, as an int; ConfigError for anything else: a bool, a fraction, a text, too small a number.

    >>> whole("length", np.int64(3), 1)
    3
    """
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | np.integer) or given < least:
        raise ConfigError(f"{name}: given {given!r}, must be a whole number, at least {least}")
    return int(given)


def real(name: str, given: Any, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf) -> float:
    """The given finite number, as a float; ConfigError for anything else, or outside its range."""
    number = isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)
    if not number or not math.isfinite(given) or not above < given or not least <= given <= most:
        bounds = [f"above {above:g}"] if above > -math.inf else []
        bounds += [f"at least {least:g}"] if least > -math.inf else []
        bounds += [f"at most {most:g}"] if most < math.inf else []
        raise ConfigError(f"{name}: given {given!r}, must be {', '.join(['a finite number', *bounds])}")
    return float(given)


def exceeds(vocab_size: int, length: int, limit: int) -> bool:
    """Whether V^n is above a limit (below 2^64); a huge power is not computed.

    >>> exceeds(2, 10, 1024), exceeds(3, 10**12, 1024)
    (False, True)
    """
    return length * math.log2(vocab_size) > 64 or vocab_size**length > limit


def power(vocab_size: int, length: int) -> str:
    """V^n in words, with its value where a float holds it.

    >>> power(2, 10), power(2, 2000)
    ('2^10 = 1.02e+03', '2^2000')
    """
    written = f"{vocab_size}^{length}"
    return written if length * math.log2(vocab_size) > 1000 else f"{written} = {float(vocab_size**length):.3g}"
