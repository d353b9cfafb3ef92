"""Claims on bias: NSB, Miller and Madow's term, and tokens without structure."""

from typing import TYPE_CHECKING

from testbed.studies.estimator_court.stated import MILLER, NSB, TOKENS, labels_of, lengths_of, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt


def bias_claims(study: "EstimatorCourt") -> list[Claim]:
    b = study.bounds
    few = "orders whose grams leave 5 % to 90 % unseen"
    near, power = labels_of(study, "near_uniform"), labels_of(study, "power_law")
    roles = {
        role: ", ".join(one.label for one in study.corrections if one.role == role)
        for role in ("independent", "dependent")
    }
    ratio = "bias / |bias of plug-in|, largest"
    unit = "of the first-order bias, largest"
    return [
        stated(
            study,
            "nsb_near_uniform",
            f"On near-uniform laws with too few samples, NSB's bias of h_k is at most {b.nsb:g} of plug-in's, at every"
            " order.",
            NSB,
            f"{near}; {few}; {lengths_of(study)}",
            Region(upper=b.nsb),
            b.nsb,
            ratio,
            "power-law laws of this run must fail",
        ),
        stated(
            study,
            "nsb_power_law",
            f"The same on power-law laws: at most {b.nsb:g} of plug-in's.",
            NSB,
            f"{power}; {few}; {lengths_of(study)}",
            Region(upper=b.nsb),
            b.nsb,
            ratio,
            "near-uniform laws of this run must pass",
        ),
        stated(
            study,
            "nsb_still_better",
            f"On power-law laws NSB is better than plug-in all the same: at most {b.beats:g} of its bias, at every"
            " order.",
            NSB,
            f"{power}; {few}; {lengths_of(study)}",
            Region(upper=b.beats),
            1 - b.beats,
            ratio,
        ),
        stated(
            study,
            "correction",
            f"Where every gram is met often and k tokens are all the memory, Miller and Madow's term leaves at most"
            f" {b.correction:g} of the first-order bias (S_(k+1) - S_k) / 2N.",
            MILLER,
            f"{roles['independent']}; grams that all occur at least 5 times on average",
            Region(upper=b.correction),
            b.correction,
            unit,
            "the dependent chain of this run must fail",
        ),
        stated(
            study,
            "correction_dependent",
            f"It does so whatever the dependence: at most {b.correction:g} is left below the order of the chain too.",
            MILLER,
            f"{roles['dependent']}, h_0",
            Region(upper=b.correction),
            b.correction,
            unit,
            "the independent arms of this run must pass",
        ),
        stated(
            study,
            "dependence_factor",
            "Below the order plug-in's bias is the first-order one times the sum of long-run variances of frequencies"
            f" over p_x, divided by V - 1: within {b.correction:g} of it.",
            MILLER,
            f"{roles['dependent']}, h_0; derived here, (1 + l) / (1 - l) for two states of eigenvalue l",
            Region.around(1.0, b.correction),
            b.correction,
            "measured / predicted",
        ),
        stated(
            study,
            "tokens_fall",
            f"Plug-in h_k of tokens falls by {b.falls:.0%} of h_0 or more where there is no structure at all, so that a"
            " fall is no sign of any.",
            TOKENS,
            f"fair coin in blocks: {study.sources_of_tokens.label}; each of {lengths_of(study)}; h_0 to"
            f" h_{study.sources_of_tokens.max_order}",
            Region(lower=b.falls),
            b.falls,
            "share of h_0, least",
            "the truth does not fall",
            "higher-order conditional entropies (abstract)",
        ),
        stated(
            study,
            "tokens_corrected",
            f"Corrected estimators see that: NSB and Chao, Wang & Jost fall by at most {b.falls_not:.0%} there, at"
            " every length.",
            TOKENS,
            "as above",
            Region(upper=b.falls_not),
            b.falls_not,
            "share of h_0, largest",
            "",
            "higher-order conditional entropies (abstract)",
        ),
    ]
