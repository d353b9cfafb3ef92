"""What cut cross-entropy's gradient filter does to the tail of large vocabularies."""

from testbed.studies.large_vocabulary.study import LargeVocabulary

__all__ = ["LargeVocabulary"]
