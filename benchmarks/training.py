"""Speed of training an ensemble on one CPU core, beside a loop over plain models.

    python -m benchmarks.training [--write] [--rounds 9]

The plain model is an nn.Module of the same architecture with fused attention, trained by torch.optim.AdamW at its
defaults, its windows indexed from one resident tensor: no schedule, no clipping, no bookkeeping. Both draw their
batches within the time that counts. Bars: one member at least 0.95x the plain model; an ensemble of 32 (width 32,
2 blocks, 32 positions, 8 windows a step) at least 2x the loop in tokens a second. --write puts the table into
benchmarks/README.md.
"""

import argparse
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import draw_training_targets, with_begin
from testbed.training.ensemble import Ensemble

Loss = Literal["last", "all"]
VOCAB_SIZE, N_TARGETS, ROPE_BASE = 4, 4096, 10_000.0
POSITIONS_A_CALL = 100_000
"""Positions that a candidate computes each time it is timed, about."""
Case = tuple[int, str, int, int, int, Loss]
CASES: list[tuple[Case, float | None]] = [
    # (members, position method, width, positions, windows a step, loss), bar
    ((1, "rope", 32, 32, 8, "all"), 0.95),
    ((1, "learned", 32, 32, 8, "all"), 0.95),
    ((1, "rope", 64, 32, 8, "all"), 0.95),
    ((1, "rope", 64, 64, 32, "all"), 0.95),
    ((8, "rope", 32, 32, 8, "all"), None),
    ((32, "rope", 32, 32, 8, "all"), 2.0),
    ((32, "learned", 32, 32, 8, "all"), 2.0),
    ((32, "rope", 32, 32, 8, "last"), None),
    ((32, "rope", 64, 5, 64, "last"), None),
]


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = (nn.RMSNorm(width, eps=1e-5) for _ in range(2))
        self.qkv, self.attention_out = (nn.Linear(width, n, bias=False) for n in (3 * width, width))
        self.mlp_in, self.mlp_out = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, turn: Tensor | None) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if turn is not None:
            q, k = _rotate(q, turn), _rotate(k, turn)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(a.transpose(1, 2).reshape(B, T, D))
        return x + self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(x))))


def _rotate(x: Tensor, turn: Tensor) -> Tensor:
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turn).flatten(-2)


class PlainModel(nn.Module):
    """A single decoder, as one would write it for one training; the rotary tables are made once."""

    def __init__(self, config: ModelConfig, n_positions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE + 1, config.width)
        self.blocks = nn.ModuleList(PlainBlock(config.width, config.heads) for _ in range(config.depth))
        self.final_norm = nn.RMSNorm(config.width, eps=1e-5)
        self.head = nn.Linear(config.width, VOCAB_SIZE, bias=False)
        self.turn = None
        if config.methods[0].type_name == "learned":
            self.position = nn.Embedding(n_positions, config.width)
        else:
            half = config.width // config.heads // 2
            angle = torch.arange(n_positions)[:, None] * ROPE_BASE ** (-torch.arange(half) / half)
            self.turn = torch.polar(torch.ones_like(angle), angle)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        x = self.embedding(tokens_BT)
        if self.turn is None:
            x = x + self.position.weight[: tokens_BT.shape[1]]
        for block in self.blocks:
            x = block(x, self.turn)
        return self.head(self.final_norm(x))

    def loss(self, tokens_BT: Tensor, loss: str) -> Tensor:
        """Of windows with a begin symbol before and a target behind."""
        logits, targets = self(tokens_BT[:, :-1]), tokens_BT[:, 1:]
        if loss == "last":
            logits, targets = logits[:, -1:], targets[:, -1:]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> "PlainModel":
        """A member's named weights, (in, out)."""
        for name, parameter in self.named_parameters():
            ours = name.removeprefix("blocks.").removesuffix(".weight").replace("position", "method.learned.position")
            linear = not any(part in name for part in ("norm", "embedding", "position"))
            parameter.copy_(weights[ours].T if linear else weights[ours])
        return self


class PlainLoop:
    """E plain models, trained one after the other on the members' own data."""

    def __init__(self, specs: list[TrainingSpec], ensemble: Ensemble) -> None:
        self.loss, self.n_windows = specs[0].loss, specs[0].data.targets_per_step
        self.models, self.optimisers, self.data = [], [], []
        for i, spec in enumerate(specs):
            row = int(ensemble.row_of[i])
            weights = ensemble.model.layout.views(ensemble.weights_EP[row : row + 1])
            model = PlainModel(spec.model, spec.context_length + 1)
            self.models.append(model.load({name: view[0] for name, view in weights.items()}))
            self.optimisers.append(torch.optim.AdamW(model.parameters()))
            contexts, following, _ = draw_training_targets(spec.source, spec, N_TARGETS).windows(spec.context_length)
            tokens = torch.cat([torch.from_numpy(contexts), torch.from_numpy(following)[:, None]], dim=1)
            self.data.append(with_begin(tokens.long(), VOCAB_SIZE))

    def train(self, steps: int) -> None:
        for model, optimiser, windows in zip(self.models, self.optimisers, self.data, strict=True):
            for _ in range(steps):
                loss = model.loss(windows[torch.randint(len(windows), (self.n_windows,))], self.loss)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()


def member_specs(
    n_members: int, method: str, width: int, positions: int, windows: int, loss: Loss
) -> list[TrainingSpec]:
    return [
        TrainingSpec(
            source=MarkovSource.random(vocab_size=VOCAB_SIZE, order=2, seed=0),
            context_length=positions - 1,
            data=DataConfig(n_targets=N_TARGETS, max_context=positions - 1, targets_per_step=windows, seed=seed),
            model=ModelConfig(width=width, depth=2, heads=width // 16, methods=(methods.build(method),)),
            optimiser=OptimiserConfig(
                steps=1_000_000, weight_decay=0.01, clip=None, learning_rate=1e-3 * (1 + seed / 100)
            ),
            loss=loss,
            initial_seed=seed,
        )
        for seed in range(n_members)
    ]


def measure(specs: list[TrainingSpec], rounds: int) -> tuple[float, float]:
    """Thousands of positions a second: (ensemble, loop)."""
    ensemble = Ensemble(specs)
    loop = PlainLoop(specs, ensemble)
    check_equal(ensemble, loop)
    a_step = len(specs) * specs[0].data.targets_per_step * (specs[0].context_length + 1)
    steps = max(1, POSITIONS_A_CALL // a_step)
    done = 0

    def train_ensemble() -> None:
        nonlocal done
        for _ in range(steps):
            ensemble.train_step(done)
            done += 1

    seconds = interleaved({"ensemble": train_ensemble, "loop": lambda: loop.train(steps)}, rounds)
    return steps * a_step / seconds["ensemble"] / 1e3, steps * a_step / seconds["loop"] / 1e3


def check_equal(ensemble: Ensemble, loop: PlainLoop) -> None:
    """Both compute the same loss from the same weights and windows, or the comparison means nothing."""
    losses = ensemble.losses_and_gradients(0)
    for segment in ensemble.segments:
        batch = segment.draw(0)
        tokens, targets = batch.tokens_EBT, batch.target
        last = targets[..., None] if loop.loss == "last" else targets[..., -1:]
        for i, windows in enumerate(torch.cat([tokens, last], dim=2)):
            row = segment.rows.start + i
            member = ensemble.row_of.tolist().index(row)
            torch.testing.assert_close(loop.models[member].loss(windows, loop.loss), losses[row], rtol=1e-5, atol=1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for case, bar in CASES:
        ours, plain = measure(member_specs(*case), arguments.rounds)
        ratio = ours / plain
        verdict = "" if bar is None else f" ({'pass' if ratio >= bar else 'MISS'}: {bar:g}x)"
        rows.append([*map(str, case), f"{ours:.1f}", f"{plain:.1f}", f"{ratio:.2f}x{verdict}"])
        print(", ".join(rows[-1]), flush=True)
    header = [
        "members",
        "position method",
        "width",
        "positions",
        "windows",
        "loss",
        "testbed",
        "plain loop",
        "ratio (bar)",
    ]
    body = "\n\n".join(
        [
            "`python -m benchmarks.training`: thousands of positions (windows x positions x members) a second\n"
            f"of CPU time on one core, medians of {arguments.rounds} interleaved rounds; 2 blocks, sampled batches.\n"
            "*plain loop* trains as many single `nn.Module` models, one after the other, by `torch.optim.AdamW`\n"
            "at its defaults. Before timing, both give the same losses from the same weights and windows.",
            "Bars: 0.95x for one member, 2x for 32 members of width 32. Compare along a row only.",
            markdown_table(header, rows),
            conditions("torch", "numpy"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Training", body)


if __name__ == "__main__":
    main()
