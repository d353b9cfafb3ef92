"""What the figures share: looks, captions, ids of claims."""

from typing import Any

from testbed.studies.drawing import LEVEL, style
from testbed.studies.mep_against_transformer.claims import STUDY
from testbed.studies.mep_against_transformer.data import Data


def ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)


def bars(data: Data, what: str = "seeds") -> str:
    return f"Bars: {LEVEL:.0%} intervals over {len(data.learnt)} {what}, each point alone."


def look(place: int) -> dict[str, Any]:
    return {**style(place), "linewidth": 1.0, "markersize": 3.5}
