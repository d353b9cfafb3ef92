"""The claims of the study and the numbers they are about.

With theta_l(D) the mean loss R(l) + excess e of context length l at dataset size D, and S_m(D) the shortfall of the
lengths up to number m (`Ranking.shortfall`: the best length within delta is at most number m iff S_m <= delta):

    interior_<p>        max_D min( regret of the shortest, regret of the longest l )                  >= delta
    grows_<p>           max_m min( delta - S_m(D_min),  S_m(D_max) - delta )                          >= 0
    rises_<p>           min_D ( e(longest l) - e(shortest l) )                                        >= delta
    irrelevant_<p>      max_D ( e(longest l) - e(shortest l) )  on the control                        >= delta
    control_<p>         max_D S_0(D)  on the control                                                  <= delta
    stop_costs_<p>      share of seeds in which at some D and l the stop costs delta or more          >= 1/2
    stop_shortens_<p>   max_{D, m} min( delta - S_m(D) at the stop,  S_m(D) without it - delta )      >= 0
    a3                  largest distance of h_0 - h_l from the best line in S(l), share of its range  <= bound    exact

for p each protocol: `released` (the public code's own: a constant rate, early stopping on validation loss, the best
epoch reported) and `sound` (as many steps for every D, a tuned setting, the end of the schedule). Losses are those of
the exact law on fresh samples; what the stop costs is the loss at the stop less that of the same choice of epoch on the
same path without it, and as it is mostly zero, seeds are counted, which is rigorous where none or all are hit. The loss
that the public code reports, of the samples that chose the epoch, stands beside. Claims on the paper's own network, one
for all visible lengths, are in `transformer_claims`. On the control all tasks lie within
the shortest l: R does not depend on l, and no optimum but the shortest may appear.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, Exact, Max, Min, Region
from testbed.studies.judge.proportion import Proportion
from testbed.studies.parity_replication.config import PROTOCOLS, ProtocolName
from testbed.studies.parity_replication.exact import linear_fit
from testbed.studies.parity_replication.results import Measured, Point
from testbed.studies.parity_replication.transformer_claims import shown_claims, shown_evidence

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

PAPER = "2502.01481"
PREFIX = "parity_replication."
REPORTED: dict[ProtocolName, str] = {"released": "stopped", "sound": "end"}
"""The rule by which each protocol says which weights it reports."""
HOW: dict[ProtocolName, str] = {
    "released": "by the released protocol (constant rate, early stopping, best epoch)",
    "sound": "by a sound protocol (the same steps for every D, a tuned setting, the end of the schedule)",
}


def claims(study: "ParityReplication") -> tuple[Claim, ...]:
    """Every claim of each protocol, those on the paper's own network, then the exact one."""
    found: list[Claim] = []
    for name in PROTOCOLS:
        found += _claims_of(study, name)
    return (*found, *shown_claims(study), _linear(study))


def _claims_of(study: "ParityReplication", name: ProtocolName) -> list[Claim]:
    delta, how = study.delta, HOW[name]

    def claim(
        what: str, statement: str, place: str, reading: str, control: str, region: Region, unit: str = "nats"
    ) -> Claim:
        return Claim(
            id=f"{PREFIX}{what}_{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=reading,  # type: ignore[arg-type]
            scope=f"multitask sparse parity of this size, MLPs, {how}",
            control=control,
            region=region,
            margin=delta if unit == "nats" else 0.0,
            unit=unit,
            decided_at=study.decided_at,
        )

    none = "the control, whose tasks lie within the shortest context; world no_optimum"
    return [
        claim(
            "interior",
            "At some dataset size an interior context length is best: both the shortest and the longest cost more.",
            "Section 3, Eq. 5",
            "quoted",
            none,
            Region(lower=delta),
        ),
        claim(
            "grows",
            "The best context length grows with the dataset size, from the smallest to the largest.",
            "Section 3, Eq. 5 (a)",
            "quoted",
            none,
            Region(lower=0.0),
        ),
        claim(
            "rises",
            "At every dataset size the excess of the longest context is above that of the shortest.",
            "Section 2, Eq. 4: L_Approx increases with l",
            "quoted",
            "world no_optimum: the excess does not depend on l",
            Region(lower=delta),
        ),
        claim(
            "irrelevant",
            "Bits that no task asks for cost excess, at some dataset size.",
            "Section 2, Eq. 4, where R_Bayes does not depend on l",
            "inferred",
            "world no_optimum: they cost none",
            Region(lower=delta),
        ),
        claim(
            "control",
            "Where the shortest context holds all tasks, none is better at any dataset size.",
            "Section 3, with R_Bayes constant",
            "inferred",
            "world spurious: the shortest context is handicapped",
            Region(upper=delta),
        ),
        claim(
            "stop_costs",
            "Early stopping costs, in most replicates: at some l and D the same training, not stopped, comes lower.",
            "ours, of the public code's early stop",
            "inferred",
            "world no_stopping: the stop never ends a run that would have come lower",
            Region(lower=0.5),
            "share of seeds",
        ),
        claim(
            "stop_shortens",
            "Early stopping shortens the best context, at some dataset size.",
            "ours, of the public code's early stop",
            "inferred",
            "world no_stopping",
            Region(lower=0.0),
        ),
    ]


def _linear(study: "ParityReplication") -> Claim:
    return Claim(
        id=f"{PREFIX}a3",
        statement="What the next token shows is linear in the entropy of the Bayes state.",
        paper=PAPER,
        place="Assumption A3 (linear entropy), on the data of Table 1",
        reading="quoted",
        scope="the nine context lengths of Table 1, recovered frequencies, nearer bits by this package's rule; exact",
        control="variant A, uniform frequencies: linear by construction (a check)",
        region=Region(upper=study.linear_within),
        margin=study.linear_within,
        unit="share of the range",
        decided_at="smoke",
    )


def evidence(study: "ParityReplication", data: Measured) -> dict[str, Evidence]:
    """The claims' numbers by claim id."""
    found: dict[str, Evidence] = {}
    for name in PROTOCOLS:
        found |= {f"{what}_{name}": one for what, one in _evidence_of(study, data, name).items()}
    found |= shown_evidence(study, data)
    return {PREFIX + key: one for key, one in {**found, "a3": Exact(linear_fit("B").residual)}.items()}


def _evidence_of(study: "ParityReplication", data: Measured, name: ProtocolName) -> dict[str, Evidence]:
    rule, delta = REPORTED[name], study.delta
    points = {
        role: [Point(role, name, size) for size in study.task_set(role).sizes] for role in ("designed", "control")
    }
    designed = [data.ranking(point, rule) for point in points["designed"]]
    longest = designed[0].n_options - 1
    first, last = ([one.shortfall(m) for m in range(longest)] for one in (designed[0], designed[-1]))
    hit, shortens = np.zeros(data.n_seeds, dtype=np.bool_), []
    for point in points["designed"]:
        stopped, free = (data.at(point, f"{which}_loss") for which in ("stopped", "selected"))
        hit |= (stopped - free >= delta).any(axis=1)
        at_stop, without = data.ranking(point, "stopped"), data.ranking(point, "selected")
        for m in range(longest):
            shortens.append(Min([-at_stop.shortfall(m) + delta, without.shortfall(m) + -delta]))
    return {
        "interior": Max([Min([one.regret(0), one.regret(longest)]) for one in designed]),
        "grows": Max([Min([-first[m] + delta, last[m] - delta]) for m in range(longest)]),
        "rises": Min([_rise(data, point, rule) for point in points["designed"]]),
        "irrelevant": Max([_rise(data, point, rule) for point in points["control"]]),
        "control": Max([data.ranking(point, rule).shortfall(0) for point in points["control"]]),
        "stop_costs": Proportion(int(hit.sum()), data.n_seeds, unit="seed"),
        "stop_shortens": Max(shortens),
    }


def _rise(data: Measured, point: Point, rule: str) -> Evidence:
    excess = data.at(point, f"{rule}_excess")
    return data.mean(excess[:, -1] - excess[:, 0])
