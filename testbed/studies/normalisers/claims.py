"""The claims, fixed before the runs that decide; `evidence` has their numbers."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

STUDY = "normalisers"
POWER, OURS = "2003.07845", "this project's own claim"
CLAIMED, OTHER = "as claimed", "otherwise"
"""Planted worlds."""
PREMISE = "premise that batch statistics fluctuate; this project's reading"


def claims(study: "Normalisers") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, bursts, parts = study.bounds, study.bursts, study.parts
    longest = f"{bursts.stays[-1]:g}"
    size = f"{study.model.depth} blocks of width {study.model.width}, {study.n_seeds} replicates"
    regimes = (
        f"two order-1 chains of {bursts.vocab_size} symbols in turns, mean stays of"
        f" {', '.join(f'{one:g}' for one in bursts.stays)}, {bursts.sequences_per_step} sequences of {bursts.length}"
        f" tokens a step, {bursts.steps} steps, {size}"
    )
    stepped = (
        f"family burst, stay {longest}; {parts.sequences_per_step} sequences of {bursts.length} tokens a step,"
        f" {parts.steps} steps, {size}"
    )

    def claim(
        name: str, statement: str, region: Region, margin: float, unit: str, scope: str, control: str,
        paper: str = OURS, place: str = "",
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{OTHER}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    steep, none, doubling = Region(lower=b.slope), Region(upper=0.0), "nats a doubling of the stay"
    own, same = "Where regimes have symbols of their own", "where both regimes have the same symbols"
    return (
        claim("gap_burst", f"{own}, the excess of batch norm over that of layer norm grows with the stay, by"
              f" {b.slope:g} nats a doubling at least.", steep, b.slope, doubling, f"family burst; {regimes}",
              "family flat, in the notes", POWER, PREMISE),
        claim("gap_net", f"{own}, the excess of batch norm over that of layer norm grows faster with the stay than"
              f" {same}.", Region(lower=0.0), 0.0, doubling, f"families burst and flat; {regimes}",
              "a gap that grows alike in both"),
        claim("ratio_net", f"{own}, the logarithm of the ratio of batch norm's excess to layer norm's grows faster with"
              f" the stay than {same}: the gap is not that of a harder source alone.", Region(lower=0.0), 0.0,
              "log ratio a doubling", f"families burst and flat; {regimes}", "a ratio that grows alike in both"),
        claim("steadier", f"Where {parts.sizes[-1]} sequences share batch norm's statistics in place of"
              f" {parts.sizes[0]}, all else alike, at most {b.left:.0%} of the gap to layer norm is left: it comes from"
              " the fluctuation of statistics.", none, 0.0, "nats", stepped,
              "a gap that does not depend on how many sequences share statistics", POWER, PREMISE),
        claim("power_bare", f"PowerNorm without the released code's scaling of each place closes at least"
              f" {b.closed:.0%} of batch norm's gap to layer norm.", none, 0.0, "nats",
              f"family burst, stay {longest}; {regimes}", "a norm that leaves nine tenths of it", POWER,
              "Algorithm 2; the number is this project's reading"),
        claim("power_scaled", f"PowerNorm as released closes at least {b.closed:.0%} of the gap to RMS norm of a batch"
              " norm behind the same scaling of each place.", none, 0.0, "nats",
              f"family burst, stay {longest}; {regimes}", "a norm that leaves nine tenths of it", POWER,
              "released code; the number is this project's reading"),
    )  # fmt: skip
