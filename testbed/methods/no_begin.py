"""The begin symbol hidden, so that attention on it tells no position."""

from typing import TYPE_CHECKING

from testbed.methods.method import Method, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("no_begin")
class NoBeginSymbol(Method):
    """No query but the begin symbol's own sees the begin symbol.

    Without positions a causal model can still count: a key that is always there, such as the begin symbol, gets a
    weight of about 1 / t among t keys. Hidden in training and test, it leaves one layer nothing to count with.
    """

    def mask(self, at: Placement) -> "Tensor":
        return (at.key_order_T > 0)[None, :] | (at.query_order_T == 0)[:, None]
