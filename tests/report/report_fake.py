"""A study that needs no training: two worlds' worth of records made by hand, every kind of verdict among its claims."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from testbed.report import Entry, write_figures
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies import Check, Judgement, Study, StudyFigure
from testbed.studies.judge import Claim, Exact, Mean, Region, Replicates, World, calibrate, judge
from testbed.training.member import TrainedMember

CONTEXTS = range(6)
SIZES = (100, 10_000)
PAPER = "Doe & Roe 2025, arXiv:2501.00000"


def claim(name: str, statement: str, region: Region, **changes: Any) -> Claim:
    values: dict[str, Any] = {
        "id": name,
        "statement": statement,
        "paper": PAPER,
        "place": "section 3.2, eq. (7)",
        "reading": "quoted",
        "scope": "order-k Markov sources, k = 2, contexts 0 .. k + 3",
        "control": "a source without memory, where the best context is 0",
        "region": region,
        "margin": 0.005,
        "decided_at": "laptop",
    }
    return Claim(**values | changes)


CLAIMS = (
    claim(
        "interior_optimum",
        "For every dataset size between 300 and 10,000 targets, the loss over the context length has its least value"
        " strictly inside the grid.",
        Region(lower=0.005),
    ),
    claim(
        "scaling_law",
        "The optimal context grows as D^1.5 & no faster: l*_delta < 3 <script>alert(1)</script>",
        Region.around(0.05, 0.005),
        reading="inferred",
        paper="Poe 2024, ICML",
        place="abstract",
    ),
    claim("many_kernels", "The gain is the same for every kernel.", Region(upper=0.02), decided_at="gpu"),
    claim("few_seeds", "Three seeds are enough to see the gain.", Region(lower=0.0), paper="Poe 2024, ICML"),
    claim(
        "flat_rate", "Beyond k the conditional entropy is flat.", Region.around(0.0, 1e-9), exact_truth=True, unit=""
    ),
    claim("endless", "The excess entropy stays below one.", Region(upper=1.0), exact_truth=True),
)


def fake_judgement(void: bool = False) -> Judgement:
    generator = np.random.default_rng(7)
    draws = {name: generator.standard_normal(n) for name, n in (("a", 12), ("b", 16), ("c", 6), ("d", 3))}
    evidence = {
        "interior_optimum": _mean(0.021 + 0.003 * draws["a"]),
        "scaling_law": _mean(0.012 + 0.004 * draws["b"]),
        "many_kernels": _mean(0.018 + 0.01 * draws["c"]),
        "few_seeds": _mean(0.01 + 0.001 * draws["d"]),
        "flat_rate": Exact(0.0),
        "endless": Exact(math.inf),
    }
    verdicts = judge([(one, evidence[one.id]) for one in CLAIMS], void="h_l rises" if void else None)
    return Judgement(
        verdicts=tuple(verdicts),
        checks=(
            Check("h_l never rises with l", not void, "largest rise 0 nats over 5 kernels"),
            Check("cross-entropy = Bayes risk + excess", True, "largest |z| 2.1 of 3.4 allowed"),
        ),
        notes=("The learning rate was chosen on seeds that no verdict uses.",),
    )


def _mean(values: Any) -> Mean:
    return Mean(np.repeat(values, 2), Replicates.grid({"kernel": len(values), "initialisation": 2}, seed=0))


class FakeStudy(Study):
    """Which context length is best, if data are few?

    A longer context lowers the Bayes risk and raises what must be learnt. Transformers of every context length learn
    from datasets of every size, and each is held against the exact law of its source.

        loss = h_l + excess         a formula, which is no running text
    """

    type_name: ClassVar[str] = "fake"
    title: ClassVar[str] = "The best context length for a dataset of size D"
    papers: ClassVar[tuple[str, ...]] = (PAPER, "Poe 2024, ICML")

    def claims(self) -> tuple[Claim, ...]:
        return CLAIMS

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        return []

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        yield from ()

    def judge(self, records: Sequence[Record]) -> Judgement:
        return fake_judgement()

    @property
    def n_replicates(self) -> int:
        return 12

    def worlds(self) -> list[World]:
        def drawn(mean: float) -> Any:
            return lambda generator, n: [(CLAIMS[0], _mean(mean + 0.003 * generator.standard_normal(n)))]

        return [
            World("planted optimum", {"interior_optimum": "holds"}, drawn(0.02)),
            World("no memory", {"interior_optimum": "fails"}, drawn(-0.02)),
        ]

    def figures(self, records: Sequence[Record]) -> dict[str, StudyFigure]:
        return {"loss_split": _split(), "best_context": _best(), "overview": _overview()}


def _split() -> StudyFigure:
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(7.0, 2.5), sharey=True)
    rows = []
    for panel, size in zip(panels, SIZES, strict=True):
        risk = [0.6 + 0.4 * math.exp(-one) for one in CONTEXTS]
        excess = [2 ** (one - 1) * 10 / size for one in CONTEXTS]
        total = [a + b for a, b in zip(risk, excess, strict=True)]
        panel.plot(CONTEXTS, total, label="loss")
        panel.plot(CONTEXTS, risk, label="Bayes risk $h_l$")
        panel.plot(CONTEXTS, excess, label="excess")
        panel.errorbar(CONTEXTS, total, yerr=[0.02] * len(CONTEXTS), fmt="none", color="#0072B2")
        panel.set(title=f"D = {size:,}", xlabel="context length $l$ (tokens)", yscale="log")
        rows += [
            {"size": size, "context": one, "risk": a, "excess": b}
            for one, a, b in zip(CONTEXTS, risk, excess, strict=True)
        ]
    panels[0].set_ylabel("nats per token")
    panels[0].legend()
    caption = "Loss split into Bayes risk and excess, one panel a dataset size; bars: 95 % intervals over 12 kernels."
    return StudyFigure(figure, rows, caption, "The split of the loss", ("interior_optimum", "many_kernels"))


def _best() -> StudyFigure:
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots()
    for shift, name in enumerate(("transformer", "add-1/2 learner", "Bayes mixture", "theory")):
        panel.plot(SIZES, [1 + shift * 0.2, 2 + shift * 0.2], label=name)
    panel.set(xscale="log", xlabel="targets $D$", ylabel="best context $l^*$ (tokens)")
    panel.legend()
    rows = [{"size": one, "best": np.float64(i + 0.1), "edge": i == 1} for i, one in enumerate(SIZES)]
    rows.append({"size": 10**6, "best": math.inf, "note": "beyond the grid, no data"})
    return StudyFigure(figure, rows, "Best context; 95 % confidence sets, 12 kernels.", "l* & D", ("scaling_law",))


def _overview() -> StudyFigure:
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(7.0, 2.2))
    for i in range(7):
        panel.plot([0, 1, 2], [i, i + 0.5, i + 0.2], label=f"line {i + 1}")
    panel.legend(ncols=4)
    return StudyFigure(figure, [{"line": i} for i in range(7)], "The seven lines of the cycle.")


def fake_records() -> list[Record]:
    stamp = {"versions": {"testbed": "0.1.0", "numpy": "2.4.6"}, "commit": "0123456789ab", "device": "A processor"}
    records = []
    for i, status in enumerate(("done", "done", "diverged")):
        source = {"type": "markov", "vocab_size": 3, "order": 2, "seed": i, "kernel": [[0.5, 0.5]]}
        cell = {"probe": {"name": "Probe"}, "training": {"source": source, "context_length": 2}}
        day = {"date": f"2025-11-{20 + i}"}
        records.append(Record(f"key{i}", "fake", cell, status, {}, {}, stamp | day))  # type: ignore[arg-type]
    return records


def fake_entry(folder: Path | None, scale: str = "laptop", **changes: Any) -> Entry:
    """An entry with its figures written to `folder`, or without any."""
    study, records = FakeStudy(), fake_records()
    figures = write_figures(study, records, folder) if folder is not None else []
    confusion = calibrate(study.worlds(), 12, 40, seed=0)
    command = "./run run configs/fake.toml --scale laptop && echo '<done>'"
    values: dict[str, Any] = {"scale": scale, "command": command, "figures": figures, "confusion": confusion}
    return Entry.of(study, records, **values | changes)
