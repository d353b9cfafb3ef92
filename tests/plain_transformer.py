"""The slow, obvious twin of an ensemble member: a plain nn.Module, torch's own optimiser, loops for data."""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from plain_blocks import ACTIVATIONS, NORMS
from torch import Tensor, nn

from testbed.models import ModelConfig
from testbed.training import TrainingSpec


def rotated(x_BHTK: Tensor, base: float = 10_000.0) -> Tensor:
    """The pair (2i, 2i + 1) at position t, turned by the angle t base^(-2i/K)."""
    K = x_BHTK.shape[-1]
    angle_TK = torch.arange(x_BHTK.shape[2])[:, None] * torch.tensor([base ** (-2 * i / K) for i in range(K // 2)])
    cos, sin = angle_TK.cos(), angle_TK.sin()
    even, odd = x_BHTK[..., 0::2], x_BHTK[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class Block(nn.Module):
    def __init__(self, c: ModelConfig, rope: bool) -> None:
        super().__init__()
        width, hidden = c.width, c.mlp_ratio * c.width
        self.heads, self.rope = c.heads, rope
        self.attention_norm, self.mlp_norm = (NORMS[c.norm.type_name][1](width) for _ in range(2))
        self.activation = ACTIVATIONS[c.activation.type_name][1](hidden)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.has_mlp = hidden > 0
        if self.has_mlp:
            self.mlp_in, self.mlp_out = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        n = self.attention_norm(x_BTD)
        q, k, v = (f(n).view(B, T, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        if self.rope:
            q, k = rotated(q), rotated(k)
        logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        a = logits.masked_fill(future, -math.inf).softmax(dim=-1) @ v
        x_BTD = x_BTD + self.out(a.transpose(1, 2).reshape(B, T, D))
        if not self.has_mlp:
            return x_BTD
        return x_BTD + self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(x_BTD))))


class PlainTransformer(nn.Module):
    """One member's architecture; `load` takes the member's named weights."""

    def __init__(self, spec: TrainingSpec) -> None:
        super().__init__()
        c, V = spec.model, spec.source.vocab_size
        names = {method.type_name for method in c.methods}
        self.learned, self.tied = "learned" in names, c.tied_head
        self.scale = 1 / math.sqrt(c.width) if c.head_scale is None else c.head_scale
        self.embedding = nn.Embedding(V + 1, c.width)
        if self.learned:
            self.position = nn.Embedding(spec.data.max_context + 1, c.width)
        self.blocks = nn.ModuleList(Block(c, "rope" in names) for _ in range(c.depth))
        self.final_norm = NORMS[c.norm.type_name][1](c.width)
        if not self.tied:
            self.head = nn.Linear(c.width, V, bias=False)
        self.bias = nn.Parameter(torch.zeros(V)) if c.head_bias else None

    def forward(self, tokens_BT: Tensor) -> Tensor:
        x = self.embedding(tokens_BT)
        if self.learned:
            x = x + self.position(torch.arange(tokens_BT.shape[1]))
        for block in self.blocks:
            x = block(x)
        x = self.final_norm(x)
        z = x @ self.embedding.weight[:-1].T * self.scale if self.tied else self.head(x)
        return z if self.bias is None else z + self.bias

    def named(self) -> dict[str, list[tuple[nn.Parameter, bool]]]:
        """The layout's name -> the parameters that stand side by side under it, and whether they are transposed."""
        named = {"embedding": [(self.embedding.weight, False)]}

        def add(place: str, part: nn.Module) -> None:
            named.update({place + name: [(one, False)] for name, one in part.named().items()})

        add("final_norm", self.final_norm)
        if self.learned:
            named["method.learned.position"] = [(self.position.weight, False)]
        if not self.tied:
            named["head"] = [(self.head.weight, True)]
        if self.bias is not None:
            named["head_bias"] = [(self.bias, False)]
        for i, b in enumerate(self.blocks):
            add(f"{i}.attention_norm", b.attention_norm)
            named[f"{i}.qkv"] = [(one.weight, True) for one in (b.query, b.key, b.value)]
            named[f"{i}.attention_out"] = [(b.out.weight, True)]
            if b.has_mlp:
                add(f"{i}.mlp_norm", b.mlp_norm)
                add(f"{i}.activation", b.activation)
                named[f"{i}.mlp_in"] = [(b.mlp_in.weight, True)]
                named[f"{i}.mlp_out"] = [(b.mlp_out.weight, True)]
        return named

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> "PlainTransformer":
        assert set(weights) == set(self.named())
        for name, parts in self.named().items():
            for piece, (parameter, transposed) in zip(weights[name].chunk(len(parts), dim=-1), parts, strict=True):
                parameter.copy_(piece.T if transposed else piece)
        return self

    def weights(self) -> dict[str, Tensor]:
        return self._collected(lambda p: p.detach().clone())

    def gradients(self) -> dict[str, Tensor]:
        return self._collected(lambda p: torch.zeros_like(p) if p.grad is None else p.grad)

    def _collected(self, read) -> dict[str, Tensor]:
        return {
            name: torch.cat([read(p).T if transposed else read(p) for p, transposed in parts], dim=-1)
            for name, parts in self.named().items()
        }


def plain_factor(step: int, steps: int, warmup: int, final: float) -> float:
    """Learning rate over its peak: a ramp, then half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1))) / 2


def plain_targets(spec: TrainingSpec, step: int) -> list[tuple[list[int], int]]:
    """(context, next token) of every target of this step, by loops: what a batch is meant to be."""
    data, S = spec.data, spec.data.targets_per_sequence
    if data.batch == "distinct":
        index = range(data.n_targets)
    elif data.n_targets is not None:
        u = np.random.Generator(np.random.Philox(key=data.seed, counter=[0, 0, 0, step])).random(data.targets_per_step)
        index = [int(one * data.n_targets) for one in u]
    else:
        raise ValueError("an endless stream is tested by its own properties")
    rows = spec.source.sample(max(index) // S + 1, data.max_context + S, seed=data.seed).tolist()
    windows = []
    for i in index:
        sequence, at = rows[i // S], data.max_context + i % S
        windows.append((sequence[at - spec.context_length : at], sequence[at]))
    return windows


def plain_loss(model: PlainTransformer, spec: TrainingSpec, step: int) -> Tensor:
    """Mean cross-entropy of the step's batch; of the exact law if the member sees it all."""
    begin, l = spec.source.vocab_size, spec.context_length
    if spec.data.batch == "distinct" and spec.data.n_targets is None:
        return exact_loss(model, spec)
    windows = plain_targets(spec, step)
    tokens = torch.tensor([[begin, *context] for context, _ in windows])
    following = torch.tensor([[*context, target] for context, target in windows])
    logits = model(tokens)
    if spec.loss == "last":
        return F.cross_entropy(logits[:, -1], following[:, l])
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), following.reshape(-1))


def exact_loss(model: PlainTransformer, spec: TrainingSpec) -> Tensor:
    """- sum p(c, x) ln q(x | c) over all V^l contexts, p(c, x) multiplied out by `predict`."""
    source, l = spec.source, spec.context_length
    total = torch.zeros(())
    for context in itertools.product(range(source.vocab_size), repeat=l):
        laws = source.predict(np.array([[*context, 0]], dtype=np.uint8))[0]
        probability = math.prod(laws[t][context[t]] for t in range(l))
        if probability > 0:
            log_q = model(torch.tensor([[source.vocab_size, *context]]))[0, -1].log_softmax(dim=-1)
            total = total - (torch.from_numpy(probability * laws[l]).float() * log_q).sum()
    return total


class PlainTraining:
    """One spec trained by torch.optim.AdamW, clip_grad_norm_ and LambdaLR."""

    def __init__(self, spec: TrainingSpec, weights: dict[str, Tensor]) -> None:
        self.spec, self.model = spec, PlainTransformer(spec).load(weights)
        c = spec.optimiser
        linear = [m.weight for m in self.model.modules() if isinstance(m, nn.Linear)]
        others = [p for p in self.model.parameters() if not any(p is one for one in linear)]
        groups = [{"params": linear, "weight_decay": c.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.adamw = torch.optim.AdamW(groups, lr=c.learning_rate, betas=(c.beta1, c.beta2), eps=c.epsilon)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.adamw, lambda step: plain_factor(step, c.steps, c.warmup_steps, c.final_fraction)
        )

    def step(self, number: int) -> None:
        loss_and_gradients(self.model, self.spec, number)
        if self.spec.optimiser.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.optimiser.clip)
        self.adamw.step()
        self.schedule.step()


def loss_and_gradients(model: PlainTransformer, spec: TrainingSpec, step: int) -> tuple[float, dict[str, Tensor]]:
    model.zero_grad()
    loss = plain_loss(model, spec, step)
    loss.backward()
    return loss.item(), model.gradients()
