"""Claims on groups of tokens (C3, C4, C13), on the numbers of tables and equations (C8, C14), and on growth (C19)."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.mep_extension.claims import OURS, stated

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension


def group_claims(study: "MepExtension") -> tuple[Claim, ...]:
    """C3, C4, C13."""
    b, arm = study.bounds, study.groups
    three = f"three groups of {arm.context_length // 2} tokens, V = {arm.vocab_size}, {study.replicates} draws"
    one_way = f"three tokens, V = {arm.one_way_vocab_size}, {study.replicates} draws"
    return (
        stated(
            study,
            "c3_three",
            "Three groups, every two of which fit in T tokens, reach 2T.",
            place="abstract, scheme 1 (C3)",
            scope=f"T = {', '.join(map(str, study.closed_forms.coverage_lengths))}, all sizes tried; most tokens / T",
            control="four groups do: c3_four",
            region=Region(lower=2.0),
            unit="T",
        ),
        stated(
            study,
            "c3_four",
            "Four groups of T / 2 reach 2T with tables of T tokens.",
            place=f"{OURS} (C3)",
            scope=f"T = {', '.join(map(str, study.closed_forms.coverage_lengths))}; tokens / T",
            control="three do not: c3_three",
            region=Region(lower=2.0),
            unit="T",
        ),
        stated(
            study,
            "c4_skip_table",
            f"The table of (A, C) is worth {b.skip:g} nats: the triangle loses less on C than the chain, than (A, C)"
            " alone, and than the product of experts, which needs no multipliers.",
            place="abstract, scheme 1 (C4)",
            scope=f"one token a group, V = {arm.triangle_vocab_size}, Dirichlet({arm.triangle_alpha:g}) laws",
            control="first-order chains: the table is worth nothing there",
            region=Region(lower=b.skip),
            margin=b.skip,
            unit="nats",
        ),
        stated(
            study,
            "c13_order",
            "Readings of SMEP in order of loss: no third table, both halves split, one group split, the triangle.",
            place=f"{OURS} (nested sets)",
            scope=f"{three}; largest gain of a coarser set over a finer",
            region=Region(upper=b.exact),
            margin=b.exact,
            unit="nats",
        ),
        stated(
            study,
            "c13_split",
            f"Splitting the third table costs nothing: to {b.gain:g} nats it loses what the triangle loses.",
            place="abstract, scheme 3 (C13)",
            scope=f"{three}; every way to split, every law",
            control="a dependence within one half costs nothing to split",
            region=Region(upper=b.gain),
            margin=b.gain,
            unit="nats",
        ),
        stated(
            study,
            "c13_both_ways",
            "Conditionals both ways say what the joint tables say: the same law.",
            place="abstract, scheme 3 (C13)",
            scope=f"{one_way}; largest total variation",
            control="conditionals one way must not: c13_one_way",
            region=Region(upper=1e-6),
            margin=1e-6,
            unit="total variation",
        ),
        stated(
            study,
            "c13_one_way",
            "Conditionals one way (MEP[1] read literally) determine the law of a first-order chain, to"
            f" {b.tilt:g} of total variation.",
            place="abstract, scheme 1 (C13: the deficiency)",
            scope=f"{one_way}, first-order chains",
            control="laws without that structure are determined",
            region=Region(upper=b.tilt),
            margin=b.tilt,
            unit="total variation",
        ),
    )


def size_claims(study: "MepExtension") -> tuple[Claim, ...]:
    """C8, C14: counts; C19: growth."""
    b, forms, lengths = study.bounds, study.closed_forms, study.groups.growth_lengths
    tables = f"T = {forms.table_lengths[-2]} to {forms.table_lengths[-1]}"
    equations = f"independent equations, V = {forms.vocab_size}, T = {forms.equation_lengths[-2]} to"
    equations += f" {forms.equation_lengths[-1]}"
    linear, unit = Region(upper=b.linear), "slope of ln count on ln T"
    return (
        stated(
            study,
            "c8_tables",
            "The number of tables grows no faster than linearly in T, in MEP and GMEP.",
            place="abstract (C8)",
            scope=f"{tables}; the steepest of windows (overlap T - 1, T / 2), four blocks, pairs below T, all pairs",
            control="windows are linear, groups constant; pairs are quadratic",
            region=linear,
            unit=unit,
        ),
        stated(
            study,
            "c8_equations",
            "The number of equations grows no faster than linearly in T, in some scheme without a fixed lag.",
            place="abstract (C8)",
            scope=f"{equations}; the flattest of windows, blocks, pairs, triangle, split triangle",
            region=linear,
            unit=unit,
        ),
        stated(
            study,
            "c14_tables",
            "SMEP has a number of tables at most linear in T.",
            place="abstract, scheme 3 (C14)",
            scope=tables,
            control="all pairs are quadratic",
            region=linear,
            unit=unit,
        ),
        stated(
            study,
            "c14_equations",
            "SMEP has a number of equations at most linear in T.",
            place="abstract, scheme 3 (C14)",
            scope=equations,
            region=linear,
            unit=unit,
        ),
        stated(
            study,
            "c19_small_n",
            "What GMEP loses per token on few tokens predicts what it loses on many: from n ="
            f" {lengths[0]} to {lengths[-1]} it grows by a factor of at most {b.growth:g}.",
            place="Roudi et al. 2009 (C19)",
            scope=f"all pairs, chains of order {' and '.join(map(str, study.groups.growth_orders))};"
            f" KL / n at the last less {b.growth:g} times that at the first",
            region=Region(upper=0.0),
            unit="nats per token",
        ),
    )
