"""Planted worlds: frontiers of known skill in place of measured ones, through the same numbers and judge.

as derived               rolling entropy does well on `signal` and ill on `noise`, the last symbol well on both, a probe
                         no better than that
entropy always signals   it is nearly the oracle on both, and the source's own entropy better; neither the last symbol
                         nor a probe knows anything; trained models are far from the exact laws, and write what calls
                         the large one more often at one threshold, less often at another, as often on average
entropy never signals    it does ill on both
a probe knows more than the last symbol
                         as derived, but for the probes
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.adaptive_decoding.claims import ALWAYS, DERIVED, MORE, NEVER, STUDY, claims
from testbed.studies.adaptive_decoding.config import NAMES, ROLES, SMALLS, Name, Role, Small
from testbed.studies.adaptive_decoding.data import Data
from testbed.studies.adaptive_decoding.evidence import evidence
from testbed.studies.adaptive_decoding.switching import SHARES
from testbed.studies.adaptive_decoding.writing import FORCED_SHARES
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

SKILL, AUROC, TRUTH, STAY, SHIFT, TEXT, CROSSING = 0.12, 0.07, 0.35, 0.04, 0.025, 0.05, 0.06
PROBE: dict[Small, float] = {"window": 0.003, "narrow": 0.045}
"""Standard deviations over replicates of planted skills, AUROC, the skill that the source's own entropy lacks, that a
least stay costs, shifts of the share of calls, what own text keeps, crossings (nats), and the skill that a probe has
beyond the last symbol: about those of members."""
ORACLE = 1 - (1 - SHARES) ** 8
GOOD, BAD, PERFECT = 0.75, -0.5, 0.99
SKILLS: dict[str, dict[Role, float]] = {
    DERIVED: {"signal": GOOD, "noise": BAD},
    ALWAYS: {"signal": PERFECT, "noise": PERFECT},
    NEVER: {"signal": BAD, "noise": BAD},
    MORE: {"signal": GOOD, "noise": BAD},
}
"""Of the rolling entropy."""
ON_SIGNAL = frozenset({"signal_skill", "signal_auroc", "signal_kept", "narrow_signal", "written_signal"})
ON_NOISE = frozenset({"noise_skill", "noise_auroc", "noise_kept", "narrow_noise", "written_noise"})
PROBES, SYMBOL = frozenset({"probe", "narrow_probe"}), frozenset({"last_symbol", "narrow_symbol"})
OURS = SYMBOL | {"crossing", "as_theory", "truth_entropy", "stay", "calls_rolling", "calls_single"}
HOLDS: dict[str, frozenset[str]] = {
    DERIVED: ON_SIGNAL | ON_NOISE | OURS | PROBES,
    ALWAYS: ON_SIGNAL | PROBES | {"signal_paper", "everywhere"},
    NEVER: ON_NOISE | OURS | PROBES,
    MORE: ON_SIGNAL | ON_NOISE | OURS,
}


def worlds(study: "AdaptiveDecoding") -> list[World]:
    """In each of four worlds, which claims hold is known."""
    return [_world(study, name) for name in HOLDS]


def _world(study: "AdaptiveDecoding", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "holds" if one.id.removeprefix(f"{STUDY}.") in HOLDS[name] else "fails" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "AdaptiveDecoding", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    ours = name != ALWAYS

    def around(value: float, spread: float = SKILL) -> Floats:
        return value + spread * rng.standard_normal(n)

    def frontier(skills: Floats) -> Floats:
        """(n, S) that have these skills exactly: kept(x) = x + skill (oracle(x) - x)."""
        return np.asarray(SHARES + skills[:, None] * (ORACLE - SHARES))

    oracle = np.tile(ORACLE, (n, 1))
    curves: dict[tuple[Role, Small], dict[str, Floats]] = {}
    aurocs: dict[tuple[Role, Small], Floats] = {}
    ideal: dict[Role, dict[str, Floats]] = {}
    written: dict[Role, dict[str, Floats]] = {}
    for role in ROLES:
        value = SKILLS[name][role]
        rolled = around(value, SKILL if ours else 0.01)
        exact = rolled - np.abs(around(0.0 if ours else 0.25, 0.02))
        ideal[role] = {"oracle": oracle, "rolling": frontier(exact)}
        for small in SMALLS:
            last = around(GOOD if ours else 0.0)
            curves[role, small] = {
                "oracle": oracle,
                "rolling": frontier(rolled),
                "truth": frontier(rolled - around(0.9 if ours else -0.5, TRUTH)),
                "last": frontier(last),
                "probe": frontier(last + around(0.3 if name == MORE else 0.0, PROBE[small])),
                "free": frontier(rolled),
                "stay": frontier(rolled - around(0.13 if ours else -0.03, STAY)),
            }
            aurocs[role, small] = around(0.9 if value > 0 else 0.2, AUROC)
        written[role] = {}
        for kind in ("written", "single"):
            forced = np.tile([0.0, *FORCED_SHARES, 1.0], (n, 1))
            share, kept = forced.copy(), forced.copy()
            shifts = np.array([0.0, 0.0, 0.0] if ours else [0.15, 0.0, -0.15])
            share[:, 1:-1] += shifts + SHIFT * rng.standard_normal((n, len(FORCED_SHARES)))
            kept[:, 1:-1] = share[:, 1:-1] + around(0.3 * np.sign(value), TEXT)[:, None]
            written[role] |= {f"{kind}_forced": forced, f"{kind}_share": share, f"{kind}_excess": 1 - kept}
        written[role] |= {"random_share": forced, "random_excess": 1 - forced}
    gap = np.linspace(-1.0, 1.0, 9)
    skills = GOOD * np.tanh(4 * (around(0.0 if ours else 0.5, CROSSING)[:, None] - gap))
    dial = {"rolling": skills, "small": np.stack([np.tile(gap, (n, 1)), np.zeros((n, len(gap)))], axis=-1)}
    excess: dict[tuple[Role, Name], Floats] = {(role, model): np.zeros(n) for role in ROLES for model in NAMES}
    return Data(curves, aurocs, excess, ideal, dial, written, {}, np.zeros(1))
