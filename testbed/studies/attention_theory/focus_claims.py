"""Claims on where attention's mass lies: the original tokens (C2), a key above its distractors, a key in noise."""

from typing import TYPE_CHECKING

from testbed.studies.attention_theory.claims import CLAIMED, PREDICTED, gaussian_scope, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory


def focus_claims(study: "AttentionTheory") -> tuple[Claim, ...]:
    """C2, P3, P4."""
    b, heads, settings, closed = study.bounds, study.gaussian_heads, study.single_key, study.closed_forms
    key = (
        f"one key with evidence N({settings.shift:g}, {settings.noise**2:g}) among N(0, {settings.noise**2:g}), Bayes'"
        f" temperature at m = {settings.train_length}, n to {settings.lengths[-1]}, d = {settings.head_dim}"
    )
    gaps = " and ".join(f"{gap:g}" for gap in closed.gaps)
    return (
        stated(
            study,
            "c2_focus",
            "InfoScale keeps focus on the m original tokens when others are appended: at n ="
            f" {heads.lengths[-1]} at least {b.focus:.0%} of the attention, in every head.",
            place="abstract (C2)",
            scope=f"{gaussian_scope(study)}; appended keys of the same law as the originals",
            control=f"world '{PREDICTED}'; appended keys that lie {heads.filler_gap:g} nats lower must pass",
            region=Region(lower=b.focus),
            margin=b.focus,
        ),
        stated(
            study,
            "p3_gap",
            "One key at a fixed gap above equal distractors loses mass with n under InfoScale (by more than"
            f" {b.mass:g} at each step), and none under log n or YaRN's temperature (by less than that).",
            place="our prediction P3, for the mass",
            scope=f"gaps of {gaps} nats at m = {closed.train_length}, n to {closed.gap_lengths[-1]}, d ="
            f" {closed.head_dim}; mass is not information: what is copied can survive a loss of mass",
            control=f"world '{CLAIMED}', in which InfoScale's mass stays",
            margin=b.mass,
        ),
        stated(
            study,
            "p4_loss",
            "The sharper the law, the worse calibrated: at every n > m the mean KL from the exact posterior is above"
            f" zero under InfoScale and larger yet under log n, each time by {b.divergence:g} nats.",
            place="our prediction P4",
            scope=key,
            control=f"world '{CLAIMED}', in which sharpening costs nothing",
            region=Region(lower=b.divergence),
            margin=b.divergence,
            unit="nats",
        ),
        stated(
            study,
            "p4_mass",
            f"The same sharpening raises the mean mass on the true key at n = {settings.lengths[-1]}: unscaled <"
            f" InfoScale < log n, each time by {b.mass:g}.",
            place="our prediction",
            scope=key,
            control=f"world '{CLAIMED}', in which sharpening costs mass",
            region=Region(lower=b.mass),
            margin=b.mass,
        ),
    )
