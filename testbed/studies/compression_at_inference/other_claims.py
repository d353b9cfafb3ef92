"""Claims on dropped tokens and on adapters, and their numbers.

regret          (loss - best) / (chance - best) with half of the tokens dropped
surprisal_ARM   regret of the causal self-information; twice: less that of the leave-out loss
leave_out, leave_out_twice, classifier   regret of these; the largest over the sources named
simplex         R^2 of the belief read off the affine adapter by the other network's decoder
rotation        R^2 through the affine adapter less that through the rotation
front_RIVAL     what lambda-orthogonal adapters keep of their own less what a rival does, mean over what is carried
"""

from typing import TYPE_CHECKING

from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.statements import LLMLINGUA, LORTH, made
from testbed.studies.judge import Claim, Evidence, Max, Region

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

AGAINST = "abstract: information entropy may be a suboptimal compression metric"
INFORM = ("fillers", "noise", "alone")
"""Sources on which no token says what another one says."""
ADAPTED = ("simplex", "rotation", "front_ridge", "front_shrunk")


def claims(study: "CompressionAtInference") -> tuple[Claim, ...]:
    """In the order in which they are reported."""
    bounds, dropping = study.bounds, study.dropping
    n, half = dropping.context_length, dropping.half

    def drop(name: str, statement: str, region: Region, margin: float, scope: str, said: bool = False) -> Claim:
        place = {"place": AGAINST} if said else {}
        where = f"{scope}; {half} of {n} tokens dropped, exact"
        return made(study, name, statement, region, margin, LLMLINGUA, where, "regret", **place)

    def adapt(name: str, statement: str, region: Region, margin: float, said: bool = False) -> Claim:
        scope = "pairs of transformers on Mess3, held-out histories"
        place = {"place": "lambda-orthogonal adapters, abstract"} if said else {}
        return made(study, name, statement, region, margin, LORTH, scope, "R^2", **place)

    good = Region(upper=bounds.good)
    return (
        drop(
            "surprisal_fillers",
            "Where fillers are predictable and readings are not, dropping the least surprising tokens is good.",
            good,
            bounds.good,
            "fillers",
        ),
        drop(
            "surprisal_noise",
            "Where fillers are noise it is worse than chance: surprise without information.",
            Region(lower=bounds.harm),
            bounds.harm - 1,
            "noise",
            True,
        ),
        drop(
            "surprisal_alone",
            "Where all tokens are as surprising and one matters it is chance.",
            Region.around(1.0, bounds.equal),
            bounds.equal,
            "alone",
            True,
        ),
        drop(
            "leave_out",
            "Dropping the tokens of least leave-out loss is as good as the best sets, where tokens do not repeat each"
            " other.",
            Region(upper=bounds.ideal),
            bounds.ideal,
            ", ".join(INFORM),
        ),
        drop(
            "leave_out_twice",
            "It is so where everything comes twice, too.",
            Region(upper=bounds.ideal),
            bounds.ideal,
            "twice",
        ),
        drop(
            "surprisal_twice",
            "There surprisal, which knows a copy when it comes, is better than leave-out.",
            Region(upper=-bounds.equal),
            bounds.equal,
            "twice",
        ),
        drop(
            "classifier",
            "A classifier that sees a token and its neighbours is good where surprisal is and where it is not.",
            good,
            bounds.good,
            "fillers, noise",
            True,
        ),
        adapt(
            "simplex",
            "The affine adapter carries the belief from one network to the other's decoder.",
            Region(lower=bounds.belief),
            1 - bounds.belief,
        ),
        adapt("rotation", "A rotation carries less of it.", Region(lower=bounds.gain), bounds.gain, True),
        adapt(
            "front_ridge",
            "For the same belief carried, lambda-orthogonal adapters keep more of their own than affine ones with"
            " ridge.",
            Region(lower=bounds.gain),
            bounds.gain,
            True,
        ),
        adapt(
            "front_shrunk",
            "They do than affine ones with ridge towards the rotation, too.",
            Region(lower=bounds.gain),
            bounds.gain,
        ),
    )


def evidence(study: "CompressionAtInference", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by its name."""
    surprisal = {arm: data.regret(arm, "surprisal") for arm in data.drops}
    kept = {family: data.front(family) for family in ("lambda", "ridge", "shrunk")}
    carried = [data.end(place, "carried") for place in (0, 1)]
    return {
        **{f"surprisal_{arm}": data.mean(surprisal[arm]) for arm in ("fillers", "noise", "alone")},
        "leave_out": Max([data.mean(data.regret(arm, "leave_out")) for arm in INFORM]),  # type: ignore[arg-type]
        "leave_out_twice": data.mean(data.regret("twice", "leave_out")),
        "surprisal_twice": data.mean(surprisal["twice"] - data.regret("twice", "leave_out")),
        "classifier": Max([data.mean(data.regret(arm, "classifier")) for arm in ("fillers", "noise")]),
        "simplex": data.mean(carried[0]),
        "rotation": data.mean(carried[0] - carried[1]),
        "front_ridge": data.mean(kept["lambda"] - kept["ridge"]),
        "front_shrunk": data.mean(kept["lambda"] - kept["shrunk"]),
    }
