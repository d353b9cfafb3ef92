"""What the three groups of claims share: papers, planted worlds, and how a claim is made."""

from typing import TYPE_CHECKING

from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

STUDY = "compression_at_inference"
KVQUANT, LLMLINGUA, LORTH = "2401.18079", "LLMLingua-2 2024", "2509.16664"
SAID, REVERSED = "as said", "the other way round"
"""Planted worlds: everything as the claims have it, and nothing."""


def made(
    study: "CompressionAtInference",
    name: str,
    statement: str,
    region: Region,
    margin: float,
    scope: str,
    unit: str,
    paper: str = OWN,
    place: str = "",
) -> Claim:
    """A claim of the study; each fails in the world where all is the other way round. Without a paper that says it,
    it is this project's own."""
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=paper,
        place=place,
        reading="inferred",
        scope=f"{scope}, {study.n_seeds} replicates",
        control=f"world '{REVERSED}'",
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )
