"""The claims: where the fitted constant is the Bayes loss, and where it is something else."""

from typing import TYPE_CHECKING

from testbed.studies.irreducible_loss.classes import CHAINS, COMMON, KINDS, LINEAR, MEMORY, MIXING, RARE, TRAINED
from testbed.studies.irreducible_loss.config import Sizes
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

STUDY = "irreducible_loss"
NMT, CHINCHILLA = "2109.07740", "2203.15556"
FOUND, MISSED = "limits are found", "limits are missed"
"""The planted worlds: every fitted constant is what the claim says, and none is."""
REVERSED = ("early_low",)
"""Claims that hold in the second world and fail in the first."""


def claims(study: "IrreducibleLoss") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, sweeps, training = study.bounds, study.sweeps, study.training
    enough = Region(lower=b.covered)

    def stated(
        name: str, statement: str, scope: str, region: Region, margin: float, unit: str, control: str, paper: str = NMT
    ) -> Claim:
        world = FOUND if name in REVERSED else MISSED
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place="the fitted law and its constant L_inf" if paper == NMT else "Eq. 2 and its constant E",
            reading="inferred",
            scope=scope,
            control=f"world '{world}'; {control}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    def of(names: tuple[str, ...]) -> str:
        return ", ".join(KINDS[one].label for one in names)

    def span(sizes: Sizes) -> str:
        return f"{sizes.first:g} to {sizes.factors[-1]:g} targets for each free number"

    early = f"tables on {of(COMMON)}; {span(sweeps.early)}, {sweeps.runs} training sets at each size"
    late = f"{span(sweeps.late)}, {sweeps.runs} training sets at each size"
    share = "share of curves"
    interval = f"its 95 % interval is closed and holds it in {b.covered:.0%} of draws or more"

    def covers(
        name: str, statement: str, scope: str, control: str, *, region: Region = enough, margin: float = b.covered
    ) -> Claim:
        return stated(name, statement, scope, region, margin, share, control)

    sharper, flatter = sweeps.inverse_temperatures
    streams = f"tables on {of(CHAINS)}, tested on p^{sharper:g} and p^{flatter:g}; {span(sweeps.other)}"
    return (
        covers(
            "late",
            f"Fitted to sizes at which the excess is n / 2D, L_inf is the Bayes loss of the window: {interval}.",
            f"tables on {of(COMMON)}; {late}",
            "the same at early sizes",
        ),
        covers(
            "early",
            f"Fitted to few targets for each number, as scaling laws are, it is the Bayes loss as well: {interval}.",
            early,
            "the same at late sizes",
        ),
        covers(
            "early_low",
            f"There it is too low: below the Bayes loss in {b.low:.0%} of draws or more.",
            early,
            "late sizes, where it lies on either side",
            region=Region(lower=b.low),
            margin=b.low,
        ),
        covers(
            "early_stretched",
            f"At the early sizes a stretched exponential finds the Bayes loss: {interval}.",
            early,
            "the power law on the same losses",
        ),
        covers(
            "early_chosen",
            f"So does the better of the two by AICc: {interval}.",
            early,
            "the power law on the same losses",
        ),
        covers(
            "rare",
            f"Where contexts' frequencies span orders of magnitude, late sizes are late enough: {interval}.",
            f"tables on {of(RARE)}; {late}",
            "the claim 'late'",
        ),
        covers(
            "entropy_rate",
            f"L_inf is the entropy rate of the source, wherever the window ends: {interval}.",
            f"tables on {of(RARE)}, whose h_l lies above h; {late}",
            "the claim 'rare': h_l on the same curves",
        ),
        covers(
            "floor_of_class",
            f"The L_inf of a regression on lags is the least loss of its class: {interval}.",
            f"regression on {of(CHAINS)}; {late}",
            "the Bayes loss on the same curves: floor_is_bayes",
        ),
        covers(
            "floor_is_bayes",
            f"It is the Bayes loss: {interval}.",
            f"regression on {of(CHAINS)}, where it is wrong; {late}",
            "a chain on which it is right: floor_right",
        ),
        covers(
            "floor_right",
            f"On a source that lies within the class it is the Bayes loss: {interval}.",
            f"regression on {of((LINEAR,))}; {late}",
            "sources outside the class: floor_is_bayes",
        ),
        *(
            stated(
                f"two_sizes_{name}",
                f"L_inf + A / N^a + B / D^b finds the entropy rate{what}: to {b.off:.0%} of what the best table"
                f" leaves, in {b.covered:.0%} of draws or more.",
                f"tables of orders 1 .. l on {of(kinds)}; {span(sizes)} of the largest",
                enough,
                b.covered,
                share,
                control,
                CHINCHILLA,
            )
            for name, what, kinds, sizes, control in (
                ("mixing", " where h_l - h falls exponentially and data abound", MIXING, sweeps.rich, "long memory"),
                ("memory", " where h_l - h falls as a power of l and data abound", MEMORY, sweeps.rich, "short memory"),
                ("poor", " where large tables have few data", MIXING, sweeps.poor, "much data: two_sizes_mixing"),
            )
        ),
        covers(
            "other_cross",
            f"Tested on another stream, L_inf is the cross-entropy of that stream under what is learnt: {interval}.",
            streams,
            "its own entropy on the same curves: other_entropy",
        ),
        covers(
            "other_entropy",
            f"It is the entropy of the stream that is tested: {interval}.",
            streams,
            "the cross-entropy on the same curves: other_cross",
        ),
        covers(
            "sharper_falls",
            f"On the sharper stream the loss falls with D: in {b.signs:.0%} of draws or more.",
            f"tables on {of(CHAINS)}, trained on p, tested on p^{sharper:g}; {span(sweeps.early)}",
            "the flatter stream",
            region=Region(lower=b.signs),
            margin=b.signs,
        ),
        covers(
            "flatter_rises",
            "On the flatter stream it rises with D, since -sum q ln p lies above ln V: in"
            f" {b.signs:.0%} of draws or more.",
            f"tables on {of(CHAINS)}, trained on p, tested on p^{flatter:g}; {span(sweeps.early)}",
            "the sharper stream",
            region=Region(lower=b.signs),
            margin=b.signs,
        ),
        covers(
            "trained",
            f"The L_inf of transformers, over D, is the Bayes loss: {interval}.",
            f"transformers on {of(TRAINED)}, D = {training.sizes[0]} .. {training.sizes[-1]}, stopped by held-out loss",
            "late tables",
        ),
        covers(
            "trained_floor",
            f"It is the loss that the same transformer reaches on an endless stream in as many steps: {interval}.",
            f"transformers on {of(TRAINED)}, D = {training.sizes[0]} .. {training.sizes[-1]}, stopped by held-out loss",
            "late tables",
        ),
    )
