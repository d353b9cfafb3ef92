"""Evidence on the largest or least of several rows' numbers, by name, so that tables can say which row decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

from testbed.studies.judge import Evidence, Max, Min


@dataclass(frozen=True)
class Parts:
    """Named numbers, of which a claim is about the largest or the least; a part may be one of these itself.

    largest    whether it is the largest that counts, else the least
    """

    rows: Sequence[tuple[str, Union[Evidence, "Parts"]]]
    largest: bool

    @property
    def evidence(self) -> Evidence:
        """What the data say of the largest, or the least."""
        all_of = (one.evidence if isinstance(one, Parts) else one for _, one in self.rows)
        return Max(all_of) if self.largest else Min(all_of)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all rows, down to those that are no `Parts` themselves."""
        return tuple(
            full
            for name, one in self.rows
            for full in ([f"{name}: {inner}" for inner in one.names] if isinstance(one, Parts) else [name])
        )

    def deciding(self) -> tuple[str, Evidence]:
        """The row with the largest, or the least, estimate; down to a row that is no `Parts` itself."""

        def estimate(row: tuple[str, Union[Evidence, "Parts"]]) -> float:
            one = row[1]
            return one.evidence.estimate if isinstance(one, Parts) else one.estimate

        name, one = (max if self.largest else min)(self.rows, key=estimate)
        if not isinstance(one, Parts):
            return name, one
        inner, found = one.deciding()
        return f"{name}: {inner}", found


def largest(rows: Sequence[tuple[str, Evidence | Parts]]) -> Parts:
    """Of which the largest counts."""
    return Parts(tuple(rows), True)


def least(rows: Sequence[tuple[str, Evidence | Parts]]) -> Parts:
    """Of which the least counts."""
    return Parts(tuple(rows), False)
