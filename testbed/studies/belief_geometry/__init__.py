"""Do residual streams hold the belief over a source's hidden states, beyond what the next token's law shows?"""

from testbed.studies.belief_geometry.study import BeliefGeometry

__all__ = ["BeliefGeometry"]
