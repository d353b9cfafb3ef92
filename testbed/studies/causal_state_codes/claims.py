"""The claims, with their regions, fixed before the run."""

from typing import TYPE_CHECKING

from testbed.studies.causal_state_codes.evidence import BIT, laws_bits, states_bits
from testbed.studies.causal_state_codes.sources import TITLES, complexity, n_states
from testbed.studies.causal_state_codes.statements import (
    ENTROPY,
    HASH,
    LAWS,
    OTHERWISE,
    STATES,
    STUDY,
    TOKENS,
    judged_arms,
)
from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

OF_RUNS = "share of runs"


def claims(study: "CausalStateCodes") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, reading = study.bounds, study.reading
    c, k = reading.clusters, reading.codes
    arms = judged_arms(study)
    named = ", ".join(TITLES[arm] for arm in arms)
    runs = f"{study.n_seeds} runs, {study.context_length} tokens, width {study.model.width}"
    rule = f"{c.n_rows} places, s = {c.bandwidth:g} radii, t = {c.time:g}"
    most = Region(lower=b.most)
    hidden = study.model.depth * int(study.model.mlp_ratio * study.model.width)

    def claim(
        name: str, statement: str, scope: str, region: Region = most, control: str = f"world '{OTHERWISE}'",
        paper: str = OWN, place: str = "", unit: str = OF_RUNS, margin: float = b.most,
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=f"{scope}; {runs}",
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    one_each = f"within {b.bits:g} bits, and at most {b.bits:g} bits of the rows of each"
    factored = "last stream; Mess3 x golden mean, tokens are pairs"
    return (
        *(
            claim(
                f"states_{arm}",
                f"On {TITLES[arm]}, which has states of one law, clusters are causal states: in most runs DSE is log2"
                f" {n_states(arm)}, {one_each}.",
                f"last stream, {rule}",
                control=f"world '{LAWS}'; world '{TOKENS}'; world '{OTHERWISE}'",
            )
            for arm in arms
            if states_bits(arm) != laws_bits(arm)
        ),
        claim(
            "laws",
            "Clusters are laws of the next token, the same for states that differ later alone: in most runs DSE is log2"
            f" of their number, {one_each}.",
            f"last stream, {rule}; worst of {named}",
            control=f"world '{STATES}'; world '{TOKENS}'; world '{OTHERWISE}'",
        ),
        claim(
            "laws_read",
            "They are so in what the read-out is given, behind the final norm.",
            f"normalised stream, {rule}; worst of {named}",
            control=f"world '{STATES}'; world '{OTHERWISE}'",
        ),
        claim(
            "laws_and_tokens",
            "Clusters are pairs of a law and the last token, whose embedding stays in the stream: in most runs DSE is"
            f" log2 of their number, {one_each}.",
            f"last stream, {rule}; worst of {named}",
            control=f"world '{STATES}'; world '{LAWS}'; world '{OTHERWISE}'",
        ),
        claim(
            "approach",
            f"Training brings clusters nearer to laws: in most runs by {b.approach:g} bits at least than the"
            " untrained stream is and than a single cluster is. Far is the larger of two: DSE from log2 of the"
            " number of laws, DSE of the rows of one law from 0.",
            f"last stream, {rule}; worst of {named}",
            control=f"world '{STATES}'; world '{TOKENS}'; world '{OTHERWISE}'",
        ),
        claim(
            "complexity",
            f"On {TITLES['triple']} DSE is C_mu = {complexity('triple') / BIT:.3f} bits in most runs, within"
            f" {b.bits:g}.",
            f"last stream, {rule}",
            control=f"world '{STATES}'; world '{LAWS}'",
        ),
        claim(
            "noise_diffusion",
            f"DSE is robust to noise: in most runs of {b.told:g} bits or more it moves by at most {b.bits:g} bits for"
            " normal noise of any length from a tenth of s to s.",
            f"last stream, {rule}; worst of {named}; of noise below s the kernel makes it so",
            paper=ENTROPY,
            place="robustness to noise",
        ),
        claim(
            "codes_untrained",
            f"Training makes codes of the state: in most runs nearest codes tell it more often by {b.gain:g} at least"
            " than untrained ones.",
            f"even process, all {hidden} hidden units, {k.n_neighbours} neighbours, other histories",
            paper=HASH,
            place="categorisation, of causal states",
        ),
        claim(
            "codes_few",
            f"Few units suffice: codes of {k.few} units drawn at random come within {b.regret:g} of the Bayes accuracy"
            " in most runs.",
            f"even process; mean of {k.n_draws} draws of units of the trained network",
            paper=HASH,
            place="regimes of the number of units",
        ),
        claim(
            "codes_one",
            f"One does not: its codes fall short by more than {b.regret:g} in most runs.",
            f"even process; mean of {k.n_draws} draws",
            paper=HASH,
            place="regimes of the number of units",
        ),
        claim(
            "codes_law",
            "Codes hold states, not laws alone: of two states with one law they tell which. In most runs they are"
            f" better by {b.gain:g} at least than votes by the network's own law of the next token, and than untrained"
            " codes.",
            f"{TITLES['triple']}, {k.n_neighbours} neighbours, other histories; probabilities by twentieths",
        ),
        claim(
            "determinism",
            f"Hardly two histories share a code: in most runs at most {b.redundancy:.0%} of them could be left out.",
            f"even process, {hidden} hidden units; 1 - distinct codes / distinct histories",
            paper=HASH,
            place="determinism",
        ),
        claim(
            "modular",
            f"The stream's own axes are modular about the factors of a product: InfoM at least {b.modular:g}.",
            factored,
            Region(lower=b.modular),
            unit="InfoM",
            margin=1 - b.modular,
        ),
        claim(
            "orthogonal",
            "The factors lie in orthogonal directions: cos² between the means of the second's states and the plane of"
            f" the first's is at most {b.overlap:g} of that of random directions, {2 / study.model.width:.3f}.",
            factored,
            Region(upper=b.overlap),
            unit="share of chance",
            margin=b.overlap,
        ),
        claim(
            "explicit",
            f"A linear probe reads Mess3's factor better by {b.explicit_gain:g} at least off the stream than off the"
            " window's tokens.",
            f"{factored}; InfoE of the likeliest state, held out by histories",
            Region(lower=b.explicit_gain),
            unit="InfoE",
            margin=b.explicit_gain,
        ),
        claim(
            "explicit_gain",
            f"It reads it better by {b.trained_gain:g} at least than off the untrained stream.",
            f"{factored}; InfoE of the likeliest state, held out by histories",
            Region(lower=b.trained_gain),
            unit="InfoE",
            margin=b.trained_gain,
        ),
    )
