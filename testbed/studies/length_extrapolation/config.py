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
EVERY_ARM = ("*",)

Role = Literal["local", "averaging", "classes", "evidence", "recall", "argmax", "fillers", "far", "lag"]
"""T5, T7, T7b, T1, T2, T3, T4, T6, T8 of the catalogue of tasks."""
Kind = Literal["length", "head", "row", "mask", "position", "position and length"]
"""What a change goes by: the number of keys alone, that and the head's spread of logits, each row of logits, distance,
positions, or positions and the number of keys. The first two are the multipliers that claims speak of."""
MULTIPLIERS: frozenset[str] = frozenset({"length", "head"})
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
    arms: tuple[str, ...] = Field((), description='arms that are trained on it; ["*"]: all')
    train_length: int = Field(64, ge=4, description="m: tokens of a training sequence")
    steps: int = Field(1000, ge=1, description="optimiser steps")
    sequences_per_step: int = Field(32, ge=1, description="sequences of m tokens a step")
    learning_rate: float = Field(6e-3, gt=0, description="peak learning rate")
    learning_rates: tuple[tuple[str, float], ...] = Field((), description="arms whose best peak learning rate differs")
    n_sequences: int = Field(128, ge=2, description="fresh sequences at each length, on which it is scored")
    ratios: tuple[int, ...] = Field((), description="test lengths in units of m; left out: those of the study")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source.takes_inputs:
            raise ValueError(f"source: {self.source.type_name} has real-valued inputs, which the model does not read")
        if self.ratios:
            check_ratios(self.ratios)
        return self

    def rate_of(self, arm: str) -> float:
        """Peak learning rate of an arm."""
        return dict(self.learning_rates).get(arm, self.learning_rate)


class Arm(Config):
    """A transformer as it is trained; every change is tried on the same trained members."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field(min_length=1, description="attention methods in training")
    changed: bool = Field(True, description="changes at test time are tried on it; else it is read as trained alone")


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
        if not arm.changed or (self.roles is not None and task.role not in self.roles):
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


class Budget(Config):
    """What a run of this config took, for the reader; it changes nothing."""

    members: int = Field(0, ge=0, description="trained members")
    positions: float = Field(0.0, ge=0, description="training positions of all members")
    seconds: float = Field(0.0, ge=0, description="seconds of the whole run")
    machine: str = Field("", description="where")


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
    named = [(f"tasks: {one.name}", one.arms if one.arms != EVERY_ARM else ()) for one in tasks]
    named += [(f"tasks: {one.name}: learning_rates", tuple(name for name, _ in one.learning_rates)) for one in tasks]
    for where, wanted in named:
        for name in wanted:
            if name not in known:
                raise ConfigError(f"{where} names the arm {name}; there are {', '.join(sorted(known))}")
    for task in tasks:
        for ratio in task.ratios or ratios:
            length = ratio * task.train_length
            if not task.source.writes_length(length):
                raise ConfigError(f"tasks: {task.name}: {task.source.type_name} writes no sequences of {length} tokens")
