"""Claims on intervals and on the trust limit."""

from typing import TYPE_CHECKING

from testbed.studies.estimator_court.stated import CORRECTED, OWN, labels_of, lengths_of, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt


def interval_claims(study: "EstimatorCourt") -> list[Claim]:
    b = study.bounds
    mixing = labels_of(study, "near_uniform", "power_law", "other")
    names = ", ".join(CORRECTED)
    scope = f"{mixing}; {lengths_of(study, intervals=True)}; one interval a stream, jackknife of blocks"
    return [
        stated(
            study,
            "covers_inside",
            f"At half the trust limit nominal 95 % intervals hold at least {b.coverage:.0%} of the time, by each of"
            f" {names}.",
            OWN,
            f"{scope}; limits of 2 or more",
            Region(lower=b.coverage),
            0.95 - b.coverage,
            "share of streams, least",
            "plug-in beyond the limit, in this run",
            "intervals.py",
        ),
        stated(
            study,
            "covers_at_limit",
            f"At the trust limit itself they still do, {b.coverage:.0%} or more by each of the same.",
            OWN,
            scope,
            Region(lower=b.coverage),
            0.95 - b.coverage,
            "share of streams, least",
            "half the limit, in this run",
            "coverage.py",
        ),
        stated(
            study,
            "covers_beyond",
            f"Two orders beyond it nominal 95 % intervals hold at most {b.broken:.0%} of the time, by any of the ten"
            " estimators.",
            OWN,
            scope,
            Region(upper=b.broken),
            0.95 - b.broken,
            "share of streams, largest",
            "half the limit, in this run",
            "intervals.py",
        ),
    ]


def limit_claims(study: "EstimatorCourt") -> list[Claim]:
    b = study.bounds
    mixing = labels_of(study, "near_uniform", "power_law", "other")
    off = f"off by more than {b.tolerance:g} nats on average"
    scope = f"{mixing}; all orders; {lengths_of(study, intervals=True)}"
    share = "share of streams"
    return [
        stated(
            study,
            "limit_warns",
            f"In {b.sensitivity:.0%} or more of the streams the trust limit excludes every order at which NSB is"
            f" {off}.",
            OWN,
            scope,
            Region(lower=b.sensitivity),
            1 - b.sensitivity,
            share,
            "sources that mix slowly or not at all, in this run",
            "coverage.py",
        ),
        stated(
            study,
            "limit_plug_in",
            f"In {b.sensitivity:.0%} or more it excludes every order at which plug-in is {off}.",
            OWN,
            scope,
            Region(lower=b.sensitivity),
            1 - b.sensitivity,
            share,
            "NSB in this run",
            "coverage.py",
        ),
        stated(
            study,
            "limit_false_alarms",
            f"It excludes at most {b.false_alarms:.0%} of the orders at which NSB is right within {b.tolerance:g}"
            " nats.",
            OWN,
            f"{mixing}; all orders; {lengths_of(study)}",
            Region(upper=b.false_alarms),
            b.false_alarms,
            "share of orders",
            "",
            "coverage.py",
        ),
        stated(
            study,
            "limit_slow",
            f"It warns of slow mixing and of mixtures too: in {b.sensitivity:.0%} or more of the streams of every order"
            f" at which NSB is {off}.",
            OWN,
            f"{labels_of(study, 'slow', 'mixture')}; all orders; {lengths_of(study, intervals=True)}",
            Region(lower=b.sensitivity),
            1 - b.sensitivity,
            share,
            "sources that mix, in this run",
            "coverage.py",
        ),
    ]
