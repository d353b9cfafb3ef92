"""What the study `dilution_or_position` is asked: tasks, trained arms, changes at test time. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config, ConfigError
from testbed.methods import AnyMethod, Method
from testbed.methods.method import EXCLUSIVE_SLOTS
from testbed.sources import AnySource

NAME = r"^[A-Za-z0-9][A-Za-z0-9_ +-]*$"
NONE = "none"
"""The change that is none."""

Role = Literal["recall", "averaging"]


class Task(Config):
    """A source with the length it is trained at, and how.

    recall      few statements decide the answer, and kept ones suffice: its law is the same at every length
    averaging   all statements count, in a ratio that is the same at every length, so that added keys dilute nothing
                (the control); sharper attention must cost something there, or it would see nothing
    """

    name: str = Field(pattern=NAME, description="name in figures and records")
    role: Role = Field(description="which claims rest on it")
    source: AnySource = Field(description="law of the tokens, the same for all replicates")
    arms: tuple[str, ...] = Field(min_length=1, description="arms that are trained on it")
    train_length: int = Field(16, ge=6, description="m: tokens of a training sequence, the answer included")
    steps: int = Field(600, ge=1, description="optimiser steps, of arms that name no number of their own")
    sequences_per_step: int = Field(128, ge=1, description="sequences of m tokens a step")
    n_sequences: int = Field(256, ge=2, description="fresh sequences at each length, on which it is scored")


class Arm(Config):
    """A transformer as it is trained; every change is tried on the same trained members."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field(min_length=1, description="attention methods in training")
    depth: int | None = Field(None, ge=1, description="blocks, where other than the model's")
    steps: int | None = Field(None, ge=1, description="optimiser steps, where other than the task's")

    @property
    def has_positions(self) -> bool:
        """Whether the model is told positions at all."""
        return not any(one.type_name == "nope" for one in self.methods)

    @property
    def draws_positions(self) -> bool:
        """Whether it trains at drawn positions, those of longer sequences among them."""
        return any("training_positions" in one.slots for one in self.methods)


class Change(Config):
    """A change at test time: methods added to the trained ones; a filler of an exclusive slot replaces the old one."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field(min_length=1, description="added or put in place")
    arms: tuple[str, ...] = Field(min_length=1, description="arms that it is tried on")
    scaling: bool = Field(False, description="multiplies logits by a function of the number of keys, 1 at m keys")
    positions: bool = Field(False, description="keeps positions in range; dilution is then claimed to be what is left")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == NONE:
            raise ValueError(f"name: {NONE} is the change that is none, and is there already")
        if any(one.is_calibrated for one in self.methods):
            raise ValueError(f"methods: {self.name} is read off a trained model, which this study does not do")
        return self

    def on(self, trained: tuple[Method, ...]) -> tuple[Method, ...]:
        """The methods of a model trained with `trained`, after this change."""
        taken = {slot for one in self.methods for slot in one.slots & EXCLUSIVE_SLOTS}
        return (*(one for one in trained if not one.slots & taken), *self.methods)


def check_names(
    tasks: tuple[Task, ...], arms: tuple[Arm, ...], changes: tuple[Change, ...], ratios: tuple[int, ...]
) -> None:
    """Names are there once, what is named is there, and every source writes every length asked of it."""
    groups: tuple[tuple[str, tuple[Task, ...] | tuple[Arm, ...] | tuple[Change, ...]], ...] = (
        ("tasks", tasks),
        ("arms", arms),
        ("changes", changes),
    )
    for label, group in groups:
        names = [one.name for one in group]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"{label}: names must differ, {twice} is there twice")
    known = {arm.name for arm in arms}
    for label, wanted in [(f"tasks: {one.name}", one.arms) for one in tasks] + [
        (f"changes: {one.name}", one.arms) for one in changes
    ]:
        for name in wanted:
            if name not in known:
                raise ConfigError(f"{label} names the arm {name}; there are {', '.join(sorted(known))}")
    for task in tasks:
        for ratio in ratios:
            length = ratio * task.train_length
            if not task.source.writes_length(length):
                raise ConfigError(f"tasks: {task.name}: {task.source.type_name} writes no sequences of {length} tokens")
