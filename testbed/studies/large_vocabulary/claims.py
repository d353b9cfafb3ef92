"""The claims and the numbers that they are about, each a mean over replicates unless it is exact.

no_loss_*       excess with the filter less excess without, on the same labels and first weights: an equality
rest_small      largest distance, over tenths of the tokens by frequency, of mean ln(q / p) from the fixed point's
path_large      the same from the exact flow, at the last step
raised_small    mean ln(q / p) of tokens between c and e, filtered less not
tail_*          mean ln(q / p) of the rarest tenth, filtered less not; raised_iid the same at V e = 1/4
rest_iid        sum over tenths of trained x predicted ln(q / p) over that of predicted^2, at V e = 1/4: 0 at the
                truth, 1 at the fixed point
full_helps_*    excess of the filter in both gradients less that with the classifier's whole
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, Exact, Region
from testbed.studies.large_vocabulary.config import FORMS, PRODUCTS, Role, zipf
from testbed.studies.large_vocabulary.data import Data, Floats
from testbed.studies.large_vocabulary.measure import by_decile

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

PAPER = "2411.09009"
OWN = "this project's own claim"
STUDY = "large_vocabulary"
PREDICTED, HARMLESS, RAISED = "as derived", "the filter changes nothing", "the whole tail is raised"
"""Planted worlds."""
PLACE = "abstract: without sacrificing convergence, read as an equal excess"
HOLDS: dict[str, frozenset[str]] = {
    PREDICTED: frozenset(
        {"rest_small", "path_large", "raised_small", "raised_iid", "rest_iid", "no_loss_flat", "no_loss_tuned",
         "no_loss_never", "full_helps_iid", "full_helps_bigram"}
    ),
    HARMLESS: frozenset(
        {"no_loss_flat", "no_loss_small", "no_loss_middle", "no_loss_large", "no_loss_blocks_middle",
         "no_loss_blocks_large", "no_loss_tuned", "no_loss_never", "no_loss_quarter", "no_loss_four", "no_loss_bigram",
         "no_loss_full_iid", "no_loss_full_bigram"}
    ),
    RAISED: frozenset({"raised_small", "raised_iid", "tail_large", "tail_iid"}),
}  # fmt: skip
FLOW_OF: dict[str, Role] = {
    "rest_small": "small", "path_large": "large", "raised_small": "small", "tail_large": "large",
    "no_loss_flat": "flat", "no_loss_small": "small", "no_loss_middle": "middle", "no_loss_large": "large",
    "no_loss_blocks_middle": "middle", "no_loss_blocks_large": "large",
}  # fmt: skip
"""Whose plain descent must have come to rest for a claim."""


def claims(study: "LargeVocabulary") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, flow, network, n = study.bounds, study.flow, study.network, study.n_seeds
    equal = Region.around(0.0, b.loss)

    def size(role: Role) -> str:
        law = study.law(role)
        return f"V = {law.vocab_size}, p_k ~ k^-{law.exponent:g}, V e = {law.vocab_size * flow.threshold:g}"

    def alone(role: Role) -> str:
        return f"logits alone, {size(role)}, e = 2^{np.log2(flow.threshold):g}; {n} replicates of labels"

    def trained(source: str, product: float) -> str:
        vocab = network.iid_vocab if source == "iid" else network.bigram_vocab
        kind = "independent tokens" if source == "iid" else f"bigram source of {network.kinds} kinds of contexts"
        return (
            f"transformers of width {study.model.width}, AdamW, {kind}, V = {vocab}, V e = {product:g}; {n} replicates"
        )

    def stated(
        name: str, statement: str, scope: str, region: Region, margin: float, unit: str = "nats", own: bool = False
    ) -> Claim:
        world = next(one for one, holding in HOLDS.items() if name not in holding)
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=OWN if own else PAPER,
            place="derived beside the loss" if own else PLACE,
            reading="inferred",
            scope=scope,
            control=f"world '{world}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
            exact_truth=name == "no_loss_tuned",
        )

    blocks = f"; blocks of {flow.block_targets} targets by {flow.block_tokens} tokens"
    ratio = "ln(q / p)"
    same = "ends with the excess of plain cross-entropy"
    return (
        stated("no_loss_flat", f"Where every token is above e the filter {same}.", alone("flat"), equal, b.loss),
        stated("no_loss_small", f"Filtered descent {same}.", alone("small"), equal, b.loss),
        stated("no_loss_middle", f"Filtered descent {same}.", alone("middle"), equal, b.loss),
        stated("no_loss_large", f"Filtered descent {same}.", alone("large"), equal, b.loss),
        stated("no_loss_blocks_middle", f"Filtered by blocks it {same}.", alone("middle") + blocks, equal, b.loss),
        stated("no_loss_blocks_large", f"Filtered by blocks it {same}.", alone("large") + blocks, equal, b.loss),
        stated(
            "no_loss_tuned",
            f"From the law itself, {study.extras.tuned_steps} filtered steps of rate 1 lose nothing.",
            f"logits alone, {size('large')}, exact",
            equal,
            b.loss,
        ),
        stated(
            "rest_small",
            "Filtered descent ends at the fixed point derived for it, in every tenth of the tokens by frequency.",
            alone("small"),
            Region(upper=b.at),
            b.at,
            ratio,
            own=True,
        ),
        stated(
            "path_large",
            "With sampled labels it goes where the exact flow goes, in every tenth of the tokens by frequency.",
            alone("large"),
            Region(upper=b.at),
            b.at,
            ratio,
            own=True,
        ),
        stated(
            "raised_small",
            "Tokens between the drift c and the threshold e are over-estimated.",
            alone("small"),
            Region(lower=b.raised),
            b.raised,
            ratio,
            own=True,
        ),
        stated(
            "tail_large",
            "What is not pushed down is over-estimated, down to the rarest tenth of the tokens.",
            alone("large"),
            Region(lower=b.raised),
            b.raised,
            ratio,
            own=True,
        ),
        stated(
            "tail_iid",
            "So it is in transformers.",
            trained("iid", PRODUCTS["four"]),
            Region(lower=b.raised),
            b.raised,
            ratio,
            own=True,
        ),
        stated(
            "raised_iid",
            "Where no token can starve, the rarest tenth of the tokens is over-estimated in transformers.",
            trained("iid", PRODUCTS["quarter"]),
            Region(lower=b.raised),
            b.raised,
            ratio,
            own=True,
        ),
        stated(
            "rest_iid",
            "There filtered transformers lie, from the truth, as far towards the fixed point as it is.",
            trained("iid", PRODUCTS["quarter"]),
            Region.around(1.0, b.moved),
            b.moved,
            "share",
            own=True,
        ),
        stated("no_loss_never", f"Where no token is below e, training {same}.", trained("iid", PRODUCTS["never"]),
               equal, b.loss),
        stated("no_loss_quarter", f"Filtered training {same}.", trained("iid", PRODUCTS["quarter"]), equal, b.loss),
        stated("no_loss_four", f"Filtered training {same}.", trained("iid", PRODUCTS["four"]), equal, b.loss),
        stated("no_loss_bigram", f"Filtered training {same}.", trained("bigram", PRODUCTS["four"]), equal, b.loss),
        stated("no_loss_full_iid", f"With the classifier's gradient whole, training {same}.",
               trained("iid", PRODUCTS["full"]), equal, b.loss),
        stated("no_loss_full_bigram", f"With the classifier's gradient whole, training {same}.",
               trained("bigram", PRODUCTS["full"]), equal, b.loss),
        stated("full_helps_iid", "It loses less than the filter in both gradients.", trained("iid", PRODUCTS["full"]),
               Region(lower=b.helps), b.helps, own=True),
        stated("full_helps_bigram", "It loses less than the filter in both gradients.",
               trained("bigram", PRODUCTS["full"]), Region(lower=b.helps), b.helps, own=True),
    )  # fmt: skip


def predicted_tenths(study: "LargeVocabulary") -> Floats:
    """(10,) mean ln(q / p) by frequency of the fixed point at V e = 1/4, independent tokens of the transformers."""
    network = study.network
    p = zipf(network.iid_vocab, network.exponent)
    return by_decile(np.log(network.loss("iid", "quarter").fixed_point(p) / p))


def evidence(study: "LargeVocabulary", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    entries = FORMS.index("entries")
    rest, path = data.exact["small"]["rest_decile"], data.exact["large"]["decile"][entries]
    times, found = data.extras["tuned_time"], data.extras["tuned_excess"]
    deciles = {role: data.of_form(role, "decile", "entries") for role in ("small", "large")}
    tail = deciles["large"][:, -1] - data.of_form("large", "decile", "whole")[:, -1]
    raised = data.of_form("small", "raised", "entries") - data.of_form("small", "raised", "whole")
    four, plain = data.members["iid", "four"]["decile"], data.members["iid", "plain"]["decile"]
    quarter, aim = data.members["iid", "quarter"]["decile"], predicted_tenths(study)
    numbers = {
        "no_loss_flat": data.mean(data.lost("flat")),
        "no_loss_small": data.mean(data.lost("small")),
        "no_loss_middle": data.mean(data.lost("middle")),
        "no_loss_large": data.mean(data.lost("large")),
        "no_loss_blocks_middle": data.mean(data.lost("middle", "blocks")),
        "no_loss_blocks_large": data.mean(data.lost("large", "blocks")),
        "no_loss_tuned": Exact(float(found[times == study.extras.tuned_steps][0])),
        "rest_small": data.mean(np.abs(deciles["small"] - rest).max(axis=1)),
        "path_large": data.mean(np.abs(deciles["large"] - path).max(axis=1)),
        "raised_small": data.mean(raised),
        "tail_large": data.mean(tail),
        "tail_iid": data.mean(four[:, -1] - plain[:, -1]),
        "raised_iid": data.mean(quarter[:, -1] - plain[:, -1]),
        "rest_iid": data.mean(quarter @ aim / (aim @ aim)),
        "no_loss_never": data.mean(data.lost_in("iid", "never")),
        "no_loss_quarter": data.mean(data.lost_in("iid", "quarter")),
        "no_loss_four": data.mean(data.lost_in("iid", "four")),
        "no_loss_bigram": data.mean(data.lost_in("bigram", "four")),
        "no_loss_full_iid": data.mean(data.lost_in("iid", "full")),
        "no_loss_full_bigram": data.mean(data.lost_in("bigram", "full")),
        "full_helps_iid": data.mean(data.lost_in("iid", "four") - data.lost_in("iid", "full")),
        "full_helps_bigram": data.mean(data.lost_in("bigram", "four") - data.lost_in("bigram", "full")),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
