"""The numbers that the claims are about, and which cells have learnt enough to be judged.

lattice_*    share of the pairs of cells of one replicate in which the cell with more overload has more KL
same_*       share of the pairs of replicates of one cell in which it is so
             Both over the pairs whose overload differs, summed over replicates or cells, with a jackknife over
             replicates; undecided where too many are tied, see `order`
the others   shares of runs, paired with the run of the same sequences and first weights in another arm

Where Hmax, cells or rows share a claim, the number is the one that speaks against it most. A run that diverged has an
infinite KL.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.entropy_guided.claims import RESTS_ON, STUDY
from testbed.studies.entropy_guided.config import HMAX, LOGS, NEITHER, Arm, Form, Place
from testbed.studies.entropy_guided.data import Bools, Data, Floats
from testbed.studies.entropy_guided.grid import forms_at
from testbed.studies.entropy_guided.order import across, within
from testbed.studies.judge import Evidence, Max, Min
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy


def evidence(study: "EntropyGuidedStudy", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    b, c, runs = study.bounds, study.penalty.coefficient, data.runs
    cells = study.lattice.with_penalty

    def lattice(place: Place) -> list[Evidence]:
        return [
            across(*overload_and_kl(study, data, place, hmax)).evidence(b.tied, f"overload (Hmax = {LOGS[hmax]})")
            for hmax in HMAX
        ]

    def same(place: Place) -> list[Evidence]:
        return [
            within(*overload_and_kl(study, data, place, hmax)).evidence(b.tied, f"overload (Hmax = {LOGS[hmax]})")
            for hmax in HMAX
        ]

    def rise(place: Place, cell: str, form: Form, coefficient: float = c) -> Floats:
        """(R,) KL above the twin's without a penalty; infinite where the run diverged."""
        return above(runs[Arm(place, cell, form, coefficient)].kl, runs[Arm(place, cell)].kl)

    def helped(place: Place) -> Evidence:
        twin = runs[Arm(place, NEITHER)].kl
        return share(above(runs[Arm(place, NEITHER, "window", c)].kl, (1 - b.helped) * twin) <= 0)

    def mitigated(place: Place) -> Evidence:
        guided, twin = runs[Arm(place, NEITHER, "window", c)], runs[Arm(place, NEITHER)]
        return share(above(guided.over["window"], twin.over["window"]) <= -b.less)

    def harmed(place: Place) -> Evidence:
        return Max([share(rise(place, cell, "window") > b.raised) for cell in cells])

    def forms_apart(rows: Bools) -> Evidence:
        pairs = [(runs[Arm("coin", cell, "window", c)], runs[Arm("coin", cell, "row", c)]) for cell in cells]
        return Min([share(above(one.part(rows), two.part(rows)) >= b.raised) for one, two in pairs])

    def heads_apart(rows: Bools) -> Evidence:
        pairs = [(runs[Arm("coin", cell, "window", c)], runs[Arm("coin", cell, "row", c)]) for cell in cells]
        return Min([share(one.error(rows) - two.error(rows) >= b.apart) for one, two in pairs])

    def thetas_part(cell: str) -> Evidence:
        window, row = (runs[Arm("coin", cell, form, c)].theta.mean(axis=(1, 2)) for form in forms_at("coin"))
        return share((window < 0.5) & (row > 0.5))

    found: dict[str, Evidence] = {
        "lattice_copy": Min(lattice("copy")),
        "lattice_markov": Min(lattice("markov")),
        "lattice_coin": Max(lattice("coin")),
        "same_copy": Min(same("copy")),
        "same_markov": Min(same("markov")),
        "same_coin": Max(same("coin")),
        "broken": share(runs[Arm("markov", NEITHER)].broken),
        "mitigated": Min([mitigated("coin"), mitigated("markov")]),
        "helped_copy": helped("copy"),
        "helped_markov": helped("markov"),
        "unharmed_copy": harmed("copy"),
        "unharmed_markov": harmed("markov"),
        "raised": Min([share(rise("coin", cell, "window") >= b.raised) for cell in cells]),
        "row_spared": Max([share(rise("coin", cell, "row") >= b.raised) for cell in cells]),
        "defect_early": forms_apart(data.early),
        "defect_late": forms_apart(data.late),
        "heads": Min([heads_apart(data.early), heads_apart(data.late)]),
        "theta": Min([thetas_part(cell) for cell in cells]),
        "small_dose": Min(
            [share(np.abs(rise("coin", NEITHER, form, study.penalty.paper)) <= b.still) for form in forms_at("coin")]
        ),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share(flags: Bools) -> Evidence:
    """Of runs of which such a thing is true; runs are independent."""
    return Proportion(int(flags.sum()), len(flags), "run")


def above(one: Floats, two: Floats) -> Floats:
    """one - two of the same replicates, infinite where one is, minus infinite where two alone is."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(one), np.inf, one - two[: len(one)])


def overload_and_kl(study: "EntropyGuidedStudy", data: Data, place: Place, hmax: str) -> tuple[Floats, Floats]:
    """(C, R) each, of the cells without a penalty."""
    every = [data.runs[Arm(place, cell)] for cell in study.lattice.cells]
    return np.stack([one.over[hmax] for one in every]), np.stack([one.kl for one in every])


def not_learnt(study: "EntropyGuidedStudy", data: Data) -> dict[str, list[str]]:
    """By claim id, the arms without a penalty that it needs and that have not learnt their source."""
    lost: dict[str, list[str]] = {}
    for name, places in RESTS_ON.items():
        every = study.lattice.cells if name.startswith(("lattice", "same")) else study.lattice.with_penalty
        arms = [Arm(place, cell) for place in places for cell in every]
        lost[f"{STUDY}.{name}"] = [
            f"{arm.cell} on {arm.place}" for arm in arms if not data.learnt(arm, study.bounds.gate)
        ]
    return lost
