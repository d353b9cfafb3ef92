"""What the figures of all studies share."""

from typing import Any

LEVEL = 0.95
"""Of intervals in figures and notes, for each number alone."""


def style(place: int) -> dict[str, Any]:
    """Colour, marker and dash number `place` of the cycle; it begins again at the end."""
    import matplotlib

    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    return {name: values[place % len(values)] for name, values in cycle.items()}
