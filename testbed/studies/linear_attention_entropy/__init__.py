"""Linear attentions, sinks and sampled attention where the best entropy of a head is known."""

from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

__all__ = ["LinearAttentionEntropy"]
