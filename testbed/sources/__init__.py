"""Laws over token sequences whose entropies are known exactly.

>>> build({"type": "iid", "probabilities": [0.5, 0.25, 0.25]}).entropy_rate().value
1.0397207708399179

The catalogue is in folders, one file a source: `hidden` (machines), `lags`, `parity`, `power_law`, `in_context`,
`hierarchical`, `recall`, `deterministic`, `combinators`; import classes from there, or `build` them by type name.
"""

from typing import Any

from testbed.sources.hidden import HiddenMarkovSource
from testbed.sources.iid import IIDSource
from testbed.sources.lag_markov import LagMarkovSource
from testbed.sources.markov import MarkovSource
from testbed.sources.source import AnySource, Batch, ContextLaw, Source, source, sources

__all__ = [
    "AnySource",
    "Batch",
    "ContextLaw",
    "HiddenMarkovSource",
    "IIDSource",
    "LagMarkovSource",
    "MarkovSource",
    "Source",
    "available",
    "build",
    "source",
]


def build(config: Any) -> Source:
    """A source from `{"type": name, key: value, ...}`; errors name the key, what was given, what would be right."""
    return sources.build(config)


def available() -> list[str]:
    """The type names of all known sources."""
    return sources.names()
