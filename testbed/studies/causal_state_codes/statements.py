"""Names that claims, evidence and worlds share."""

from typing import TYPE_CHECKING

from testbed.studies.causal_state_codes.config import Arm

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

STUDY = "causal_state_codes"
ENTROPY, HASH, FACTORS = "2312.04823", "2101.06457", "2305.18378"
"""Diffusion spectral entropy, hash encoders, latent quantisation."""
STATES, LAWS, TOKENS, OTHERWISE = "clusters are states", "clusters are laws", "clusters are laws and tokens", "neither"
"""Planted worlds: in the last nothing is as said, but that DSE is C_mu on blocks of three."""


def judged_arms(study: "CausalStateCodes") -> tuple[Arm, ...]:
    """Unifilar arms of which clusters are claimed: those whose state is not just the last token."""
    return tuple(arm for arm in study.clustered if arm != "golden_mean")
