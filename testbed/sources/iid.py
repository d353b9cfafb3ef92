"""Independent tokens: the control on which no context helps."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ArrayInput
from testbed.core.config import load_array
from testbed.sources.chain import DyadicChain, check_size
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.source import source


@source("iid")
class IIDSource(DyadicChain):
    """Independent tokens with one law p: an order-0 chain, h_l = -sum p ln p for every l.

    `probabilities` (V,) gives the law; `vocab_size` alone means the uniform one.

    >>> IIDSource(vocab_size=4).excess_entropy().value
    0.0
    """

    probabilities: ArrayInput = Field(None, description="law of a token, (V,); uniform if left out")
    vocab_size: int = Field(ge=1, le=65536, description="number of symbols V")

    def __init__(self, probabilities: Any = None, **parameters: Any) -> None:
        if probabilities is not None:
            parameters["probabilities"] = probabilities
        super().__init__(**parameters)

    @model_validator(mode="before")
    @classmethod
    def _size_from_law(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("probabilities") is None:
            return values
        try:
            array = load_array(values["probabilities"])
        except ValueError as error:
            raise ValueError(f"probabilities: {error}") from None
        assert array is not None
        law = np.atleast_1d(np.squeeze(array))  # a .csv file holds one row or one column
        return {"vocab_size": len(law), **values, "probabilities": law}

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size, 0)
        if self.probabilities is not None:
            if self.probabilities.shape != (self.vocab_size,):
                raise ValueError(f"probabilities: given shape {self.probabilities.shape}, must be ({self.vocab_size},)")
            check_rows(self.probabilities, "probabilities")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(vocab_size=4), cls([0.9, 0.1]), cls([0.5, 0.0, 0.5]), cls([1.0])]

    @property
    def order(self) -> int:
        return 0

    def _make_weights(self) -> NDArray[np.uint64]:
        law = self.probabilities
        if law is None:
            law = np.full(self.vocab_size, 1.0 / self.vocab_size)
        return quantise(law).astype(np.uint64)
