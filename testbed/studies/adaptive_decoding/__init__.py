"""When to ask the large model: switching by the small one's entropy, against the exact frontier."""

from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

__all__ = ["AdaptiveDecoding"]
