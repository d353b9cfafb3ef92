"""The claims, fixed before the runs that decide.

The paper makes the claims on phases, of RankMe of the covariance of features; it speaks of language models and of a toy
model of features and read-out, and the sources, sizes, detector and bounds are this project's. All other claims are
this project's own.

Claims on hidden sources are decided from the scale `gpu` on: after 2,000 steps RankMe still rises there in many runs,
so that the absence of a second fall says nothing.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.judge.claim import OWN, Scale

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases

STUDY = "representation_phases"
PAPER = "2509.23024"
BOTH, SKEW, EVERY, REVERSED, NONE = (
    "skew and bottleneck", "skew alone", "phases everywhere", "all but skew and bottleneck", "no phases"
)  # fmt: skip
"""Planted worlds."""


def claims(study: "RepresentationPhases") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, reading = study.bounds, study.reading
    most, rare, half = Region(lower=b.most), Region(upper=b.rare), Region(lower=0.5)
    depth = study.layers.depth
    percent = f"{1 - 2.718281828459045**-reading.leg:.0%}"
    legs = f"falls, rises and falls, by a factor of e^{reading.leg:g} ({percent}) each and beyond the path's jitter"
    rank = "RankMe of the covariance of the last stream"

    def scope(name: str, corners: str) -> str:
        family = study.family("bigram" if name == "bigram" else "hidden")
        sizes = f"tight d = {family.tight.width}, V = {family.tight.vocab_size}; "
        sizes += f"wide d = {family.wide.width}, V = {family.wide.vocab_size}"
        return f"{name} sources, {corners}; {sizes}; {family.steps} steps; {study.n_seeds} runs a corner"

    def claim(
        name: str, statement: str, scope: str, region: Region, control: str, paper: str = OWN, place: str = "",
        decided_at: Scale = study.decided_at, unit: str = "share of runs",
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place or "none",
            reading="inferred",
            scope=scope,
            control=control,
            region=region,
            margin=region.lower if region.lower > 0 else region.upper,
            decided_at=decided_at,
            unit=unit,
        )

    later: Scale = "gpu" if study.decided_at == "laptop" else study.decided_at
    found = []
    abstract = "abstract: the three phases, and the two conditions under which they emerge"
    for name in study.families:
        at: Scale = later if name == "hidden" else study.decided_at
        found += [
            claim(
                f"phases_{name}",
                f"With skewed tokens and a bottleneck {rank} {legs}, in most runs.",
                scope(name, "skewed, tight"),
                most,
                f"world '{NONE}'; uniform tokens: uniform_{name}; paths of one turn with the same noise: the notes",
                PAPER,
                abstract,
                at,
            ),
            claim(
                f"uniform_{name}",
                f"With uniform tokens it does so in at most {b.rare:.0%} of the runs of either width. (Before training"
                " these networks say the unigrams already, so that there is little to fall for at first; the notes tell"
                " how often they rise and fall.)",
                scope(name, "uniform"),
                rare,
                f"world '{EVERY}'; skewed tokens: phases_{name}",
                PAPER,
                abstract,
                at,
            ),
            claim(
                f"skew_{name}",
                "Phases need skew: where one of two runs of a replicate has them and the other none, both with a"
                " bottleneck, it is the one with skewed tokens more often than not.",
                scope(name, "skewed against uniform, tight"),
                half,
                f"world '{REVERSED}'; 1/2 if skew does nothing",
                PAPER,
                abstract,
                at,
                "share of the replicates that differ",
            ),
            claim(
                f"bottleneck_{name}",
                "Phases need a bottleneck: where one of two runs of a replicate has them and the other none, both with"
                " skewed tokens, it is the narrow one more often than not. (Narrow networks have fewer parameters"
                " as well.)",
                scope(name, "skewed, tight against wide"),
                half,
                f"world '{REVERSED}'; 1/2 if width does nothing",
                PAPER,
                abstract,
                at,
                "share of the replicates that differ",
            ),
        ]
    kinds = " and ".join(study.families)
    every = f"worst of both widths on {kinds} sources; {study.n_seeds} runs a corner"
    layered = f"worst of {', '.join(arm.name for arm in study.layers.arms)}; {depth} blocks; {study.n_seeds} runs each"
    found += [
        claim(
            "dip_skewed",
            "With skewed tokens RankMe of the features, not centred, falls and rises again, whatever the width and"
            " whatever it does then, in most runs.",
            every,
            most,
            f"world '{NONE}'; uniform tokens: dip_uniform",
        ),
        claim(
            "dip_uniform",
            f"With uniform tokens it does so in at most {b.rare:.0%} of the runs of either width.",
            every,
            rare,
            f"world '{EVERY}'; skewed tokens: dip_skewed",
        ),
        claim(
            "dip_unigrams",
            "At the bottom of the dip the network says the unigrams: KL(unigrams || q) is under"
            f" {b.at_unigrams:.0%} of what it was before training, in most runs with skewed tokens.",
            every,
            most,
            f"world '{NONE}'; an untrained network, and one that says the Bayes law, do not",
        ),
    ]
    if "hidden" in study.families:
        found.append(
            claim(
                "memorises",
                "n-grams are memorised most at the end of the expansion: of pairs of runs with phases, the peaks of"
                " RankMe lie nearer, in ln step, to the moment at which their own KL(bigrams || q) is least than to"
                " that of the other run.",
                scope("hidden", "skewed, tight"),
                half,
                f"world '{NONE}'; world '{REVERSED}'; 1/2 if the two moments have nothing to do with each other",
                PAPER,
                "abstract: the expansion coincides with peak n-gram memorisation",
                later,
                "share of pairs of runs",
            )
        )
    return (
        *found,
        claim(
            "layer_exact",
            "The block over which the matrix entropy of the stream drops most is the one over which R² of the exact"
            " belief rises most, in most runs.",
            layered,
            most,
            f"world '{NONE}'; blocks at random: {1 / depth:.0%}; untrained networks: layer_untrained",
        ),
        claim(
            "layer_paired",
            "They are the same block more often than one run's drop and another run's rise are.",
            layered,
            half,
            f"world '{NONE}'; 1/2 if drop and rise each have their usual block and nothing else in common",
            unit="share of pairs of runs",
        ),
        claim(
            "layer_untrained",
            "Networks before training do not have it so: there they are the same block in at most"
            f" {b.most:.0%} of the runs.",
            layered,
            Region(upper=b.most),
            f"world '{EVERY}'",
        ),
        claim(
            "layer_belief",
            "Training brings the belief: the best layer's R² exceeds that of the same network before training, by more"
            " than the largest R² of shuffled beliefs, in most runs.",
            layered,
            most,
            f"world '{NONE}', in which trained and untrained networks are alike",
        ),
    )
