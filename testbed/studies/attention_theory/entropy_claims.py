"""Claims on the entropy of attention (C1) and what theory puts beside it."""

from typing import TYPE_CHECKING

from testbed.studies.attention_theory.claims import CLAIMED, PREDICTED, gaussian_scope, sphere_scope, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

PER_LENGTH = "nats per ln n"


def entropy_claims(study: "AttentionTheory") -> tuple[Claim, ...]:
    """C1, P1, P2, the two rivals, CosScale with InfoScale (section 3.5), P9, P11."""
    b, gaussian, sphere = study.bounds, gaussian_scope(study), sphere_scope(study)
    most, many = study.gaussian_heads.lengths[-1], study.random_keys.lengths[-1]
    warm = f"{gaussian}; heads of sigma <= {b.entropy_above_one_to:g}"
    small = study.random_keys_small
    return (
        stated(
            study,
            "c1_entropy",
            "InfoScale keeps the entropy of attention constant as n grows past m: in no head does it change by more"
            f" than {b.slope:g} nats per ln n.",
            place="abstract (C1)",
            scope=f"{warm}, whose entropy at m is above 1 nat",
            control=f"world '{PREDICTED}', and the unscaled softmax of this run; the factor solved for each head must"
            " pass",
            region=Region(upper=b.slope),
            margin=b.slope,
            unit=PER_LENGTH,
        ),
        stated(
            study,
            "c1_frozen",
            f"In frozen heads InfoScale does keep the entropy within {b.slope:g} nats per ln n.",
            place="abstract (C1), where our prediction P2 lets it hold",
            scope=f"{gaussian}; heads of sigma >= {b.frozen_from:g}",
            control=f"world '{CLAIMED}', in which frozen heads are the ones that move",
            region=Region(upper=b.slope),
            margin=b.slope,
            unit=PER_LENGTH,
        ),
        stated(
            study,
            "p1_ratio",
            f"Under InfoScale H / ln n stays (within {b.flat:.0%} at n = {most}), and H does not, in every annealed"
            " head.",
            place="our prediction P1",
            scope=f"{gaussian}; heads of sigma < {b.annealed_to:g}",
            control=f"world '{CLAIMED}', in which H stays",
            unit="nats",
        ),
        stated(
            study,
            "p2_flat",
            f"Under InfoScale H at n = {most} is within {b.flat:.0%} of H at m in frozen heads, and in no other.",
            place="our prediction P2",
            scope=f"{gaussian}; frozen: sigma >= {b.frozen_from:g}, the others: sigma <= {b.diffuse_to:g}",
            control=f"world '{CLAIMED}', in which every other head is flat",
            unit="nats",
        ),
        stated(
            study,
            "headwise",
            "The factor lambda* = sqrt(1 + 2 ln(n/m) / sigma^2) of a head's own sigma leaves, in its worst head, less"
            f" slope of the entropy than InfoScale and log n leave at sigma = {study.gaussian_heads.stds[0]:g}.",
            place="our prediction on the head-wise factor",
            scope=warm,
            control=f"world '{CLAIMED}', in which InfoScale is flat already",
            unit=PER_LENGTH,
        ),
        stated(
            study,
            "log_n_nearer",
            f"At n = {most} the entropy under ln n / ln m is nearer to that at m than under InfoScale, in every head.",
            place="our prediction",
            scope=warm,
            control=f"world '{CLAIMED}', in which InfoScale is exact",
            unit="nats",
        ),
        stated(
            study,
            "combined",
            f"On CosScale with random keys InfoScale holds H within {b.combined:.0%} of its value at m for alpha >="
            f" {b.combined_from:g}, and for alpha <= {b.follows_to:g} it does not.",
            place="our prediction",
            scope=sphere,
            control=f"world '{CLAIMED}', in which every alpha is flat",
            unit="nats",
        ),
        stated(
            study,
            "p9_sharp",
            f"At alpha = {b.large_alpha:g} the entropy over random keys is below 1 nat at every n, and InfoScale"
            f" changes a row by less (KL at n = {many}) than at alpha = {b.follows_to:g}.",
            place="our prediction P9",
            scope=sphere,
            control=f"world '{CLAIMED}', in which these rows are diffuse",
            unit="nats",
        ),
        stated(
            study,
            "p11_small_heads",
            f"In small heads InfoScale and its sphere-exact form part: at n = {small[0].lengths[-1]} by"
            f" {b.small_head:g} nats of entropy at least.",
            place="our prediction P11",
            scope=f"keys uniform on the sphere, d = {' and '.join(str(one.head_dim) for one in small)}, alpha ="
            f" alpha_c({small[0].train_length}), the scale at which random keys freeze at m",
            control=f"world '{CLAIMED}', in which both are flat",
            region=Region(lower=b.small_head),
            margin=b.small_head,
            unit="nats",
        ),
    )
