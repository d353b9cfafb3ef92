"""Statistics of data, of laws, of trained models."""

from testbed.measures.source_check import SourceCheck, check_source

__all__ = ["SourceCheck", "check_source"]
