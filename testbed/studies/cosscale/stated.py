"""How the claims of this study are put: what all of them share."""

import math
from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

PAPER = "2501.08570"
PREFIX = "cosscale."
CLAIMED, WINDOWED = "far source learnt", "far source lost"
TILTING, UNWINDOWED, USELESS = "tilting alone", "no window", "no gain of its own"
"""The planted worlds: the far source is learnt, so that all claims hold but C4 and P8; it is lost for a window, so that
these hold and the gate withholds what asks for it; training leaves the cosines to softmax; no window forms; training is
not helped by CosScale, which gains with all positions but RoPE, and InfoScale harms one source."""
ABOVE_ZERO = Region(lower=0.0)
BLIND = math.log10(2.0**-24)
"""Half of what float32 resolves beside 1."""
BOTH = "local (T5) and far (T6) source, RoPE"


def whatever_source(other: str) -> str:
    """Where C4 is asked for: an arm that must have learnt the far source could not be windowed there."""
    return (
        f"local source (T5) where the arm reads it, with an excess below a third of that without context; far source"
        f" (T6) where besides {other} has learnt that; RoPE; that the arm itself learns far is not asked for"
    )


def stated(
    study: "CosScaleStudy",
    name: str,
    statement: str,
    *,
    place: str,
    scope: str,
    control: str,
    region: Region,
    margin: float,
    unit: str = "",
    reading: Literal["quoted", "inferred"] = "inferred",
    gated: bool = False,
) -> Claim:
    depth, head_dim = study.model.depth, study.head_dim
    block = "standard block"
    if gated:
        depth, head_dim, block = study.gau.depth, study.gated.head_dim, "gated attention unit"
    return Claim(
        id=PREFIX + name,
        statement=statement,
        paper=PAPER,
        place=place,
        reading=reading,
        scope=f"{scope}; arms that learnt; {depth} {block}{'s' if depth > 1 else ''}, head dimension {head_dim}, m ="
        f" {study.train_length}",
        control=control,
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )


def step_words(study: "CosScaleStudy", mode: bool = True) -> str:
    b = study.bounds
    last = ", and by no more than is left to the last bin of the histogram" if mode else ""
    return f"{b.peak_step:g} at least, or by {b.peak_share:g} of what is left to 1 where that is less{last}"
