"""The natural logarithm as arithmetic alone, which LLVM computes for a whole vector register at a time.

The reduction and the polynomial are those of fdlibm's e_log.c (Sun Microsystems 1993), whose error is below one unit in
the last place:

    x = 2^k m, sqrt(1/2) <= m < sqrt 2,   f = m - 1,   s = f / (2 + f)
    ln m = f - f^2/2 + s (f^2/2 + R(s^2)),   ln x = k ln 2 + ln m
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

LEAST = 2.0**-1022  # below are zero and numbers of fewer digits
MANTISSA_BITS = 52
SQRT_HALF = 0x3FE6A09E667F3BCD  # as bits
LN_2_HIGH = 6.93147180369123816490e-01  # the last bits are 0: k times this is exact
LN_2_LOW = 1.90821492927058770002e-10
INFINITY = np.inf


@intrinsic
def bits_of(typing_context, value):
    """The bits of a float64 as an int64."""
    return types.int64(types.float64), lambda context, builder, signature, args: builder.bitcast(
        args[0], context.get_value_type(types.int64)
    )


@intrinsic
def real_of(typing_context, bits):
    """The float64 with the bits of this int64."""
    return types.float64(types.int64), lambda context, builder, signature, args: builder.bitcast(
        args[0], context.get_value_type(types.float64)
    )


@njit(fastmath={"contract"}, error_model="numpy")
def log_probability(x):
    """ln x, at most 0 even where rounding took x past one; -inf below 2^-1022, nan for nan."""
    x = 1.0 if x > 1.0 else x
    bits = bits_of(x)
    k = (bits - SQRT_HALF) >> MANTISSA_BITS
    f = real_of(bits - (k << MANTISSA_BITS)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = 1.531383769920937332e-01 + z * 1.479819860511658591e-01
    series = 2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * series)
    series = 3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * series)
    series = z * (6.666666666666735130e-01 + z * series)
    half_square = 0.5 * f * f
    power = np.float64(k)
    result = power * LN_2_HIGH - ((half_square - (s * (half_square + series) + power * LN_2_LOW)) - f)
    return result if x >= LEAST else x - INFINITY  # which leaves nan as it is
