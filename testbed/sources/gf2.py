"""Linear algebra over GF(2): primitive polynomials for recursions of bits, and the rank of parities.

A polynomial is a Python integer whose bit i is the coefficient of D^i. The recursion x_t = sum over taps a of x_(t-a)
has the polynomial P(D) = 1 + sum D^a.
"""

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache

from testbed.core import ConfigError

MAX_PRIMITIVE_DEGREE = 32


@lru_cache
def primitive_taps(degree: int) -> tuple[int, ...]:
    """Taps (a, ..., degree) of a primitive polynomial over GF(2): one tap beside the degree if that can be, else three.

    The first one found, smallest taps first. Its recursion without noise runs through all 2^degree - 1 states other
    than zero.

    >>> primitive_taps(7), primitive_taps(8)
    ((1, 7), (1, 2, 7, 8))
    """
    if not 1 <= degree <= MAX_PRIMITIVE_DEGREE:
        raise ConfigError(f"degree: given {degree}; primitive polynomials are found for 1 .. {MAX_PRIMITIVE_DEGREE}")
    for n_inner in (0, 1, 3):  # an even number of terms has the root 1, so the taps are even in number but at degree 1
        for inner in itertools.combinations(range(1, degree), n_inner):
            if is_primitive((*inner, degree)):
                return (*inner, degree)
    raise AssertionError(f"no primitive trinomial or pentanomial of degree {degree}")


def is_primitive(taps: Sequence[int]) -> bool:
    """The powers of D modulo P(D) = 1 + sum D^a run through all 2^b - 1 residues other than zero, b the largest tap.

    The order of D divides 2^b - 1 and no (2^b - 1) / p for a prime p; that makes P irreducible as well.
    """
    polynomial = tap_polynomial(taps)
    period = 2 ** max(taps) - 1
    if power_of_d(period, polynomial) != 1:
        return False
    return all(power_of_d(period // prime, polynomial) != 1 for prime in prime_factors(period))


def tap_polynomial(taps: Iterable[int]) -> int:
    """P(D) = 1 + sum D^a as an integer; a tap given twice cancels."""
    polynomial = 1
    for tap in taps:
        polynomial ^= 1 << tap
    return polynomial


def power_of_d(exponent: int, polynomial: int) -> int:
    """D^exponent modulo the polynomial, by squaring."""
    result, square = _reduce(1, polynomial), _reduce(2, polynomial)
    while exponent:
        if exponent & 1:
            result = _multiply(result, square, polynomial)
        square = _multiply(square, square, polynomial)
        exponent >>= 1
    return result


def prime_factors(number: int) -> list[int]:
    """The distinct primes that divide it, by trial division.

    >>> prime_factors(2**11 - 1)
    [23, 89]
    """
    found, divisor = [], 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            found.append(divisor)
            while number % divisor == 0:
                number //= divisor
        divisor += 1
    return [*found, number] if number > 1 else found


def rank(rows: Iterable[int]) -> int:
    """The rank over GF(2) of rows of bits, each an integer.

    >>> rank([0b011, 0b110, 0b101])  # a xor b, b xor c, a xor c
    2
    """
    pivots: dict[int, int] = {}
    for row in rows:
        while row:
            top = row.bit_length()
            if top not in pivots:
                pivots[top] = row
                break
            row ^= pivots[top]
    return len(pivots)


def _reduce(value: int, polynomial: int) -> int:
    degree = polynomial.bit_length()
    while value.bit_length() >= degree:
        value ^= polynomial << (value.bit_length() - degree)
    return value


def _multiply(left: int, right: int, polynomial: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left, right = left << 1, right >> 1
    return _reduce(product, polynomial)
