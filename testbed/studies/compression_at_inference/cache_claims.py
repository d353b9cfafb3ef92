"""Claims on rounded caches, and their numbers.

slope_ARM       of ln KL over ln(2^b - 1) at high rates, mean over the four ways to round keys
quadratic       KL over half the variance of the output's logits, at the most bits: off 1 by at most so much
straight        how far such a slope is from -2 at few bits on chains, whose attention is soft: the largest of the arms
knee            the same slope on rotary copies, whose attention is sure
within, beyond  how far KL on copies is from the law of high rates: mean |ln| over the roundings in which no margin is
                exceeded in the last block, and mean ln over those in which some is
few_ARM, constant_ARM    ln(KL after / KL before positions enter), keys by channel: at 2 bits, and at high rates
widened, alike  ln of the variance of logits, after over before: keys by channel, the least of the arms, and by token,
                the farthest from 0
channel_keys, token_values, normal_levels   ln of KL over that of the choice named at 3 bits, least of all arms

few, constant, widened and the choices are net of the same number of the same model before training: by chance alone
the quantiser prefers one side, since a channel's running ends, and what sets them, are kept exactly.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.compression_at_inference.config import CACHED, KEYS, TURNING, Trained
from testbed.studies.compression_at_inference.data import Data, Floats
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
CHOICES = "abstract: keys by channel, before rotary positions"
FEW, THREE = 2, 3
AFTER_BEFORE = ("channel after", "channel before")
OF_CHOICES = {
    "channel_keys": ("token before", "channel before"),
    "token_values": ("values by channel", "values by token"),
    "normal_levels": ("channel before", "uneven"),
}
"""Schemes whose KL is above and below in the ratio of a claim."""
ABOUT: dict[str, tuple[Trained, ...]] = {
    **{f"slope_{arm}": (arm,) for arm in STRAIGHT},
    "quadratic": STRAIGHT,
    "straight": ("markov_rope", "markov_bias"),
    "knee": ("copy_rope",),
    "within": COPIES,
    "beyond": COPIES,
    **{f"few_{arm}": (arm,) for arm in TURNING},
    **{f"constant_{arm}": (arm,) for arm in TURNING},
    "widened": TURNING,
    "alike": TURNING,
    "channel_keys": CACHED,
    "token_values": CACHED,
    "normal_levels": CACHED,
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
        by = {"paper": KVQUANT, "place": CHOICES} if said else {}
        return made(study, name, statement, region, margin, scope, unit, **by)

    slopes = [
        claim(
            f"slope_{arm}",
            f"A check of the measurement, whether trained or not: with {cache.high} bits of keys and more"
            f" KL falls as (2^b - 1)^-2 ({TITLES[arm]}).",
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
                f"With {FEW} bits, keys rounded by channel before rotation cost less than after, by a larger factor"
                f" than in the untrained model ({TITLES[arm]}).",
                Region(lower=higher),
                higher,
                said=True,
            ),
            claim(
                f"constant_{arm}",
                f"With {cache.high} bits and more, keys rounded by channel before rotation cost less than after, by a"
                f" larger factor than in the untrained model ({TITLES[arm]}).",
                Region(lower=higher),
                higher,
                said=True,
            ),
        ]
    choices = {
        "channel_keys": "keys rounded by channel cost less than by token",
        "token_values": "values rounded by token cost less than by channel",
        "normal_levels": "keys on the levels of a normal law, ends apart, cost less than on even levels",
    }
    chosen = [
        claim(
            name,
            f"With {THREE} bits and ends read off the stream, {what}, on every source by a larger factor than in the"
            " untrained model.",
            Region(lower=higher),
            higher,
        )
        for name, what in choices.items()
    ]
    return (
        *slopes,
        claim(
            "quadratic",
            f"A check of the measurement, which holds of any model: with {cache.bits[-1]} bits of keys KL is half the"
            " variance of the change of the output's logits.",
            Region(upper=bounds.quadratic),
            bounds.quadratic,
            "share",
        ),
        claim(
            "straight",
            f"On both chains, read by soft attention, the slope of ln KL at {few} of keys is within {bounds.straight:g}"
            " of -2: there is no knee.",
            Region(upper=bounds.straight),
            bounds.straight,
            "slope",
        ),
        claim(
            "knee",
            f"On copies with rotary positions the slope of ln KL at {few} of keys is below {-bounds.knee:g}: a knee.",
            Region(upper=-bounds.knee),
            bounds.knee - 2,
            "slope",
        ),
        claim(
            "within",
            "On copies, where noise exceeds no margin of a decisive attention row of the last block, KL is on average"
            f" within a factor of {bounds.broken:g} of the law of high rates.",
            Region(upper=math.log(bounds.broken)),
            math.log(bounds.broken),
        ),
        claim(
            "beyond",
            "On copies, where noise exceeds some margin of a decisive attention row of the last block, KL is on average"
            f" over {bounds.broken:g} times the law of high rates.",
            Region(lower=math.log(bounds.broken)),
            math.log(bounds.broken),
        ),
        *compared,
        claim(
            "widened",
            "Keys rounded by channel after rotation put more noise on the first block's attention logits than before,"
            f" by {bounds.wide:g} times the factor of the untrained model.",
            Region(lower=math.log(bounds.wide)),
            math.log(bounds.wide),
        ),
        claim(
            "alike",
            "Keys rounded by token put as much noise on the first block's attention logits before rotation as after, to"
            f" a factor of {bounds.wide:g}: a rotation leaves a key's length alone.",
            Region(upper=math.log(bounds.wide)),
            math.log(bounds.wide),
        ),
        *chosen,
    )


def evidence(study: "CompressionAtInference", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by its name."""
    cache = study.cache
    first, last = cache.bits[0], cache.bits[-1]

    def either_side(values: list[Floats]) -> Evidence:
        """Of the largest |mean|."""
        return Max([data.mean(sign * one) for one in values for sign in (1, -1)])

    def net(arm: Trained, pair: tuple[str, str], bits: int | None = None, high: int | None = None) -> Evidence:
        trained, null = (data.ratio(arm, *pair, bits, high, null=one) for one in (False, True))
        return data.mean(trained - null)

    numbers: dict[str, Evidence] = {
        f"slope_{arm}": data.mean(data.slope(arm, KEYS, cache.high, last)) for arm in STRAIGHT
    }
    numbers["quadratic"] = either_side([data.response(arm) - 1.0 for arm in STRAIGHT])
    numbers["straight"] = either_side([data.slope(arm, KEYS, first, FEW + 2) + 2.0 for arm in ABOUT["straight"]])
    numbers["knee"] = data.mean(data.slope("copy_rope", KEYS, first, FEW + 2))
    numbers["within"], numbers["beyond"] = (data.mean(one) for one in data.from_law(COPIES, KEYS))
    for arm in TURNING:
        numbers[f"few_{arm}"] = net(arm, AFTER_BEFORE, bits=FEW)
        numbers[f"constant_{arm}"] = net(arm, AFTER_BEFORE, high=cache.high)
    widened = [data.noise_ratio(arm, "channel") - data.noise_ratio(arm, "channel", null=True) for arm in TURNING]
    numbers["widened"] = Min([data.mean(one) for one in widened])
    numbers["alike"] = either_side([data.noise_ratio(arm, "token") for arm in TURNING])
    for name, pair in OF_CHOICES.items():
        numbers[name] = Min([net(arm, pair, bits=THREE) for arm in CACHED])
    return numbers


def baselines(study: "CompressionAtInference", data: Data) -> str:
    """What trained and untrained models give where claims are net of the latter, and what these give of checks."""
    cache, said = study.cache, []

    def both(what: str, values: Sequence[tuple[Floats, Floats]]) -> None:
        trained, null = (", ".join(f"{np.mean(one[k]):.2f}" for one in values) for k in (0, 1))
        said.append(f"{what} {trained} (untrained {null})")

    def ratios(
        arms: Sequence[Trained], pair: tuple[str, str], bits: int | None = None, high: int | None = None
    ) -> list[tuple[Floats, Floats]]:
        return [(data.ratio(arm, *pair, bits, high), data.ratio(arm, *pair, bits, high, null=True)) for arm in arms]

    both(f"ln KL after / before rotation, by channel, at {FEW} bits", ratios(TURNING, AFTER_BEFORE, bits=FEW))
    both(f"from {cache.high} bits on", ratios(TURNING, AFTER_BEFORE, high=cache.high))
    both(
        "the same of the first block's noise",
        [(data.noise_ratio(arm, "channel"), data.noise_ratio(arm, "channel", null=True)) for arm in TURNING],
    )
    for name, (above, below) in OF_CHOICES.items():
        both(f"ln KL {above} / {below} at {THREE} bits ({name})", ratios(CACHED, (above, below), bits=THREE))
    ends = (cache.high, cache.bits[-1])
    slopes = [(data.slope(arm, KEYS, *ends), data.slope(arm, KEYS, *ends, null=True)) for arm in STRAIGHT]
    both("slopes at high rates", slopes)
    return "; ".join(said) + "."
