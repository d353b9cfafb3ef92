"""The claims, and the number that each is about.

With L(l, D) = h_l - h + excess the loss above the entropy rate, and l* its best length chosen on the other replicates:

LAW_on_ARM      mean over D of (L(l of the law) - L(l*)) / L(l*)                          <= regret
interior_ARM    max over D of min( L(shortest), L(longest) ) / L(l*) - 1                  >= rise
grows_ARM       ln l* at the largest D - ln l* at the smallest (l + 1 in place of l)      >= ln growth
slope_*         |d ln l* / d ln D - the power of the law|                                 <= slope
"""

import math
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.optimal_context_laws.laws import NAMES
from testbed.studies.optimal_context_laws.statements import (
    CAGNETTA,
    DESCRIBED,
    HOME,
    PAPER_OF,
    ROLES,
    SHI,
    pairs_judged,
)

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

STUDY = "optimal_context_laws"
THEORY, SWAPPED, ENDLESS = "each law at home", "laws exchanged", "no optimum"
"""The planted worlds."""
GROWING = ("table", "lags", "blunt", "pairs")


def claims(study: "OptimalContextLaws") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b = study.bounds

    def stated(
        name: str,
        statement: str,
        scope: str,
        region: Region,
        margin: float,
        unit: str,
        control: str,
        paper: str = SHI,
        place: str = "Section 3, Eq. 5 (C8)",
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    named = []
    for law, role in pairs_judged():
        home = role in HOME[law]
        away = f"a control: the law was made for something else; worlds '{THEORY}' and '{SWAPPED}'"
        control = f"world '{SWAPPED}'" if home else away
        if law == "paper":
            control = f"worlds '{THEORY}' and '{SWAPPED}', whose excess is not of its form"
        named.append(
            stated(
                f"{law}_on_{role}",
                f"The l that the law of {NAMES[law]} names costs at most {b.regret:.0%} of the least loss above the"
                " rate, on average over dataset sizes.",
                DESCRIBED[role] + ("; sizes that the fit did not see" if law == "paper" else ""),
                Region(upper=b.regret),
                b.regret,
                "relative regret",
                control,
                PAPER_OF[law],
                "Eq. 4 and its rivals for l*(D)",
            )
        )
    interior = [
        stated(
            f"interior_{role}",
            "At some dataset size both the shortest and the longest context cost"
            f" {b.rise:.0%} of the least loss more than the best.",
            DESCRIBED[role],
            Region(lower=b.rise),
            b.rise,
            "relative loss",
            f"world '{ENDLESS}'",
        )
        for role in ROLES
    ]
    grows = [
        stated(
            f"grows_{role}",
            f"The best context length grows by a factor of {b.growth:g} at least from the smallest D to the largest.",
            DESCRIBED[role],
            Region(lower=math.log(b.growth)),
            math.log(b.growth),
            "ln ratio",
            f"world '{ENDLESS}'",
        )
        for role in GROWING
    ]
    lags, late = study.lags, f"D from {b.asymptotic}"
    betas = ", ".join(f"{one:g}" for one in lags.exponents)
    around = Region(upper=b.slope)
    others = (
        stated(
            "slope_lags",
            f"l* is a power of D, 1 / (1 + gamma) within {b.slope:g}, at every gamma = 2 beta - 1.",
            f"{DESCRIBED['lags']}; beta = {betas}; {late}",
            around,
            b.slope,
            "error of a power",
            f"world '{SWAPPED}'",
            place="Section 3, theta_t (C9), made exact",
        ),
        stated(
            "slower_is_longer",
            "The slower R(l) falls (the smaller gamma), the longer the best context at a given D: by a factor of 1.5"
            f" from beta = {lags.exponents[-1]:g} to {lags.exponents[0]:g}.",
            f"{DESCRIBED['lags']}; the largest D at which both optima are inside the grid by prediction",
            Region(lower=math.log(1.5)),
            math.log(1.5),
            "ln ratio",
            f"world '{ENDLESS}'",
            place="Section 3, theta_t (C9)",
        ),
        stated(
            "stronger_is_longer",
            "A better model has the longer best context: a table for each distance against one joint table,"
            f" {b.growth:g} times, on the same source and D.",
            f"{DESCRIBED['blunt']}; D = {study.distance.joint_size}",
            Region(lower=math.log(b.growth)),
            math.log(b.growth),
            "ln ratio",
            f"world '{SWAPPED}'",
            place="Section 3, theta_m (C10)",
        ),
        stated(
            "horizon_power_lags",
            f"l* is the power 1 / (2 beta) of D within {b.slope:g}, beta that of the two-point correlation.",
            f"{DESCRIBED['lags']}; beta = {lags.middle:g}; {late}",
            around,
            b.slope,
            "error of a power",
            f"world '{SWAPPED}'",
            paper=CAGNETTA,
            place="n*(D) ~ D^(1 / (2 beta))",
        ),
        stated(
            "horizon_power_distance",
            f"The same where the distance is announced, whose correlation falls with beta ="
            f" {1 + study.distance.exponent:g}.",
            f"{DESCRIBED['blunt']}; {late}",
            around,
            b.slope,
            "error of a power",
            f"a control: what is announced need not be found by its correlation; world '{THEORY}'",
            paper=CAGNETTA,
            place="n*(D) ~ D^(1 / (2 beta))",
        ),
        stated(
            "tree_needs_none",
            "Context-tree weighting needs no optimum: its deepest tree costs at most"
            f" {b.regret:.0%} of the least loss more than the best depth, at every D.",
            "the sources and targets of the tables of order l",
            Region(upper=b.regret),
            b.regret,
            "relative loss",
            f"world '{SWAPPED}'",
            place="the control of C8: a learner whose prior holds all depths",
        ),
        stated(
            "screening_needs_none",
            "Regression on those lags alone that stand out of the noise needs no optimum either: the longest context"
            f" costs at most {b.regret:.0%} of the least loss more.",
            f"the sources and targets of regression on l lags; {late}",
            Region(upper=b.regret),
            b.regret,
            "relative loss",
            f"world '{SWAPPED}'",
            paper=CAGNETTA,
            place="no U-shape is needed",
        ),
        stated(
            "shown_as_trained",
            "Trained on the longest context and shown l lags of it, regression is best at the l that is best to train"
            f" on: |ln ratio| at most {b.shift:g}.",
            f"{DESCRIBED['lags']}; beta = {lags.middle:g}; {late}",
            Region(upper=b.shift),
            b.shift,
            "|mean ln ratio|",
            f"world '{SWAPPED}'",
            place="Section 3, inference (C11); l_train and l_visible kept apart",
        ),
        stated(
            "stops_at_source",
            f"l* stops at the range of the source: on lags of range {lags.reach} a context of that length costs at most"
            f" {b.regret:.0%} more than the best, at every D.",
            f"{DESCRIBED['lags']}, whose weights end at lag {lags.reach}; {late}",
            Region(upper=b.regret),
            b.regret,
            "relative regret",
            f"world '{SWAPPED}'",
            place="Section 3; l_source kept apart",
        ),
        stated(
            "irrelevant_context",
            "Context beyond the range of the source costs half a nat a lag and target, 1 / (2 D), within"
            f" {b.cost:.0%}.",
            f"the same source; from l = {lags.reach} to l = D / 100, at the largest D",
            Region.around(1.0, b.cost),
            b.cost,
            "measured over predicted",
            f"world '{SWAPPED}'",
            place="Eq. 4, dL_approx / dl > 0 (C7)",
        ),
    )
    return (*interior, *grows, *others, *named)
