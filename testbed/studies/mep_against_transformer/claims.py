"""The claims: what is said of a short model carried on, where it comes from, and where its number must lie.

The paper was at hand as its abstract alone, so that every reading is inferred. The numbers stand in `evidence.py`.
"""

import math
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

PAPER = "2408.10277"
STUDY = "mep_against_transformer"
OURS = "our derivation"
DERIVED, ANY_SET, WORSE = "as derived", "any set does", "worse everywhere"
"""The planted worlds."""
TOKEN, WHOLE = "nats per new token", "nats of 2T tokens"


def claims(study: "MepAgainstTransformer") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, t, budget, few = study.bounds, study.context_length, study.budget, study.few
    suffices = ", ".join(one.name for one in study.of_role("window suffices"))
    cannot = ", ".join(one.name for one in study.of_role("window cannot"))
    pairwise = ", ".join(one.name for one in study.of_role("window cannot") if one.pairwise)
    shape = f"T = {t}, {study.model.depth} blocks of width {study.model.width}, {budget.steps} steps"
    scope = f"{shape}, the same number of tokens at T and at 2T, {study.replicates} seeds"
    few_scope = f"chains of order 2, V = 2, T = {few.context_length}, N = {few.sizes[0]} .. {few.sizes[-1]} windows"

    def stated(
        name: str,
        statement: str,
        region: Region,
        *,
        place: str,
        scope: str,
        control: str,
        margin: float,
        unit: str = TOKEN,
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"{control}; planted worlds differ in it",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    ten, seventeen = "abstract (C10)", "tables of one trained model (C17)"
    tie, win = Region(upper=b.gain), Region(lower=b.gain)
    return (
        stated(
            "c10_any",
            "A model of T tokens, carried to 2T by its own tables, is as good there as one trained at 2T with the same"
            f" number of tokens, to {b.gain:g} nats, on any source.",
            tie,
            place=ten,
            scope=f"{scope}; sliding window, the best of its sets; the worst of {suffices}, {cannot}",
            control="sources on which T - 1 tokens say all: c10_ties",
            margin=b.gain,
        ),
        stated(
            "c10_ties",
            f"It is where the last T - 1 tokens say all that the past says, to {b.gain:g} nats.",
            tie,
            place=f"{OURS} (C10)",
            scope=f"{scope}; {suffices}",
            control="sources on which they don't: c10_cannot",
            margin=b.gain,
        ),
        stated(
            "c10_cannot",
            f"Where they don't, the model trained at 2T is better by {b.gain:g} nats.",
            win,
            place=f"{OURS} (C10)",
            scope=f"{scope}; the least of {cannot}",
            control="sources on which T - 1 tokens say all: c10_ties",
            margin=b.gain,
        ),
        stated(
            "c10_window",
            f"What the carried model loses there is what the exact tables of T tokens lose, to {b.gain:g} nats: its"
            " reach is at fault, not its training.",
            tie,
            place=f"{OURS} (C10 and the theorem of R1)",
            scope=f"{scope}; largest |difference| of {cannot}",
            control="models stopped early are off by their training",
            margin=b.gain,
        ),
        stated(
            "c10_skip",
            "Pairs counted beyond T tokens, in the tokens that the model of 2T sees, give back"
            f" {b.gain:g} nats or more where the law is one of pairs.",
            win,
            place="abstract, scheme 2 (non-contiguous tokens)",
            scope=f"{scope}; {pairwise}",
            control="laws that are none of pairs: c10_pairs",
            margin=b.gain,
        ),
        stated(
            "c10_pairs",
            f"GMEP from such counts is as good as the model trained at 2T, to {b.gain:g} nats, on any source.",
            tie,
            place="abstract, scheme 2 (C10)",
            scope=f"{scope}; the worst of {suffices}, {cannot}",
            control="a law of pairs: c10_skip",
            margin=b.gain,
        ),
        stated(
            "c10_back_off",
            f"Smoothed back-off over all tokens before, counted in the same tokens, is as good too, to"
            f" {b.gain:g} nats.",
            tie,
            place=f"{OURS} (required baseline)",
            scope=f"{scope}; counts pooled over places; the worst of {suffices}, {cannot}",
            control="all pairs, which are not: c10_pairs",
            margin=b.gain,
        ),
        stated(
            "model_window",
            f"From a trained model's tables, too, no set within T tokens beats its sliding window by {b.own:g} nats.",
            Region(upper=b.own),
            place=f"{OURS} (C2, third regime)",
            scope=f"{scope}; windows of every overlap, pairs at lags below T, the baselines; largest gain"
            f" over all sources",
            control="tables of few tokens: mep_extension.counts_smaller",
            margin=b.own,
        ),
        stated(
            "c17_harmless",
            "Disagreement among a finished model's tables is harmless: which policy meets it makes no difference of"
            f" {b.harmless:g} nats.",
            Region(upper=b.harmless),
            place=seventeen,
            scope=f"{shape}; windows that overlap by T / 2; mean |KL less that of the autoregressive policy| for"
            " backward, reconciled, proportional fitting; worst policy and source",
            control="models stopped early: c17_early",
            margin=b.harmless,
            unit=WHOLE,
        ),
        stated(
            "c17_early",
            f"The same of models stopped after {budget.early[0]} steps.",
            Region(upper=b.harmless),
            place=seventeen,
            scope="the same policies and sources",
            control="finished models: c17_harmless",
            margin=b.harmless,
            unit=WHOLE,
        ),
        stated(
            "c17_safe",
            "The autoregressive policy is safe: none of the others is better by"
            f" {b.harmless:g} nats on average, however long the model was trained.",
            Region(upper=b.harmless),
            place=f"{OURS} (C17)",
            scope=f"after {', '.join(map(str, (*budget.early, budget.steps)))} steps; worst source",
            control="a policy that gains as much as the others differ (c17_early)",
            margin=b.harmless,
            unit=WHOLE,
        ),
        stated(
            "c17_order",
            "What proportional fitting makes of a finished model's tables does not depend on their order, to"
            f" {b.order:g} of total variation.",
            Region(upper=b.order),
            place=seventeen,
            scope=f"{shape}; two windows that overlap by T / 2; worst source",
            control="tables of one law, of which the order changes nothing; with two windows the number is delta",
            margin=b.order,
            unit="total variation",
        ),
        stated(
            "few_crossing",
            "Bias against r / 2N predicts from which N on a model's sliding window beats its neighbour-pair"
            " chain, within"
            f" a factor of {b.crossing:g}: a model that saw N windows errs like their counts.",
            Region(upper=math.log(b.crossing)),
            place=f"{OURS} (third regime)",
            scope=f"{few_scope}, {few.steps} steps; |mean log ratio|",
            control="counts of the same windows: few_counts",
            margin=math.log(b.crossing),
            unit="ln N",
        ),
        stated(
            "few_counts",
            f"It does for counts, within a factor of {b.crossing:g}.",
            Region(upper=math.log(b.crossing)),
            place=f"{OURS} (second regime)",
            scope=f"{few_scope}, the same chains; |mean log ratio|",
            control="a model's tables: few_crossing",
            margin=math.log(b.crossing),
            unit="ln N",
        ),
    )
