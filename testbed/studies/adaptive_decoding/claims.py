"""The claims: where entropy must find the large model's gain, where it must miss it, and what finds it there.

That rolling entropy tells where the small model suffices is the claim of 2502.06833, in our reading: sources, exact
gains and bounds are ours. Where it does not suffice, and what does there, are claims of this project.
"""

from typing import TYPE_CHECKING

from testbed.studies.adaptive_decoding.config import Role, Small
from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

STUDY = "adaptive_decoding"
PAPER = "2502.06833"
DERIVED, ALWAYS, NEVER = "as derived", "entropy always signals", "entropy never signals"
MORE = "a probe knows more than the last symbol"
"""The planted worlds: as the exact laws have it, a probe no better than the last symbol; entropy as good a guide on
both sources; as bad a one on both; as derived, but for probes."""
RESTS_ON: dict[str, tuple[tuple[Role, ...], tuple[Small, ...]]] = {
    **dict.fromkeys(("signal_skill", "signal_auroc", "signal_kept", "signal_paper"), (("signal",), ("window",))),
    **dict.fromkeys(("truth_entropy", "stay"), (("signal",), ("window",))),
    **dict.fromkeys(("noise_skill", "noise_auroc", "noise_kept"), (("noise",), ("window",))),
    **dict.fromkeys(("last_symbol", "probe"), (("noise",), ("window",))),
    **dict.fromkeys(("everywhere", "as_theory"), (("signal", "noise"), ("window",))),
    "narrow_signal": (("signal",), ("narrow",)),
    **dict.fromkeys(("narrow_noise", "narrow_symbol", "narrow_probe"), (("noise",), ("narrow",))),
    "written_signal": (("signal",), ("window",)),
    "written_noise": (("noise",), ("window",)),
    **dict.fromkeys(("calls_rolling", "calls_single"), (("signal", "noise"), ("window",))),
}  # fmt: skip
"""Sources and small models whose members a claim rests on, beside the large ones; `crossing` rests on none."""


def claims(study: "AdaptiveDecoding") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, d, r = study.bounds, study.design, study.reading
    pair = f"one token seen by width {study.window.model.width}, large model of width {study.large.model.width}"
    slim = f"small model of width {study.narrow.model.width} that sees all tokens"
    signal = f"easy regime of {d.signal:g} nats; {pair}; entropies averaged over {r.window} tokens"
    noise = f"easy regime of {d.noise:g} nats; {pair}; entropies averaged over {r.window} tokens"
    both = f"both sources; {pair}"
    abstract, ours = "abstract: smaller model suffices where entropy is low", "ours: exact gains and laws"
    against = "ours: against the abstract read without a condition"
    reported = "abstract: 43 % of calls keep 96.7 % of the quality"
    hidden = "ours, after the hidden-state probe of DiffAdapt"

    def stated(
        name: str,
        statement: str,
        scope: str,
        region: Region,
        margin: float,
        unit: str,
        control: str,
        place: str = abstract,
        paper: str = PAPER,
    ) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{control}'",
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
            exact_truth=name == "crossing",
        )

    return (
        stated(
            "signal_skill",
            f"Where the small model is unsure of what the large one knows, switching by its rolling entropy has a skill"
            f" of {b.skill:g} or more: area between random calls and the frontier, over the oracle's.",
            signal, Region(lower=b.skill), 1 - b.skill, "skill", NEVER,
        ),
        stated(
            "signal_auroc",
            f"There the rolling entropy tells positions of more gain than the mean from the rest: AUROC above"
            f" {b.signals:g}.",
            signal, Region(lower=b.signals), 1 - b.signals, "AUROC", NEVER,
        ),
        stated(
            "signal_kept",
            f"There {b.calls:.0%} of large calls keep {b.kept:g} of the gain or more.",
            signal, Region(lower=b.kept), 1 - b.kept, "share of the gain", NEVER, "ours: a lower bound", OWN,
        ),
        stated(
            "signal_paper",
            f"There {b.calls:.0%} of large calls keep {b.quality:g} of the gain or more: the paper's number, with"
            " its quality read as the gain.",
            signal, Region(lower=b.quality), 1 - b.quality, "share of the gain", NEVER, reported,
        ),
        stated(
            "noise_skill",
            "Where the small model is least sure of what nobody knows, switching by its rolling entropy is no better"
            " than calling at random.",
            noise, Region(upper=0.0), 0.0, "skill", ALWAYS, against, OWN,
        ),
        stated(
            "noise_auroc",
            "There the rolling entropy ranks positions of much gain below the rest: AUROC below 1/2.",
            noise, Region(upper=0.5), 0.5, "AUROC", ALWAYS, against, OWN,
        ),
        stated(
            "noise_kept",
            f"There {b.calls:.0%} of large calls keep at most {b.calls:.0%} of the gain.",
            noise, Region(upper=b.calls), b.calls, "share of the gain", ALWAYS, against, OWN,
        ),
        stated(
            "everywhere",
            "Our unconditional reading: whatever the source, switching by the rolling entropy has at least some skill"
            f" ({b.some:g}). The paper does not say so; it names no kind of uncertainty either.",
            both, Region(lower=b.some), b.some, "skill", NEVER, "our unconditional reading of the abstract",
        ),
        stated(
            "crossing",
            "Switching by entropy turns from help to harm where the small model's entropy is as high in the easy regime"
            f" as in the hard one, to {b.crossing:g} nats.",
            "exact laws, easy regimes of all entropies on the dial",
            Region.around(0.0, b.crossing), b.crossing, "nats", ALWAYS, ours, OWN,
        ),
        stated(
            "as_theory",
            f"The frontiers of trained models have the exact skill of Bayes laws, to {b.near:g}.",
            both, Region(upper=b.near), b.near, "difference in skill", ALWAYS, ours, OWN,
        ),
        stated(
            "truth_entropy",
            "What signals is the small model's entropy: that of the source's own law, on the source where the former"
            f" works, has less skill by {b.beyond:g} or more.",
            f"{signal}; built in: the source is about as unsure in both regimes, {d.signal:g} and {d.hard:g} nats",
            Region(lower=b.beyond), b.beyond, "difference in skill", ALWAYS, ours, OWN,
        ),
        stated(
            "last_symbol",
            "On the source where entropy misleads, the last symbol alone routes: a mean of ln q_L - ln q_S by symbol,"
            f" fitted without any truth, has a skill of {b.skill:g} or more.",
            noise, Region(lower=b.skill), 1 - b.skill, "skill", ALWAYS, ours, OWN,
        ),
        stated(
            "probe",
            "There a linear probe on the small model's last layer, fitted alike, is worth what the last symbol is, to"
            f" {b.alike:g} of skill.",
            f"{noise}; built in: the layer is a function of the last symbol",
            Region.around(0.0, b.alike), b.alike, "difference in skill", MORE, hidden, OWN,
        ),
        stated(
            "narrow_signal",
            f"With a small model that is narrow, not short-sighted, it is {b.narrow:g} or more where entropy signals.",
            f"easy regime of {d.signal:g} nats; {slim}", Region(lower=b.narrow), 1 - b.narrow, "skill", NEVER,
        ),
        stated(
            "narrow_noise",
            "And is no better than random where it does not.",
            f"easy regime of {d.noise:g} nats; {slim}", Region(upper=0.0), 0.0, "skill", ALWAYS, against, OWN,
        ),
        stated(
            "narrow_symbol",
            f"There the last symbol alone has a skill of {b.skill:g} or more.",
            f"easy regime of {d.noise:g} nats; {slim}", Region(lower=b.skill), 1 - b.skill, "skill", ALWAYS, ours, OWN,
        ),
        stated(
            "narrow_probe",
            f"There too a probe on its last layer, which may know of all tokens, is worth what the last symbol is, to"
            f" {b.near:g} of skill.",
            f"easy regime of {d.noise:g} nats; {slim}", Region.around(0.0, b.near), b.near, "difference in skill", MORE,
            hidden, OWN,
        ),
        stated(
            "stay",
            f"A least stay of {r.stay} tokens costs skill: {b.cost:g} or more.",
            signal, Region(lower=b.cost), b.cost, "difference in skill", ALWAYS,
            "ours: against the method's stable switching, constants our reading", OWN,
        ),
        stated(
            "written_signal",
            "Writing its own text, the switched pair is nearer to the source's law than as many random calls, where"
            f" entropy signals: by {b.advantage:g} of what calling always gains.",
            signal, Region(lower=b.advantage), b.advantage, "share of the gain", NEVER,
        ),
        stated(
            "written_noise",
            "It is no nearer where entropy is noise.",
            noise, Region(upper=0.0), 0.0, "share of the gain", ALWAYS, against, OWN,
        ),
        stated(
            "calls_rolling",
            "Writing its own text the pair calls the large model as often as on true text, to"
            f" {b.shift:g} of all tokens, on each source at each threshold.",
            f"{both}; entropies averaged over {r.window} tokens; largest of three thresholds, either side",
            Region(upper=b.shift), b.shift, "share of tokens", ALWAYS, ours, OWN,
        ),
        stated(
            "calls_single",
            "So it does where a call depends on the last token alone.",
            f"{both}; entropy of one token; largest of three thresholds, either side",
            Region(upper=b.shift), b.shift, "share of tokens", ALWAYS, ours, OWN,
        ),
    )  # fmt: skip
