"""Planted worlds: how often does the judge say what, where the truth is known?"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from testbed.studies.judge.claim import Claim, Word
from testbed.studies.judge.evidence import Evidence
from testbed.studies.judge.verdict import judge

WORDS: tuple[Word, ...] = ("holds", "fails", "undecided")
Pairs = Sequence[tuple[Claim, Evidence]]


@dataclass(frozen=True)
class World:
    """A law of the evidence whose truth is known.

    expected    {claim id: the right verdict}; "undecided" where neither word would be right, None where any will do
    draw        (generator, number of independent replicates) -> the study's claims with evidence drawn from this world
    """

    name: str
    expected: Mapping[str, Word | None]
    draw: Callable[[np.random.Generator, int], Pairs]


def clopper_pearson(successes: int, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """Exact binomial interval of level 1 - alpha (Clopper & Pearson 1934, Biometrika 26, 404).

    >>> [round(end, 4) for end in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"needs 0 <= successes <= trials and trials >= 1, not {successes} of {trials}")
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, alpha / 2))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - alpha / 2))
    return low, high


@dataclass(frozen=True)
class Row:
    """One claim in one world: how often each verdict was given."""

    world: str
    claim: str
    expected: Word | None
    counts: dict[Word, int]

    @property
    def n_draws(self) -> int:
        return sum(self.counts.values())

    @property
    def wrong(self) -> int:
        """Draws with a wrong verdict."""
        return sum(count for word, count in self.counts.items() if is_wrong(word, self.expected))

    @property
    def wrong_interval(self) -> tuple[float, float]:
        return clopper_pearson(self.wrong, self.n_draws)

    @property
    def power(self) -> float | None:
        """Rate of the expected verdict; None where none is expected."""
        return None if self.expected is None else self.counts[self.expected] / self.n_draws


def is_wrong(word: Word, expected: Word | None) -> bool:
    """A verdict is wrong if it decides, and not as expected; undecided is weak, never wrong."""
    return expected is not None and word != "undecided" and word != expected


@dataclass(frozen=True)
class Confusion:
    """The confusion table of a study's judge on planted worlds.

    family      {world: draws with at least one wrong verdict}; its rate is what alpha bounds
    """

    rows: tuple[Row, ...]
    family: dict[str, int]
    n_replicates: int
    n_draws: int
    alpha: float

    def family_interval(self, world: str) -> tuple[float, float]:
        return clopper_pearson(self.family[world], self.n_draws)

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_replicates": self.n_replicates,
            "n_draws": self.n_draws,
            "alpha": self.alpha,
            "rows": [
                {
                    "world": row.world,
                    "claim": row.claim,
                    "expected": row.expected,
                    **row.counts,
                    "wrong_rate": row.wrong / row.n_draws,
                    "wrong_interval": list(row.wrong_interval),
                    "power": row.power,
                }
                for row in self.rows
            ],
            "family": {
                world: {"wrong_rate": wrong / self.n_draws, "wrong_interval": list(self.family_interval(world))}
                for world, wrong in self.family.items()
            },
        }

    def to_text(self) -> str:
        """A table in plain text; rates with 95 % Clopper-Pearson intervals."""
        header = ("world", "claim", "expected", *WORDS, "wrong (95 % interval)", "power")
        lines = [header]
        for row in self.rows:
            share = [f"{row.counts[word] / row.n_draws:.3f}" for word in WORDS]
            power = "-" if row.power is None else f"{row.power:.3f}"
            wrong = _rate(row.wrong, row.n_draws) if row.expected is not None else "-"
            lines.append((row.world, row.claim, row.expected or "-", *share, wrong, power))
        for world, count in self.family.items():
            lines.append((world, "(any claim)", "", "", "", "", _rate(count, self.n_draws), ""))
        widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        title = f"{self.n_draws} draws with {self.n_replicates} independent replicates each; alpha = {self.alpha:g}"
        return "\n".join([title, *body])


def calibrate(worlds: Sequence[World], n_replicates: int, n_draws: int, seed: int, alpha: float = 0.05) -> Confusion:
    """Judge n_draws draws of every world; each draw has a generator of its own, keyed by (seed, world, draw).

    Raises ValueError for two worlds of one name, and for a world that draws claims it does not name in `expected`.
    """
    if len({world.name for world in worlds}) != len(worlds):
        raise ValueError(f"worlds need names of their own, not {[world.name for world in worlds]}")
    rows: list[Row] = []
    family: dict[str, int] = {}
    for index, world in enumerate(worlds):
        counts: dict[str, Counter[Word]] = {claim: Counter() for claim in world.expected}
        family[world.name] = 0
        for draw in range(n_draws):
            pairs = world.draw(np.random.default_rng([seed, index, draw]), n_replicates)
            said = {verdict.claim.id: verdict.verdict for verdict in judge(pairs, alpha)}
            if said.keys() != counts.keys():
                raise ValueError(f"world {world.name} draws the claims {sorted(said)} and expects {sorted(counts)}")
            for claim, word in said.items():
                counts[claim][word] += 1
            family[world.name] += any(is_wrong(word, world.expected[claim]) for claim, word in said.items())
        rows += [
            Row(world.name, claim, expected, {word: counts[claim][word] for word in WORDS})
            for claim, expected in world.expected.items()
        ]
    return Confusion(tuple(rows), family, n_replicates, n_draws, alpha)


def _rate(successes: int, trials: int) -> str:
    low, high = clopper_pearson(successes, trials)
    return f"{successes / trials:.3f} ({low:.3f} to {high:.3f})"
