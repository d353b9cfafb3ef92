"""`Proportion`: evidence on a probability from independent trials, rigorous where none or all of them succeed."""

from dataclasses import dataclass

from testbed.studies.judge.evidence import Evidence, check_alpha


@dataclass(frozen=True)
class Proportion(Evidence):
    """Clopper & Pearson's exact binomial bounds (1934, Biometrika 26, 404).

    lower(alpha)   the p with P(Bin(n, p) >= successes) = alpha
    upper(alpha)   the p with P(Bin(n, p) <= successes) = alpha

    A mean over replicates would have no spread where nothing succeeds, and claim certainty.

    >>> [round(end, 4) for end in Proportion(0, 100).interval(0.025)]
    [0.0, 0.0362]
    """

    successes: int
    trials: int
    unit: str = "chain"

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials or self.trials < 1:
            raise ValueError(f"needs 0 <= successes <= trials >= 1, not {self.successes} of {self.trials}")

    @property
    def estimate(self) -> float:
        return self.successes / self.trials

    @property
    def n_independent(self) -> int | None:
        return self.trials

    @property
    def replicates(self) -> dict[str, int]:
        return {self.unit: self.trials}

    def p_above(self, r: float) -> float:
        """P(Bin(n, r) >= successes)."""
        from scipy.special import betainc

        if r <= 0:
            return 0.0
        if r > 1 or self.successes == 0:
            return 1.0
        return float(betainc(self.successes, self.trials - self.successes + 1, r))

    def p_below(self, r: float) -> float:
        """P(Bin(n, r) <= successes)."""
        from scipy.special import betaincc

        if r >= 1:
            return 0.0
        if r < 0 or self.successes == self.trials:
            return 1.0
        return float(betaincc(self.successes + 1, self.trials - self.successes, r))

    def lower(self, alpha: float) -> float:
        from scipy.special import betaincinv

        check_alpha(alpha)
        if self.successes == 0:
            return 0.0
        return float(betaincinv(self.successes, self.trials - self.successes + 1, alpha))

    def upper(self, alpha: float) -> float:
        from scipy.special import betainccinv

        check_alpha(alpha)
        if self.successes == self.trials:
            return 1.0
        return float(betainccinv(self.successes + 1, self.trials - self.successes, alpha))

    def with_replicates(self, n: int) -> "Proportion":
        return Proportion(round(self.estimate * n), n, self.unit)
