"""What compression costs at inference: caches of few bits, contexts with tokens dropped, adapted features."""

from testbed.studies.compression_at_inference.study import CompressionAtInference

__all__ = ["CompressionAtInference"]
