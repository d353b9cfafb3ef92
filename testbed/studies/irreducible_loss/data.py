"""The finished records as arrays over draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.irreducible_loss.classes import TRAINED
from testbed.studies.irreducible_loss.grid import QUESTIONS
from testbed.studies.irreducible_loss.reading import read

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

Floats = NDArray[np.float64]
Arrays = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Data:
    """curves[question][class]: arrays of `measure`; trained[class]: truth (R,), floor (R,), sizes (R, n),
    losses (R, n, S), power (R, 5) of transformers, and the rate they were trained with (R,)."""

    curves: dict[str, dict[str, Arrays]]
    trained: dict[str, Arrays]


def gather(study: "IrreducibleLoss", records: Sequence[Record]) -> Data | None:
    """All of them; None if a curve is missing or a transformer did not finish."""
    done = [one for one in records if one.status == "done"]
    curves: dict[str, dict[str, Arrays]] = {what: {} for what, _ in QUESTIONS}
    members = {}
    for one in done:
        p = one.probe
        if p["what"] in curves:
            curves[p["what"]][p["kind"]] = dict(one.arrays)
        elif p["what"] != "tuning":
            members[p["kind"], p["draw"], p["size"], p["run"]] = one
    if any(kind not in curves[what] for what, kinds in QUESTIONS for kind in kinds):
        return None
    trained = {}
    sizes, runs = study.training.sizes, range(study.training.runs)
    for kind in TRAINED:
        wanted = [(kind, draw, size, run) for draw in study.trained_draws for size in sizes for run in runs]
        endless = [(kind, draw, 0, 0) for draw in study.trained_draws]
        if any(key not in members for key in (*wanted, *endless)):
            return None
        losses = np.array([members[key].metrics["stopped"] for key in wanted], dtype=np.float64)
        trained[kind] = with_limits(
            np.array([members[key].metrics["bayes"] for key in endless], dtype=np.float64),
            np.array([members[key].metrics["stopped"] for key in endless], dtype=np.float64),
            np.array(sizes, dtype=np.float64),
            losses.reshape(len(study.trained_draws), len(sizes), len(runs)),
            np.array([members[key].probe["learning_rate"] for key in endless], dtype=np.float64),
        )
    return Data(curves, trained)


def with_limits(truth: Floats, floor: Floats, sizes: Floats, losses: Floats, rate: Floats) -> Arrays:
    """The arrays of one class of trained transformers."""
    repeated = np.broadcast_to(sizes, (len(losses), len(sizes)))
    power = read(repeated, losses)["power"]
    return {"truth": truth, "floor": floor, "sizes": repeated, "losses": losses, "power": power, "rate": rate}
