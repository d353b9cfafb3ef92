"""One claim in words, with its region: what the files of statements are made of."""

from dataclasses import dataclass

from testbed.studies.judge import Region
from testbed.studies.length_extrapolation.config import Role


@dataclass(frozen=True)
class Told:
    """One claim, but for what all have in common.

    roles    of the tasks that it is judged on; those that a scale does not run are left out of its scope
    scope    what else it is about
    normed   whether it counts the better of the arms with CosScale, which its scope then names
    world    the planted world in which it must fail, and what is planted there
    """

    name: str
    statement: str
    place: str
    roles: tuple[Role, ...]
    scope: str
    world: str
    region: Region
    margin: float
    unit: str = "nats"
    normed: bool = False
