"""Does a wider network prefer a longer context?"""

from testbed.studies.context_and_width.study import ContextAndWidth

__all__ = ["ContextAndWidth"]
