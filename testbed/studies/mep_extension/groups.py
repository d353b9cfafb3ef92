"""Groups of tokens: the triangle and what it stands against, readings of SMEP, one-way conditionals, growth with n."""

from typing import get_args

import numpy as np

from testbed.maxent import (
    Conditional,
    JointMarginals,
    Pairs,
    Symmetrised,
    Triangle,
    divergence,
    marginal_of,
    one_way_law,
    token_divergences,
)
from testbed.studies.mep_extension.config import GroupsArm
from testbed.studies.mep_extension.laws import Floats, chain_law, markov_kernel, noisy_sum_law

TRIANGLE_LAWS = ("dirichlet", "chain")
TRIANGLE_OPTIONS = ("triangle", "star", "geometric", "skip", "neighbour")
"""All three tables; AC and BC with C at the centre (a product of experts); the geometric mean of p(c|a) and p(c|b);
p(c|a) alone; p(c|b) alone."""
READINGS = ("no_third", "split_both", "split_left", "split_right", "both_ways")
SMEP_LAWS = ("dirichlet", "markov_3", "parity_left", "parity_right", "copy")
ONE_WAY = ("both ways, dirichlet", "both ways, chain", "one way, dirichlet", "one way, chain")
assert set(READINGS) < set(get_args(Symmetrised.model_fields["reading"].annotation))


def groups(arm: GroupsArm, rng: np.random.Generator) -> dict[str, Floats]:
    """triangle (law, option): excess on the last of three tokens. smep (law, reading): KL(p || q*) of 3 T/2 tokens.
    one_way (4,): total variation from the law of the pair tables. growth (order, n): KL(p || q*) / n of all
    pairs. All in nats but for one_way."""
    return {
        "triangle": triangle(arm, rng),
        "smep": smep(arm, rng),
        "one_way": one_way(arm, rng),
        "growth": growth(arm, rng),
    }


def triangle(arm: GroupsArm, rng: np.random.Generator) -> Floats:
    """E_p KL(p(c | a, b) || q(c | a, b)) for three groups of one token, a and b before c."""
    v = arm.triangle_vocab_size
    free = rng.dirichlet(np.full(v**3, arm.triangle_alpha)).reshape(v, v, v)
    free = 0.999 * free + 0.001 / free.size
    found = np.zeros((len(TRIANGLE_LAWS), len(TRIANGLE_OPTIONS)))
    for i, law in enumerate((free, chain_law(markov_kernel(rng, v, 1, arm.alpha), 3))):
        a, b, c = (marginal_of(law, pair) for pair in ((0, 2), (1, 2), (2,)))
        by_a, by_b = (table / table.sum(axis=-1, keepdims=True) for table in (a, b))
        solved = Triangle(sizes=(1, 1, 1)).constraints(JointMarginals(law), v, 2).solve().probabilities
        options = {
            "triangle": solved,
            "star": by_a[:, None] * by_b / c,
            "geometric": np.sqrt(by_a[:, None] * by_b),
            "skip": np.broadcast_to(by_a[:, None], law.shape),
            "neighbour": np.broadcast_to(by_b, law.shape),
        }
        for j, name in enumerate(TRIANGLE_OPTIONS):
            conditional = options[name] / options[name].sum(axis=-1, keepdims=True)
            found[i, j] = token_divergences(law, law.sum(axis=-1, keepdims=True) * conditional)[-1]
    return found


def smep(arm: GroupsArm, rng: np.random.Generator) -> Floats:
    """KL(p || q*) of the readings on three groups of T / 2 tokens; parities and the copy end on the last token."""
    v, t = arm.vocab_size, arm.context_length
    n, half = 3 * t // 2, t // 2
    drawn = {
        "dirichlet": rng.dirichlet(np.full(v**n, arm.alpha)).reshape((v,) * n),
        "markov_3": chain_law(markov_kernel(rng, v, 3, arm.alpha), n),
        "parity_left": noisy_sum_law(v, n, [(n - 1, (0, half - 1))], arm.noise),
        "parity_right": noisy_sum_law(v, n, [(n - 1, (0, 2 * half))], arm.noise),
        "copy": noisy_sum_law(v, n, [(n - 1, (0,))], arm.noise),
    }
    found = np.zeros((len(SMEP_LAWS), len(READINGS)))
    for i, name in enumerate(SMEP_LAWS):
        for j, reading in enumerate(READINGS):
            family = Symmetrised.model_validate({"reading": reading})
            law = family.constraints(JointMarginals(drawn[name]), v, t).solve()
            found[i, j] = divergence(drawn[name], law.probabilities)
    return found


def one_way(arm: GroupsArm, rng: np.random.Generator) -> Floats:
    """Total variation between what conditionals give and what the joint tables of the same pairs give.

    both ways   p(x_0 | x_1), p(x_1 | x_0), and so on around the triangle
    one way     p(x_0 | x_1), p(x_1 | x_2), p(x_0 | x_2): MEP[1] read literally
    """
    v = arm.one_way_vocab_size
    free = rng.dirichlet(np.full(v**3, 1.0)).reshape(v, v, v)
    free = 0.9 * free + 0.1 / free.size
    chain = chain_law(markov_kernel(rng, v, 1, 1.0), 3)
    found = []
    for ways in (((0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)), ((0, 1), (1, 2), (0, 2))):
        for law in (free, chain):
            solved = one_way_law(v, 3, [_conditional(law, target, given) for target, given in ways])
            pairs = Pairs().constraints(JointMarginals(law), v, 2, 3).solve()
            difference = solved.probabilities - pairs.probabilities
            found.append(np.abs(difference).sum() / 2)
    return np.array(found)


def _conditional(law: Floats, target: int, given: int) -> Conditional:
    pair = marginal_of(law, (target, given))
    return Conditional((target,), (given,), pair / pair.sum(axis=0))


def growth(arm: GroupsArm, rng: np.random.Generator) -> Floats:
    """KL(p || q*) / n for all pairs of n tokens of a chain."""
    found = np.zeros((len(arm.growth_orders), len(arm.growth_lengths)))
    for i, order in enumerate(arm.growth_orders):
        longest = chain_law(markov_kernel(rng, arm.vocab_size, order, arm.alpha), arm.growth_lengths[-1])
        for j, n in enumerate(arm.growth_lengths):
            law = marginal_of(longest, tuple(range(n)))
            solved = Pairs().constraints(JointMarginals(law), arm.vocab_size, arm.context_length, n).solve()
            found[i, j] = divergence(law, solved.probabilities) / n
    return found
