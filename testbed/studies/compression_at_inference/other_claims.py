"""Claims on dropped tokens and on adapters, and their numbers.

regret          (loss - best) / (chance - best) with half of the tokens dropped
surprisal_ARM   regret of the causal self-information; twice: less that of the leave-out loss
leave_out, classifier, classifier_everywhere   regret of these; the largest over the sources named. Where everything
                comes twice the classifier's is 1 by construction if contexts have six tokens or more: no window of
                three holds both readings of a bit, so that to it all tokens are alike
leave_out_twice   how far its regret is from chance, 1, where everything comes twice
simplex         R^2 of the belief read off the affine adapter by the other network's decoder, less the best that least
                squares reads off the tokens of a history (`adapting.belief_of_tokens`)
rotation        R^2 through the affine adapter less that through the rotation
front_RIVAL     what lambda-orthogonal adapters keep of their own less what a rival does, mean over what is carried

`fillers` and `noise` are one draw of one source: all but surprisal is the same on both and counts once.
"""

from typing import TYPE_CHECKING

from testbed.studies.compression_at_inference.config import Dropped
from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.statements import LLMLINGUA, LORTH, made
from testbed.studies.judge import Claim, Evidence, Max, Region

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

AGAINST = "abstract: information entropy may be a suboptimal compression metric"
INFORM: tuple[Dropped, ...] = ("fillers", "alone")
"""Sources on which no bit comes twice, so that leave-out losses of single tokens are near those of sets."""
DROPS = (
    *("surprisal_fillers", "surprisal_noise", "leave_out", "leave_out_twice", "surprisal_twice"),
    *("classifier", "classifier_everywhere"),
)
ADAPTED = ("simplex", "rotation", "front_ridge", "front_shrunk")


def claims(study: "CompressionAtInference") -> tuple[Claim, ...]:
    """In the order in which they are reported."""
    bounds, dropping = study.bounds, study.dropping
    n, half = dropping.context_length, dropping.half

    def drop(name: str, statement: str, region: Region, margin: float, scope: str, said: bool = False) -> Claim:
        by = {"paper": LLMLINGUA, "place": AGAINST} if said else {}
        where = f"{scope}; {half} of {n} tokens dropped, exact"
        return made(study, name, statement, region, margin, where, "regret", **by)

    def adapt(name: str, statement: str, region: Region, margin: float, said: bool = False) -> Claim:
        scope = "pairs of transformers on Mess3, held-out histories"
        by = {"paper": LORTH, "place": "abstract"} if said else {}
        return made(study, name, statement, region, margin, scope, "R^2", **by)

    good = Region(upper=bounds.good)
    return (
        drop(
            "surprisal_fillers",
            "Where fillers are predictable and readings are not, dropping the least surprising tokens is good: regret"
            f" below {bounds.good:g}.",
            good,
            bounds.good,
            "fillers",
        ),
        drop(
            "surprisal_noise",
            "Where fillers are noise, surprise without information, dropping the least surprising tokens is worse than"
            " chance.",
            Region(lower=bounds.harm),
            bounds.harm - 1,
            "noise",
            True,
        ),
        drop(
            "leave_out",
            "Where no bit comes twice, dropping the tokens of least leave-out loss is near the best sets: regret below"
            f" {bounds.ideal:g}.",
            Region(upper=bounds.ideal),
            bounds.ideal,
            ", ".join(INFORM),
        ),
        drop(
            "leave_out_twice",
            "Where everything comes twice, dropping the tokens of least leave-out loss is as chance: regret within"
            f" {bounds.chance:g} of 1.",
            Region(upper=bounds.chance),
            bounds.chance,
            "twice",
        ),
        drop(
            "surprisal_twice",
            "Where everything comes twice, surprisal, which knows a copy when it comes, has less regret than the"
            " leave-out loss.",
            Region(upper=-bounds.equal),
            bounds.equal,
            "twice",
        ),
        drop(
            "classifier",
            "Where no bit comes twice, a classifier that sees a token and its neighbours is good: regret below"
            f" {bounds.good:g}, though surprisal is not on every such source.",
            good,
            bounds.good,
            ", ".join(INFORM),
        ),
        drop(
            "classifier_everywhere",
            "On every source, also where everything comes twice, a classifier that sees a token and its neighbours is"
            f" good: regret below {bounds.good:g}.",
            good,
            bounds.good,
            ", ".join((*INFORM, "twice")),
        ),
        adapt(
            "simplex",
            "Through the affine adapter the other network's decoder reads more of the belief than least squares does"
            f" off the tokens: R^2 higher by {bounds.gain:g}.",
            Region(lower=bounds.gain),
            bounds.gain,
        ),
        adapt(
            "rotation",
            "A rotation carries less of the belief to the other network's decoder than the affine adapter.",
            Region(lower=bounds.gain),
            bounds.gain,
            True,
        ),
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
            "For the same belief carried, lambda-orthogonal adapters keep more of their own than affine ones with ridge"
            " towards the rotation.",
            Region(lower=bounds.gain),
            bounds.gain,
        ),
    )


def evidence(study: "CompressionAtInference", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by its name."""
    surprisal = {arm: data.regret(arm, "surprisal") for arm in data.drops}
    kept = {family: data.front(family) for family in ("lambda", "ridge", "shrunk")}

    off = data.regret("twice", "leave_out") - 1.0
    carried = [data.end(place, "carried") for place in (0, 1)]
    return {
        **{f"surprisal_{arm}": data.mean(surprisal[arm]) for arm in ("fillers", "noise")},
        "leave_out": Max([data.mean(data.regret(arm, "leave_out")) for arm in INFORM]),
        "leave_out_twice": Max([data.mean(off), data.mean(-off)]),
        "classifier_everywhere": Max([data.mean(data.regret(arm, "classifier")) for arm in (*INFORM, "twice")]),
        "surprisal_twice": data.mean(surprisal["twice"] - data.regret("twice", "leave_out")),
        "classifier": Max([data.mean(data.regret(arm, "classifier")) for arm in INFORM]),
        "simplex": data.mean(carried[0] - max(data.tokens)),
        "rotation": data.mean(carried[0] - carried[1]),
        "front_ridge": data.mean(kept["lambda"] - kept["ridge"]),
        "front_shrunk": data.mean(kept["lambda"] - kept["shrunk"]),
    }
