"""No positions."""

from typing import ClassVar

from testbed.methods.method import Method, method


@method("nope")
class NoPositions(Method):
    """No position signal but the causal mask itself (Kazemnejad et al. 2023)."""

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
