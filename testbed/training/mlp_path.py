"""Train an ensemble of MLPs in epochs over fixed samples, and keep the weights that three stopping rules would report.

    stopped    the best of the epochs before the run would have ended: `patience` epochs without a new least validation
               loss, or `most_epochs`
    selected   the epoch of least validation loss of all steps: the same choice without the stop
    end        the last step

Stopping changes nothing before it, so one path serves all three, and they are paired. E member, B sample, S data seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from testbed.models.mlp import MLP
from testbed.sources.bit_query import BitQuerySource
from testbed.training.mlp_data import Samples, draw_samples
from testbed.training.mlp_spec import MLPSpec
from testbed.training.optimiser import AdamW
from testbed.training.spec import OptimiserConfig
from testbed.training.streams import Stream, step_generator

Floats = NDArray[np.float64]
CLAMP = float(np.log((1 - 1e-6) / 1e-6))
"""Validation takes probabilities between 1e-6 and 1 - 1e-6, as the public code does."""
RULES = ("stopped", "selected", "end")
VALIDATION_BATCH = 4096
"""Samples of one forward pass without gradients."""


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
        self.leaves = self.model.layout.leaves(self.weights_EP, self.gradients_EP)
        self.optimiser = AdamW(self.weights_EP, self.gradients_EP, self._decay_mask(), [_optimiser(s) for s in specs])
        self.seeds = sorted({spec.data_seed for spec in specs})
        index = [self.seeds.index(spec.data_seed) for spec in specs]
        self.seed_of_E = torch.tensor(index, device=self.device)
        lengths_E1 = torch.tensor([[spec.context_length] for spec in specs], device=self.device)
        self.seen_E1L = (torch.arange(first.n_bits, device=self.device) < lengths_E1).float()[:, None, :]
        self.train_set = self._load("train", first.n_targets)
        self.validation_set = self._load("heldout", first.n_validation)
        self.alive_E = torch.ones(len(specs), dtype=torch.bool, device=self.device)

    def _decay_mask(self) -> Tensor:
        return self.model.layout.decay_mask()

    def _load(self, stream: Stream, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """bits (S, n, L) and questions and answers (S, n) of every data seed."""
        drawn = [draw_samples(self.source, stream, seed, n, self.first.n_bits) for seed in self.seeds]
        parts = (np.stack([getattr(one, name) for one in drawn]) for name in ("bits", "question", "answer"))
        bits, question, answer = (torch.from_numpy(part).to(self.device) for part in parts)
        return bits, question, answer.float()

    def _batch(self, data: tuple[Tensor, Tensor, Tensor], index_SB: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bits (E, B, L), one-hot questions (E, B, Q) and answers (E, B) of these samples of every seed."""
        bits, question, answer = data
        rows = torch.arange(len(self.seeds), device=self.device)[:, None]
        bits_EBL = bits[rows, index_SB].float()[self.seed_of_E] * self.seen_E1L
        question_SBQ = F.one_hot(question[rows, index_SB], self.n_questions).float()
        return bits_EBL, question_SBQ[self.seed_of_E], answer[rows, index_SB][self.seed_of_E]

    def losses_and_gradients(self, index_SB: Tensor) -> Tensor:
        """(E,) mean cross-entropy of a batch, nats; gradients are left in `gradients_EP`."""
        self.gradients_EP.zero_()
        bits, question, answer = self._batch(self.train_set, index_SB)
        logits = self.model.logits(self.leaves, bits, question)
        loss_E = F.binary_cross_entropy_with_logits(logits, answer, reduction="none").mean(dim=1)
        loss_E.sum().backward()
        return loss_E.detach()

    @torch.no_grad()
    def validation_losses(self) -> Tensor:
        """(E,) cross-entropy of all validation samples, probabilities clamped, nats."""
        n, parts = self.first.n_validation, []
        for start in range(0, n, VALIDATION_BATCH):
            index = torch.arange(start, min(start + VALIDATION_BATCH, n), device=self.device)
            bits, question, answer = self._batch(self.validation_set, index.expand(len(self.seeds), -1))
            logits = self.model.logits(self.leaves, bits, question).clamp(-CLAMP, CLAMP)
            parts.append(F.binary_cross_entropy_with_logits(logits, answer, reduction="none").sum(dim=1))
        return torch.stack(parts).sum(dim=0) / n

    def orders(self, epoch: int) -> Tensor:
        """(S, D) the order in which each seed's samples come in an epoch."""
        n = self.first.n_targets
        orders = [step_generator(seed, 0, epoch).permutation(n) for seed in self.seeds]
        return torch.from_numpy(np.stack(orders)).to(self.device)

    def train(self, observe: Callable[[int], None] | None = None) -> list[MLPMember]:
        """All steps, with a validation after every epoch and after the last step."""
        watch = _Watch(self.weights_EP, self.first.patience, self.first.most_epochs)
        step, epoch = 0, 0
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
        return watch.members(self.specs, self.alive_E)


class _Watch:
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
    seen = (torch.arange(spec.n_bits) < spec.context_length).float()
    parts = []
    for start in range(0, len(samples.bits), VALIDATION_BATCH):
        part = slice(start, start + VALIDATION_BATCH)
        bits = torch.from_numpy(samples.bits[part]).float() * seen
        question = F.one_hot(torch.from_numpy(samples.question[part]), len(source.tasks)).float()
        parts.append(model.logits(weights, bits[None].to(device), question[None].to(device))[0].double().cpu().numpy())
    return np.concatenate(parts)
