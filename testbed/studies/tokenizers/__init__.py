"""The study `tokenizers`: what tokens do to entropies, to estimates of them, and to transformers that read them."""

from testbed.studies.tokenizers.study import Tokenizers

__all__ = ["Tokenizers"]
