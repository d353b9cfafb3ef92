"""All claims and their numbers: rounded caches, dropped tokens, adapters."""

from typing import TYPE_CHECKING

from testbed.studies.compression_at_inference import cache_claims, other_claims
from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.statements import STUDY
from testbed.studies.judge import Claim, Evidence

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference


def claims(study: "CompressionAtInference") -> tuple[Claim, ...]:
    """In the order in which they are reported."""
    return (*cache_claims.claims(study), *other_claims.claims(study))


def evidence(study: "CompressionAtInference", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = cache_claims.evidence(study, data) | other_claims.evidence(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
