"""Nats inside, bits only where a person reads them."""

import math

NATS_PER_BIT = math.log(2.0)


def bits(nats: float) -> float:
    """Nats to bits: x / ln 2.

    >>> bits(math.log(4.0))
    2.0
    """
    return nats / NATS_PER_BIT
