"""Tests of who wrote a text, by its perplexity: their concentration, their power, and what they cannot see."""

from testbed.studies.zero_shot_tests.study import ZeroShotTests

__all__ = ["ZeroShotTests"]
