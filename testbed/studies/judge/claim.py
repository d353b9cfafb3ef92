"""What a paper claims (`Claim`), where the number must lie (`Region`), and what the data said (`Verdict`)."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from testbed.core.errors import ConfigError
from testbed.studies.judge.evidence import Evidence

Word = Literal["holds", "fails", "undecided"]
Reading = Literal["quoted", "inferred"]
Scale = Literal["smoke", "laptop", "gpu", "full"]


@dataclass(frozen=True)
class Region:
    """The closed interval [lower, upper] in which the claimed number lies; either end may be infinite, not both.

    An equality claim is a region of the claim's margin around the value, `Region.around`: it holds by two one-sided
    tests (Schuirmann 1987), and data can make it fail too.

    >>> Region.around(0.0, 0.01)
    Region(lower=-0.01, upper=0.01)
    """

    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise ConfigError(f"a region needs lower <= upper, not {self.lower} and {self.upper}")
        if not (math.isfinite(self.lower) or math.isfinite(self.upper)):
            raise ConfigError(f"a region needs a finite end, or nothing could fail it: [{self.lower}, {self.upper}]")

    @classmethod
    def around(cls, value: float, margin: float) -> "Region":
        return cls(value - margin, value + margin)

    @property
    def two_ended(self) -> bool:
        return math.isfinite(self.lower) and math.isfinite(self.upper)

    def contains(self, lower: float, upper: float) -> bool:
        """The whole interval [lower, upper] lies in the region."""
        return self.lower <= lower and upper <= self.upper

    def excludes(self, lower: float, upper: float) -> bool:
        """The whole interval [lower, upper] lies outside the region, on one side of it."""
        return upper < self.lower or lower > self.upper

    def p_holds(self, evidence: Evidence) -> float:
        """p-value against theta outside the region: max(p_above(lower), p_below(upper)).

        An outside theta lies beyond one end, and that end's p-value alone is valid: intersection-union (Berger 1982).
        """
        return max(evidence.p_above(self.lower), evidence.p_below(self.upper))

    def p_fails(self, evidence: Evidence) -> float:
        """p-value against theta in the region: the smaller of those against each end, doubled if both are finite.

        Read one float outside the ends, because the region is closed: an exact number at an end is inside.
        """
        below = evidence.p_below(math.nextafter(self.lower, -math.inf))
        above = evidence.p_above(math.nextafter(self.upper, math.inf))
        return min(1.0, (2 if self.two_ended else 1) * min(below, above))

    def __str__(self) -> str:
        left = f"[{self.lower:.4g}" if math.isfinite(self.lower) else "(-inf"
        return f"{left}, {self.upper:.4g}]" if math.isfinite(self.upper) else f"{left}, inf)"


OWN = "this project's own claim"
"""The `paper` of a claim that no paper makes."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement about one number, fixed before the run.

    id, statement, paper, place   what is claimed, by whom, and where in the paper
    reading      "quoted", or "inferred" by us: then a failure is one of our reading, never of the paper
    scope        where it is claimed to hold
    control      the planted world in which it must fail
    region       where the number must lie; the margin is already in it
    margin       the smallest effect of interest, in `unit`, >= 0: what made the region what it is
    decided_at   the scale at which the study can decide it
    exact_truth  the number is exact for each replicate, so that fewer than 5 of them do decide

    Raises ConfigError naming the claim and the field.
    """

    id: str
    statement: str
    paper: str
    place: str
    reading: Reading
    scope: str
    control: str
    region: Region
    margin: float
    decided_at: Scale
    unit: str = "nats"
    exact_truth: bool = False

    @property
    def of_our_reading(self) -> bool:
        """A paper is named whose words say something else or less."""
        return self.reading == "inferred" and self.paper != OWN

    def __post_init__(self) -> None:
        for name in ("id", "statement", "paper"):
            if not getattr(self, name):
                raise ConfigError(f"claim {self.id!r}: {name} is empty")
        for name, known in (("reading", ("quoted", "inferred")), ("decided_at", ("smoke", "laptop", "gpu", "full"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"claim {self.id}: {name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not 0 <= self.margin < math.inf:
            raise ConfigError(f"claim {self.id}: margin is finite and >= 0, not {self.margin}")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the data say of a claim.

    lower, upper      the interval whose place decides: inside the region *holds*, outside *fails*, else *undecided*
    level             its confidence, 1 - 2 c, each end erring with probability c, Holm's level over the study
    p_holds, p_fails  raw p-values against theta outside, and inside, the region
    p_adjusted        Holm over the study and doubled for the two sides; a verdict is given iff it is <= alpha
    replicates_needed the least n >= 5 of independent units that would decide at the present mean and spread; None if
                      decided, void, or beyond 100,000
    reason            one sentence for a reader
    """

    claim: Claim
    verdict: Word
    estimate: float
    lower: float
    upper: float
    level: float
    n_independent: int | None
    replicates: dict[str, int]
    p_holds: float
    p_fails: float
    p_adjusted: float
    replicates_needed: int | None
    reason: str
    notes: tuple[str, ...] = field(default=())

    @property
    def p_decisive(self) -> float:
        """min(1, 2 min(p_holds, p_fails)): this claim alone, looking at both sides; what goes over the ledger."""
        return min(1.0, 2 * min(self.p_holds, self.p_fails))

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, infinities as the strings "inf" and "-inf"."""
        return {key: _encoded(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Verdict":
        claim = {key: value for key, value in data["claim"].items() if key != "region"}
        region = Region(**{key: float(value) for key, value in data["claim"]["region"].items()})
        values: dict[str, Any] = {
            key: float(value) if value in ("inf", "-inf") else value for key, value in data.items()
        }
        return cls(**values | {"claim": Claim(**claim, region=region), "notes": tuple(data["notes"])})

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        return cls.from_dict(json.loads(text))


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
