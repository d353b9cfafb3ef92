"""Where transformers on binary chains are caught by the unigram law: the (p, q) map, and the Hessian behind it."""

from testbed.studies.markov_landscape.study import MarkovLandscape

__all__ = ["MarkovLandscape"]
