"""A cell: one point of a study's grid, a frozen value with a key."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from testbed.core import Config, sha256_of
from testbed.training import TrainingSpec


@dataclass(frozen=True)
class Cell:
    """What is measured: a study's probe, on a trained member or on none.

    The key is the SHA-256 of study, version, probe and training, defaults left out, files by content. Scale, device and
    threads are not in it: the same point is the same cell wherever it runs.
    """

    study: str
    version: int
    probe: Config
    training: TrainingSpec | None = None

    @cached_property
    def key(self) -> str:
        return sha256_of(
            {
                "study": self.study,
                "version": self.version,
                "probe": {"name": type(self.probe).__name__, **self.probe.identity()},
                "training": None if self.training is None else self.training.training_key,
            }
        )

    def resolved(self) -> dict[str, Any]:
        """Every setting of the cell, as JSON-able objects."""
        return {
            "probe": {"name": type(self.probe).__name__, **self.probe.resolved()},
            "training": None if self.training is None else self.training.resolved(),
        }
