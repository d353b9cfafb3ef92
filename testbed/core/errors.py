"""Errors a user can cause. Each message names the thing, what was given, and what would be right."""

from difflib import get_close_matches


class TestbedError(Exception):
    """Base of every error that the command line prints as plain lines, without a traceback."""

    __test__ = False  # not a test class, whatever pytest thinks of the name


class ConfigError(TestbedError, ValueError):
    """A parameter, config key or input file is wrong."""


class ResourceError(TestbedError, MemoryError):
    """A request would need more memory than the stated limit; refused before anything is allocated."""


class UndefinedError(TestbedError, ValueError):
    """A quantity that this object does not have, with the reason."""


class StoreError(TestbedError):
    """A results folder that is locked, damaged, or written by another version."""


def did_you_mean(given: str, known: list[str] | tuple[str, ...]) -> str:
    """A clause that names the closest known names, or all of them when they are few and none is close.

    >>> did_you_mean("markv", ["iid", "markov"])
    'did you mean markov?'
    """
    close = get_close_matches(given, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "known: " + ", ".join(sorted(known)) if known else "none is known"
