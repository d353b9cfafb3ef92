"""Does the rank of representations fall, rise and fall again in training, and what do skew and bottleneck do to it?"""

from testbed.studies.representation_phases.study import RepresentationPhases

__all__ = ["RepresentationPhases"]
