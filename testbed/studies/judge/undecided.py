"""`Open`: evidence on a claim that is left undecided for a reason of its own, such as an arm that has not learnt."""

from dataclasses import dataclass

from testbed.studies.judge.evidence import Evidence


@dataclass(frozen=True)
class Open(Evidence):
    """A number that is shown and decides nothing, however many replicates there are.

    reason   why, as the end of "Undecided, because ..."

    The judge reads the reason off the claim's number itself, not off parts of a sum, a maximum or a minimum.
    """

    known: Evidence
    reason: str

    @property
    def estimate(self) -> float:
        return self.known.estimate

    @property
    def n_independent(self) -> int | None:
        return self.known.n_independent

    @property
    def replicates(self) -> dict[str, int]:
        return self.known.replicates

    @property
    def too_few(self) -> bool:
        """The judge leaves such evidence undecided."""
        return True

    def p_above(self, r: float) -> float:
        return self.known.p_above(r)

    def p_below(self, r: float) -> float:
        return self.known.p_below(r)

    def lower(self, alpha: float) -> float:
        return self.known.lower(alpha)

    def upper(self, alpha: float) -> float:
        return self.known.upper(alpha)

    def with_replicates(self, n: int) -> "Open":
        return Open(self.known.with_replicates(n), self.reason)
