"""The claims: which quantity predicts difficulty at one entropy rate, and on which sources the horizon law is valid."""

from typing import TYPE_CHECKING, Any

from testbed.studies.judge import Claim, Region
from testbed.studies.memory_profile.config import LEARNERS, LENGTHS, LINEAR, MAIN, NETWORK, POWERS

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

STUDY = "memory_profile"
SOMEYA, HORIZON, OWN = "2506.05136", "2602.07488", "this project's own claim"
LOCAL, EXCESS, LATE = "m-local entropy rules", "excess entropy rules", "far lags are easy"
"""The planted worlds. In the first the horizon law is true as well; in the others learners pay for every context, or
for every lag."""
NAMES = {
    "recency": "transformers with a penalty on distance",
    "rotary": "transformers with rotary positions",
    "absolute": "transformers with learnt embeddings of places",
    "copy": "copies at lags 1, 2, 4, ..",
    "parity": "noisy parities",
    "mixture": "copies from random lags",
    "renewal": "a renewal process",
    "hierarchy": "the random hierarchy model",
    "santa_fe": "the Santa Fe process",
    "table": "tables of n tokens",
    "tree": "context-tree weighting",
    "pairs": "least squares on pairs",
    "screened": "least squares on pairs that stand out",
    "network": "transformers",
}
MEASURES = {"final": "the excess at the end", "steps": "the steps that it takes"}
RANK = "partial rank correlation"
RATIO = "exponent over the law's"


def claims(study: "MemoryProfile") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*profile_claims(study), *horizon_claims(study))


def stated(
    study: "MemoryProfile", name: str, statement: str, paper: str, scope: str, region: Region, margin: float, unit: str,
    world: str,
) -> Claim:  # fmt: skip
    """A claim of this study; `world` is one in which it fails."""
    places = {SOMEYA: "m-local entropy and difficulty, at one global entropy", HORIZON: "n*(P) and the loss exponent"}
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=paper,
        place=places.get(paper, "both quantities crossed"),
        reading="inferred",
        scope=scope,
        control=f"world '{world}'",
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )


def profile_claims(study: "MemoryProfile") -> list[Claim]:
    """What predicts difficulty."""
    b, one = study.bounds, study.profiles
    found: list[Claim] = []
    h = f"h = {one.rate_bits:g} bits a token, three bits copied at lags up to {one.window}"
    crossed = f"m = {one.split}, number of far lags and sum of lags crossed; {h}"
    predicts: dict[str, Any] = {"region": Region(lower=b.rank), "margin": b.rank, "unit": RANK}
    for arm in MAIN:
        for difficulty, measure in MEASURES.items():
            found += [
                stated(
                    study,
                    f"local_{difficulty}_{arm}",
                    f"For {NAMES[arm]}, {measure} rises with h_(m-1) among sources of equal h and E.",
                    SOMEYA,
                    crossed,
                    **predicts,
                    world=EXCESS,
                ),
                stated(
                    study,
                    f"excess_{difficulty}_{arm}",
                    f"For {NAMES[arm]}, {measure} rises with E among sources of equal h and h_(m-1).",
                    OWN,
                    crossed,
                    **predicts,
                    world=LOCAL,
                ),
            ]
    scope = f"learnt embeddings of places, lags in the farther half of the window, m = {one.far_split}; {h}"
    for difficulty, measure in MEASURES.items():
        for what, named, world in (("local", "h_(m-1)", LATE), ("excess", "E", EXCESS)):
            found.append(
                stated(
                    study,
                    f"none_{what}_{difficulty}",
                    f"Where places are alike to the learner and no bit shows twice, {measure} has nothing to do with"
                    f" {named}.",
                    OWN,
                    scope,
                    Region.around(0.0, b.none),
                    b.none,
                    RANK,
                    world,
                )
            )
    return found


def horizon_claims(study: "MemoryProfile") -> list[Claim]:
    """Where the horizon law is valid."""
    b, sizes = study.bounds, study.horizon.sizes
    found: list[Claim] = []
    span = f"D from {sizes[0]:,} to {sizes[-1]:,}"
    exponent: dict[str, Any] = {"region": Region.around(1.0, b.exponent), "margin": b.exponent, "unit": RATIO}
    horizon: dict[str, Any] = {"region": Region.around(1.0, b.horizon), "margin": b.horizon, "unit": RATIO}
    for family in POWERS:
        for learner in (*LEARNERS, *([NETWORK] if family in study.networks.families else [])):
            found.append(
                stated(
                    study,
                    f"loss_{learner}_{family}",
                    f"On {NAMES[family]} the loss of {NAMES[learner]} falls as D^-(gamma / (2 beta)), to"
                    f" {b.exponent:.0%} of the exponent.",
                    HORIZON,
                    span,
                    **exponent,
                    world=EXCESS,
                )
            )
        for learner in LENGTHS:
            found.append(
                stated(
                    study,
                    f"horizon_{learner}_{family}",
                    f"There the best length for {NAMES[learner]} grows as D^(1 / (2 beta)), to {b.horizon:.0%} of the"
                    " exponent.",
                    HORIZON,
                    span,
                    **horizon,
                    world=EXCESS,
                )
            )
        if family in LINEAR:
            found.append(
                stated(
                    study,
                    f"parameter_{family}",
                    f"There the loss of {NAMES['pairs']} falls as D^-(gamma / (1 + gamma)) instead, as that of a"
                    f" learner that pays half a nat for each lag, to {b.exponent:.0%} of the exponent.",
                    OWN,
                    span,
                    **exponent | {"unit": "exponent over gamma / (1 + gamma)"},
                    world=LOCAL,
                )
            )
        found += [
            stated(
                study,
                f"power_{family}",
                f"There a power of D describes the best length for {NAMES['pairs']} better than a + b ln D.",
                HORIZON,
                f"{span}; AIC of the logarithm less that of the power",
                Region(lower=0.0),
                0.0,
                "AIC",
                EXCESS,
            ),
            stated(
                study,
                f"tabular_{family}",
                "There tables have the best length that h_n + V^n (V - 1) / 2D names, logarithmic in D: to"
                f" {b.length:g} of a token, on average.",
                OWN,
                span,
                Region(upper=b.length),
                b.length,
                "tokens",
                LOCAL,
            ),
        ]
    for learner in ("table", "tree", "pairs", *([NETWORK] if "parity" in study.networks.families else [])):
        found.append(
            stated(
                study,
                f"unseen_{learner}",
                f"Without two-point correlation {NAMES[learner]} learn nothing, whatever D: at most {b.nothing:.0%} of"
                " h_0 - h.",
                HORIZON,
                f"{NAMES['parity']} of degrees {', '.join(map(str, study.horizon.parity_degrees))}; D = {sizes[-1]:,}",
                Region(upper=b.nothing),
                b.nothing,
                "share of h_0 - h",
                EXCESS,
            )
        )
    for learner in ("table", "pairs"):
        found.append(
            stated(
                study,
                f"twin_{learner}",
                f"With the same h_n it is no matter to {NAMES[learner]} whether there is two-point correlation: losses"
                f" on parities and on copies differ by {b.same:g} of their logarithm or less.",
                OWN,
                f"parities over copies of the same lags and noises; {span}",
                Region.around(0.0, b.same),
                b.same,
                "ln ratio",
                LOCAL,
            )
        )
    for learner in ("table", "tree", "pairs"):
        found.append(
            stated(
                study,
                f"at_once_{learner}",
                f"Where correlations never decay, {NAMES[learner]} have it all at once: {b.all:.0%} of what the window"
                " tells.",
                HORIZON,
                f"{NAMES['santa_fe']}, {study.horizon.keys} keys, bits drawn for each sequence; D = {sizes[0]:,}",
                Region(lower=b.all),
                1 - b.all,
                "share of h_0 - h_n",
                EXCESS,
            )
        )
    return found
