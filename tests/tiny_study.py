"""A plugin: the study `tiny`, whose trainings take milliseconds. Its settings can make a cell fail, diverge or wait."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import AnySource, IIDSource
from testbed.studies import Check, Judgement, Study, StudyFigure, study
from testbed.studies.judge import Claim, Exact, Region, World, judge
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.member import TrainedMember


class Probe(Config):
    """What a cell asks: the entropy h_l, or the excess of a trained member."""

    kind: str = "entropy"
    source: AnySource | None = None
    length: int = 0


class Inner(Config):
    """A nested table."""

    width: int = Field(8, ge=2, le=64, description="width of the model")


@study("tiny")
class TinyStudy(Study):
    """A few small trainings. Only `source`, `lengths`, `seeds`, `steps`, `diverge` and `inner` are in a cell's key."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "A tiny study"
    papers: ClassVar[tuple[str, ...]] = ("none",)

    source: AnySource = Field(IIDSource([0.5, 0.25, 0.25]), description="law of the tokens")
    lengths: tuple[int, ...] = Field((0, 1), description="context lengths")
    seeds: int = Field(2, ge=1, description="members at each length")
    steps: int = Field(5, ge=1, description="optimiser steps")
    inner: Inner = Field(Inner(), description="a nested table")
    diverge: bool = Field(False, description="let the first seed diverge")
    second_stage: bool = Field(False, description="one more training, of the best of the first")
    fail_seed: int | None = Field(None, description="measuring this seed raises")
    kill_seed: int | None = Field(None, description="measuring this seed kills the process")
    kill_once: str = Field("", description="a file: only if it is not there yet, and it is made")
    wait: float = Field(0.0, ge=0, description="seconds to wait in each measurement")

    @property
    def n_replicates(self) -> int:
        return self.seeds

    def training(self, length: int, seed: int, rate: float = 1e-2) -> TrainingSpec:
        return TrainingSpec(
            source=self.source,
            context_length=length,
            data=DataConfig(n_targets=64, max_context=max(self.lengths), targets_per_step=8, seed=seed),
            model=ModelConfig(width=self.inner.width, depth=1, heads=1),
            optimiser=OptimiserConfig(learning_rate=1e30 if self.diverge and seed == 0 else rate, steps=self.steps),
            evaluation=EvaluationConfig(n_contexts=64, n_heldout=64, path_points=1),
            initial_seed=seed,
        )

    def cell(self, length: int, seed: int, rate: float = 1e-2) -> Cell:
        probe = Probe(kind="excess", length=length)
        return Cell(self.type_name, self.version, probe, self.training(length, seed, rate))

    def claims(self) -> tuple[Claim, ...]:
        return (
            Claim(
                id="entropy",
                statement="the entropy is above 0.1 nats",
                paper="none",
                place="nowhere",
                reading="inferred",
                scope="tests",
                control="a constant",
                region=Region(lower=0.1),
                margin=0.1,
                decided_at="smoke",
                exact_truth=True,
            ),
        )

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        cells = [
            Cell(self.type_name, self.version, Probe(source=self.source, length=length)) for length in self.lengths
        ]
        first = [self.cell(length, seed) for length in self.lengths for seed in range(self.seeds)]
        cells += first
        if self.second_stage and all(cell.key in finished for cell in first):
            best = min(first, key=lambda cell: (str(finished[cell.key].metrics["excess"]), cell.key))
            assert best.training is not None
            # Shares a training with the first stage, and has one of its own that could share its ensemble.
            cells.append(Cell(self.type_name, self.version, Probe(kind="again"), best.training))
            cells.append(self.cell(0, self.seeds, rate=2e-2))
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        for cell in cells:
            assert isinstance(cell.probe, Probe)
            if cell.training is None:
                assert cell.probe.source is not None
                entropy = cell.probe.source.conditional_entropies(cell.probe.length)
                metrics = {"entropy": float(np.asarray(entropy.value)[-1]), "nothing": None, "endless": float("inf")}
                yield Record(cell.key, self.type_name, cell.resolved(), "done", metrics)
                continue
            if cell.training.initial_seed == self.fail_seed:
                raise RuntimeError("this seed fails")
            if cell.training.initial_seed == self.kill_seed and not (self.kill_once and Path(self.kill_once).exists()):
                if self.kill_once:
                    Path(self.kill_once).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.wait)
            member = members[cell.training.training_key]
            metrics = {"excess": member.scores["excess"], "diverged_at": member.diverged_at}
            yield Record(
                cell.key, self.type_name, cell.resolved(), member.status, metrics, {"path": member.path["excess"]}
            )

    def judge(self, records: Sequence[Record]) -> Judgement:
        entropies = [record.metrics["entropy"] for record in records if "entropy" in record.metrics]
        verdicts = judge([(claim, Exact(float(entropies[0]))) for claim in self.claims()])  # type: ignore[arg-type]
        return Judgement(tuple(verdicts), (Check("identity", True, "1 = 1"),))

    def figures(self, records: Sequence[Record]) -> dict[str, StudyFigure]:
        import matplotlib.pyplot as plt

        rows = [{"l": r.probe["length"], "entropy": r.metrics["entropy"]} for r in records if "entropy" in r.metrics]
        figure, axes = plt.subplots()
        axes.plot([row["l"] for row in rows], [row["entropy"] for row in rows], "o")
        axes.set_xlabel("context length")
        return {"entropy": StudyFigure(figure, rows, "Exact entropies.", "Entropy", ("entropy",))}

    def worlds(self) -> list[World]:
        (claim,) = self.claims()
        return [
            World("holds", {"entropy": "holds"}, lambda generator, n: [(claim, Exact(generator.uniform(0.2, 0.3)))]),
            World("fails", {"entropy": "fails"}, lambda generator, n: [(claim, Exact(0.0))]),
        ]
