"""Planted worlds: errors, intervals and rates with known means, through the same numbers and judge."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.estimator_court.claims import claims
from testbed.studies.estimator_court.config import CourtSource, Size
from testbed.studies.estimator_court.data import MIXING, NEVER, Data
from testbed.studies.estimator_court.evidence import evidence
from testbed.studies.estimator_court.measure import CODERS, NAMES
from testbed.studies.estimator_court.stated import NO_BETTER, PREDICTED, PREDICTED_TO_FAIL, REVERSED, STUDY
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

NOISE = 0.003
"""Standard deviation of an estimate over streams, nats."""
WIDE, NARROW = 0.02, 0.002
"""Half-widths of intervals that hold nearly always, and half of the time, without bias."""
PLUG_IN, NSB, CHAO = (NAMES.index(name) for name in ("plug_in", "nsb", "chao_wang_jost"))


@dataclass(frozen=True)
class Plan:
    """What a world is like: all as predicted or not, and NSB's bias on power laws over plug-in's."""

    predicted: bool
    power: float


PLANS = {PREDICTED: Plan(True, 0.4), REVERSED: Plan(False, 0.05), NO_BETTER: Plan(False, 1.2)}


def worlds(study: "EstimatorCourt") -> list[World]:
    """One in which the predictions come true, one in which they do not, and that with an NSB that never helps."""
    return [_world(study, name) for name in PLANS]


def _world(study: "EstimatorCourt", name: str) -> World:
    named = claims(study)
    fails = {one.id: (one.id.rpartition(".")[2] in PREDICTED_TO_FAIL) == (name == PREDICTED) for one in named}
    fails[f"{STUDY}.nsb_power_law"] = PLANS[name].power > study.bounds.nsb
    fails[f"{STUDY}.nsb_still_better"] = PLANS[name].power > study.bounds.beats
    expected: dict[str, Word | None] = {key: "fails" if failing else "holds" for key, failing in fails.items()}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, PLANS[name], rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "EstimatorCourt", plan: Plan, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw; numbers of extrapolated streams are those of the study."""
    data = Data(0, {}, {}, {})
    tokens = study.sources_of_tokens.label
    for source in study.sources:
        for size in study.sizes:
            n = n_replicates if size in study.judged_sizes else size.replicates
            data.streams[source.label, size.n_tokens] = _streams(source, size, plan, source.label == tokens, rng, n)
    for one in study.corrections:
        factor = 50.0 if one.role == "dependent" else 1.0
        left = {
            ("independent", True): 0.0,
            ("independent", False): 0.5,
            ("dependent", True): -50.0,
            ("dependent", False): 0.0,
        }
        noise = 0.1 * rng.standard_normal((2, n_replicates))
        data.corrections[one.label] = {
            "corrected": left[one.role, plan.predicted] + noise[0],
            "plug_in": -factor * ((1.0 if plan.predicted else 0.5) + noise[1]),
            "factor": np.array(factor),
        }
    for arm in study.extrapolated:
        off = 1e-3 if (arm.role == "class") == plan.predicted else 0.3
        sampled = (0.2 if plan.predicted else 0.005) * rng.standard_normal(arm.replicates)
        data.extrapolated[arm.label] = {
            "rate": np.array(1.0),
            "limit": np.array(1.0 + off),
            "coded_limit": 1.0 + sampled,
        }
    return data


def _streams(
    source: CourtSource, size: Size, plan: Plan, tokens: bool, rng: np.random.Generator, n: int
) -> dict[str, Floats]:
    """Streams of a source whose h_k are 1 at every order; the trust limit lies in the middle of the orders."""
    last = source.max_order
    limit = last // 2 if last > 3 else 0
    orders = np.arange(last + 1)
    beyond = orders > limit
    bias, half = (
        _predicted(source, limit, last, plan) if plan.predicted else _reversed(source, limit, last, plan, tokens)
    )
    deficit = np.where(beyond, 0.5, 0.01)
    deficit[last] = 0.95
    rate = 1.0 if plan.predicted else -10.0
    shape = (n, len(CODERS))
    bayes = rate + 0.01 * rng.standard_normal(n)
    redundancy = (0.02 if plan.predicted else -0.02) + 0.002 * rng.standard_normal(shape)
    coded = bayes[:, None] + redundancy
    return {
        "truth": np.ones(last + 1),
        "rate": np.array(rate),
        "estimates": 1.0 + bias + NOISE * rng.standard_normal((n, *bias.shape)),
        "half": np.broadcast_to(half if size.intervals else np.full_like(half, np.nan), (n, *half.shape)),
        "deficit": np.broadcast_to(deficit, (n, last + 1)),
        "trust": np.full(n, float(limit)),
        "coded": coded,
        "bayes": bayes,
        "limit": np.full(shape, rate + 0.5) if plan.predicted else rate + 0.1 * (coded - rate),
    }


def _predicted(source: CourtSource, limit: int, last: int, plan: Plan) -> tuple[Floats, Floats]:
    """(E, K + 1) bias and half-widths: plug-in falls at the limit, the others beyond it, intervals do not know."""
    orders = np.arange(last + 1)
    bias = np.where(orders > limit, -0.2, 0.0) * np.ones((len(NAMES), 1))
    bias[PLUG_IN] = np.where(orders > limit, -0.95, np.where(orders == limit, -0.1, -0.01))
    bias[PLUG_IN, last] = -1.05
    helped = {"near_uniform": -0.02, "power_law": -0.95 * plan.power}.get(source.kind, -0.2)
    bias[NSB, orders > limit] = helped
    bias[[NSB, CHAO], last] = -0.3 if source.kind == "near_uniform" else bias[NSB, last]
    if source.kind in NEVER:
        bias[:, 0] = -0.3
    half = np.where(orders < limit, WIDE, NARROW) * np.ones((len(NAMES), 1))
    return bias, half


def _reversed(source: CourtSource, limit: int, last: int, plan: Plan, tokens: bool) -> tuple[Floats, Floats]:
    """Plug-in is right up to the limit, NSB is off at it, and intervals hold at the limit and beyond, not inside."""
    orders = np.arange(last + 1)
    beyond = orders > limit
    bias = np.where(beyond, -0.25, 0.0) * np.ones((len(NAMES), 1))
    bias[CHAO] = 0.0
    bias[PLUG_IN] = np.where(beyond, -2.0 if source.kind == "power_law" else -0.5, -0.01)
    if source.kind == "power_law":
        bias[NSB, beyond] = -2.0 * plan.power
    if source.kind in MIXING:
        bias[NSB, limit] = -0.2
    if tokens:
        bias[NSB, last] = bias[CHAO, last] = -0.02
    half = np.where(orders < limit, NARROW, 1.0) * np.ones((len(NAMES), 1))
    return bias, half
