"""Speed of the parity experiment on one CPU core, beside the ways of its public code: drawing samples, training MLPs.

    python -m benchmarks.parity [--write] [--rounds 5]

The public ways are written anew from their description (the code of 2502.01481). Samples: one loop draws bit vectors,
one by one, and keeps those that a set of tuples does not hold yet; a second computes each label and writes a tensor for
the sample and its one-hot task. Training: one nn.Module and torch.optim.AdamW for each member, its samples from a
shuffled DataLoader; beside it the same loop on tensors in memory. Bars: 50x the samples a second of the two loops, and
5x the training samples a second of the members trained one by one as the public code does it.
--write puts the tables into benchmarks/README.md.
"""

import argparse
import random
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.models.mlp_config import MLPConfig
from testbed.sources.parity import SparseParitySource
from testbed.training.mlp_data import draw_samples
from testbed.training.mlp_path import MLPEnsemble
from testbed.training.mlp_spec import MLPSpec

GENERATOR_BAR, TRAINING_BAR = 50.0, 5.0
SAMPLES_A_CALL = {"testbed": 100_000, "two loops": 1_000}
LENGTHS = (21, 24, 27, 32, 36, 43, 63, 94)
"""Context lengths of the members, over and over."""
Case = tuple[int, int, int, int, int]
CASES: list[tuple[Case, bool]] = [
    # (members, hidden, bottleneck, samples a step, steps a call), whether it stands under the bar
    ((1, 64, 32, 250, 8), False),
    ((8, 64, 32, 250, 8), False),
    ((64, 64, 32, 250, 2), True),
    ((8, 400, 200, 1000, 1), False),
]


# -------------------------------------------------------------------------------------------------------- samples
def drawn_by_testbed(source: SparseParitySource, n: int, n_bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """bits (n, n_bits), one-hot tasks (n, T), labels (n,), as the public code keeps them."""
    samples = draw_samples(source, "train", 0, n, n_bits)
    one_hot = np.eye(len(source.tasks), dtype=np.uint8)[samples.question]
    return torch.from_numpy(samples.bits), torch.from_numpy(one_hot), torch.from_numpy(samples.answer)


def drawn_by_loops(source: SparseParitySource, n: int, n_bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same one by one: unique bit vectors through a set of tuples, then the label of task i mod T of each."""
    rng, seen = random.Random(114), set[tuple[int, ...]]()
    vectors: list[tuple[int, ...]] = []
    while len(vectors) < n:
        vector = tuple(rng.randint(0, 1) for _ in range(n_bits))
        if vector not in seen:
            seen.add(vector)
            vectors.append(vector)
    bits, tasks, labels = [], [], []
    for i, vector in enumerate(vectors):
        number = i % len(source.tasks)
        task = source.tasks[number]
        label = sum(vector[bit - 1] for bit in task) % 2 if max(task) <= n_bits else rng.randint(0, 1)
        one_hot = torch.zeros(len(source.tasks), dtype=torch.uint8)
        one_hot[number] = 1
        bits.append(torch.tensor(vector, dtype=torch.uint8))
        tasks.append(one_hot)
        labels.append(torch.tensor(label, dtype=torch.uint8))
    return torch.stack(bits), torch.stack(tasks), torch.stack(labels)


def check_samples(source: SparseParitySource, drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    """Every label is the parity that its task asks for, or the comparison means nothing."""
    bits, one_hot, labels = (part.numpy() for part in drawn)
    for row, number in enumerate(one_hot.argmax(axis=1)):
        task = source.tasks[number]
        if max(task) <= bits.shape[1]:
            assert labels[row] == sum(int(bits[row, bit - 1]) for bit in task) % 2


def generator_row(rounds: int) -> list[str]:
    source, n_bits = SparseParitySource(variant="A"), 100
    ways = {"testbed": drawn_by_testbed, "two loops": drawn_by_loops}
    for way in ways.values():
        check_samples(source, way(source, 300, n_bits))
    calls = {name: partial(way, source, SAMPLES_A_CALL[name], n_bits) for name, way in ways.items()}
    seconds = interleaved(calls, rounds)
    speed = {name: SAMPLES_A_CALL[name] / seconds[name] / 1e3 for name in ways}
    ratio = speed["testbed"] / speed["two loops"]
    verdict = "pass" if ratio >= GENERATOR_BAR else "MISS"
    return [
        "variant A, 100 bits",
        f"{speed['testbed']:.0f}",
        f"{speed['two loops']:.1f}",
        f"{ratio:.0f}x ({verdict}: {GENERATOR_BAR:g}x)",
    ]


# ------------------------------------------------------------------------------------------------------- training
class PlainMLP(nn.Module):
    """One network as one would write it for one training, with the inputs that its member sees."""

    def __init__(self, config: MLPConfig, context_length: int, n_questions: int) -> None:
        super().__init__()
        self.slope = config.slope
        self.layers = [nn.Linear(a, b) for a, b, _ in config.layers(context_length, n_questions)]
        self.registered = nn.ModuleList(self.layers)

    def forward(self, inputs: Tensor) -> Tensor:
        x = F.leaky_relu(self.layers[0](inputs), self.slope)
        x = F.leaky_relu(self.layers[2](self.layers[1](x)), self.slope)
        return torch.sigmoid(self.layers[3](x)[:, 0])


class OneByOne:
    """The members as single modules, each with AdamW and its samples in memory and in a DataLoader."""

    def __init__(self, ensemble: MLPEnsemble) -> None:
        self.ensemble, first = ensemble, ensemble.first
        self.models, self.optimisers, self.data, self.loaders = [], [], [], []
        for i, spec in enumerate(ensemble.specs):
            model = PlainMLP(spec.model, spec.context_length, ensemble.n_questions)
            weights = ensemble.model.layout.views(ensemble.weights_EP[i : i + 1])
            with torch.no_grad():
                for number, layer in enumerate(model.layers):
                    weight = weights[f"weight_{number}"][0]
                    if number == 0:
                        weight = torch.cat([weight[: spec.context_length], weight[first.n_bits :]])
                    layer.weight.copy_(weight.T)
                    layer.bias.copy_(weights[f"bias_{number}"][0])
            self.models.append(model)
            self.optimisers.append(torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=8e-4))
            inputs, answer = (part[int(ensemble.seed_of_E[i])] for part in ensemble.train_set)
            inputs = inputs[:, ensemble.seen_E1I[i, 0] > 0].float()
            self.data.append((inputs, answer))
            loader = DataLoader(TensorDataset(inputs, answer), batch_size=first.batch_size, shuffle=True)
            self.loaders.append(loader)

    def step(self, number: int, inputs: Tensor, answer: Tensor) -> Tensor:
        """One optimiser step of one member."""
        model, optimiser = self.models[number], self.optimisers[number]
        loss = F.binary_cross_entropy(model(inputs), answer)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss

    def from_loaders(self, steps: int) -> None:
        for number, loader in enumerate(self.loaders):
            batches = iter(loader)
            for _ in range(steps):
                self.step(number, *next(batches))

    def in_memory(self, steps: int) -> None:
        size = self.ensemble.first.batch_size
        for number, (inputs, answer) in enumerate(self.data):
            for _ in range(steps):
                rows = torch.randint(len(inputs), (size,))
                self.step(number, inputs[rows], answer[rows])


def member_specs(n_members: int, hidden: int, bottleneck: int, batch: int, steps: int) -> list[MLPSpec]:
    return [
        MLPSpec(
            source=SparseParitySource(variant="A"),
            context_length=LENGTHS[i % len(LENGTHS)],
            n_bits=LENGTHS[-1],
            n_targets=8 * max(steps, 1) * batch,
            batch_size=batch,
            steps=10**6,
            n_validation=2,
            model=MLPConfig(hidden=hidden, bottleneck=bottleneck),
            data_seed=i // len(LENGTHS),
            initial_seed=i,
        )
        for i in range(n_members)
    ]


def check_equal(ensemble: MLPEnsemble, plain: OneByOne) -> None:
    """Both compute the same loss from the same weights and samples, or the comparison means nothing."""
    index = torch.arange(ensemble.first.batch_size).expand(len(ensemble.seeds), -1)
    losses = ensemble.losses_and_gradients(index)
    for i, (inputs, answer) in enumerate(plain.data):
        found = F.binary_cross_entropy(plain.models[i](inputs[index[0]]), answer[index[0]])
        torch.testing.assert_close(found, losses[i], rtol=1e-5, atol=1e-6)


def training_row(case: Case, barred: bool, rounds: int) -> list[str]:
    n_members, hidden, _, batch, steps = case
    ensemble = MLPEnsemble(member_specs(*case))
    plain = OneByOne(ensemble)
    check_equal(ensemble, plain)
    done = 0

    def together() -> None:
        nonlocal done
        orders = ensemble.orders(done)
        for start in range(0, steps * batch, batch):
            ensemble.losses_and_gradients(orders[:, start : start + batch])
            ensemble.optimiser.step(done, ensemble.alive_E)
            done += 1

    ways = {"ensemble": together, "loader": lambda: plain.from_loaders(steps), "memory": lambda: plain.in_memory(steps)}
    seconds = interleaved(ways, rounds)
    speed = {name: n_members * batch * steps / seconds[name] / 1e3 for name in ways}
    ratio = speed["ensemble"] / speed["loader"]
    verdict = f" ({'pass' if ratio >= TRAINING_BAR else 'MISS'}: {TRAINING_BAR:g}x)" if barred else ""
    return [
        *map(str, (n_members, hidden, batch)),
        *(f"{speed[name]:.1f}" for name in ("ensemble", "loader", "memory")),
        f"{ratio:.1f}x{verdict}",
        f"{speed['ensemble'] / speed['memory']:.2f}x",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    drawn = [generator_row(arguments.rounds)]
    print(", ".join(drawn[0]), flush=True)
    trained = []
    for case, barred in CASES:
        trained.append(training_row(case, barred, arguments.rounds))
        print(", ".join(trained[-1]), flush=True)
    body = "\n\n".join(
        [
            f"`python -m benchmarks.parity`: thousands of samples a second of CPU time on one core, medians of"
            f" {arguments.rounds}\ninterleaved rounds. *two loops* and *DataLoader* are the ways of the public code of"
            " 2502.01481, written anew\nfrom its description: bit vectors one by one through a set of tuples, then a"
            " tensor for each sample; one module\nand AdamW for each member, fed by a shuffled DataLoader. *in memory*"
            " is that loop on resident tensors.\nBefore timing, labels are checked to be the parities that are asked"
            " for, and losses to be the same from the\nsame weights and samples.",
            "Bars: 50x the two loops; 5x the members one by one from DataLoaders. Compare along a row only.",
            markdown_table(["samples", "testbed", "two loops", "ratio (bar)"], drawn),
            markdown_table(
                [
                    "members",
                    "hidden",
                    "samples a step",
                    "testbed",
                    "DataLoader",
                    "in memory",
                    "testbed / DataLoader (bar)",
                    "testbed / in memory",
                ],
                trained,
            ),
            conditions("torch", "numpy"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Parity", body)


if __name__ == "__main__":
    main()
