"""What the study `length_extrapolation` is asked: tasks, trained arms, changes at test time. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config, ConfigError
from testbed.methods import AnyMethod, BandedMask, Method, check_combination
from testbed.methods.method import EXCLUSIVE_SLOTS
from testbed.sources import AnySource

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
NONE = "none"
"""The change that is none."""
EVERY_ARM = "*"
"""Among the arms of a task: all that are not trained on hidden tokens; those are named beside it."""

Role = Literal["local", "averaging", "classes", "evidence", "recall", "pairs", "argmax", "fillers", "far", "lag"]
"""T5, T7, T7b, T1, T2 (statements of one token, and pairs), T3, T4, T6, T8 of the catalogue of tasks."""
Kind = Literal["length", "head", "row", "mask", "position", "position and length"]
"""What a change goes by: the number of keys alone, that and the head's spread of logits, each row of logits, distance,
positions, or positions (or a mask) and the number of keys. The first two are the multipliers that claims speak of."""
MULTIPLIERS: frozenset[str] = frozenset({"length", "head"})
READ = ("head", "row")
"""The kinds of multipliers that are read off logits, of a head or of a row."""
FAR, LEAST_JUDGED = 4, 256
"""Beyond so many m a replicate has at least so many judged places in the second halves of its sequences."""
ROTARY = "rope"
"""The positions that most changes take the place of."""


def check_ratios(ratios: tuple[int, ...]) -> None:
    """Raise ValueError unless the ratios n / m rise from 1."""
    if len(ratios) < 2 or ratios[0] != 1 or list(ratios) != sorted(set(ratios)):
        raise ValueError(f"ratios: given {ratios}, must rise from 1")


class Task(Config):
    """A source with the length it is trained at, and how. A task without arms is computed for the oracle alone."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    role: Role = Field(description="which claims rest on it")
    source: AnySource = Field(description="law of the tokens, the same for all replicates")
    arms: tuple[str, ...] = Field((), description='arms that are trained on it; "*": all')
    train_length: int = Field(64, ge=4, le=2**20, description="m: tokens of a training sequence")
    width: int | None = Field(None, ge=1, le=2**16, description="width of its models; left out: that of the study's")
    heads: int | None = Field(None, ge=1, le=2**10, description="heads of its models; left out: those of the study's")
    depth: int | None = Field(None, ge=1, le=64, description="blocks of its models; left out: those of the study's")
    steps: int = Field(1000, ge=1, le=10**9, description="optimiser steps, the same for all its arms")
    sequences_per_step: int = Field(32, ge=1, le=2**20, description="sequences of m tokens a step")
    n_sequences: int = Field(128, ge=2, le=2**20, description="fresh sequences at each length, on which it is scored")
    n_beyond: int | None = Field(
        None, ge=2, le=2**20, description=f"the same at more than {FAR} m; left out: as many as at other lengths"
    )
    ratios: tuple[int, ...] = Field((), description="test lengths in units of m; left out: those of the study")
    changes: tuple[str, ...] | None = Field(None, description="changes that are tried on it; left out: all that fit")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source.takes_inputs:
            raise ValueError(f"source: {self.source.type_name} has real-valued inputs, which the model does not read")
        if self.ratios:
            check_ratios(self.ratios)
        return self

    def sequences_at(self, ratio: int) -> int:
        """Fresh sequences at n = ratio m."""
        return self.n_beyond if ratio > FAR and self.n_beyond is not None else self.n_sequences


class Arm(Config):
    """A transformer as it is trained; changes are tried on the same trained members."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field(min_length=1, description="attention methods in training")
    changes: tuple[str, ...] | None = Field(None, description="changes that are tried on it; left out: all that fit")
    masked: bool = Field(
        False, description="gated units that see both sides, trained and scored on one hidden token a sequence"
    )


class Change(Config):
    """A change at test time: methods added to the trained ones; a filler of an exclusive slot replaces the old one."""

    name: str = Field(description="name in figures and records")
    kind: Kind = Field(description="what it goes by; claims speak of kinds")
    methods: tuple[AnyMethod, ...] = Field((), description="added or put in place")
    band: float | None = Field(None, gt=0, description="a causal band of so many training lengths, as a mask")
    replaces: str = Field(ROTARY, description="positions of an arm that its own, if it has any, take the place of")
    over: str | None = Field(None, description="the change that this one adds a scaling to")
    roles: tuple[Role, ...] | None = Field(None, description="roles of the tasks that it is tried on; left out: all")
    no_op: bool = Field(False, description="claims to change nothing in windows of up to m; checked")
    shown: bool = Field(False, description="drawn among the lines")
    heads: bool = Field(False, description="attention of every head is measured under it too")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == NONE:
            raise ValueError(f"name: {NONE} is the change that is none, and is there already")
        if not self.methods and self.band is None:
            raise ValueError(f"methods: {self.name} changes nothing; give methods or a band")
        try:
            check_combination(self.methods)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None
        return self

    def applies_to(self, task: Task, arm: Arm) -> bool:
        """Whether it is tried: positions are changed where the arm has those replaced, and nothing is excluded."""
        if self.roles is not None and task.role not in self.roles:
            return False
        if any(named is not None and self.name not in named for named in (arm.changes, task.changes)):
            return False
        if arm.masked and any(one.needs_all_queries for one in self.methods):  # goes by the order of queries
            return False
        old = [one.type_name for one in arm.methods if "position" in one.slots]
        if any("position" in one.slots for one in self.methods) and old != [self.replaces]:
            return False
        try:
            check_combination(self.on(arm.methods, task.train_length))
        except ConfigError:
            return False
        return True

    def on(self, trained: tuple[Method, ...], train_length: int) -> tuple[Method, ...]:
        """The methods of a model trained with `trained`, after this change."""
        added: tuple[Method, ...] = self.methods
        if self.band is not None:
            added = (*added, BandedMask(reach=max(1, round(self.band * train_length))))
        taken = {slot for one in added for slot in one.slots & EXCLUSIVE_SLOTS}
        return (*(one for one in trained if not one.slots & taken), *added)


def check_names(
    tasks: tuple[Task, ...], arms: tuple[Arm, ...], changes: tuple[Change, ...], ratios: tuple[int, ...]
) -> None:
    """Names are there once, what is named is there, and every source writes every length asked of it."""
    for label, group in (("tasks", tasks), ("arms", arms), ("changes", changes)):
        names = [one.name for one in group]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"{label}: names must differ, {twice} is there twice")
    known = {arm.name for arm in arms}
    for one in tasks:
        for name in one.arms:
            if name != EVERY_ARM and name not in known:
                raise ConfigError(f"tasks: {one.name} names the arm {name}; there are {', '.join(sorted(known))}")
    there = {change.name for change in changes}
    for label, named in (("tasks", tasks), ("arms", arms)):
        for each in named:
            for name in each.changes or ():
                if name not in there:
                    raise ConfigError(f"{label}: {each.name} names the change {name}, which is not there")
    for task in tasks:
        for ratio in task.ratios or ratios:
            length = ratio * task.train_length
            if not task.source.writes_length(length):
                raise ConfigError(f"tasks: {task.name}: {task.source.type_name} writes no sequences of {length} tokens")
