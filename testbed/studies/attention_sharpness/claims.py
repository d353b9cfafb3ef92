"""The claims: floors, lengths at which a clamped copy fails, and what comes of attention that collapses."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

PAPER = "2303.06296"
PREFIX = "attention_sharpness."
CLAIMED, OTHERWISE = "information limits copies", "mass limits copies"
"""The planted worlds. In the first every claim holds but `mass_trained`; in the second it holds alone: copies fail
where the mass does, carried readouts where the information does, nothing holds attention back, and its entropy tells
nothing."""
REVERSED = ("mass_trained",)


def claims(study: "AttentionSharpness") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, c, s = study.bounds, study.copies, study.sweep

    def stated(
        name: str, statement: str, *, place: str, scope: str, region: Region, margin: float, unit: str = "", also: str
    ) -> Claim:
        world = CLAIMED if name in REVERSED else OTHERWISE
        return Claim(
            id=PREFIX + name,
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{world}'; {also}",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    gaps = ", ".join(f"{one:g}" for one in c.gaps)
    trained = (
        f"noisy lag copy, two symbols, noise {c.noise:g}; one head by distance alone; g = {gaps}; members that reached"
        f" {b.reached:.0%} of g"
    )
    carried = (
        f"the same, trained on {c.readout_length} keys at g = {c.readout_gap:g}; its values and readout kept, its"
        f" attention set to the best of clamps g = {', '.join(f'{one:g}' for one in c.carried_gaps)} at any length"
    )
    rates = ", ".join(f"{one:g}" for one in s.rates)
    swept = f"peak rates {rates}, no clipping, {s.steps} steps"
    ours = "our prediction, from the bound on the logits"
    return (
        stated(
            "slope_trained",
            f"Models trained at each length lose half of a copy at T* - 2 ~ e^(2g): ln(T* - 2), of the keys that add"
            f" noise, grows with the clamped gap g at 2, within {b.slope:g}.",
            place=ours,
            scope=trained,
            region=Region(2 - b.slope, 2 + b.slope),
            margin=b.slope,
            also="the rival's slope of 1 on the same models: mass_trained; carried readouts",
        ),
        stated(
            "mass_trained",
            f"They lose it where the target's mass is halved, at T* - 2 ~ e^g: ln(T* - 2) grows with g at 1, within"
            f" {b.slope:g}.",
            place="the mass that a bounded gap leaves to one key",
            scope=trained,
            region=Region(1 - b.slope, 1 + b.slope),
            margin=b.slope,
            also="the rival's slope of 2 on the same models: slope_trained",
        ),
        stated(
            "place_trained",
            f"At every g they lose it where the information between the target and the attended mixture is halved: ln"
            f" T* is what the law gives, within {b.place:g}.",
            place=ours,
            scope=trained,
            region=Region(upper=b.place),
            margin=b.place,
            also="the law has no free constant",
        ),
        stated(
            "slope_carried",
            f"A readout that is not trained at T but carried there fails where the mass does: ln(T* - 2) grows with g"
            f" at 1, within {b.slope:g}.",
            place="the mass that a bounded gap leaves to one key",
            scope=carried,
            region=Region(1 - b.slope, 1 + b.slope),
            margin=b.slope,
            also="models trained at each length",
        ),
        *(
            stated(
                f"{arm.name}_rates",
                f"With {', '.join(one.type_name for one in arm.methods)} models work at rates more than"
                f" {b.ratio:g} times as large as without: on both sources in {b.most:.0%} of the replicates or more.",
                place="abstract and section 4: training is stable at larger rates" if arm.name == "sigma" else "beside",
                scope=f"lag copy and coin; {swept}; works: the excess ends below {b.works:.0%} of that without context",
                region=Region(lower=b.most),
                margin=b.most,
                unit="share of replicates",
                also="nothing, at the same rates and seeds",
            )
            for arm in s.arms[1:]
        ),
        stated(
            "sigma_entropy",
            f"sigmaReparam keeps attention from collapsing: the least head's entropy ends higher by {b.entropy:g} ln n"
            " in the mean over rates.",
            place="abstract: it prevents entropy collapse",
            scope=f"coin; {swept}",
            region=Region(lower=b.entropy),
            margin=b.entropy,
            also="nothing, at the same rates and seeds",
        ),
        stated(
            "harm_collapsed",
            f"Where training fails, attention has collapsed: in {b.most:.0%} of the members that do not work, or more,"
            f" a head's entropy lies below {b.collapsed:g} ln n.",
            place="section 1: collapse goes with instability",
            scope=f"coin, nothing; {swept}",
            region=Region(lower=b.most),
            margin=b.most,
            also="the members that work: coin_collapsed",
        ),
        stated(
            "coin_collapsed",
            f"Of the members that work at most {b.few:.0%} have such a head, on a source where all keys count alike.",
            place="section 1: collapse goes with instability",
            scope=f"coin, nothing; {swept}",
            region=Region(upper=b.few),
            margin=b.few,
            also="the copy, where one key counts: copy_collapsed",
        ),
        stated(
            "copy_collapsed",
            f"Where one key counts collapse is no harm: {b.most:.0%} of the members that work, or more, have such a"
            " head.",
            place="our prediction: low entropy is what the source asks for",
            scope=f"lag copy, nothing; {swept}",
            region=Region(lower=b.most),
            margin=b.most,
            also="the coin, where all keys count: coin_collapsed",
        ),
        stated(
            "lead",
            "Under a rising rate the entropy collapses before the loss spikes.",
            place="figure 1 and section 1: collapse precedes the spike, as far as known",
            scope=f"coin, nothing; rate from 0 to {s.ramp_rate:g} in {s.steps} steps, looked at every"
            f" {s.steps / s.ramp_points:g}; spike: {b.rise:.0%} of no context's excess above the least so far",
            region=Region(lower=0.5 * s.steps / s.ramp_points),
            margin=0.5 * s.steps / s.ramp_points,
            unit="steps",
            also="members of which both come",
        ),
        stated(
            "near_floor",
            f"Rows lie near the floor that the norm of their own logits sets: {b.slack:g} ln n above it at most, in the"
            " mean.",
            place="theorem 3.1",
            scope=f"lag copy and coin, nothing, members that work; {swept}",
            region=Region(upper=b.slack),
            margin=b.slack,
            also="no row lies below (a check)",
        ),
        stated(
            "weights_floor",
            f"The floor that spectral norms of weights and inputs promise is worth having: {b.slack:g} ln n or more.",
            place="theorem 3.1, sigma = |W_K W_Q^T|_2 |X X^T|_2",
            scope=f"lag copy and coin, nothing, members that work; {swept}",
            region=Region(lower=b.slack),
            margin=b.slack,
            also="the floor from the logits themselves: near_floor",
        ),
    )
