"""CosScale in trained models: eta_1*, windows and training, after Li et al. 2025 (2501.08570), by exact KL."""

from testbed.studies.cosscale.study import CosScaleStudy

__all__ = ["CosScaleStudy"]
