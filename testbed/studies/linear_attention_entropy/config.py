"""What the study `linear_attention_entropy` is asked: tasks, arms, sizes, bounds. Fixed before the runs that decide."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import Source, build
from testbed.studies.tuning import Tuning

Arm = Literal[
    "softmax", "elu", "relu", "taylor", "nala", "nala_rope",
    "relu_split", "nala_fixed", "plus_one", "sink", "gated", "affine", "affine_window",
]  # fmt: skip
KERNELS: tuple[Arm, ...] = ("softmax", "elu", "relu", "taylor", "nala")
LINEAR: tuple[Arm, ...] = KERNELS[1:]
READERS: tuple[Arm, ...] = ("softmax", "plus_one", "sink", "gated", "affine", "affine_window")
"""Ways to attend to nothing, beside the softmax."""
SINKS: tuple[Arm, ...] = ("plus_one", "sink", "gated")
AFFINE: tuple[Arm, ...] = ("affine", "affine_window")
METHODS: dict[Arm, list[Any]] = {
    "softmax": [],
    "elu": ["linear_elu"],
    "relu": ["linear_relu"],
    "taylor": ["linear_taylor"],
    "nala": ["nala"],
    "relu_split": [{"type": "nala", "power": "one"}],
    "nala_fixed": [{"type": "nala", "power": "constant"}],
    "plus_one": ["softmax_plus_one"],
    "sink": ["learned_sink"],
    "gated": ["gated_output"],
    "affine": [{"type": "affine", "gate": "lin_clip"}],
    "affine_window": [{"type": "affine", "gate": "lin_clip", "count": "window"}],
}
"""Of each arm beside its positions; affine scaling with the paper's gate."""
LEARNED, LONGER, BIGRAM, UNIGRAM, MISSES = "learned", "longer", "bigram", "unigram", "misses"
CONTEXT = (BIGRAM, UNIGRAM)


class Design(Config):
    """The tasks.

    copy_T    a block of T / 2 uniform tokens, then the block again; rotary positions. In the second half the token to
              be copied is known by its distance alone, so that a head that reads it has entropy 0
    learned   the same at the middle T with learned positions: keys have addresses that training is free to choose
    longer    copy at the middle T with more steps, NaLa alone
    bigram    a Markov chain drawn for each sequence; two layers, rotary positions
    unigram   independent tokens of a law drawn for each sequence: all keys count alike; the same model
    misses    pairs of key and value, then queries, some of keys that were not shown and are answered by a fresh value;
              two layers, rotary positions

    What learnt `misses` is also asked on the source where no key is missing.
    """

    vocab_size: int = Field(4, ge=2, le=256, description="copy: tokens V")
    lengths: tuple[int, ...] = Field((12, 24, 36), min_length=2, max_length=8, description="copy: T, even, rising")
    base: float = Field(100.0, gt=1, le=1e6, description="longest wavelength of rotary positions is 2 pi base")
    context_vocab: int = Field(3, ge=2, le=64, description="in-context tasks: tokens")
    concentration: str = Field("1/3", description="in-context tasks: Dirichlet parameter")
    context_length: int = Field(24, ge=4, le=4096, description="in-context tasks: tokens of a sequence")
    n_keys: int = Field(3, ge=2, le=4096, description="recall: keys")
    n_pairs: int = Field(2, ge=1, le=4095, description="recall: pairs shown, fewer than the keys")
    n_values: int = Field(4, ge=2, le=4096, description="recall: values")
    n_queries: int = Field(8, ge=1, le=4096, description="recall: queries of a sequence")
    missing: float = Field(0.3, gt=0, lt=1, description="recall: probability that a query's key was not shown")

    hide_begin: bool = Field(False, description="recall: the begin symbol, on which a softmax can rest, is hidden")
    ablations: bool = Field(
        False, description="copy: NaLa as released at every T, with a constant power, and ReLU of both signs"
    )
    rates_by_length: bool = Field(False, description="copy: rates are chosen at each T; else at the middle one")

    @model_validator(mode="after")
    def _check(self) -> Self:
        lengths = self.lengths
        if list(lengths) != sorted(set(lengths)) or not 4 <= lengths[0] <= lengths[-1] <= 4096:
            raise ValueError(f"lengths: given {lengths}, must rise within 4 .. 4096")
        if any(one % 2 for one in lengths):
            raise ValueError(f"lengths: given {lengths}, must be even: a block comes twice")
        if self.n_pairs >= self.n_keys:
            raise ValueError(
                f"n_pairs: given {self.n_pairs}, must be less than n_keys = {self.n_keys}: some are missed"
            )
        return self

    @property
    def middle(self) -> int:
        """The T at which rates are chosen, and which stands for all where one must."""
        return self.lengths[(len(self.lengths) - 1) // 2]

    @property
    def copies(self) -> tuple[str, ...]:
        """Names of the copying tasks, by T."""
        return tuple(f"copy_{one}" for one in self.lengths)

    @property
    def central(self) -> str:
        """The copying task of the middle T."""
        return f"copy_{self.middle}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks."""
        return (*self.copies, LEARNED, LONGER, *CONTEXT, MISSES)

    def arms(self, task: str) -> tuple[Arm, ...]:
        """What is trained on a task; at the middle T also NaLa as released, with positions in the numerator alone.

        With `ablations`, NaLa as released at every T, and two arms that part what NaLa adds to ReLU: `relu_split` has
        its number of features, `nala_fixed` its powers without the query's length.
        """
        if task == MISSES:
            return READERS
        if task == LONGER:
            return ("nala",)
        if self.ablations and task in self.copies:
            return (*KERNELS, "nala_rope", "relu_split", "nala_fixed")
        return (*KERNELS, "nala_rope") if task == self.central else KERNELS

    def tuned_on(self, task: str) -> str:
        """The task whose trial chooses the rates of this one."""
        if task in self.copies and self.rates_by_length:
            return task
        if task in (*self.copies, LONGER):
            return self.central
        return BIGRAM if task in CONTEXT else task

    def length(self, task: str) -> int:
        """Tokens of a sequence."""
        if task in self.copies:
            return int(task.removeprefix("copy_"))
        if task in CONTEXT:
            return self.context_length
        return 2 * (self.n_pairs + self.n_queries) if task == MISSES else self.middle

    def source(self, task: str, missing: bool = True) -> Source:
        """The law of a task's tokens; `missing`: whether queries of recall may be of keys that were not shown."""
        if task in CONTEXT:
            order = 1 if task == BIGRAM else 0
            return build(
                {
                    "type": "dirichlet_markov",
                    "vocab_size": self.context_vocab,
                    "order": order,
                    "concentration": self.concentration,
                }
            )
        if task == MISSES:
            return build(
                {
                    "type": "key_value_recall",
                    "n_keys": self.n_keys,
                    "n_values": self.n_values,
                    "n_queries": self.n_queries,
                    "missing": self.missing if missing else 0.0,
                    "missing_answer": "prior",
                }
            )
        block = self.length(task) // 2
        return build({"type": "repeated_block", "vocab_size": self.vocab_size, "block_length": block})

    def methods(self, task: str, arm: Arm) -> list[Any]:
        """Positions and the arm's own methods."""
        if arm == "nala_rope":
            return [{"type": "nala_rope", "base": self.base}]
        hidden = ["no_begin"] if task == MISSES and self.hide_begin else []
        return ["learned" if task == LEARNED else {"type": "rope", "base": self.base}, *hidden, *METHODS[arm]]

    def depth(self, task: str) -> int:
        """Layers."""
        return 2 if task in (*CONTEXT, MISSES) else 1


class Training(Config):
    """What all members of a task share but the rate."""

    copy_steps: int = Field(500, ge=1, le=10**7, description="copy: optimiser steps")
    longer: int = Field(3, ge=2, le=1000, description="how many times as many NaLa has in the longer run")
    context_steps: int = Field(400, ge=1, le=10**7, description="in-context tasks: optimiser steps")
    recall_steps: int = Field(1200, ge=1, le=10**7, description="recall: optimiser steps")
    warmup_steps: int = Field(50, ge=0, le=10**6, description="steps of linear warm-up")
    sequences_per_step: int = Field(16, ge=1, le=10**6, description="fresh sequences of a step")

    def steps(self, task: str) -> int:
        """Optimiser steps of a task."""
        if task in CONTEXT:
            return self.context_steps
        if task == MISSES:
            return self.recall_steps
        return self.copy_steps * (self.longer if task == LONGER else 1)


class Rates(Config):
    """Learning rates that are tried, by kind of task, all on replicates that nothing else sees."""

    rotary: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2, 1e-1), min_length=1, description="rotary copies, rising")
    learned: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2, 1e-1), min_length=1, description="learned positions, rising")
    context: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2, 1e-1), min_length=1, description="in-context tasks, rising")
    recall: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2), min_length=1, description="recall, rising")
    n_seeds: int = Field(3, ge=1, le=10_000, description="replicates of each rate")
    tie: float = Field(1e-3, ge=0, le=10, description="nats within which rates are alike; the smallest is taken")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for task in (BIGRAM, LEARNED, MISSES, ""):
            self.tuning(task)
        return self

    def tuning(self, task: str) -> Tuning:
        """How the rate of an arm on a task is chosen: the least mean excess, and of those alike the smallest."""
        rates = {BIGRAM: self.context, LEARNED: self.learned, MISSES: self.recall}.get(task, self.rotary)
        return Tuning(learning_rates=rates, n_seeds=self.n_seeds, tie=self.tie)


class Reading(Config):
    """What is looked at on fresh sequences, the same for all arms of a replicate, and on random queries and keys."""

    n_sequences: int = Field(128, ge=2, le=10**6, description="fresh sequences")
    block: int = Field(3, ge=1, le=10**4, description="HyperAttention: keys in a sorted block")
    samples: int = Field(3, ge=1, le=10**4, description="HyperAttention: keys of a part that all its queries see")
    least: int = Field(6, ge=1, le=10**4, description="HyperAttention: longest window whose attention is exact")
    n_draws: int = Field(500, ge=2, le=10**6, description="random queries, each with keys of its own")
    size: int = Field(16, ge=2, le=1024, description="numbers in a random query, and in a key")
    n_keys: int = Field(32, ge=2, le=4096, description="random keys of a query")
    norms: tuple[float, ...] = Field(
        (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0), min_length=2, max_length=64, description="|q|, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.norms) != sorted(set(self.norms)) or not 0 < self.norms[0] <= self.norms[-1] <= 1e4:
            raise ValueError(f"norms: given {self.norms}, must rise within 0 .. 10000, 0 left out")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    floor: float = Field(0.5, gt=0, lt=1, description="share of ln N: entropy that no length of q goes below")
    gap: float = Field(0.5, gt=0, lt=1, description="share of the softmax's fall of entropy")
    rises: float = Field(0.002, gt=0, lt=1, description="share of draws whose entropy rises with |q|")
    lower: float = Field(0.02, gt=0, lt=1, description="share of what context tells: less excess")
    grows: float = Field(0.1, gt=0, lt=1, description="share of what context tells: more excess at the longest T")
    spiky: float = Field(0.5, gt=0, lt=10, description="nats of entropy up to which a head is spiky")
    copies: float = Field(0.1, gt=0, lt=1, description="share of what context tells: left unread by what copies")
    flat: float = Field(0.5, gt=0, lt=1, description="share of ln n: entropy of a head that is not flat")
    alike: float = Field(0.02, gt=0, lt=1, description="share of what context tells: no loss")
    read: float = Field(0.01, gt=0, lt=1, description="share of ln V: KL of an answer, less or no more")
    between: float = Field(0.02, gt=0, lt=1, description="share of what context tells: more is added")
    gate: float = Field(0.25, gt=0, lt=1, description="share of what context tells: below it an arm has learnt")
    window: int = Field(8, ge=1, le=10**4, description="HyperAttention: windows of so many blocks and samples are long")
    moved: float = Field(0.95, gt=0, lt=1, description="likewise: above it an arm is still at the uniform law")


class Probe(Config):
    """A cell: random queries and keys and the price of soft weights, or a member."""

    kind: Literal["untrained", "rate", "member"] = Field(
        description="untrained: no model; rate: seen by the choice of rates alone; member: judged"
    )
    task: str = Field("", description="which task")
    arm: Arm | None = Field(None, description="which attention")
    seed: int = Field(0, ge=0, description="replicate: seed of draws, of sequences and of first weights")
    learning_rate: float | None = Field(None, description="peak learning rate")
    design: Design | None = Field(None, description="what tasks are made of; none of a member that only tunes")
    reading: Reading | None = Field(None, description="what is looked at; none of a member that only tunes")
