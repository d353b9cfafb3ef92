"""The claims and the numbers that they are about, each a mean over replicates.

no_loss_*       excess with the filter less excess without, on the same labels and first weights: an equality
rest_small      largest distance, over tenths of the tokens by frequency, of mean ln(q / p) from the fixed point's
path_large      the same from the exact flow, at the last step
raised_small    mean ln(q / p) of tokens between c and e, filtered less not
tail_*          mean ln(q / p) of the rarest tenth, filtered less not; raised_iid the same at V e = 1/4
rest_iid        sum over tenths k of sign(a_k) x_k over that of |a_k|, at V e = 1/4: x filtered less not, a the fixed
                point's ln(q / p). 0 if the filter moves nothing, 1 at the fixed point; least squares of x on a with
                weights 1 / |a_k|, since without them the rarest tenth has over half of the say
full_helps_*    excess of the filter in both gradients less that with the classifier's whole

All are values after the steps that the scope names, at the best rate of each loss; none is a limit.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.sources.iid import zipf_law
from testbed.studies.judge import OWN, Claim, Evidence, Region
from testbed.studies.large_vocabulary.config import FORMS, PRODUCTS, Arm, Role, SourceName
from testbed.studies.large_vocabulary.data import Data, Floats
from testbed.studies.large_vocabulary.measure import by_decile

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

PAPER = "2411.09009"
STUDY = "large_vocabulary"
PREDICTED, HARMLESS, RAISED = "at the fixed point", "the filter changes nothing", "the whole tail is raised"
"""Planted worlds."""
EQUAL = "abstract: without sacrificing training speed or convergence, read as an equal excess after equal steps"
DERIVED = "derived beside the loss"
CARRIED = "the fixed point derived beside the loss is of logits alone; that transformers go there is our guess"
CARD = "the survey's prediction, not the paper's; beside the loss the opposite is derived for the rarest tokens"
FULL = "the release has full_c for pre-training; how much it saves is derived nowhere"
HOLDS: dict[str, frozenset[str]] = {
    PREDICTED: frozenset(
        {"rest_small", "path_large", "raised_small", "raised_iid", "rest_iid", "full_helps_iid", "full_helps_bigram"}
    ),
    HARMLESS: frozenset(
        {"no_loss_small", "no_loss_middle", "no_loss_large", "no_loss_blocks_middle", "no_loss_blocks_large",
         "no_loss_quarter", "no_loss_four", "no_loss_bigram", "no_loss_full_iid", "no_loss_full_bigram"}
    ),
    RAISED: frozenset({"raised_small", "raised_iid", "tail_large", "tail_iid"}),
}  # fmt: skip
FLOW_OF: dict[str, Role] = {
    "rest_small": "small", "path_large": "large", "raised_small": "small", "tail_large": "large",
    "no_loss_small": "small", "no_loss_middle": "middle", "no_loss_large": "large",
    "no_loss_blocks_middle": "middle", "no_loss_blocks_large": "large",
}  # fmt: skip
"""Whose plain descent must have come to rest for a claim."""
COMPARED: dict[str, tuple[SourceName, tuple[Arm, ...]]] = {
    "tail_iid": ("iid", ("plain", "four")),
    "raised_iid": ("iid", ("plain", "quarter")),
    "rest_iid": ("iid", ("plain", "quarter")),
    "no_loss_quarter": ("iid", ("plain", "quarter")),
    "no_loss_four": ("iid", ("plain", "four")),
    "no_loss_bigram": ("bigram", ("plain", "four")),
    "no_loss_full_iid": ("iid", ("plain", "full")),
    "no_loss_full_bigram": ("bigram", ("plain", "full")),
    "full_helps_iid": ("iid", ("plain", "four", "full")),
    "full_helps_bigram": ("bigram", ("plain", "four", "full")),
}
"""Transformers that a claim compares; all of them must have come to rest, by one rule."""


def claims(study: "LargeVocabulary") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, flow, network, n = study.bounds, study.flow, study.network, study.n_seeds

    def alone(role: Role, blocks: bool = False) -> str:
        law, here = study.law(role), study.flow_of(role)
        form = f"blocks of {flow.block_targets} targets by {flow.block_tokens} tokens" if blocks else "entry by entry"
        return (
            f"logits alone, V = {law.vocab_size}, p_k ~ k^-{law.exponent:g}, V e = {law.vocab_size * e:g}, e ="
            f" 2^{np.log2(e):g}, filtered {form}; {here.steps} steps, rate {here.rate:g} falling as half a cosine;"
            f" {n} replicates of labels"
        )

    def trained(name: str) -> str:
        source, arms = COMPARED[name]
        vocab = network.vocab_size(source)
        kind = "independent tokens" if source == "iid" else f"bigram source of {network.kinds} kinds of contexts"
        return (
            f"transformers of width {study.model.width}, AdamW, no gradient clipped, {network.steps} steps, each"
            f" loss at the best of {len(study.tuning.learning_rates)} rates; {kind}, V = {vocab}, V e ="
            f" {PRODUCTS[arms[-1]]:g}; {n} replicates"
        )

    def stated(name: str, statement: str, scope: str, region: Region, margin: float, place: str, unit: str) -> Claim:
        world = next(one for one, holding in HOLDS.items() if name not in holding)
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER if place == EQUAL else OWN,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{world}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    def equal(name: str, filtered: str) -> Claim:
        after = f"after {study.flow_of(FLOW_OF[name]).steps if name in FLOW_OF else network.steps} steps"
        scope = alone(FLOW_OF[name], "blocks" in name) if name in FLOW_OF else trained(name)
        statement = f"{filtered} has, {after}, the excess of the same without the filter."
        if name in COMPARED:
            statement = statement.removesuffix(".") + ", each at its best rate."
        return stated(name, statement, scope, Region.around(0.0, b.loss), b.loss, EQUAL, "nats")

    def placed(name: str, statement: str, region: Region, margin: float, place: str, unit: str = "ln(q / p)") -> Claim:
        scope = alone(FLOW_OF[name]) if name in FLOW_OF else trained(name)
        return stated(name, statement, scope, region, margin, place, unit)

    e, near, up = flow.threshold, Region(upper=b.at), Region(lower=b.raised)
    small, middle, large = study.small.vocab_size, study.middle.vocab_size, study.large.vocab_size
    steps = {role: study.flow_of(role).steps for role in ("small", "large")}
    best = f"after {network.steps} steps, each at its best rate"
    return (
        equal("no_loss_small", f"Descent of {small} logits, filtered entry by entry,"),
        equal("no_loss_middle", f"Descent of {middle} logits, filtered entry by entry,"),
        equal("no_loss_large", f"Descent of {large} logits, filtered entry by entry,"),
        equal("no_loss_blocks_middle", f"Descent of {middle} logits, filtered by blocks,"),
        equal("no_loss_blocks_large", f"Descent of {large} logits, filtered by blocks,"),
        placed("rest_small", f"Filtered descent of {small} logits is, after {steps['small']} steps, at the fixed point"
               " derived for it, in every tenth of the tokens by frequency.", near, b.at, DERIVED),
        placed("path_large", f"Filtered descent of {large} logits on sampled labels is, after {steps['large']} steps,"
               " where the exact flow is, in every tenth of the tokens by frequency.", near, b.at, DERIVED),
        placed("raised_small", f"Filtered descent of {small} logits over-estimates, after {steps['small']} steps, the"
               " tokens between the drift c and the threshold e.", up, b.raised, DERIVED),
        placed("tail_large", f"Filtered descent of {large} logits over-estimates, after {steps['large']} steps, the"
               " rarest tenth of the tokens.", up, b.raised, CARD),
        placed("tail_iid", f"Filtered transformers on independent tokens at V e = {PRODUCTS['four']:g} over-estimate"
               f" the rarest tenth of the tokens more than unfiltered ones, {best}.", up, b.raised, CARD),
        placed("raised_iid", f"Filtered transformers on independent tokens at V e = {PRODUCTS['quarter']:g}, where none"
               f" should starve, over-estimate the rarest tenth more than unfiltered ones, {best}.", up, b.raised,
               CARRIED),
        placed("rest_iid", f"The filter at V e = {PRODUCTS['quarter']:g} moves the law of transformers on independent"
               f" tokens by the whole way to the fixed point of logits, {best}.", Region.around(1.0, b.moved), b.moved,
               CARRIED, "share"),
        equal("no_loss_quarter", "Filtered training of transformers on independent tokens at V e = 1/4"),
        equal("no_loss_four", "Filtered training of transformers on independent tokens at V e = 4"),
        equal("no_loss_bigram", "Filtered training of transformers on bigrams at V e = 4"),
        equal("no_loss_full_iid", "Training of transformers on independent tokens at V e = 4, filtered but for the"
              " classifier's gradient,"),
        equal("no_loss_full_bigram", "Training of transformers on bigrams at V e = 4, filtered but for the classifier's"
              " gradient,"),
        placed("full_helps_iid", "On independent tokens at V e = 4 transformers whose classifier's gradient is whole"
               f" have less excess than those with both gradients filtered, {best}.", Region(lower=b.helps), b.helps,
               FULL, "nats"),
        placed("full_helps_bigram", "On bigrams at V e = 4 transformers whose classifier's gradient is whole have less"
               f" excess than those with both gradients filtered, {best}.", Region(lower=b.helps), b.helps, FULL,
               "nats"),
    )  # fmt: skip


def predicted_tenths(study: "LargeVocabulary") -> Floats:
    """(10,) mean ln(q / p) by frequency of the fixed point at V e = 1/4, independent tokens of the transformers."""
    network = study.network
    p = zipf_law(network.exponent, network.iid_vocab)
    return by_decile(np.log(network.loss("iid", "quarter").fixed_point(p) / p))


def moved(shift: Floats, aim: Floats) -> Floats:
    """(R,) share of the way `aim` (10,) that shifts (R, 10) have gone; no tenth has more say than its part of |aim|."""
    return np.asarray(shift @ np.sign(aim) / np.abs(aim).sum())


def evidence(study: "LargeVocabulary", data: Data) -> dict[str, Evidence]:
    """By id of the claim."""
    entries = FORMS.index("entries")
    rest, path = data.exact["small"]["rest_decile"], data.exact["large"]["decile"][entries]
    deciles = {role: data.of_form(role, "decile", "entries") for role in ("small", "large")}
    tail = deciles["large"][:, -1] - data.of_form("large", "decile", "whole")[:, -1]
    raised = data.of_form("small", "raised", "entries") - data.of_form("small", "raised", "whole")
    plain = data.members["iid", "plain"]["decile"]
    four, quarter = data.members["iid", "four"]["decile"] - plain, data.members["iid", "quarter"]["decile"] - plain
    numbers = {
        "no_loss_small": data.mean(data.lost("small")),
        "no_loss_middle": data.mean(data.lost("middle")),
        "no_loss_large": data.mean(data.lost("large")),
        "no_loss_blocks_middle": data.mean(data.lost("middle", "blocks")),
        "no_loss_blocks_large": data.mean(data.lost("large", "blocks")),
        "rest_small": data.mean(np.abs(deciles["small"] - rest).max(axis=1)),
        "path_large": data.mean(np.abs(deciles["large"] - path).max(axis=1)),
        "raised_small": data.mean(raised),
        "tail_large": data.mean(tail),
        "tail_iid": data.mean(four[:, -1]),
        "raised_iid": data.mean(quarter[:, -1]),
        "rest_iid": data.mean(moved(quarter, predicted_tenths(study))),
        "no_loss_quarter": data.mean(data.lost_in("iid", "quarter")),
        "no_loss_four": data.mean(data.lost_in("iid", "four")),
        "no_loss_bigram": data.mean(data.lost_in("bigram", "four")),
        "no_loss_full_iid": data.mean(data.lost_in("iid", "full")),
        "no_loss_full_bigram": data.mean(data.lost_in("bigram", "full")),
        "full_helps_iid": data.mean(data.lost_in("iid", "four") - data.lost_in("iid", "full")),
        "full_helps_bigram": data.mean(data.lost_in("bigram", "four") - data.lost_in("bigram", "full")),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
