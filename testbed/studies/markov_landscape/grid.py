"""The cells of the study: Hessians, the map's members, the variants at one chain."""

from typing import TYPE_CHECKING

from testbed.methods import LearnedPositions
from testbed.models import ModelConfig
from testbed.runs import Cell
from testbed.sources.markov import MarkovSource
from testbed.studies.markov_landscape.config import (
    MIRRORED,
    MOST_POINTS,
    PANELS,
    POINTS,
    VARIANTS,
    VARIED,
    Panel,
    Point,
    Probe,
    Variant,
)
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

SEEDS_PER_NUMBER = MOST_POINTS**2 + 1
"""A seed for each chain of each replicate, the last one for the spot. Within a panel and a variant every run has
weights and tokens of its own; panels and variants share seeds by number, so that their runs come in pairs."""


def all_cells(study: "MarkovLandscape") -> list[Cell]:
    """Every cell."""
    found = [point_cell(study, name) for name in POINTS]
    for panel in PANELS:
        found += [map_cell(study, panel, place, number) for place in study.grid.chains for number in study.seeds]
    for panel in VARIED:
        for variant in VARIANTS:
            found += [spot_cell(study, panel, variant, number) for number in study.spot_numbers]
    for variant in MIRRORED:
        found += [spot_cell(study, "bare_one_tied", variant, number, True) for number in study.mirror_numbers]
    return found


def point_cell(study: "MarkovLandscape", name: Point) -> Cell:
    """Hessians at the unigram point, over the grid."""
    probe = Probe(kind="point", panel=name, values=study.grid.values, exact=study.exact)
    return Cell(study.type_name, study.version, probe)


def map_cell(study: "MarkovLandscape", panel: Panel, place: tuple[int, int], number: int) -> Cell:
    """One run of the map."""
    p, q = (study.grid.values[i] for i in place)
    seed = number * SEEDS_PER_NUMBER + place[0] * MOST_POINTS + place[1]
    spec = training(study, panel, "plain", p, q, seed)
    probe = Probe(kind="map", panel=panel, p=p, q=q, place=place, number=number)
    return Cell(study.type_name, study.version, probe, spec)


def spot_cell(study: "MarkovLandscape", panel: Panel, variant: Variant, number: int, mirrored: bool = False) -> Cell:
    """One run at the spot, or at its mirror image."""
    p, q = study.grid.mirror if mirrored else study.grid.spot
    spec = training(study, panel, variant, p, q, number * SEEDS_PER_NUMBER + SEEDS_PER_NUMBER - 1)
    probe = Probe(kind="mirror" if mirrored else "variant", panel=panel, variant=variant, p=p, q=q, number=number)
    return Cell(study.type_name, study.version, probe, spec)


def training(study: "MarkovLandscape", panel: Panel, variant: Variant, p: float, q: float, seed: int) -> TrainingSpec:
    """How a run is trained."""
    recipe = study.recipe
    std = recipe.wide_std if variant == "wide" else recipe.std
    tied = not panel.endswith("untied")
    methods: list[object] = [LearnedPositions(std=std)]
    if variant in ("memory_1", "memory_2"):
        methods.append({"type": "banded", "reach": int(variant[-1]) + 1})  # itself, and so many before it
    model = ModelConfig(width=recipe.width, heads=recipe.heads, mlp_ratio=recipe.mlp_ratio).replace(
        depth=2 if "two" in panel else 1,
        norm="none" if panel.startswith("bare") else "layer",
        tied_head=tied,
        head_scale=1.0 if tied else None,
        head_bias=True,
        initial_std=std,
        methods=tuple(methods),
    )
    windows = recipe.windows_per_step * (recipe.quiet_factor if variant == "quiet" else 1)
    steps = recipe.steps * (recipe.long_factor if variant == "long" else 1)
    return TrainingSpec(
        source=MarkovSource([[1.0 - p, p], [q, 1.0 - q]]),
        context_length=recipe.context_length,
        data=DataConfig(max_context=recipe.context_length, targets_per_step=windows, seed=seed),
        model=model,
        optimiser=OptimiserConfig(
            clip=None,  # left out it would be 1
            weight_decay=recipe.weight_decay,
            final_fraction=recipe.final_fraction,
            steps=steps,
            warmup_steps=max(1, round(steps * recipe.warmup)),
            learning_rate=recipe.fast_rate if variant == "fast" else recipe.rate,
        ),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
