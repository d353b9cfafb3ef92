"""What a solver answers where there is no law, or where it found none."""

from typing import TYPE_CHECKING

from testbed.core import TestbedError, UndefinedError

if TYPE_CHECKING:
    from testbed.maxent.law import Law


class InfeasibleError(UndefinedError):
    """No law has these marginals.

    constraints  numbers of the constraints that contradict each other; leave one of them out and the rest agree
    slack        how far the targets lie outside (below 0), where a linear program measured it
    """

    def __init__(self, message: str, constraints: tuple[int, ...] = (), slack: float | None = None) -> None:
        super().__init__(message)
        self.constraints, self.slack = constraints, slack


class NotConvergedError(TestbedError, RuntimeError):
    """The residual is still above the tolerance; `law` is where the solver stood, with its trace."""

    def __init__(self, message: str, law: "Law") -> None:
        super().__init__(message)
        self.law = law
