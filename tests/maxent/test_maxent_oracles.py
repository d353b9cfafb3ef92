"""Other people's solvers, where the extra `oracles` is installed, give the same laws to 1e-8."""

import itertools

import numpy as np
import pytest
from maxent_laws import ALL_PAIRS_OF_4, constraints_of, golden_joint, random_law

from testbed.maxent import marginal_of

LAWS = {"golden": golden_joint(), "Dirichlet 1": random_law(0, 3, 4), "Dirichlet .1": random_law(0, 3, 4, 0.1)}
ENTROPIES = {"golden": 4.369462165094, "Dirichlet 1": 4.226250132444, "Dirichlet .1": 3.200649509470}


@pytest.mark.parametrize("name", LAWS)
def test_entropies_that_other_solvers_gave(name):
    found = constraints_of(LAWS[name], ALL_PAIRS_OF_4).solve()
    assert found.entropy == pytest.approx(ENTROPIES[name], abs=1e-9)


@pytest.mark.parametrize("name", LAWS)
def test_dit(name):
    dit = pytest.importorskip("dit")
    from dit.algorithms import maxent_dist

    law = LAWS[name]
    outcomes = ["".join(map(str, x)) for x in itertools.product(range(3), repeat=4)]
    given = dit.Distribution(outcomes, law.reshape(-1))
    found = maxent_dist(given, [list(pair) for pair in ALL_PAIRS_OF_4], method="ipf")
    table = np.zeros(law.shape)
    for outcome, probability in found.zipped():
        table[tuple(map(int, outcome))] = probability
    np.testing.assert_allclose(constraints_of(law, ALL_PAIRS_OF_4).solve().probabilities, table, atol=1e-8)


@pytest.mark.parametrize("name", LAWS)
def test_ipfn(name):
    ipfn = pytest.importorskip("ipfn").ipfn
    law = LAWS[name]
    tables = [marginal_of(law, pair) for pair in ALL_PAIRS_OF_4]
    fitting = ipfn.ipfn(
        np.full(law.shape, 1 / 81),
        tables,
        [list(pair) for pair in ALL_PAIRS_OF_4],
        convergence_rate=1e-13,
        rate_tolerance=0,
        max_iteration=1000,
    )
    np.testing.assert_allclose(
        constraints_of(law, ALL_PAIRS_OF_4).solve().probabilities, fitting.iteration(), atol=1e-8
    )
