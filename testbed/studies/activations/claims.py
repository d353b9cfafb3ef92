"""The claims, fixed before the runs that decide; `evidence` has their numbers.

Where several settings share a claim it holds or fails if it does so in each of them.
"""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations

STUDY = "activations"
SELU, CRRELU, OURS = "1706.02515", "2405.12954", "this project's own claim"
AHEAD, ALIKE, LINEAR = "SELU steady, CRReLU ahead", "SELU unsteady, all alike", "SELU worst, linear ahead"
"""Planted worlds."""
THEOREM = "theorem on the moment map, of dense layers; this project's reading for transformers"


def claims(study: "Activations") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, n, depths, kinds = study.bounds, study.n_seeds, study.depths, study.kinds
    deep = f"{depths.depths[-1]} blocks"
    deepest = f"{deep}, embeddings of variance 1, source {depths.source}, {depths.steps} steps, {n} replicates"
    several = (
        f"{', '.join(kinds.sources)}; {study.model.depth} block with layer norm, {kinds.steps} steps, {n} replicates,"
        f" rates of their own and {kinds.common_rate:g} for all"
    )
    inside = f"variance within [{b.low:g}, {b.high:g}] and mean within {b.centre:g} of 0"
    few = f"{kinds.needed} of {len(kinds.sources)}"
    most = "in more than half of the replicates" if b.half == 0.5 else f"in more than {b.half:.0%} of the replicates"

    def claim(
        name: str, statement: str, region: Region, margin: float, unit: str, scope: str, fails_in: str, control: str,
        paper: str = OURS, place: str = "",
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{fails_in}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    within, mostly = Region(upper=1.0), Region(lower=b.half)
    half, portion, noises = "half widths of the range", "share of replicates", "seed noises"
    return (
        claim("selu_start", f"Before training, in a transformer of {deep} without norms and with SELU whose writing"
              f" matrices start smaller by sqrt(2 blocks), hidden units of every block have {inside}.", within, 1.0,
              half, deepest, ALIKE, "GELU: gelu_start", SELU, THEOREM),
        claim("gelu_start", f"Before training, such a transformer with GELU in place of SELU has hidden units outside"
              f" of {inside}, in some block.", Region(lower=1.0), 1.0, half, deepest, ALIKE, "units that stay inside"),
        claim("selu_trained", f"After training, in a transformer of {deep} without norms and with SELU, hidden units"
              f" of every block have {inside}.", within, 1.0, half, deepest, ALIKE, "units whose variance grows",
              SELU, THEOREM),
        claim("selu_growth", "After training without norms, the variance of the residual stream has grown less from"
              f" embedding to last block with SELU than with GELU, {most}.", mostly, b.half, portion, deepest, ALIKE,
              "a stream that grows more"),
        claim("norm_helps", f"With GELU, {deep} with layer norm have less excess than without norms, {most}: there is"
              " something for SELU to mend.", mostly, b.half, portion, deepest, ALIKE, "no norm with less"),
        claim("selu_excess", f"Without norms and with SELU, {deep} have at most {b.excess:g} times the excess of layer"
              f" norm and GELU, {most}.", mostly, b.half, portion, deepest, LINEAR, "eight times that excess"),
        claim("selu_gelu", f"Without norms, {deep} with SELU have less excess than with GELU, {most}.", mostly, b.half,
              portion, deepest, LINEAR, "SELU with more"),
        claim("crrelu_first", f"CRReLU has the least excess of all seven activations on at least {few} sources,"
              f" {most}.", mostly, b.half, portion, several, ALIKE, "CRReLU like the others", CRRELU,
              "experiments; this project's reading"),
        claim("crrelu_gelu", f"CRReLU's excess differs from GELU's by less than {b.near_gelu:g} seed noises, in the"
              " mean of logarithms over sources.", Region.around(0.0, b.near_gelu), b.near_gelu, noises, several, AHEAD,
              "CRReLU ahead of GELU"),
        claim("all_alike", f"No activation's excess differs from GELU's by more than {b.within:g} seed noise, in the"
              " mean of logarithms over sources.", Region(upper=b.within), b.within, noises, several, AHEAD,
              "activations whose excesses differ"),
        claim("crrelu_steps", f"CRReLU and GELU take as many steps, within a factor {b.alike:g}, to an excess of"
              f" {kinds.near:.0%} of what context tells, in the median over sources and replicates.", mostly, b.half,
              portion, several, AHEAD, "CRReLU twice as fast"),
        claim("identity", "A linear MLP has more excess than GELU, in the mean of logarithms in seed noises over all"
              f" sources, {most}: an activation matters.", mostly, b.half, portion, several, LINEAR,
              "a linear MLP with less"),
        claim("entropy_predicts", "Activations whose hidden units have less entropy have less excess: the rank"
              f" correlation is above {b.correlation:g}, with and without the linear MLP.", Region(lower=b.correlation),
              b.correlation, "rank correlation", several, ALIKE, "entropies in an order of their own", CRRELU,
              "entropy as what is optimised; this project's reading"),
    )  # fmt: skip
