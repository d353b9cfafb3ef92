"""Numbers with named axes: what a study's records are gathered into before they are judged and drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Axes = dict[str, tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers with named axes, the last ones of `values`; a first axis over replicates where they are simulated.

    >>> Table({"n": (64, 256)}, np.array([[1.0, 2.0], [3.0, 4.0]])).at(n=256).tolist()
    [2.0, 4.0]
    """

    axes: Axes
    values: Floats

    def __post_init__(self) -> None:
        shape = tuple(len(labels) for labels in self.axes.values())
        if self.values.shape[self.values.ndim - len(shape) :] != shape:
            raise ValueError(f"values of shape {self.values.shape} do not end in {shape}, the axes {list(self.axes)}")

    def at(self, **labels: Any) -> Floats:
        """The numbers at these labels; axes that are not named stay, in order."""
        index = [
            axis.index(labels[name]) if name in labels else slice(None) for name, axis in self.axes.items()
        ]  # ValueError for a label that there is not
        unknown = set(labels) - set(self.axes)
        if unknown:
            raise ValueError(f"there is no axis {', '.join(sorted(unknown))}, but {', '.join(self.axes)}")
        return np.asarray(self.values[(..., *index)])
