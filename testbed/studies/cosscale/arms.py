"""The arms: what is trained on which task, by name.

plain, cosscale-8, ...      rotary positions, softmax(q k / sqrt d) or softmax(alpha cos)
window-5, ...               plain, each query seeing so many keys (B7)
gau-plain, ...              the same in gated attention units, the paper's own block, on the local and the far task
nope, nope-cosscale-8, ...  no positions, on the content task alone
NAME, NAME-cosscale-128     a baseline with and without CosScale, on the local task alone (figure 3)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from testbed.methods import BandedMask, Method, NoPositions, RotaryPositions
from testbed.methods.cosine import CosScale
from testbed.studies.cosscale.config import Role

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

PLAIN, NOPE = "plain", "nope"


@dataclass(frozen=True)
class Arm:
    """A transformer as it is trained; `alpha` is None without CosScale, `reach` without a window."""

    name: str
    methods: tuple[Any, ...]
    alpha: float | None = None
    reach: int | None = None
    block: Literal["standard", "gau"] = "standard"


@dataclass(frozen=True)
class Family:
    """The arms of one block that differ in their scale or their window, RoPE in all.

    alphas    scales, rising
    reaches   windows on the local task, rising; the last one is trained on the far task too
    """

    block: Literal["standard", "gau"]
    head_dim: int
    alphas: tuple[float, ...]
    reaches: tuple[int, ...]

    @property
    def plain(self) -> str:
        return self._named(PLAIN)

    def scaled(self, alpha: float) -> str:
        return self._named(scaled(alpha))

    def window(self, reach: int | None = None) -> str:
        """The widest one, if left out."""
        return self._named(window(self.reaches[-1] if reach is None else reach))

    def _named(self, name: str) -> str:
        return name if self.block == "standard" else f"gau-{name}"

    @property
    def title(self) -> str:
        return "standard block" if self.block == "standard" else "gated attention unit"

    def arms(self, role: Role) -> Iterator[Arm]:
        """Without CosScale, with it, with windows."""
        rope = RotaryPositions()
        yield Arm(self.plain, (rope,), block=self.block)
        for alpha in self.alphas:
            yield Arm(self.scaled(alpha), (rope, CosScale(alpha=alpha)), alpha=alpha, block=self.block)
        for reach in self.reaches if role == "local" else self.reaches[-1:]:
            yield Arm(self.window(reach), (rope, BandedMask(reach=reach)), reach=reach, block=self.block)


def scaled(alpha: float, without: str = PLAIN) -> str:
    """The name of an arm with CosScale.

    >>> scaled(8), scaled(128, "nope")
    ('cosscale-8', 'nope-cosscale-128')
    """
    prefix = "" if without == PLAIN else f"{without}-"
    return f"{prefix}cosscale-{alpha:g}"


def window(reach: int) -> str:
    """The name of an arm that sees so many keys."""
    return f"window-{reach}"


def arms_of(study: "CosScaleStudy", role: Role) -> list[Arm]:
    """The arms that are trained on a task."""
    rope, nope = RotaryPositions(), NoPositions()
    if role == "content":
        found = []
        for base, position in ((PLAIN, rope), (NOPE, nope)):
            found += list(_with_and_without(base, (position,), study.content_alphas))
        return found
    arms = [*study.standard.arms(role), *study.gated.arms(role)]
    if role == "local":
        for one in study.baselines:
            arms += _with_and_without(one.name, one.methods, (study.bounds.main_alpha,))
    return arms


def _with_and_without(base: str, methods: tuple[Method, ...], alphas: tuple[float, ...]) -> Iterator[Arm]:
    yield Arm(base, methods)
    for alpha in alphas:
        yield Arm(scaled(alpha, base), (*methods, CosScale(alpha=alpha)), alpha=alpha)
