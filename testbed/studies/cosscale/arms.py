"""The arms: what is trained on which task, by name.

plain, cosscale-8, ...      rotary positions, softmax(q k / sqrt d) or softmax(alpha cos); some on the recall task
key-norm                    rotary positions, softmax(q k / |k|) (KeyNorm): local, far
window-5, ...               plain, each query seeing so many keys (B7)
gau-plain, ...              the same in gated attention units, the paper's block, from scales w_q and w_k that differ
gau-ones-cosscale-128       its main scale from w_q = w_k = 1, as the released code starts: local, far
nope, nope-cosscale-8, ...  positions other than RoPE, with and without CosScale: recall; nope alone: content
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from testbed.methods import Method, RotaryPositions
from testbed.methods.banded import BandedMask
from testbed.methods.cosine import CosScale, KeyNorm
from testbed.studies.cosscale.config import Role

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

PLAIN, NOPE, KEY_NORM = "plain", "nope", "key-norm"


@dataclass(frozen=True)
class Arm:
    """A transformer as it is trained; `alpha` is None without CosScale, `reach` without a window."""

    name: str
    methods: tuple[Any, ...]
    alpha: float | None = None
    reach: int | None = None
    block: Literal["standard", "gau"] = "standard"
    key_scales: Literal["ones", "normal"] | None = None  # None: as the study's block has them


@dataclass(frozen=True)
class Family:
    """The arms of one block that differ in their scale or their window, RoPE in all.

    alphas    scales, rising
    main      the scale that C4 calls much larger
    reaches   windows on the local task, rising; none in gated units
    reach     the window of C4, trained on the far task too
    """

    block: Literal["standard", "gau"]
    head_dim: int
    alphas: tuple[float, ...]
    main: float
    reaches: tuple[int, ...]
    reach: int

    @property
    def plain(self) -> str:
        return self._named(PLAIN)

    def scaled(self, alpha: float | None = None) -> str:
        """With the main scale, if left out."""
        return self._named(scaled(self.main if alpha is None else alpha))

    def window(self, reach: int | None = None) -> str:
        """The one of C4, if left out."""
        return self._named(window(self.reach if reach is None else reach))

    @property
    def ones(self) -> str:
        """The main scale from w_q = w_k = 1; gated attention units alone."""
        return self._named(f"ones-{scaled(self.main)}")

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
        if self.block == "standard":
            yield Arm(KEY_NORM, (rope, KeyNorm()))
        else:
            methods = (rope, CosScale(alpha=self.main))
            yield Arm(self.ones, methods, alpha=self.main, block="gau", key_scales="ones")
        for reach in self.reaches if role == "local" else (self.reach,) if self.reaches else ():
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
    if role == "content":
        return [Arm(NOPE, next(one.methods for one in study.baselines if one.name == NOPE))]
    if role == "recall":
        found = list(_with_and_without(PLAIN, (RotaryPositions(),), study.position_alphas))
        for one in study.baselines:
            found += _with_and_without(one.name, one.methods, study.position_alphas)
        return found
    return [*study.standard.arms(role), *study.gated.arms(role)]


def _with_and_without(base: str, methods: tuple[Method, ...], alphas: tuple[float, ...]) -> Iterator[Arm]:
    yield Arm(base, methods)
    for alpha in alphas:
        yield Arm(scaled(alpha, base), (*methods, CosScale(alpha=alpha)), alpha=alpha)
