"""Claims on rounded caches, and their numbers.

slope_ARM       of ln KL over ln(2^b - 1) at high rates, mean over the four ways to round keys
straight, knee  the same at few bits: on chains, whose attention is soft, and on copies, whose attention is sure
within, beyond  how far KL on copies is from the law of high rates: mean |ln| over the roundings in which no margin is
                exceeded, and mean ln over those in which some is
few_ARM, constant_ARM    ln(KL after / KL before positions enter), keys by channel: at 2 bits, and at high rates
quadratic       KL over half the variance of the output's logits, at the most bits: off 1 by at most so much
same            without rotation, mean |ln| over arms, bits, and keys by channel and by token
widened, alike  ln of the variance of logits, after over before: keys by channel, and by token
channel_keys, token_values, fitted   ln of KL over that of KVQuant's choice at 3 bits, least of all arms
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.compression_at_inference.config import CACHED, KEYS, STILL, TURNING, Trained
from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.statements import KVQUANT, made
from testbed.studies.judge import Claim, Evidence, Max, Min, Region

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

STRAIGHT: tuple[Trained, ...] = ("copy_rope", "copy_bias", "markov_rope", "markov_bias")
"""Arms whose margins are not exceeded at high rates; without positions a copy's are, up to 6 bits."""
COPIES: tuple[Trained, ...] = ("copy_rope", "copy_bias", "copy_nope")
TITLES: dict[str, str] = {
    "copy_rope": "copy, rotary",
    "copy_bias": "copy, bias by distance",
    "copy_nope": "copy, no positions",
    "markov_rope": "chains, rotary",
    "markov_bias": "chains, bias by distance",
    "mess3": "Mess3",
}
CHOICES = "abstract: keys by channel before rotary positions, values by token, uneven levels, outliers apart"
FEW, THREE = 2, 3
ABOUT: dict[str, tuple[Trained, ...]] = {
    **{f"slope_{arm}": (arm,) for arm in STRAIGHT},
    "quadratic": STRAIGHT,
    "straight": ("markov_rope", "markov_bias"),
    "knee": ("copy_rope",),
    "within": COPIES,
    "beyond": COPIES,
    **{f"few_{arm}": (arm,) for arm in TURNING},
    **{f"constant_{arm}": (arm,) for arm in TURNING},
    "same": STILL,
    "widened": TURNING,
    "alike": TURNING,
    "channel_keys": CACHED,
    "token_values": CACHED,
    "fitted": CACHED,
}
"""Arms that each claim is about."""


def claims(study: "CompressionAtInference") -> tuple[Claim, ...]:
    """In the order in which they are reported."""
    bounds, cache = study.bounds, study.cache
    few = f"{cache.bits[0]} to {FEW + 2} bits"
    higher = math.log(bounds.factor)

    def claim(
        name: str, statement: str, region: Region, margin: float, unit: str = "log ratio", said: bool = False
    ) -> Claim:
        scope = ", ".join(TITLES[arm] for arm in ABOUT[name])
        place = {"place": CHOICES} if said else {}
        return made(study, name, statement, region, margin, KVQUANT, scope, unit, **place)

    slopes = [
        claim(
            f"slope_{arm}",
            f"{TITLES[arm]}: from {cache.high} bits on KL falls as (2^b - 1)^-2.",
            Region.around(-2.0, bounds.slope),
            bounds.slope,
            "slope",
        )
        for arm in STRAIGHT
    ]
    compared = []
    for arm in TURNING:
        compared += [
            claim(
                f"few_{arm}",
                f"{TITLES[arm]}: with {FEW} bits, keys rounded by channel before positions enter cost less than after.",
                Region(lower=higher),
                higher,
                said=True,
            ),
            claim(
                f"constant_{arm}",
                f"{TITLES[arm]}: the constant of high rates is smaller before than after, too.",
                Region(lower=higher),
                higher,
                said=True,
            ),
        ]
    return (
        *slopes,
        claim(
            "quadratic",
            f"With {cache.bits[-1]} bits KL is half the variance of the change of the output's logits.",
            Region(upper=bounds.quadratic),
            bounds.quadratic,
            "share",
        ),
        claim(
            "straight",
            f"On chains, read by soft attention, KL falls nearly so at {few} as well: there is no knee.",
            Region.around(-2.0, bounds.straight),
            bounds.straight,
            "slope",
        ),
        claim(
            "knee",
            f"On copies it falls much faster at {few}: a knee.",
            Region(upper=-bounds.knee),
            bounds.knee - 2,
            "slope",
        ),
        claim(
            "within",
            "Where noise exceeds no margin of a decisive attention row, KL on copies keeps to the law of high rates.",
            Region(upper=math.log(bounds.broken)),
            math.log(bounds.broken),
        ),
        claim(
            "beyond",
            "Where it exceeds some, KL lies above that law.",
            Region(lower=math.log(bounds.broken)),
            math.log(bounds.broken),
        ),
        *compared,
        claim(
            "same",
            "Without rotation it makes no difference (by construction: the two are one operation).",
            Region(upper=bounds.same),
            bounds.same,
        ),
        claim(
            "widened",
            "By channel, rotation adds to the noise that rounding puts on the first block's logits.",
            Region(lower=math.log(bounds.wide)),
            math.log(bounds.wide),
        ),
        claim(
            "alike",
            "By token it does not: a rotation leaves a key's length alone.",
            Region.around(0.0, math.log(bounds.wide)),
            math.log(bounds.wide),
        ),
        claim(
            "channel_keys",
            f"With {THREE} bits, keys by channel cost less than by token, on every source.",
            Region(lower=higher),
            higher,
            said=True,
        ),
        claim(
            "token_values",
            f"With {THREE} bits, values by token cost less than by channel, on every source.",
            Region(lower=higher),
            higher,
            said=True,
        ),
        claim(
            "fitted",
            f"With {THREE} bits, uneven levels with outliers apart cost less than even ones, on every source.",
            Region(lower=higher),
            higher,
            said=True,
        ),
    )


def evidence(study: "CompressionAtInference", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by its name."""
    cache = study.cache
    first, last = cache.bits[0], cache.bits[-1]
    numbers: dict[str, Evidence] = {
        f"slope_{arm}": data.mean(data.slope(arm, KEYS, cache.high, last)) for arm in STRAIGHT
    }
    off = [data.response(arm) - 1.0 for arm in STRAIGHT]
    numbers["quadratic"] = Max([part for one in off for part in (data.mean(one), data.mean(-one))])
    soft = [data.slope(arm, KEYS, first, FEW + 2) for arm in ABOUT["straight"]]
    numbers["straight"] = data.mean(np.mean(soft, axis=0))
    numbers["knee"] = data.mean(data.slope("copy_rope", KEYS, first, FEW + 2))
    numbers["within"], numbers["beyond"] = (data.mean(one) for one in data.from_law(COPIES, KEYS))
    after_before = ("channel after", "channel before")
    for arm in TURNING:
        numbers[f"few_{arm}"] = data.mean(data.ratio(arm, *after_before, bits=FEW))
        numbers[f"constant_{arm}"] = data.mean(data.ratio(arm, *after_before, high=cache.high))
    still = [
        np.abs(data.ratio(arm, *pair, bits=b))
        for arm in STILL
        for pair in (after_before, ("token after", "token before"))
        for b in cache.bits
    ]
    numbers["same"] = data.mean(np.mean(still, axis=0))
    numbers["widened"] = Min([data.mean(data.noise_ratio(arm, "channel")) for arm in TURNING])
    numbers["alike"] = data.mean(np.mean([data.noise_ratio(arm, "token") for arm in TURNING], axis=0))
    choices = {
        "channel_keys": ("token before", "channel before"),
        "token_values": ("values by channel", "values by token"),
        "fitted": ("channel before", "fitted"),
    }
    for name, (above, below) in choices.items():
        numbers[name] = Min([data.mean(data.ratio(arm, above, below, bits=THREE)) for arm in CACHED])
    return numbers
