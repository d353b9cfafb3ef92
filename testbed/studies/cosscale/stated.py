"""How the claims of this study are put: what all of them share."""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

PAPER = "2501.08570"
PREFIX = "cosscale."
CLAIMED, WINDOWED = "as claimed", "far source lost"
TILTING, UNWINDOWED, USELESS = "tilting alone", "no window", "no gain"
"""The planted worlds: all claims hold but P8; P8 holds and the gate withholds who lost; training leaves the cosines to
softmax; no window forms; CosScale gains nothing and InfoScale harms one source."""
ABOVE_ZERO = Region(lower=0.0)
BOTH = "local (T5) and far (T6) source, RoPE"


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


def step_words(study: "CosScaleStudy") -> str:
    b = study.bounds
    return f"{b.peak_step:g} at least, or by {b.peak_share:g} of what is left to 1 where that is less"
