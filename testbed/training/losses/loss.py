"""The `Loss` contract: what a training step descends, with its expectation under a law and where that has its minimum.

With l_y(q) what is lost when token y comes and the model's law was q, and p the law of y:

    S(p, q) = sum_y p_y l_y(q)                          the risk
    g_v(p, q) = sum_y p_y d l_y / d q_v                 its slopes; factors that a loss holds fixed are constants here
    0 = q_v (g_v - sum_u q_u g_u) for all v             a stationary law: no change of the logits lowers the loss

A loss is strictly proper if q = p is the only minimum of S(p, .), for every p (Gneiting & Raftery 2007, JASA 102, 359).
A model of enough capacity, trained long enough, ends at a minimum in every context, whatever else is in the data; so
a loss that is not proper has a bias that can be computed beforehand, context by context.

A training loss is always the mean of l_y over tokens y as they come. A batch of distinct windows holds a law of y for
each, and its loss is that law's expectation of l_y, the limit of many such batches.

E member   n target   V token (v: coordinate of the law, y: target)   D dimension of embeddings
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, PlainSerializer

from testbed.core import ConfigError, Registry, Tagged, tagged_to_json

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


class Loss(Tagged):
    """One training loss: a small frozen value."""

    version: ClassVar[int] = 1
    proper: ClassVar[bool] = False
    """Whether the Bayes law is the only minimum, for every law."""
    takes_weights: ClassVar[bool] = True
    """Whether the loss of a law of targets is defined; else distinct batches are refused."""

    # -- in training
    @abstractmethod
    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        """(E, n, V): l_y for every token y that could come, nats where it has a unit.

        rows_EVD    unit vectors of the tokens, (1 or E, V, D), for a loss that has an embedding cost
        """

    def losses(self, logits_EnV: "Tensor", target_En: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        """(E, n): l_y of the tokens that came."""
        return self.by_target(logits_EnV, rows_EVD).gather(-1, target_En[..., None])[..., 0]

    def weighted(self, logits_EnV: "Tensor", weights_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        """(E, n): sum_y w_y l_y for targets with the weight of every token."""
        return (weights_EnV * self.by_target(logits_EnV, rows_EVD)).sum(dim=-1)

    @property
    def reads_head(self) -> bool:
        """Whether the embedding cost is that of the model's own read-out, as it is at each step."""
        return False

    @property
    def head_loss(self) -> "Loss | None":
        """Another loss, of the same value, that the read-out alone descends; None where it descends this one too."""
        return None

    def rows(self, vocab_size: int) -> Floats | None:
        """(V, D) unit vectors of an embedding cost that stays as it is; None where there is none."""
        return None

    # -- on a known law, float64
    @abstractmethod
    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        """(V,): l_y(q) for each y. `cost` (V, V) is 1 - cos of the tokens' vectors, where the loss has one."""

    @abstractmethod
    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        """(V, V): d l_y / d q_v, row y, column v."""

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats | None:
        """(V,) the fixed point, where it is known but for the root of one equation; None: it is followed to."""
        return None

    def risk(self, p: ArrayLike, q: ArrayLike, cost: ArrayLike | None = None) -> float:
        """S(p, q), the mean loss where y has law p and the model says q."""
        p, q, cost = _laws(p, q, cost)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.values(q, cost)
        return float(np.sum(np.where(p > 0, p * values, 0.0)))

    def field(self, p: ArrayLike, q: ArrayLike, cost: ArrayLike | None = None) -> Floats:
        """(V,) gradient of the mean loss in the logits at q, which training follows downwards: q_v (g_v - q . g)."""
        p, q, cost = _laws(p, q, cost)
        g = p @ self.slopes(q, cost)
        return np.asarray(q * (g - q @ g))

    def fixed_point(self, p: ArrayLike, cost: ArrayLike | None = None) -> Floats:
        """(V,) the law at which training on law p ends when it starts from the uniform one.

        Raises ConfigError where p is no law, or the loss has an embedding cost and none is given.
        """
        from testbed.training.losses.fixed_points import followed

        law, _, costs = _laws(p, p, cost)
        found = self.closed_form(law, costs)
        return followed(self, law, costs) if found is None else found


def _laws(p: ArrayLike, q: ArrayLike, cost: ArrayLike | None) -> tuple[Floats, Floats, Floats | None]:
    """As float64; ConfigError where they are no laws of the same tokens."""
    law, model = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    for name, one in (("p", law), ("q", model)):
        if one.ndim != 1 or one.shape != law.shape or not (np.all(one >= 0) and abs(one.sum() - 1.0) < 1e-6):
            raise ConfigError(
                f"{name}: must be a law of {law.size} tokens, numbers from 0 on that sum to 1; given {one}"
            )
    costs = None if cost is None else np.asarray(cost, dtype=np.float64)
    if costs is not None and costs.shape != 2 * law.shape:
        raise ConfigError(f"cost: must have the shape {2 * law.shape}, a row and a column a token; given {costs.shape}")
    return law, model, costs


def even_law(among: NDArray[np.bool_]) -> Floats:
    """(V,) the law that is uniform on these tokens."""
    return np.asarray(among / among.sum())


def needed(cost: Floats | None) -> Floats:
    """The cost, of a loss that has one."""
    if cost is None:
        raise ConfigError("cost: this loss has an embedding cost; give the matrix 1 - cos of the tokens' vectors")
    return cost


losses: Registry[Loss] = Registry("training.losses", "loss")
loss: Callable[[str], Callable[[type[Loss]], type[Loss]]] = losses.register
"""Class decorator that gives a loss its type name."""

AnyLoss = Annotated[Loss, BeforeValidator(losses.build), PlainSerializer(tagged_to_json)]
