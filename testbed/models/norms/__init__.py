"""Norms of the residual stream, one small file each."""

from testbed.models.norms.norm import AnyNorm, Norm, norm, norms
from testbed.models.norms.rms import RMSNorm

__all__ = ["AnyNorm", "Norm", "RMSNorm", "norm", "norms"]
