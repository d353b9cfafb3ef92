"""The number of each claim, and which members have learnt enough to be judged."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.adaptive_decoding.claims import STUDY
from testbed.studies.adaptive_decoding.config import NAMES, ROLES, Name, Role, Small
from testbed.studies.adaptive_decoding.data import Data, mean
from testbed.studies.adaptive_decoding.switching import SHARES
from testbed.studies.judge import Bounded, Evidence, Max, Min, Student
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding


def evidence(study: "AdaptiveDecoding", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id: means over replicates."""

    def kept(values: Floats) -> Evidence:
        return mean(np.array([np.interp(study.bounds.calls, SHARES, one) for one in values]))

    def shift(name: str) -> Evidence:
        """The largest shift of both sources and all thresholds, without its sign."""
        found = [mean(column) for role in ROLES for column in data.shift(role, name).T]
        return Max([side for one in found for side in (one, -one)])

    def beyond_symbol(small: Small) -> Evidence:
        """Skill of the probe less that of the last symbol alone."""
        return mean(data.skill("noise", small, "probe") - data.skill("noise", small, "last"))

    signal, noise = data.curves["signal", "window"], data.curves["noise", "window"]
    off = [np.abs(data.skill(role, "window", "rolling") - data.exact_skill(role, "rolling")) for role in ROLES]
    crossing = data.crossing()
    numbers: dict[str, Evidence] = {
        "signal_skill": mean(data.skill("signal", "window", "rolling")),
        "signal_auroc": Bounded(mean(data.auroc["signal", "window"]), 0.0, 1.0),
        "signal_kept": kept(signal["rolling"]),
        "signal_paper": kept(signal["rolling"]),
        "noise_skill": mean(data.skill("noise", "window", "rolling")),
        "noise_auroc": Bounded(mean(data.auroc["noise", "window"]), 0.0, 1.0),
        "noise_kept": kept(noise["rolling"]),
        "everywhere": Min([mean(data.skill(role, "window", "rolling")) for role in ROLES]),
        "crossing": mean(crossing) if np.isfinite(crossing).all() else Student(0.0, float("inf"), 1),
        "as_theory": Max([mean(one) for one in off]),
        "truth_entropy": mean(data.skill("signal", "window", "rolling") - data.skill("signal", "window", "truth")),
        "last_symbol": mean(data.skill("noise", "window", "last")),
        "probe": beyond_symbol("window"),
        "narrow_signal": mean(data.skill("signal", "narrow", "rolling")),
        "narrow_noise": mean(data.skill("noise", "narrow", "rolling")),
        "narrow_symbol": mean(data.skill("noise", "narrow", "last")),
        "narrow_probe": beyond_symbol("narrow"),
        "stay": mean(data.skill("signal", "window", "free") - data.skill("signal", "window", "stay")),
        "written_signal": mean(data.advantage("signal", "written")),
        "written_noise": mean(data.advantage("noise", "written")),
        "calls_rolling": shift("written"),
        "calls_single": shift("single"),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def not_learnt(study: "AdaptiveDecoding", data: Data) -> set[tuple[Role, Name]]:
    """(role, model) whose members fall short, on average over replicates.

    large    excess below the gate's share of the exact gain of two tokens over one
    window   excess over the Bayes law of one token below that share
    narrow   as good as that law, and worse than the large model by that share: else there is nothing to switch for
    """
    lost: set[tuple[Role, Name]] = set()
    for role in ROLES:
        gain = float(data.ideal[role]["gain"].mean())
        excess = {name: float(data.excess[role, name].mean()) for name in NAMES}
        margin = study.bounds.gate * gain
        fine: dict[Name, bool] = {
            "large": excess["large"] <= margin,
            "window": excess["window"] - gain <= margin,
            "narrow": excess["large"] + margin <= excess["narrow"] <= gain,
        }
        lost |= {(role, name) for name, one in fine.items() if not one}
    return lost
