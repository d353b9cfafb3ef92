"""The claims: which quantity predicts difficulty at one entropy rate, and on which sources the horizon law is valid.

Copies at dyadic lags have b bits alike at lag b, which sets the law's D^-(gamma / (gamma + 1)) apart from D^-1, the
rate of any learner of a few parameters; copies of one profile (twins) have no horizon that moves, and there D^-1 is
claimed. The price of every lag, D^-(gamma / (1 + gamma)), has the law's own exponent on those copies, so that only
screened pairs and tables are claimed there. Screened pairs are the law's argument made a learner: a
confirmation there would say that the derivation is right, not that a network does so.
"""

from typing import TYPE_CHECKING, Any

from testbed.studies.judge import OWN, Claim, Region
from testbed.studies.memory_profile.config import CURVES, MAIN, NETWORK, POWERS, Family

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

STUDY = "memory_profile"
SOMEYA, HORIZON = "2506.05136", "2602.07488"
LOCAL, EXCESS, LATE = "m-local entropy rules", "excess entropy rules", "far lags are easy"
"""The planted worlds. In the first the horizon law is true as well; in the others learners pay for every context, or
for every lag."""
NAMES = {
    "recency": "transformers with a penalty on distance",
    "rotary": "transformers with rotary positions",
    "absolute": "transformers with learnt embeddings of places",
    "copy": "copies at lags b = 1, 2, 4, .., b of them alike",
    "twin": "copies of the parities' profile, windows drawn apart,",
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
LOSSES: dict[Family, tuple[str, ...]] = {
    "copy": ("table", "screened"),
    "mixture": ("table", "pairs", "screened"),
    "renewal": ("table", "pairs", "screened"),
}
SINGLE: tuple[Family, ...] = ("mixture", "renewal")
"""Families of one component, of which all are learnt at one length."""


def claims(study: "MemoryProfile") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*profile_claims(study), *horizon_claims(study))


def stated(
    study: "MemoryProfile", name: str, statement: str, paper: str, scope: str, region: Region, margin: float, unit: str,
    world: str,
) -> Claim:  # fmt: skip
    """A claim of this study; `world` is one in which it fails."""
    places = {
        SOMEYA: "m-local entropy and difficulty at one global entropy h; that E is held too is this project's",
        HORIZON: "n*(P) and the loss exponent",
    }
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=paper,
        place=places.get(paper, "this study"),
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
    if study.model.depth > 1:  # deeper transformers look at tokens that are copies of each other: places are not alike
        return found
    scope = f"learnt embeddings of places, lags in the farther half of the window, m = {one.far_split}; {h}"
    for difficulty, measure in MEASURES.items():
        for what, named, world in (("local", "h_(m-1)", LATE), ("excess", "E", EXCESS)):
            found.append(
                stated(
                    study,
                    f"none_{what}_{difficulty}",
                    f"Where places are alike to the learner at the start and no second copy of the bits that the target"
                    f" reads is in sight, {measure} has nothing to do with {named}.",
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
    """Where the horizon law also names what reference learners do; at larger scales, what networks do."""
    b, sizes, networks = study.bounds, study.horizon.sizes, study.networks.families
    found: list[Claim] = []
    span = f"D from {sizes[0]:,} to {sizes[-1]:,}"
    ours = f"{span}; the law is about trained deep networks, its reading for this learner is this project's"

    def add(name: str, statement: str, paper: str, scope: str, region: Region, margin: float, unit: str, world: str,
            ) -> None:  # fmt: skip
        found.append(stated(study, name, statement, paper, scope, region, margin, unit, world))

    def ratio(
        name: str, statement: str, bound: float, paper: str = OWN, unit: str = RATIO, world: str = EXCESS
    ) -> None:
        add(name, statement, paper, span if paper != OWN else ours, Region.around(1.0, bound), bound, unit, world)

    for family in POWERS:
        for learner in LOSSES[family]:
            ratio(
                f"loss_{learner}_{family}",
                f"On {NAMES[family]} the loss of {NAMES[learner]} falls as D^-(gamma / (2 beta)), to {b.exponent:.0%}"
                " of the exponent.",
                b.exponent,
            )
        if family in networks:
            ratio(
                f"loss_{NETWORK}_{family}",
                f"On {NAMES[family]} the loss of {NAMES[NETWORK]} falls as D^-(gamma / (2 beta)), to {b.exponent:.0%}"
                " of the exponent.",
                b.exponent,
                HORIZON,
            )
        if family in SINGLE:
            ratio(
                f"horizon_pairs_{family}",
                f"On {NAMES[family]} the best length for {NAMES['pairs']} grows as D^(1 / (2 beta)), to {b.horizon:.0%}"
                " of the exponent.",
                b.horizon,
            )
    rates: tuple[tuple[Family, str], ...] = (("copy", LOCAL), ("twin", EXCESS))
    for family, world in rates:
        ratio(
            f"rate_screened_{family}",
            f"On {NAMES[family]} the loss of {NAMES['screened']} falls as D^-1, as that of a learner of a few"
            f" parameters, to {b.rate:.0%} of the exponent.",
            b.rate,
            unit="exponent over 1",
            world=world,
        )
    for family in CURVES:
        add(
            f"tabular_{family}",
            f"On {NAMES[family]} tables have the best length that h_n + V^n (V - 1) / 2D names: it errs by less than"
            f" {b.length:g} of what the best length that is the same for all D errs by.",
            OWN,
            f"{span}; the one length is chosen with hindsight in each replicate",
            Region(upper=0.0),
            0.0,
            f"tokens of mean error, less {b.length:g} of the constant's",
            LOCAL,
        )
    if "parity" in networks:
        add(
            f"unseen_{NETWORK}",
            f"Without two-point correlation {NAMES[NETWORK]} learn nothing, whatever D: at most {b.nothing:.0%} of"
            " h_0 - h.",
            HORIZON,
            f"{NAMES['parity']} of degrees {', '.join(map(str, study.horizon.parity_degrees))}; D = {sizes[-1]:,};"
            f" decided where the same network learns {b.reach:.0%} of copies of one profile",
            Region(upper=b.nothing),
            b.nothing,
            "share of h_0 - h",
            EXCESS,
        )
    return found
