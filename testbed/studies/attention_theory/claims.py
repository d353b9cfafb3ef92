"""The claims: what is said of idealised heads, where it comes from, and where its number must lie.

The numbers stand in `evidence.py`. C1 to C4 are the paper's; the others are predictions of the re-derivation, made by
re-deriving the paper's formulas, and their reading is ours. The paper's body was not at hand: that C1 and C2 are meant
for i.i.d. keys, and what theorem 3.5 says, is inferred too.
"""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

PAPER = "2501.08570"
STUDY = "attention_theory"
CLAIMED, PREDICTED, SATURATED = "as claimed", "as predicted", "saturated"
"""The planted worlds: the paper's C1 and C2 hold in the first, the re-derivation's predictions in the second; in the
third nothing depends on alpha."""
ABOVE_ZERO = Region(lower=0.0)


def claims(study: "AttentionTheory") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    from testbed.studies.attention_theory.cosine_claims import cosine_claims
    from testbed.studies.attention_theory.entropy_claims import entropy_claims
    from testbed.studies.attention_theory.focus_claims import focus_claims

    return (*entropy_claims(study), *focus_claims(study), *cosine_claims(study))


def stated(
    study: "AttentionTheory",
    name: str,
    statement: str,
    *,
    place: str,
    scope: str,
    control: str,
    region: Region = ABOVE_ZERO,
    margin: float = 0.0,
    unit: str = "",
    reading: Literal["quoted", "inferred"] = "inferred",
) -> Claim:
    """A claim of this study; `control` names the planted world in which it must fail."""
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=PAPER,
        place=place,
        reading=reading,
        scope=scope,
        control=control,
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )


def gaussian_scope(study: "AttentionTheory") -> str:
    """Where claims on Gaussian heads are made."""
    settings = study.gaussian_heads
    return f"i.i.d. Gaussian logits, m = {settings.train_length}, n to {settings.lengths[-1]}, d = {settings.head_dim}"


def sphere_scope(study: "AttentionTheory") -> str:
    """Where claims on random keys are made."""
    settings = study.random_keys
    sizes = f"d = {settings.head_dim}, m = {settings.train_length}, n to {settings.lengths[-1]}"
    return f"keys uniform on the sphere, {sizes}"
