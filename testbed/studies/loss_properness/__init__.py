"""Where training losses end on known laws: predicted context by context, and trained."""

from testbed.studies.loss_properness.study import LossProperness

__all__ = ["LossProperness"]
