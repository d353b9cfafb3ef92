"""The number of each claim, from labelled arrays. X is the loss in nats per new token behind a true prefix."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Affine, Evidence, Max, Min
from testbed.studies.mep_against_transformer.data import Data
from testbed.studies.mep_against_transformer.extensions import POLICIES, Floats
from testbed.studies.mep_extension.counts import crossing_size

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

STUDY = "mep_against_transformer"


def evidence(study: "MepAgainstTransformer", every: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id. Those of the tasks rest on the replicates that have learnt."""
    data = every.kept()
    names = tuple(task.name for task in study.tasks)
    suffices = [task.name for task in study.of_role("window suffices")]
    cannot = [task.name for task in study.of_role("window cannot")]
    pairwise = [task.name for task in study.of_role("window cannot") if task.pairwise]
    mean = data.mean
    extended = {name: data.new("loss", task=name, scheme=data.sliding) for name in names}
    trained = {name: data.new("long", task=name) for name in names}
    behind = {name: extended[name] - trained[name] for name in names}
    beyond = {name: extended[name] - data.new("exact", task=name) for name in cannot}

    def counted(name: str, scheme: str) -> Floats:
        return data.new("counted", task=name, scheme=scheme)

    others = [one for one in data.tables["loss"].axes["scheme"] if one != data.sliding]
    gains = [extended[name] - data.new("loss", task=name, scheme=one) for name in names for one in others]
    first, last = study.budget.early[0], study.budget.steps
    found: dict[str, Evidence] = {
        "c10_any": Max(mean(behind[name]) for name in names),
        "c10_ties": Max(mean(behind[name]) for name in suffices),
        "c10_cannot": Min(mean(behind[name]) for name in cannot),
        "c10_window": Max(mean(side * beyond[name]) for name in cannot for side in (1, -1)),
        "c10_back_off": Max(mean(counted(name, "back_off_all") - trained[name]) for name in names),
        "c10_pairs": Max(mean(counted(name, "pairs_all") - trained[name]) for name in names),
        "c10_skip": Min(mean(extended[name] - counted(name, "pairs_all")) for name in pairwise),
        "model_window": Max(mean(one) for one in gains),
        "c17_harmless": Max(mean(np.abs(one)) for one in rises(data, last)),
        "c17_early": Max(mean(np.abs(one)) for one in rises(data, first)),
        "c17_safe": Max(mean(-one) for steps in (*study.budget.early, last) for one in rises(data, steps)),
        "c17_order": Max(mean(data.tables["distances"].at(task=name, steps=last, distance="orders")) for name in names),
        "few_crossing": log_ratio(every, "few"),
        "few_counts": log_ratio(every, "few_counted"),
    }
    return {f"{STUDY}.{name}": one for name, one in found.items()}


def rises(data: Data, steps: int) -> list[Floats]:
    """KL of all 2T tokens under each other policy less that under the autoregressive one, for every task. The soft dual
    is left out: its penalty costs something where tables agree, too."""
    table = data.tables["policies"]
    others = [one for one in POLICIES if one not in ("autoregressive", "soft")]
    return [
        table.at(task=name, steps=steps, policy=one) - table.at(task=name, steps=steps, policy="autoregressive")
        for name in table.axes["task"]
        for one in others
    ]


def crossings(data: Data, name: str) -> Floats:
    """(R,): measured over predicted N at which the window overtakes the neighbour-pair chain; where none is seen, the
    end of the sizes at which it must lie counts."""
    table = data.tables[name]
    sizes = np.array(table.axes["size"], dtype=np.float64)
    found = np.array([crossing_size(sizes, row) for row in table.values])
    ends = np.where(table.values[:, -1] < 0, sizes[-1], sizes[0])
    return np.asarray(np.where(np.isnan(found), ends, found) / data.tables["predicted"].values)


def log_ratio(data: Data, name: str) -> Evidence:
    """|mean ln (measured / predicted)|."""
    ratio = data.mean(np.log(crossings(data, name)))
    return Max([ratio, Affine(ratio, -1, 0.0)])
