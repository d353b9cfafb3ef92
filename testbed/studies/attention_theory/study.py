"""The study `attention_theory`: what scaled attention does where every law is known, before anything is trained.

Claims of Li et al. 2025 (2501.08570): InfoScale keeps the entropy of attention constant beyond the training length
(C1) and its focus on the original tokens (C2); the peak of the attended cosine grows with CosScale's alpha (C3,
theorem 3.4); a large alpha makes attention windowed (C4, theorem 3.5). Beside them stand predictions that a
re-derivation of the formulas made (P1 to P11). All of it on idealised heads: i.i.d. Gaussian logits, keys uniform on a
sphere, one relevant key, aligned keys under RoPE. What holds or fails here says what the *formulas* can do; a trained
model may differ, and is judged elsewhere.

What was fixed when. Claims, heads, lengths, regions and margins come from the re-derivation and its own
small simulations, and were written down before any run of this study. Code was tried on replicates below number 100;
the verdicts at laptop scale and above come from replicates 100 on, drawn for them. One number was changed in between: a
planted world in which mass stays had passed as a loss of mass (P3), so that a fall must now exceed the margin.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.attention_theory.claims import claims
from testbed.studies.attention_theory.config import (
    Bounds,
    ClosedForms,
    GaussianHeads,
    Kind,
    Probe,
    RandomKeys,
    SingleKey,
)
from testbed.studies.judge import Claim
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("attention_theory")
class AttentionTheory(Study):
    """Does scaling the logits keep attention's entropy and focus as its keys grow, and does it make a window?

    Asked of heads whose law is known: i.i.d. Gaussian logits, keys uniform on a sphere, one relevant key in noise,
    aligned keys under RoPE. Nothing is trained: verdicts speak of the formulas, not of a trained model.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Scaled attention on idealised heads"
    papers: ClassVar[tuple[str, ...]] = ("2501.08570",)

    gaussian_heads: GaussianHeads = Field(GaussianHeads(), description="i.i.d. Gaussian logits (tables 2.4 c)")
    random_keys: RandomKeys = Field(RandomKeys(), description="cosine logits of random keys (tables 3.3, 3.5)")
    random_keys_many: RandomKeys = Field(
        RandomKeys(lengths=(65_536,), n_rows=10), description="the same with very many keys (table 3.3)"
    )
    random_keys_small: tuple[RandomKeys, ...] = Field(
        (RandomKeys(head_dim=16, alphas=()), RandomKeys(head_dim=32, alphas=())),
        min_length=1,
        description="small heads at the critical scale, where InfoScale and its sphere-exact form part (P11)",
    )
    single_key: SingleKey = Field(SingleKey(), description="one relevant key among noise (table 2.4 f)")
    closed_forms: ClosedForms = Field(ClosedForms(), description="what needs no simulation (tables 2.2, 3.2, 3.4)")
    bounds: Bounds = Field(Bounds(), description="regions and regimes of the claims")
    replicates: int = Field(8, ge=2, description="independent streams of random numbers")
    first_replicate: int = Field(0, ge=0, description="number of the first: other random numbers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        bounds, stds, alphas = self.bounds, self.gaussian_heads.stds, self.random_keys.scales
        needed = (
            ("gaussian_heads.stds", "entropy_above_one_to", any(s <= bounds.entropy_above_one_to for s in stds)),
            ("gaussian_heads.stds", "annealed_to", any(s < bounds.annealed_to for s in stds)),
            ("gaussian_heads.stds", "frozen_from", any(s >= bounds.frozen_from for s in stds)),
            ("random_keys.alphas", "follows_to", any(a <= bounds.follows_to for a in alphas)),
            ("random_keys.alphas", "combined_from", any(a >= bounds.combined_from for a in alphas)),
            ("random_keys.alphas", "large_alpha", bounds.large_alpha in alphas),
            ("random_keys.alphas", "follows_to", bounds.follows_to in alphas),
            ("closed_forms.alphas", "large_alpha", bounds.large_alpha in self.closed_forms.alphas),
            ("closed_forms.alphas", "windowed_from", bounds.windowed_from in self.closed_forms.alphas),
        )
        for values, bound, present in needed:
            if not present:
                raise ValueError(f"{values}: none is judged by bounds.{bound} = {getattr(bounds, bound):g}")
        dims = [one.head_dim for one in self.random_keys_small]
        if len(set(dims)) != len(dims) or any(one.alphas for one in self.random_keys_small):
            raise ValueError("random_keys_small: head_dim must differ, and alphas be empty: the critical scale")
        if self.random_keys.head_dim not in self.closed_forms.peak_dims:
            raise ValueError(f"closed_forms.peak_dims: must hold random_keys.head_dim = {self.random_keys.head_dim}")
        if not set(alphas) <= set(self.closed_forms.alphas):
            raise ValueError("closed_forms.alphas: must hold every one of random_keys.alphas")
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def simulated(self) -> dict[str, GaussianHeads | RandomKeys | SingleKey]:
        """The settings of every simulated arm by its name."""
        return {
            "gaussian_heads": self.gaussian_heads,
            "random_keys": self.random_keys,
            "random_keys_many": self.random_keys_many,
            **{f"random_keys_small_{one.head_dim}": one for one in self.random_keys_small},
            "single_key": self.single_key,
        }

    def claims(self) -> tuple[Claim, ...]:
        return claims(self)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for the closed forms, and one for each simulated arm and replicate."""
        probes = [Probe(kind="closed_forms", arm="closed_forms", replicate=0, settings=self.closed_forms)]
        for number in self.numbers:
            for arm, settings in self.simulated.items():
                probes.append(Probe(kind=_kind(settings), arm=arm, replicate=number, settings=settings))
        return [Cell(self.type_name, self.version, probe) for probe in probes]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.attention_theory.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))


def _kind(settings: GaussianHeads | RandomKeys | SingleKey) -> Kind:
    if isinstance(settings, GaussianHeads):
        return "gaussian_heads"
    return "random_keys" if isinstance(settings, RandomKeys) else "single_key"
