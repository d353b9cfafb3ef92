"""Train an ensemble of MLPs in epochs over fixed samples, and keep the weights that three stopping rules would report.

    stopped    the best of the epochs before the run would have ended: `patience` epochs without a new least validation
               loss, or `most_epochs`
    selected   the epoch of least validation loss of all steps: the same choice without the stop
    end        the last step

Stopping changes nothing before it, so one path serves all three, and they are paired. E member, B sample, S data seed.
"""

import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from testbed.models.mlp import MLP
from testbed.sources.bit_query import BitQuerySource
from testbed.training.mlp_checkpoint import group_key, restore, save
from testbed.training.mlp_data import Samples, draw_samples
from testbed.training.mlp_spec import MLPSpec
from testbed.training.optimiser import AdamW
from testbed.training.spec import OptimiserConfig
from testbed.training.streams import Stream, step_generator

# A leaf is a strided view of the flat buffer and so is its gradient; torch would rather have the gradient contiguous.
warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout contract")

Floats = NDArray[np.float64]
CLAMP = float(np.log((1 - 1e-6) / 1e-6))
"""Validation takes probabilities between 1e-6 and 1 - 1e-6, as the public code does."""
RULES = ("stopped", "selected", "end")
BLOCK_FLOATS = {"cpu": 1 << 19, "cuda": 1 << 30}
"""Numbers that members computed together hold for a moment, about."""
CHECKPOINT_SECONDS = 60.0
"""How often a training's state is written, at the most: what a kill can cost, up to an epoch."""
VALIDATION_BATCH = 512
"""Samples of one forward pass without gradients: few enough for the cache."""


@dataclass(frozen=True)
class MLPMember:
    """What training one spec gave.

    weights      {rule: (P,) float32} a row of the layout for each stopping rule
    epoch        {rule: epochs finished when these weights were taken}; 0 where no epoch had a finite validation loss
    validation   (epochs,) validation loss after each epoch, nats
    train_loss   (epochs,) mean loss of the steps of each epoch
    ended        epochs after which the rule `stopped` ends the run; none where the steps were over before
    diverged     whether a gradient or an update stopped being finite: the weights are the last finite ones
    """

    spec: MLPSpec
    weights: dict[str, NDArray[np.float32]]
    epoch: dict[str, int]
    validation: Floats
    train_loss: Floats
    ended: int | None
    diverged: bool


class MLPEnsemble:
    """Weights (E, P), their samples on the device, and the three snapshots of every member."""

    def __init__(self, specs: list[MLPSpec], device: str = "cpu") -> None:
        if len({spec.shape for spec in specs}) != 1:
            raise ValueError("an ensemble needs members of one shape: only l, seeds, rate and decay may differ")
        self.specs, self.device = specs, torch.device(device)
        self.first = first = specs[0]
        assert isinstance(first.source, BitQuerySource)
        self.source = first.source
        self.n_questions = len(self.source.tasks)
        self.model = MLP(first.model, first.n_bits, self.n_questions)
        rows = [self.model.initial_row(one.initial_seed, one.context_length) for one in specs]
        self.weights_EP = torch.stack(rows).to(self.device)
        self.gradients_EP = torch.zeros_like(self.weights_EP)
        self.blocks = self._blocks()
        layout = self.model.layout
        self.leaves = [layout.leaves(self.weights_EP[rows], self.gradients_EP[rows]) for rows in self.blocks]
        decay = self.model.layout.decay_mask()
        self.optimiser = AdamW(self.weights_EP, self.gradients_EP, decay, [_optimiser(spec) for spec in specs])
        self.seeds = sorted({spec.data_seed for spec in specs})
        index = [self.seeds.index(spec.data_seed) for spec in specs]
        self.seed_of_E = torch.tensor(index, device=self.device)
        self.seen_E1I = torch.stack([_seen(spec, self.n_questions) for spec in specs])[:, None].to(self.device)
        self.train_set = self._load("train", first.n_targets)
        self.validation_set = self._load("heldout", first.n_validation)
        self.alive_E = torch.ones(len(specs), dtype=torch.bool, device=self.device)

    def _blocks(self) -> list[slice]:
        """Rows that are computed together: so few that what they hold for a moment stays in the cache."""
        inputs = self.first.n_bits + self.n_questions
        widths = inputs + sum(outputs for _, outputs, _ in self.model.layers)
        room = BLOCK_FLOATS["cpu" if self.device.type == "cpu" else "cuda"]
        rows = max(1, room // (min(self.first.batch_size, self.first.n_targets) * widths))
        return [slice(a, min(a + rows, len(self.specs))) for a in range(0, len(self.specs), rows)]

    def _load(self, stream: Stream, n: int) -> tuple[Tensor, Tensor]:
        """Bits and one-hot question as bytes (S, n, I), and answers (S, n), of every data seed."""
        drawn = [draw_samples(self.source, stream, seed, n, self.first.n_bits) for seed in self.seeds]
        inputs = torch.stack([_inputs(one, self.n_questions) for one in drawn])
        answers = torch.from_numpy(np.stack([one.answer for one in drawn])).float()
        return inputs.to(self.device), answers.to(self.device)

    def _batch(self, data: tuple[Tensor, Tensor], index_SB: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (S, B, I) and answers (S, B) of these samples of every seed."""
        rows = torch.arange(len(self.seeds), device=self.device)[:, None]
        return data[0][rows, index_SB].float(), data[1][rows, index_SB]

    def _block_losses(self, number: int, batch: tuple[Tensor, Tensor], clamp: float | None = None) -> Tensor:
        """(e, B) cross-entropies of a block's members."""
        rows = self.blocks[number]
        seeds = self.seed_of_E[rows]
        logits = self.model.logits(self.leaves[number], batch[0][seeds] * self.seen_E1I[rows])
        if clamp is not None:
            logits = logits.clamp(-clamp, clamp)
        return F.binary_cross_entropy_with_logits(logits, batch[1][seeds], reduction="none")

    def losses_and_gradients(self, index_SB: Tensor) -> Tensor:
        """(E,) mean cross-entropy of a batch, nats; gradients are left in `gradients_EP`."""
        self.gradients_EP.zero_()
        batch = self._batch(self.train_set, index_SB)
        losses = []
        for number in range(len(self.blocks)):
            loss_e = self._block_losses(number, batch).mean(dim=1)
            loss_e.sum().backward()
            losses.append(loss_e.detach())
        return torch.cat(losses)

    @torch.no_grad()
    def validation_losses(self) -> Tensor:
        """(E,) cross-entropy of all validation samples, probabilities clamped, nats."""
        n, parts = self.first.n_validation, []
        for start in range(0, n, VALIDATION_BATCH):
            index = torch.arange(start, min(start + VALIDATION_BATCH, n), device=self.device)
            batch = self._batch(self.validation_set, index.expand(len(self.seeds), -1))
            found = [self._block_losses(number, batch, CLAMP).sum(dim=1) for number in range(len(self.blocks))]
            parts.append(torch.cat(found))
        return torch.stack(parts).sum(dim=0) / n

    def orders(self, epoch: int) -> Tensor:
        """(S, D) the order in which each seed's samples come in an epoch."""
        n = self.first.n_targets
        orders = [step_generator(seed, 0, epoch).permutation(n) for seed in self.seeds]
        return torch.from_numpy(np.stack(orders)).to(self.device)

    def train(self, observe: Callable[[int], None] | None = None, file: Path | None = None) -> list[MLPMember]:
        """All steps, with a validation after every epoch and after the last step.

        file   where the state is written every minute, after an epoch, and found again
        """
        watch = PathWatch(self.weights_EP, self.first.patience, self.first.most_epochs)
        step, saved = 0 if file is None else restore(file, self, watch), time.monotonic()
        epoch = len(watch.validation)
        while step < self.first.steps:
            orders, losses = self.orders(epoch), []
            for start in range(0, self.first.n_targets, self.first.batch_size):
                if step == self.first.steps:
                    break
                losses.append(self.losses_and_gradients(orders[:, start : start + self.first.batch_size]))
                self.optimiser.step(step, self.alive_E)
                step += 1
                if observe is not None:
                    observe(step)
            epoch += 1
            watch.after_epoch(self.validation_losses(), torch.stack(losses).mean(dim=0))
            if file is not None and step < self.first.steps and time.monotonic() - saved >= CHECKPOINT_SECONDS:
                save(file, self, watch, step)
                saved = time.monotonic()
        return watch.members(self.specs, self.alive_E)


def train_mlps(
    specs: list[MLPSpec],
    device: str = "cpu",
    observe: Callable[[int], None] | None = None,
    checkpoints: Path | None = None,
) -> list[MLPMember]:
    """Train specs of one shape together; a member's result does not depend on the others, except for rounding.

    observe       called after every step with the number of steps finished
    checkpoints   a folder in which the training leaves its state, in one of its own, until it is over, and finds it

    Raises ValueError where shapes differ, and StoreError where a checkpoint cannot be trusted.
    """
    file = None if checkpoints is None else checkpoints / group_key(specs) / "state.npz"
    members = MLPEnsemble(specs, device).train(observe, file)
    if file is not None and file.parent.is_dir():
        shutil.rmtree(file.parent)
    return members


class PathWatch:
    """Validation losses along the path, and the weights that each rule would report."""

    def __init__(self, weights_EP: Tensor, patience: int, most_epochs: int) -> None:
        self.weights_EP, self.patience, self.most_epochs = weights_EP, patience, most_epochs
        n = len(weights_EP)
        self.kept = {rule: weights_EP.clone() for rule in ("stopped", "selected")}
        self.epoch_of = {rule: np.zeros(n, dtype=np.int64) for rule in ("stopped", "selected")}
        self.least = {rule: np.full(n, np.inf) for rule in ("stopped", "selected")}
        self.ended = np.zeros(n, dtype=np.int64)
        self.validation: list[Floats] = []
        self.train_loss: list[Floats] = []

    def after_epoch(self, validation_E: Tensor, train_E: Tensor) -> None:
        validation = validation_E.double().cpu().numpy()
        self.validation.append(validation)
        self.train_loss.append(train_E.double().cpu().numpy())
        epoch = len(self.validation)
        for rule, runs in (("stopped", self.ended == 0), ("selected", np.ones(len(validation), dtype=np.bool_))):
            better = runs & (validation < self.least[rule])  # false where it is not finite
            self.least[rule][better] = validation[better]
            self.epoch_of[rule][better] = epoch
            rows = torch.from_numpy(np.flatnonzero(better)).to(self.weights_EP.device)
            self.kept[rule][rows] = self.weights_EP[rows]
        waited = epoch - self.epoch_of["stopped"] >= self.patience
        self.ended[(self.ended == 0) & (waited | (epoch >= self.most_epochs))] = epoch

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Validations so far and what the rules made of them; the weights that they kept are in `kept`."""
        along = {"validation": np.array(self.validation), "train_loss": np.array(self.train_loss)}
        found: dict[str, NDArray[Any]] = {"ended": self.ended} | along
        for rule in self.kept:
            found |= {f"epoch_{rule}": self.epoch_of[rule], f"least_{rule}": self.least[rule]}
        return found

    def put_back(self, arrays: dict[str, NDArray[Any]]) -> None:
        """What `arrays` gave."""
        self.ended = arrays["ended"]
        self.validation, self.train_loss = list(arrays["validation"]), list(arrays["train_loss"])
        for rule in self.kept:
            self.epoch_of[rule], self.least[rule] = arrays[f"epoch_{rule}"], arrays[f"least_{rule}"]

    def members(self, specs: list[MLPSpec], alive_E: Tensor) -> list[MLPMember]:
        epochs = len(self.validation)
        rows = {**self.kept, "end": self.weights_EP}
        found = []
        for i, spec in enumerate(specs):
            found.append(
                MLPMember(
                    spec=spec,
                    weights={rule: rows[rule][i].cpu().numpy().copy() for rule in RULES},
                    epoch={**{rule: int(at[i]) for rule, at in self.epoch_of.items()}, "end": epochs},
                    validation=np.array([one[i] for one in self.validation]),
                    train_loss=np.array([one[i] for one in self.train_loss]),
                    ended=int(self.ended[i]) or None,
                    diverged=not bool(alive_E[i]),
                )
            )
        return found


def _optimiser(spec: MLPSpec) -> OptimiserConfig:
    """The trainer's AdamW with torch's defaults."""
    o = spec.optimiser
    return OptimiserConfig(
        learning_rate=o.learning_rate,
        weight_decay=o.weight_decay,
        clip=o.clip,
        steps=spec.steps,
        warmup_steps=0,
        final_fraction=0.0 if o.cosine else 1.0,
        beta2=0.999,
    )


@torch.no_grad()
def member_logits(member: MLPMember, rule: str, samples: Samples, device: str = "cpu") -> Floats:
    """(N,) ln q(1) - ln q(0) of a member, at the weights of a stopping rule."""
    spec, source = member.spec, member.spec.source
    assert isinstance(source, BitQuerySource)
    model = MLP(spec.model, spec.n_bits, len(source.tasks))
    weights = model.layout.views(torch.from_numpy(member.weights[rule])[None].to(device))
    inputs = _inputs(samples, len(source.tasks)) * _seen(spec, len(source.tasks))
    parts = [model.logits(weights, part[None].to(device))[0] for part in inputs.split(VALIDATION_BATCH)]
    return np.asarray(torch.cat(parts).double().cpu().numpy())


def _inputs(samples: Samples, n_questions: int) -> Tensor:
    """(N, I) bits and the unit vector of the question, as bytes."""
    question = F.one_hot(torch.from_numpy(samples.question), n_questions).to(torch.uint8)
    return torch.cat([torch.from_numpy(samples.bits), question], dim=1)


def _seen(spec: MLPSpec, n_questions: int) -> Tensor:
    """(I,) one where the member sees the input: its l bits, and the question."""
    seen = torch.ones(spec.n_bits + n_questions)
    seen[spec.context_length : spec.n_bits] = 0.0
    return seen
