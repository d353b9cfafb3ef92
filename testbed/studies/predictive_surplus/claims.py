"""The claims: where the last layer must know nothing of later tokens, where something, where training need not care.

All are our readings of 2507.19247: the surplus and its use are the paper's, bounds and sources are ours.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.predictive_surplus.config import ROLES, Role

if TYPE_CHECKING:
    from testbed.studies.predictive_surplus.study import PredictiveSurplus

STUDY = "predictive_surplus"
PAPER = "2507.19247"
KNOWS, BARE = "layers know the future", "layers know the next token"
"""The planted worlds: features that hold the whole state, in any arm a little too much, and features that hold the next
token's law and no more."""
HOLDS: dict[str, frozenset[str]] = {
    KNOWS: frozenset(
        {"equal_gain", "tracks_chain", "tracks_hidden", "beyond_law", "beyond_untrained", "aligned_span",
         "null_principal", "rises", "aligned_principal"}
    ),
    BARE: frozenset({"vanishes", "law_is_enough", "streams", "null_span"}),
}  # fmt: skip
ROLES_OF: dict[str, tuple[str, ...]] = {
    "vanishes": ("memoryless",),
    "equal_gain": ("memoryless", "chain"),
    "tracks_chain": ("chain",),
    **dict.fromkeys(("tracks_hidden", "beyond_law", "beyond_untrained", "streams"), ("hidden",)),
    **dict.fromkeys(("aligned_span", "aligned_principal", "null_span", "null_principal", "rises"), ("spectral",)),
}
"""The arms whose members a claim rests on: those that have not learnt decide nothing."""


def claims(study: "PredictiveSurplus") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b = study.bounds
    names: dict[Role, str] = {role: study.arm(role).name for role in ROLES}
    read = (
        f"transformers of width {study.model.width} and depth {study.model.depth}, {study.context_length} tokens,"
        f" K = {study.reading.horizon}; logistic drafting heads held out by history"
    )
    spectra = (
        f"the same, {names['spectral']}, all histories of {study.reading.spectral_context} tokens; mean squared cosine"
        " of the principal angles"
    )
    share = "share of the exact surplus"

    def stated(name: str, statement: str, place: str, scope: str, region: Region, margin: float, unit: str) -> Claim:
        world = next(one for one, holding in HOLDS.items() if name not in holding)
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{world}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
            exact_truth=name == "law_is_enough",
        )

    surplus, spectral = "surplus of states over tokens, and drafting heads", "theorem 7.6, alignment under whitening"
    return (
        stated(
            "vanishes",
            f"Of {names['memoryless']}, whose surplus is zero, a drafting head gains nothing by the last layer.",
            surplus,
            f"{names['memoryless']}; {read}",
            Region.around(0.0, b.none),
            b.none,
            "nats",
        ),
        stated(
            "equal_gain",
            f"It gains as much there as on {names['chain']}.",
            surplus,
            f"{names['chain']} less {names['memoryless']}; {read}",
            Region(upper=b.gain),
            b.gain,
            "nats",
        ),
        stated(
            "tracks_chain",
            f"Of {names['chain']} the last layer tells {b.share:g} of the exact surplus or more.",
            surplus,
            f"{names['chain']}; {read}",
            Region(lower=b.share),
            1 - b.share,
            share,
        ),
        stated(
            "tracks_hidden",
            f"So it does of {names['hidden']}, where states that differ have one law of the next token.",
            surplus,
            f"{names['hidden']}; {read}",
            Region(lower=b.share),
            1 - b.share,
            share,
        ),
        stated(
            "law_is_enough",
            "What has one law of the next token has one future: the law alone tells the surplus.",
            surplus,
            f"{names['hidden']}, exact: information of the classes of equal laws",
            Region(lower=b.law),
            1 - b.law,
            share,
        ),
        stated(
            "beyond_law",
            f"The last layer tells more of the surplus of {names['hidden']} than the exact next-token law does.",
            surplus,
            f"{names['hidden']}; {read}",
            Region(lower=b.beyond),
            b.beyond,
            f"{share}, last layer less law",
        ),
        stated(
            "beyond_untrained",
            "And more than it did before training.",
            surplus,
            f"{names['hidden']}; {read}",
            Region(lower=b.beyond),
            b.beyond,
            f"{share}, trained less untrained",
        ),
        stated(
            "streams",
            "All residual streams together tell more than the last layer: part of the state is left behind on the way.",
            surplus,
            f"{names['hidden']}; {read}",
            Region(lower=b.beyond),
            b.beyond,
            f"{share}, streams less last layer",
        ),
        stated(
            "aligned_span",
            f"The whitened last layer holds the top eigenvectors of predictive similarity: overlap above"
            f" {b.aligned:g}.",
            spectral,
            f"{spectra}; all features",
            Region(lower=b.aligned),
            1 - b.aligned,
            "overlap",
        ),
        stated(
            "null_span",
            f"An untrained one does not: overlap below {b.null:g}.",
            spectral,
            f"{spectra}; all features, untrained",
            Region(upper=b.null),
            b.null,
            "overlap",
        ),
        stated(
            "aligned_principal",
            f"As many principal components of the last layer are those eigenvectors: overlap above {b.aligned:g}.",
            spectral,
            f"{spectra}; as many principal components as eigenvectors",
            Region(lower=b.aligned),
            1 - b.aligned,
            "overlap",
        ),
        stated(
            "null_principal",
            f"Those of an untrained one are not: overlap below {b.null:g}.",
            spectral,
            f"{spectra}; as many principal components, untrained",
            Region(upper=b.null),
            b.null,
            "overlap",
        ),
        stated(
            "rises",
            "Training raises the overlap of principal components.",
            spectral,
            f"{spectra}; as many principal components, trained less untrained",
            Region(lower=b.beyond),
            b.beyond,
            "overlap",
        ),
    )
