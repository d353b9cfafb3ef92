"""What makes a source hard, and how far back data of one size can see: profiles of memory at one entropy rate."""

from testbed.studies.memory_profile.study import MemoryProfile

__all__ = ["MemoryProfile"]
