"""`MLPConfig`: networks that read a vector of bits and the number of a question, and answer with one logit."""

from typing import Literal

from pydantic import Field

from testbed.core import Config


class MLPConfig(Config):
    """Two networks for queries over bits, as in the public code of Shi et al. 2025 (2502.01481).

    mlp      [bits, one-hot question] -> hidden -> LeakyReLU -> bottleneck -> hidden -> LeakyReLU -> 1
    bi_mlp   bits -> hidden -> LeakyReLU -> bottleneck (the feature); [feature, question] -> readout -> LeakyReLU -> 1

    The public code has hidden 400, bottleneck 200 and slope 0.0015 in the first, 400, 80, 200 and 0.001 in the second;
    no activation follows the bottleneck. In the second the feature cannot depend on the question.
    """

    kind: Literal["mlp", "bi_mlp"] = Field("mlp", description="where the question comes in: at the start, or late")
    hidden: int = Field(400, ge=1, le=65_536, description="width of the hidden layers")
    bottleneck: int = Field(200, ge=1, le=65_536, description="width of the linear layer between; the feature's")
    readout: int = Field(200, ge=1, le=65_536, description="bi_mlp: width of the layer that reads the question")
    slope: float = Field(0.0015, ge=0, le=1, description="slope of LeakyReLU below zero")

    def layers(self, n_bits: int, n_questions: int) -> tuple[tuple[int, int, bool], ...]:
        """Inputs, outputs and whether an activation follows, of every linear layer in order."""
        if self.kind == "mlp":
            return (
                (n_bits + n_questions, self.hidden, True),
                (self.hidden, self.bottleneck, False),
                (self.bottleneck, self.hidden, True),
                (self.hidden, 1, False),
            )
        return (
            (n_bits, self.hidden, True),
            (self.hidden, self.bottleneck, False),
            (self.bottleneck + n_questions, self.readout, True),
            (self.readout, 1, False),
        )

    def n_weights(self, n_bits: int, n_questions: int) -> int:
        """Numbers in a network that sees n_bits bits.

        >>> MLPConfig().n_weights(27, 50), MLPConfig().n_weights(94, 50)
        (192201, 219001)
        """
        return sum((inputs + 1) * outputs for inputs, outputs, _ in self.layers(n_bits, n_questions))
