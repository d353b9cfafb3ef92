"""Whether a process sees the driver's results folder, where states of long trainings are left and found again."""

from dataclasses import dataclass
from pathlib import Path

from testbed.runs.database import holder_of


@dataclass(frozen=True)
class Shared:
    """Where the driver looks for the states of trainings, and what the lock of its results folder says.

    Another machine may not have that folder, or one of its own under the same name, in which nobody would look.
    """

    checkpoints: Path
    holder: str

    @classmethod
    def of(cls, checkpoints: Path) -> "Shared":
        """As the driver sees it."""
        whole = checkpoints.resolve()
        return cls(whole, holder_of(whole.parent))

    def is_seen(self) -> bool:
        """Whether the folder of this name, as it is seen from here, is the driver's."""
        return self.holder != "" and holder_of(self.checkpoints.parent) == self.holder
