"""The claims, fixed before the runs that decide; `evidence` has their numbers."""

from typing import TYPE_CHECKING

from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

STUDY = "linear_attention_entropy"
NALA, AFFINE = "2506.21137", "2602.23057"
CLAIMED, OTHER = "all as claimed", "all the other way"
NOTHING, STUCK = "nothing is learnt", "a softmax in seven is stuck"
"""Planted worlds."""
SPIKY = "norm-aware kernel that restores spikiness, abstract; this project's reading"
MASS = "query-adaptive total mass of attention; this project's reading"
CARD = "the survey's prediction"
REPRODUCED = "reproduction of a number of the survey, known beforehand"

TITLES = {
    "softmax": "softmax",
    "elu": "elu + 1",
    "relu": "ReLU",
    "taylor": "Taylor",
    "nala": "NaLa",
    "nala_rope": "NaLa, as released",
    "relu_split": "ReLU, both signs",
    "nala_fixed": "NaLa, constant power",
    "plus_one": "softmax + 1",
    "sink": "learned sink",
    "gated": "gated output",
    "affine": "affine, N visible",
    "affine_window": "affine, N = T",
}


def claims(study: "LinearAttentionEntropy") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b, design, reading, training = study.bounds, study.design, study.reading, study.training
    n, size = study.n_seeds, study.model.width
    shape = f"one head of {study.model.width} numbers a layer, no MLP, {n} replicates"
    features = (
        f"features of a key: elu + 1 and ReLU {size}, NaLa {2 * size}, Taylor {1 + size + size**2}; NaLa's kernel after"
        " rotation (not as released)"
    )
    ts = ", ".join(map(str, design.lengths))
    copies = f"copy of a block, T = {ts}, rotary positions, one layer; {training.copy_steps} steps; {shape}; {features}"
    middle = f"copy of a block, T = {design.middle}, one layer; {training.copy_steps} steps; {shape}; {features}"
    chains = (
        f"T = {design.context_length}, rotary positions, two layers; {training.context_steps} steps; {shape};"
        f" {features}"
    )
    recall = (
        f"{design.n_pairs} pairs of {design.n_keys} keys, {design.n_queries} queries, {design.missing:.0%} missing, two"
        f" layers; {training.recall_steps} steps; {shape}"
    )
    asked = ", ".join(f"{one:g}" for one in reading.norms)
    random = (
        f"normal q and k of {reading.size} numbers, {reading.n_keys} keys; |q| = {asked}; {n} x {reading.n_draws} draws"
    )
    longest = f"|q| = {reading.norms[-1]:g}"
    ends = f"|q| = {reading.norms[0]:g} to {reading.norms[-1]:g}"
    told = "share of what context tells"

    def claim(
        name: str, statement: str, region: Region, margin: float, unit: str, scope: str, control: str = "",
        paper: str = OWN, place: str = "",
    ) -> Claim:  # fmt: skip
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=paper,
            place=place,
            reading="inferred",
            scope=scope,
            control=f"world '{OTHER}'" + (f"; {control}" if control else ""),
            region=region,
            margin=margin,
            decided_at=study.decided_at,
            unit=unit,
        )

    less, reads, keeps = Region(upper=-b.lower), Region(upper=-b.read), Region(upper=b.read)
    planted = "the planted world; on coins see unigram_equal"
    hyper = f"block {reading.block}, sample {reading.samples}, exact up to {reading.least} keys"
    return (
        claim("floor", f"On random queries and keys the mean entropy of NaLa's rows at {longest} is above {b.floor:.0%}"
              " of ln N.", Region(lower=b.floor), b.floor, "share of ln N", random, "the softmax, which falls to 0",
              OWN, REPRODUCED),
        claim("gap", f"From {ends} NaLa's mean entropy falls at least {b.gap:.0%} as far as the softmax's.",
              Region(lower=b.gap), b.gap, "share of the softmax's fall", f"{random}; the share depends on the longest",
              "ReLU, whose entropy does not change", OWN, REPRODUCED),
        claim("monotone", f"NaLa's entropy rises between some two neighbouring |q| in at most {b.rises:.1%} of random"
              " draws.", Region(upper=b.rises), b.rises, "share of draws", f"{random}; rises of any size",
              "elu + 1, whose entropy often rises", OWN, REPRODUCED),
        claim("copy_relu", f"NaLa has less excess than ReLU at every T, by {b.lower:.0%} of what context tells at"
              " least.", less, b.lower, told, copies, planted),
        claim("copy_best", "NaLa has less excess than elu + 1, ReLU and Taylor at every T.", less, b.lower, told,
              copies, planted),
        claim("copy_softmax", "The softmax has less excess than NaLa at every T.", less, b.lower, told, copies,
              planted, OWN, CARD),
        claim("copy_grows", f"After {training.copy_steps} steps, what NaLa loses against the softmax grows with T, by"
              f" {b.grows:.0%} at least from T = {design.lengths[0]} to {design.lengths[-1]}.", Region(lower=b.grows),
              b.grows, told, f"{copies}; nothing special to NaLa: of ReLU and elu + 1 see the notes"),
        claim("copy_spiky", f"Trained, and where it copies, NaLa's heads have at most {b.spiky:g} nat of mean entropy"
              " at every T, where a head that reads one key has 0.", Region(upper=b.spiky), b.spiky, "nats", copies,
              "coins, where all keys count"),
        claim("copy_longer", f"After {training.longer} times as many steps NaLa still loses {b.copies:.0%} at least.",
              Region(lower=b.copies), b.copies, told, f"rotary positions; {middle}",
              "learned positions, where NaLa copies"),
        claim("copy_mass", f"Mass is not information: Taylor's heads, which copy (excess under {b.gate:.0%}), have"
              f" {b.spiky:g} nat of entropy at least.", Region(lower=b.spiky), b.spiky, "nats",
              f"rotary positions; {middle}", "the softmax"),
        claim("copy_released", "With rotation in the numerator alone, as released, NaLa has less excess than ReLU.",
              less, b.lower, told, f"rotary positions; {middle}; this arm as released", planted, NALA, SPIKY),
        claim("learned_copies", "With learned positions, whose keys have addresses, NaLa copies: at most"
              f" {b.copies:.0%} is lost.", Region(upper=b.copies), b.copies, told, f"learned positions; {middle}",
              "rotary positions: copy_longer"),
        claim("learned_flat", "That no |q| changes ReLU's entropy does not keep trained heads flat: with learned"
              f" positions theirs is at most {b.flat:.0%} of ln n.", Region(upper=b.flat), b.flat, "share of ln n",
              f"learned positions; {middle}", "coins, where heads stay flat"),
        claim("bigram_relu", "In context, NaLa has less excess than ReLU on chains.", less, b.lower, told, chains,
              planted),
        claim("bigram_softmax", "The softmax has less excess than NaLa on chains.", less, b.lower, told, chains,
              planted, OWN, CARD),
        claim("unigram_equal", "On coins, where all keys count alike, no linear kernel has more excess than the"
              f" softmax, within {b.alike:.0%}.", Region(upper=b.alike), b.alike, told,
              f"{chains}; rates are chosen on chains", "copies and chains", OWN, CARD),
        claim("affine_misses", "Affine scaling with N visible, whose rows all have the same mass (an identity),"
              f" answers missing keys better than the softmax, by {b.read:.0%} of ln V at least.", reads, b.read,
              "share of ln V", recall, "answers to keys that were shown"),
        claim("window_misses", "Affine scaling with N = T, whose mass can adapt, answers missing keys better than the"
              f" softmax, by {b.read:.0%} of ln V at least.", reads, b.read, "share of ln V", recall,
              "answers to keys that were shown", AFFINE, MASS),
        claim("affine_hits", "Neither answers keys that were shown worse than the softmax.", keeps, b.read,
              "share of ln V", recall, "the planted world"),
        claim("sinks_misses", "Softmax + 1, a learned sink and gated outputs each answer missing keys better than the"
              " softmax.", reads, b.read, "share of ln V", recall, "answers to keys that were shown", OWN, CARD),
        claim("sinks_hits", "None of the three answers keys that were shown worse.", keeps, b.read, "share of ln V",
              recall, "the planted world"),
        claim("whole_equal", "Asked where no key is missing, none of the five answers worse than the softmax.", keeps,
              b.read, "share of ln V", recall, "the planted world"),
        claim("hyper_coins", "In place of a trained softmax, HyperAttention adds more on chains than on coins, where"
              " heads are flat.", Region(lower=b.between), b.between, told,
              f"{hyper}; T = {design.context_length}; {shape}", "the planted world", OWN, CARD),
        claim("hyper_copies", "It adds more on chains than on copies, where heads are sharp.", Region(lower=b.between),
              b.between, told, f"{hyper}; T = {design.middle} and {design.context_length}; the key to be copied is"
              f" T / 2 away, so all but one query see it by an estimate alone; {shape}", "the planted world", OWN,
              CARD),
    )  # fmt: skip
