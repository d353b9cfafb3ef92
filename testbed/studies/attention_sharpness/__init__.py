"""How sharp attention can and must be: the entropy floor of sigmaReparam, copies under a clamp, collapse and loss."""

from testbed.studies.attention_sharpness.study import AttentionSharpness

__all__ = ["AttentionSharpness"]
