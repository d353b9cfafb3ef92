"""A laboratory for claims about entropy, context length and attention temperature in language models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbed.runs.results import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`testbed.load`, imported when it is first asked for."""
    if name == "load":
        from testbed.runs.results import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
