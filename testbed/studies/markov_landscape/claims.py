"""The claims: which runs are caught at the unigram point, and which are not."""

from typing import TYPE_CHECKING

from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

STUDY = "markov_landscape"
PAPER, LATER = "2402.04161", "2406.03072"
LANDSCAPE, REVERSED, NOTHING = "caught above the line", "caught below the line", "learns nothing"
"""The planted worlds: the landscape that is claimed, its opposite, and networks that know how often symbols come."""
PAIRED = ("depth_helps", "wide", "fast")
"""Claims on pairs: where nothing is learnt no pair differs, and nothing is decided."""


def claims(study: "MarkovLandscape") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, recipe = study.bounds, study.recipe
    chains = f"binary chains, p and q of {', '.join(f'{one:g}' for one in study.grid.values)}"
    runs = f"{chains}; {study.n_seeds} runs each; {recipe.steps} steps, windows of {recipe.context_length} tokens"
    p, q = study.grid.spot
    spot = f"p = {p:g}, q = {q:g}; {study.n_spot} runs"
    mirrored = f"{spot}, and {study.n_mirror} at p = {study.grid.mirror[0]:g}, q = {study.grid.mirror[1]:g}"
    bare = "without norms, as in the theorem"
    coded = "with layer norm, as in the paper's code"
    theorem, trained, deeper = "theorem on bad local minima", "experiments on one layer", "experiments on depth"
    most, rare, told = Region(lower=b.most), Region(upper=b.rare), Region(lower=b.told)
    caught = (
        f"are at the unigrams at the end (loss over {b.stuck:g} of the way from h to H(pi), KL(pi || q) under"
        f" {b.near:g} of it)"
    )
    learns = f"while below the line {{}} learn the chain (loss under {b.learnt:g} of the way)"
    high = f"end over {b.stuck:g} of the way from h to H(pi)"

    def claim(
        name: str,
        statement: str,
        scope: str,
        region: Region,
        control: str,
        paper: str = PAPER,
        place: str = "",
        unit: str = "share of runs",
    ) -> Claim:
        worlds = f"world '{REVERSED}'" + ("" if name in PAIRED else f"; world '{NOTHING}'")
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"{worlds}; {control}",
            region=region,
            margin={most: b.most, rare: b.rare, told: b.told}.get(region, b.rare),
            decided_at=study.decided_at,
            unit=unit,
        )

    def pairs(name: str, statement: str, scope: str, control: str, paper: str, place: str = "") -> Claim:
        return claim(name, statement, scope, most, control, paper, place, "share of pairs of which one run is high")

    return (
        claim(
            "above_some",
            f"Where p + q > 1 at least {b.rare:.0%} of one tied layer's runs {caught},"
            f" {learns.format('at least that share')}.",
            f"{runs}; {coded}",
            Region(lower=b.rare),
            "below; untied",
            place=trained,
        ),
        claim(
            "above_most",
            f"As a rule they are there: most runs {caught}, {learns.format('most')}.",
            f"{runs}; {coded}",
            most,
            "below; untied",
            place=trained,
        ),
        claim(
            "below",
            f"Where p + q < 1 they are not: at most {b.rare:.0%} of the runs {high}.",
            f"{runs}; {coded}",
            rare,
            "p + q > 1: above_some",
            place=trained,
        ),
        claim(
            "untied",
            f"With a read-out of its own neither one layer nor two stay: at most {b.rare:.0%} of either's runs {high},"
            " on either side.",
            f"{runs}; {coded}",
            rare,
            "tied: above_some",
            place=trained,
        ),
        claim(
            "two",
            f"Two tied layers do not stay: at most {b.rare:.0%} of the runs {high}, on either side.",
            f"{runs}; {coded}",
            rare,
            "one layer: above_some",
            place=deeper,
        ),
        pairs(
            "depth_helps",
            f"Where p + q > 1, of the pairs of runs of one and of two tied layers of which one alone ends over"
            f" {b.stuck:g}, it is the one layer's in most.",
            f"{runs}; {coded}",
            "one layer against itself",
            PAPER,
            deeper,
        ),
        claim(
            "line",
            f"The line p + q = 1 tells at least {b.told:.0%} of one tied layer's runs rightly: at the unigrams above,"
            " learnt below.",
            f"{runs}; {coded}",
            told,
            "untied: no such line",
            place=trained,
        ),
        claim(
            "norm_long",
            f"With layer norm it is a slow stretch: after {recipe.long_factor} times as many steps at most"
            f" {b.rare:.0%} of one tied layer's runs still {high}.",
            f"{spot}; {coded}",
            rare,
            "no norms: long",
            OWN,
        ),
        claim(
            "bare_line",
            f"Without norms the line tells likewise at least {b.told:.0%}.",
            f"{runs}; {bare}",
            told,
            "untied: no such line",
            place=theorem,
        ),
        claim(
            "bare_above",
            f"Without norms most runs of one tied layer {caught} where p + q > 1, {learns.format('most')}.",
            f"{runs}; {bare}",
            most,
            "untied: bare_untied",
            place=theorem,
        ),
        claim(
            "bare_untied",
            f"Without norms and tying at most {b.rare:.0%} of the runs of one layer and of two {high}, on either side.",
            f"{runs}; {bare}",
            rare,
            "tied: bare_above",
            place=theorem,
        ),
        claim(
            "bare_two",
            f"A second layer alone does not free them: without norms most runs of two tied layers {caught} where"
            f" p + q > 1, {learns.format('most')}.",
            f"{runs}; {bare}",
            most,
            "untied: bare_untied",
            OWN,
        ),
        claim(
            "memory",
            f"Neither does a shorter memory: without norms most runs of one tied layer {caught},"
            f" {learns.format('most')}, whether attention sees all tokens, itself and two before it, or one.",
            f"{mirrored}; {bare}",
            most,
            "wide",
            OWN,
        ),
        pairs(
            "wide",
            f"The start decides: of the pairs of runs from weights of standard deviation {recipe.std:g} and of"
            f" {recipe.wide_std:g} of which one alone ends over {b.stuck:g}, it is the small start's in most.",
            f"{spot}; the same tokens in both; {bare}",
            "a start against itself",
            LATER,
            "convergence by initialisation",
        ),
        claim(
            "long",
            f"Without norms it is no slow stretch: after {recipe.long_factor} times as many steps most runs {caught},"
            f" {learns.format('most')}.",
            f"{mirrored}; {bare}",
            most,
            "with layer norm: norm_long",
            OWN,
        ),
        pairs(
            "fast",
            f"Without norms larger steps leave: of the pairs of runs at rates of {recipe.rate:g} and"
            f" {recipe.fast_rate:g} of which one alone ends over {b.stuck:g}, it is the lower rate's in most.",
            f"{spot}; the same tokens and first weights in both; {bare}",
            "a rate against itself",
            OWN,
        ),
    )
