"""Two factors, four corners: what each did, and what cannot be said of either.

With v(S) the excess where the factors in S stand as at length n, the others as at length m:

    dilution alone  a = v(D) - v()        position alone  b = v(P) - v()        I = v(DP) - v(D) - v(P) + v()
    Shapley values  phi_D = a + I / 2,  phi_P = b + I / 2;    phi_D + phi_P = v(DP) - v(),  phi_D - phi_P = a - b

Shapley (1953): a factor's mean contribution over both orders in which the two can be added. The interaction is shared
evenly; where it is larger than what the lesser factor does, an uneven share would leave that factor little or much, and
shares say nothing. What a factor does is read both ways, alone (a, b) and averaged over the other's levels (its main
effect, which is the Shapley value), and the rule takes the least of the four: either reading can leave a verdict open.
(Which of the two is larger depends on the split only if |a - b| <= |I|.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """Effects of the two factors, one number a replicate, in the unit of the excess."""

    base: Floats
    position_corner: Floats
    dilution_corner: Floats
    both: Floats

    @property
    def dilution_alone(self) -> Floats:
        """a: many keys, positions in range."""
        return self.dilution_corner - self.base

    @property
    def position_alone(self) -> Floats:
        """b: few keys, far positions."""
        return self.position_corner - self.base

    @property
    def interaction(self) -> Floats:
        """I: what many far keys cost beyond many near and few far ones."""
        return self.both - self.dilution_corner - self.position_corner + self.base

    @property
    def position_beside_dilution(self) -> Floats:
        """b + I: what far positions add where many keys are shown."""
        return self.both - self.dilution_corner

    @property
    def dilution(self) -> Floats:
        """phi_D."""
        return self.dilution_alone + self.interaction / 2

    @property
    def position(self) -> Floats:
        """phi_P."""
        return self.position_alone + self.interaction / 2

    @property
    def total(self) -> Floats:
        """phi_D + phi_P."""
        return self.both - self.base

    def is_ambiguous(self, margin: float) -> bool:
        """Whether the mean |I| exceeds the least of |a|, |b|, |phi_D|, |phi_P| in the mean, and the margin.

        margin   smallest effect of interest, nats
        """
        effects = (self.dilution_alone, self.position_alone, self.dilution, self.position)
        least = min(abs(float(effect.mean())) for effect in effects)
        return bool(abs(float(self.interaction.mean())) > max(least, margin))
