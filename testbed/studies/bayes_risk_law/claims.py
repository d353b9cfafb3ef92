"""The claims: where R(l) = C_0 + C / l^gamma is the law, where it must be rejected, and what the state does."""

from typing import TYPE_CHECKING

from testbed.studies.bayes_risk_law.classes import KINDS, LONG_STATES, OTHERS, POWERS, SHORT_STATES
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw

PAPER = "2502.01481"
STUDY = "bayes_risk_law"
POWER_WORLD, OTHER_WORLD = "power laws", "straight lines"
"""The planted worlds: every R(l) a power law and every state bounded, and neither."""
LAW, STATE = "Section 2, Eq. 3 (C1)", "Section 2, assumptions A1 and A2 (C2)"


def claims(study: "BayesRiskLaw") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, reading = study.bounds, study.reading
    window = f"l = {reading.start} .. {reading.longest}"
    late = f"l = {reading.late_start} .. {reading.longest}"
    exactly = f"curves measured to {reading.noise:.0%} of their fall, at {reading.points} lengths"

    def stated(
        name: str, statement: str, place: str, scope: str, control: str, region: Region, margin: float, unit: str
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    def where(name: str) -> str:
        given = KINDS[name].window
        return window if given is None else f"l = {given[0]} .. {given[1]}"

    accepted = [
        stated(
            f"accepted_{name}",
            f"The rule accepts C_0 + C / l^gamma on {KINDS[name].label}, whose R(l) is such a law in the end: in"
            f" {b.share:.0%} of draws.",
            LAW,
            f"{where(name)}; {exactly}",
            f"world '{OTHER_WORLD}'; the classes that must be rejected, in this run",
            Region(lower=b.share),
            b.share,
            "share of draws",
        )
        for name in POWERS
    ]
    rejected = [
        stated(
            f"rejected_{name}",
            f"The rule rejects C_0 + C / l^gamma on {KINDS[name].label}, which has another law: it accepts at most"
            f" {b.few:.0%} of draws.",
            LAW,
            f"{where(name)}; {exactly}",
            f"world '{POWER_WORLD}'; the classes that must be accepted, in this run",
            Region(upper=b.few),
            b.few,
            "share of draws",
        )
        for name in OTHERS
    ]
    exponents = [
        stated(
            f"exponent_{name}",
            f"Fitted to the exact R(l) of {KINDS[name].label} from l = {reading.late_start} on, gamma is the known"
            f" exponent within {b.exponent:.0%}.",
            LAW,
            late,
            f"world '{OTHER_WORLD}'",
            Region(upper=b.exponent),
            b.exponent,
            "mean |ln ratio|",
        )
        for name in POWERS
    ]
    others = (
        stated(
            "exponent_from_start",
            f"The same holds from l = {reading.start} on, where the paper's lengths begin, for every such class.",
            LAW,
            window,
            f"world '{OTHER_WORLD}'",
            Region(upper=b.exponent),
            b.exponent,
            "mean |ln ratio|",
        ),
        stated(
            "limit",
            f"The fitted C_0 is the entropy rate within {b.limit:.0%} of what is left at l = {reading.start}, for"
            " every such class.",
            LAW,
            f"{window}; exact curves",
            f"world '{OTHER_WORLD}'",
            Region(upper=b.limit),
            b.limit,
            "mean share",
        ),
        stated(
            "r_squared",
            f"A fit with R^2 of {b.r_squared:g} or more shows a power law: of every other class at most {b.few:.0%} of"
            " draws reach it.",
            "Figs. 2 and 7, where R^2 or R is the evidence",
            f"each class in its window; {exactly}",
            f"world '{POWER_WORLD}'",
            Region(upper=b.few),
            b.few,
            "share of draws",
        ),
        stated(
            "finite_short",
            "A1 where the state's entropy is bounded (" + ", ".join(KINDS[one].label for one in SHORT_STATES) + "):"
            f" S(l) levels off, each factor 4 of l adding at most {b.levelling:g} of what the one before added.",
            STATE,
            f"exact S(l), l up to {reading.longest}",
            f"world '{OTHER_WORLD}'",
            Region(upper=b.levelling),
            b.levelling,
            "ratio of rises",
        ),
        stated(
            "finite_long",
            "A1 on sources whose R(l) falls as a power (" + ", ".join(KINDS[one].label for one in LONG_STATES) + "):"
            " S(l) levels off there too.",
            STATE,
            f"exact S(l), l up to {reading.longest}",
            f"world '{OTHER_WORLD}'; the bounded states of this run must level off",
            Region(upper=b.levelling),
            b.levelling,
            "ratio of rises",
        ),
        stated(
            "risk_settles",
            f"On the same sources R(l) settles: over the window all but {b.left:.0%} of h_l - h goes, whatever S(l)"
            " does.",
            STATE,
            window,
            f"world '{OTHER_WORLD}'",
            Region(upper=b.left),
            b.left,
            "mean share",
        ),
        stated(
            "strict_long",
            "A2 on sources with long memory: S(l) rises at every doubling of l, in"
            f" {b.share:.0%} of draws of every class.",
            STATE,
            f"exact S(l), l up to {reading.longest}",
            f"world '{OTHER_WORLD}'",
            Region(lower=b.share),
            b.share,
            "share of draws",
        ),
        stated(
            "strict_markov",
            f"A2 on {KINDS['markov'].label}: S(l) rises at every doubling of l, in {b.share:.0%} of draws.",
            STATE,
            f"exact S(l), l up to {reading.longest}",
            f"world '{OTHER_WORLD}'; sources with long memory, in this run",
            Region(lower=b.share),
            b.share,
            "share of draws",
        ),
    )
    return (*accepted, *rejected, *exponents, *others)
