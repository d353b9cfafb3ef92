"""Arguments of other types and of any size: refused by name, before anything is computed or allocated."""

import itertools

import numpy as np
import pytest

from testbed.core import ConfigError, ResourceError
from testbed.maxent import (
    Conditional,
    Constraint,
    ConstraintSet,
    CountMarginals,
    InfeasibleError,
    JointMarginals,
    Pairs,
    Scheme,
    WindowMarginals,
    Windows,
    count_boxes,
    fit_conditional,
    kirkwood_law,
    model_block_law,
    one_way_law,
)
from testbed.maxent.dense import check_cells

FAIR = np.full((2, 2), 0.25)
OPPOSITE = np.array([[0.0, 0.5], [0.5, 0.0]])
TRIANGLE = ((0, 1), (1, 2), (0, 2))
NONE = np.zeros((4, 2), dtype=np.int64)
NEXT = np.array([0, 1, 0, 1])


def triangle(table=FAIR, length=3, **options) -> ConstraintSet:
    return ConstraintSet(2, length, [Constraint(pair, table) for pair in TRIANGLE], **options)


def uniform(contexts):
    return np.full((len(contexts), 2), 0.5)


def extension(**options):
    return Scheme(family="pairs", **options).extend(JointMarginals(np.full((2,) * 4, 1 / 16)), 2, 2)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: Constraint((0,), []), r"table has the shape \(0,\)"),
        (lambda: Constraint((0,), np.array([0.5 + 1j, 0.5])), "not complex"),
        (lambda: Constraint((True, False), FAIR), "positions: given"),
        (lambda: ConstraintSet(2.0, 3, []), "vocab_size: given 2.0"),
        (lambda: ConstraintSet("2", 3, []), "vocab_size: given '2'"),
        (lambda: ConstraintSet(2, True, []), "length: given True"),
        (lambda: ConstraintSet(2, np.nan, []), "length: given nan"),
        (lambda: ConstraintSet(2, 2, [FAIR]), r"constraints\[0\]: .* must be a Constraint"),
        (lambda: ConstraintSet(2, 2, None), "constraints: given None, must be a list of Constraint"),
        (lambda: triangle().solve("ipf", tolerance=True), "tolerance: given True"),
        (lambda: triangle().solve("ipf", tolerance=np.inf), "tolerance: given inf"),
        (lambda: triangle().solve("ipf", max_iterations=2.5), "max_iterations: given 2.5"),
        (lambda: triangle().solve("ipf", max_iterations=True), "max_iterations: given True"),
        (lambda: triangle().solve(on_failure="ignore"), "on_failure: given 'ignore'"),
        (lambda: triangle().solve("soft", l2=np.nan), "l2: given nan"),
        (lambda: triangle().solve("soft", l2=np.inf), "l2: given inf"),
        (lambda: triangle().solve("soft", box=np.inf), "box: given inf"),
        (lambda: triangle().solve("soft", box="wide"), "box: given 'wide'"),
        (lambda: triangle().solve("soft", box=[FAIR * np.nan] * 3), "box: given the widths nan"),
        (lambda: triangle().solve("soft", box=[["a"]] * 3), "box: needs one number, or a table"),
        (lambda: triangle().mixed(np.nan), "share: given nan"),
        (lambda: Pairs().cliques(2.0), "context_length: given 2.0"),
        (lambda: Pairs().size(2, 0), "context_length: given 0"),
        (lambda: Pairs().size(0, 4), "vocab_size: given 0"),
        (lambda: CountMarginals(NONE, 2.5), "vocab_size: given 2.5"),
        (lambda: CountMarginals(NONE, 2, 1.5), "length: given 1.5"),
        (lambda: JointMarginals(np.zeros((2, 3))), r"joint: given the shape \(2, 3\)"),
        (lambda: WindowMarginals(np.zeros((2, 3))), r"block: given the shape \(2, 3\)"),
        (lambda: WindowMarginals(FAIR, "last"), "alignment: given 'last'"),
        (lambda: model_block_law(uniform, 2, 2, rows=0), "rows: given 0"),
        (lambda: model_block_law(uniform, 2, -1), "context_length: given -1"),
        (lambda: count_boxes(triangle(), np.nan), "n: given nan"),
        (lambda: extension().next((0.7,)), "prefix: .* must be integers"),
        (lambda: extension().next(np.zeros((1, 3), dtype=int)), r"prefix: .* shape \(1, 3\)"),
        (lambda: extension().log_probs(np.full((1, 2), 0.7)), "tokens: need integers"),
        (lambda: extension().law.next_token((0, 0, 0, 0)), "prefix: given 4 tokens"),
        (lambda: fit_conditional(NONE, NEXT, 2, l2=np.nan), "l2: given nan"),
        (lambda: fit_conditional(NONE, NEXT, 2.0), "vocab_size: given 2.0"),
        (lambda: fit_conditional(NONE, NEXT, 2, tolerance=np.nan), "tolerance: given nan"),
        (lambda: fit_conditional(NONE, NEXT, 2, held_out=(NONE, NEXT), penalties=(-1.0,)), "penalties: given -1"),
        (lambda: fit_conditional(NONE, NEXT, 2, held_out=(NONE, NEXT), penalties=()), "penalties: given none"),
        (lambda: fit_conditional(NONE, NEXT, 2, held_out=(NONE[:, :1], NEXT)), "held_out: contexts of 1 tokens"),
        (lambda: fit_conditional(NONE, NEXT, 2, held_out=(NONE,)), "held_out: given 1 arrays"),
        (lambda: fit_conditional(NONE, np.full((4, 2), np.inf), 2), "targets: need"),
        (lambda: kirkwood_law(ConstraintSet(2, 3, [])), "constraints: given none"),
        (lambda: one_way_law(True, 2, []), "vocab_size: given True"),
    ],
)
def test_refused_by_name(call, said):
    with pytest.raises(ConfigError, match=said):
        call()


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: check_cells(3, 10**9), "a dense law over"),
        (lambda: triangle(length=2000).structural_zeros, "a dense law over"),
        (lambda: ConstraintSet(2, 40, []).structural_zeros, "a dense law over"),
        (
            lambda: ConstraintSet(2, 2000, [Constraint(c, FAIR) for c in ((0, 1), (1, 1999), (0, 1999))]).solve(),
            r"constraints\[2\] on positions \(0, 1999\), 1999 apart, is the widest: a band",
        ),
        (lambda: triangle(length=10**9).solve("newton"), "newton"),
        (
            lambda: ConstraintSet(2, 10**18, [Constraint((0, 1), FAIR), Constraint((0, 10**18 - 1), FAIR)]),
            r"constraints\[1\] on positions \(0, 999999999999999999\): the positions",
        ),
        (
            lambda: Windows().constraints(CountMarginals(np.zeros((2, 80), dtype=int), 4), 4, 40),
            r"the table of constraints\[0\] on positions \(0, 1, .* over 4\^40",
        ),
        (lambda: CountMarginals(np.zeros((2, 80), dtype=int), 4)(tuple(range(40))), r"counts on positions \(0, 1,"),
        (lambda: fit_conditional(NONE, NEXT, 10**9), "vocab_size: 1000000000 symbols, 4 contexts of 2 tokens"),
    ],
)
def test_any_size_is_refused_at_once(call, said):
    """Before anything is allocated, by the name of the constraint where one is at fault."""
    with pytest.raises(ResourceError, match=said):
        call()


def test_long_chains_are_carried_in_linear_time():
    """Quadratic work would take minutes here."""
    law = ConstraintSet(2, 20_000, [Constraint((0, 1), FAIR)]).solve()
    assert law.entropy == pytest.approx(20_000 * np.log(2))
    assert law.order == 1


def test_small_and_empty_sets():
    """One token, no constraint, no conditional, no token of a sequence."""
    single = [Constraint((0,), [0.5, 0.3, 0.2])]
    for solver in ("auto", "ipf", "newton", "lbfgs", "banded"):
        np.testing.assert_allclose(ConstraintSet(3, 1, single).solve(solver).probabilities, [0.5, 0.3, 0.2], atol=1e-8)
        assert ConstraintSet(2, 5, []).solve(solver).entropy == pytest.approx(5 * np.log(2))
    np.testing.assert_allclose(one_way_law(2, 2, []).probabilities, 0.25)
    for way in ("joint", "each"):
        assert extension(autoregression=way).predict(np.zeros((3, 0), dtype=int)).shape == (3, 0, 2)
    positions = (position for position in (1, 0))
    assert Constraint(positions, FAIR).positions == (0, 1)


def test_unsigned_tokens_are_counted():
    """64-bit unsigned ones too, which numpy would turn into floats."""
    tokens = np.random.default_rng(0).integers(3, size=(20, 5))
    for dtype in (np.uint8, np.uint64, np.int64):
        found = CountMarginals(tokens.astype(dtype), 3, 4)((0, 2))
        np.testing.assert_array_equal(found, CountMarginals(tokens, 3, 4)((0, 2)))


def test_zeros_that_exclude_every_sequence():
    """Three positions, each the opposite of the others: an answer of nan or a bare numpy error would be wrong."""
    for call in (lambda: kirkwood_law(triangle(OPPOSITE)), lambda: triangle(OPPOSITE).solve("lbfgs")):
        with pytest.raises(InfeasibleError, match="exclude every sequence"):
            call()
    with pytest.raises(InfeasibleError, match="zeros of the tables leave too few sequences"):
        triangle(OPPOSITE).solve()
    clash = [Conditional((0,), (1,), np.eye(2)), Conditional((1,), (0,), np.eye(2)[::-1])]
    with pytest.raises(InfeasibleError, match="exclude every sequence"):
        one_way_law(2, 2, clash)


def test_inputs_are_left_alone():
    table, block = FAIR.copy(), np.full((2,) * 3, 1 / 8)
    given = Constraint((1, 0), table)
    table[0, 0] = 9.0
    assert given.table[0, 0] == 0.25
    ConstraintSet(2, 3, [Constraint(pair, FAIR) for pair in itertools.combinations(range(3), 2)]).solve()
    WindowMarginals(block)((1, 2))
    assert (block == 1 / 8).all()
    assert block.flags.writeable
