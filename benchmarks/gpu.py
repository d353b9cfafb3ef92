"""Speed of training ensembles on a GPU, beside a loop over plain models, in one process.

    python -m benchmarks.gpu [--write] [--minutes 9] [--rehearse]

The plain model is an nn.Module of the same architecture (learned positions, fused attention) under bfloat16 autocast,
trained by torch.optim.AdamW(fused=True): no schedule, no clipping, no bookkeeping, its windows indexed from one tensor
on the device. Bars, for 4096 positions a step and member on an H200: with a CUDA graph 15x the loop (width 64, from 32
members on) and 8x (width 128, 4 blocks), compiled as well 25x and 12x and at half the bandwidth roofline or more; the
draws under 1 % of a step. Without a GPU, a tiny rehearsal of the same code runs on the CPU; its numbers mean nothing.
"""

import argparse
import math
import time

import numpy as np
import torch

from benchmarks._roofline import REHEARSAL, Size, bytes_a_step, flops_a_position, measured_limits, seconds_a_step
from benchmarks.timing import conditions, markdown_table, write_section
from benchmarks.training import VOCAB_SIZE, PlainLoop, PlainModel, check_equal
from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.runs.provenance import device_name
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import draw_training_targets, with_begin
from testbed.training.ensemble import Ensemble
from testbed.training.stepping import StepRunner
from testbed.training.trainer import train

SOURCE = MarkovSource.random(vocab_size=VOCAB_SIZE, order=2, entropy_rate=0.8, seed=0)
PLAIN_MODELS = 4
"""Models in the loop: its positions a second do not depend on their number."""
BARS = {(64, 2): (15.0, 25.0), (128, 4): (8.0, 12.0)}
"""By width and depth: times the loop with a graph, and compiled as well; from 32 members on."""
MARGIN = 1e-3
"""Nats, within which the excess of bfloat16 and float32 trainings is called equal."""


def specs(n: int, model: tuple[int, int], size: Size, method: str = "learned", **changes: object) -> list[TrainingSpec]:
    width, depth = model
    return [
        TrainingSpec(
            source=SOURCE,
            context_length=size.positions - 1,
            data=DataConfig(
                n_targets=2**15,
                max_context=size.positions - 1,
                targets_per_sequence=size.positions,
                targets_per_step=size.windows,
                seed=seed,
            ),
            model=ModelConfig(width=width, depth=depth, heads=max(1, width // 32), methods=(methods.build(method),)),
            optimiser=OptimiserConfig(
                steps=100_000,
                weight_decay=0.01,
                learning_rate=1e-3 * (1 + seed / 100),
                **({"precision": "bfloat16"} | changes),
            ),
            loss="all",
            initial_seed=seed,
        )
        for seed in range(n)
    ]


# ------------------------------------------------------------------------------------------------ candidates
class Loop:
    """Plain models, trained one after the other."""

    def __init__(self, given: list[TrainingSpec], device: torch.device) -> None:
        self.device, self.n_windows = device, given[0].data.targets_per_step
        self.models, self.optimisers, self.data = [], [], []
        fused = device.type == "cuda"
        for spec in given:
            model = PlainModel(spec.model, spec.context_length + 1).to(device)
            self.models.append(model)
            self.optimisers.append(torch.optim.AdamW(model.parameters(), fused=fused))
            contexts, following, _ = draw_training_targets(spec.source, spec, 2**12).windows(spec.context_length)
            tokens = torch.cat([torch.from_numpy(contexts), torch.from_numpy(following)[:, None]], dim=1)
            self.data.append(with_begin(tokens.long(), VOCAB_SIZE).to(device))

    def step(self) -> None:
        for model, optimiser, windows in zip(self.models, self.optimisers, self.data, strict=True):
            chosen = windows[torch.randint(len(windows), (self.n_windows,), device=self.device)]
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = model.loss(chosen, "all")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class Stepper:
    """An ensemble that goes on from step to step."""

    def __init__(self, given: list[TrainingSpec], device: torch.device) -> None:
        self.ensemble, self.number = Ensemble(given, str(device)), 0

    def step(self) -> None:
        self.ensemble.train_step(self.number)
        self.number += 1


class Drawing:
    """What a step sees, drawn and gathered, and nothing else of it."""

    def __init__(self, given: list[TrainingSpec], device: torch.device) -> None:
        self.ensemble, self.number = Ensemble(given, str(device)), 0
        self.runner = StepRunner(device)

    def _read(self) -> None:
        for segment in self.ensemble.segments:
            segment.batch(self.ensemble.clock_1)

    def step(self) -> None:
        self.ensemble.prepare(self.number)
        self.runner(self._read)
        self.number += 1


# ------------------------------------------------------------------------------------------------ tables
class Report:
    """Rows as they are measured, printed at once."""

    def __init__(self, size: Size, device: torch.device, deadline: float) -> None:
        self.size, self.device, self.deadline = size, device, deadline
        self.rows: list[list[str]] = []
        self.limits = measured_limits(size, device)
        self.loop: dict[tuple[int, int], float] = {}

    def add(self, model: tuple[int, int], n: int, what: str, seconds: float) -> float:
        size = self.size
        rate = n * size.windows * size.positions / seconds
        self.loop.setdefault(model, rate)
        ratio = rate / self.loop[model]
        flops = rate * flops_a_position(*model, size.positions) / self.limits.flops
        traffic = bytes_a_step(n, model, size) / seconds / self.limits.bytes
        bar = ""
        if model in BARS and n >= 32 and what in ("graph", "graph, compiled"):
            least = BARS[model][what != "graph"]
            bar = f" ({'pass' if ratio >= least else 'MISS'}: {least:g}x)"
        cells = [f"{rate / 1e6:.2f}", f"{ratio:.1f}x{bar}", f"{flops:.1%}", f"{traffic:.1%}"]
        self.rows.append([f"{model[0]} x {model[1]}", str(n), what, f"{seconds * 1e3:.3f}", *cells])
        print(", ".join(self.rows[-1]), flush=True)
        return rate

    def measure(self, model: tuple[int, int], n: int, what: str, **changes: object) -> float | None:
        """An ensemble's row; a line instead where time is up or memory is not enough."""
        if time.monotonic() > self.deadline:
            self.rows.append([f"{model[0]} x {model[1]}", str(n), what, "not reached", "", "", "", ""])
            return None
        try:
            stepper = Stepper(specs(n, model, self.size, **changes), self.device)
            seconds = seconds_a_step(stepper.step, self.size, self.device)
        except torch.OutOfMemoryError:
            self.rows.append([f"{model[0]} x {model[1]}", str(n), what, "out of memory", "", "", "", ""])
            return None
        self.add(model, n, what, seconds)
        return seconds


def measure_speed(report: Report) -> list[str]:
    """All rows, the compiled ones last because compiling takes most of the time; notes on the draws."""
    size, device, notes = report.size, report.device, []
    for model in size.models:
        n_plain = min(PLAIN_MODELS, max(size.members))
        loop = Loop(specs(n_plain, model, size), device)
        report.add(model, n_plain, "plain loop", seconds_a_step(loop.step, size, device))
        del loop
        for n in size.members:
            seconds = report.measure(model, n, "graph")
            if n == sorted(size.members)[-2] and seconds is not None:
                draws = seconds_a_step(Drawing(specs(n, model, size), device).step, size, device)
                notes.append(f"width {model[0]}, {n} members: {draws / seconds:.2%} (bar 1 %)")
                report.measure(model, n, "graph, rotary positions", method="rope")
                report.measure(model, n, "graph, float32", precision="float32")
    if size.compiles:
        for model in size.models:
            for n in sorted(size.members, key=lambda n: n < 32):
                report.measure(model, n, "graph, compiled", compile=True)
    return notes


def stream_speed() -> float:
    """Tokens a second that the host draws for endless streams, on all its threads."""
    SOURCE.sample(4096, 1024)
    start = time.perf_counter()
    SOURCE.sample(4096, 1024, seed=1)
    return 4096 * 1024 / (time.perf_counter() - start)


def measure_precision(size: Size, device: torch.device) -> str:
    """Members paired by their seeds, trained in both precisions: the mean difference of their excess."""
    from scipy import stats

    def trained(precision: str) -> np.ndarray:
        length = min(15, size.positions - 1)
        short = [
            one.replace(
                context_length=length,
                data=DataConfig(n_targets=2**15, max_context=length, targets_per_step=64, seed=one.data.seed),
                optimiser=OptimiserConfig(steps=size.training_steps, precision=precision),
                evaluation=EvaluationConfig(path_points=1),
            )
            for one in specs(size.trained, size.models[0], size, "rope")
        ]
        return np.array([member.scores["excess"] for member in train(short, str(device))])

    wide, narrow = trained("float32"), trained("bfloat16")
    difference = narrow - wide
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    reach = float(stats.t.ppf(0.95, len(difference) - 1)) * error
    low, high = difference.mean() - reach, difference.mean() + reach
    verdict = "equal" if max(-low, high) < MARGIN else "not shown equal"
    return (
        f"Excess of {len(wide)} members after {size.training_steps} steps: float32 {wide.mean():.5f}, bfloat16 minus"
        f" float32 {difference.mean():+.5f} nats, 90 % interval {low:+.5f} .. {high:+.5f}; margin {MARGIN:g}: {verdict}"
        " (two one-sided t tests at 5 %)."
    )


HEADER = ["model", "members", "how", "ms a step", "M positions/s", "to the loop (bar)", "of peak", "of bandwidth"]


def body(report: Report, notes: list[str], precision: str, device: torch.device) -> str:
    size, limits = report.size, report.limits
    return "\n\n".join(
        [
            f"`python -m benchmarks.gpu`: {size.positions} positions, {size.windows} windows a step and member,"
            " bfloat16 with float32\nweights. Of peak: of the bfloat16 product measured here; of bandwidth: the least"
            " traffic (`bytes_a_step`)\nover the copy measured here.",
            markdown_table(HEADER, report.rows),
            f"Limits measured here: {limits.flops / 1e12:.1f} TFLOP/s, {limits.bytes / 1e9:.0f} GB/s.",
            "Draws and gathering, share of a step: "
            + "; ".join(notes)
            + f". The host draws {stream_speed() / 1e6:.0f} M"
            " tokens a second\nfor endless streams, while the GPU computes.",
            precision,
            f"{device_name(str(device))}. " + conditions("torch", "numpy"),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="begin no new row after this time")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--rehearse", action="store_true", help="the tiny rehearsal on the CPU, also beside a GPU")
    arguments = parser.parse_args()
    rehearsal = arguments.rehearse or not torch.cuda.is_available()
    if rehearsal:
        if not arguments.rehearse:
            print(
                "no CUDA GPU here: nothing is measured; a tiny rehearsal of the same code runs on the CPU", flush=True
            )
        if arguments.write:
            raise SystemExit("--write: a rehearsal measures nothing; run it beside a GPU")
        torch.set_num_threads(1)
    device, size = torch.device("cpu" if rehearsal else "cuda"), REHEARSAL if rehearsal else Size()
    report = Report(size, device, time.monotonic() + 60 * arguments.minutes)
    for model in size.models:  # both give the same losses from the same weights and windows
        one = specs(1, model, size, precision="float32")
        ensemble = Ensemble(one)
        check_equal(ensemble, PlainLoop(one, ensemble))
    precision = measure_precision(size, device)
    print(precision, flush=True)
    text = body(report, measure_speed(report), precision, device)
    print("\n" + ("REHEARSAL ON A CPU: these numbers mean nothing\n\n" if rehearsal else "") + text)
    if arguments.write:
        write_section("GPU", text)


if __name__ == "__main__":
    main()
