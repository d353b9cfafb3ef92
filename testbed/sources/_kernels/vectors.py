"""The inner products of the dense filters, in vector registers: beliefs times tables.

    advanced[r, j] = factor_r sum_i belief[r, i] table_r[i, j]

LLVM does not find these by itself in loops over arrays, so the vector instructions are written out, once, for every
processor: it splits registers that are wider than the machine's own. The order of additions is fixed.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

REGISTER = 8  # float64 numbers
REAL, INDEX, LANE = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
WIDE = ir.VectorType(REAL, REGISTER)


def make_advance_beliefs(width: int) -> Callable[..., Any]:
    """An intrinsic that advances 8 / width beliefs of `width` states, side by side in one register, each by a table of
    its own.

        advance(table, entries, belief, factors, totals, lane)

    table     flat; the (width, width) table of lane l begins at entries[l]
    belief    flat; that of lane l begins at l * width, and is replaced
    factors   by what each lane's result is multiplied
    totals    totals[l] becomes the sum over what lane l got
    lane      the first of the lanes
    """
    n_lanes = REGISTER // width
    own = ir.VectorType(REAL, width)
    one_each = ir.VectorType(REAL, n_lanes)
    lane_of = [place // width for place in range(REGISTER)]

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, entries, belief, factors, totals = _data(context, builder, signature, arguments, range(5))
        lane = arguments[5]
        first = builder.mul(lane, INDEX(width))
        tables = [builder.load(builder.gep(entries, [builder.add(lane, INDEX(n))])) for n in range(n_lanes)]
        beliefs = _load(builder, belief, first, WIDE)
        terms = []
        for state in range(width):
            lines = [_load(builder, table, builder.add(entry, INDEX(state * width)), own) for entry in tables]
            shares = _shuffle(builder, beliefs, [n * width + state for n in lane_of])
            terms.append((shares, _side_by_side(builder, lines)))
        result = builder.fmul(*terms[0])
        for shares, lines in terms[1:]:
            result = _multiply_add(builder, shares, lines, result)
        result = builder.fmul(result, _shuffle(builder, _load(builder, factors, lane, one_each), lane_of))
        _store(builder, result, belief, first)
        distance = 1
        while distance < width:
            result = builder.fadd(result, _shuffle(builder, result, [n ^ distance for n in range(REGISTER)]))
            distance *= 2
        _store(builder, _shuffle(builder, result, [n * width for n in range(n_lanes)]), totals, lane)
        return context.get_dummy_value()

    @intrinsic
    def advance(typing_context, table, entries, belief, factors, totals, lane):
        return types.void(table, entries, belief, factors, totals, types.int64), emit

    return advance


def make_advance_rows(n_rows: int) -> Callable[..., Any]:
    """An intrinsic that advances n_rows beliefs by the same panel, 16 targets wide, and returns their sums.

        advance(table, entry, n_states, belief, advanced, rows, factors, first) -> sums

    table     flat; the panel (n_states, 16) begins at `entry`
    rows      where the beliefs begin in `belief` and in `advanced`, both flat
    factors   by what each row's result is multiplied
    first     the panel's first target: results go to advanced[row + first ..]
    sums      tuple: what was put into each row of `advanced`, all together

    A line of the panel is loaded once for all rows.
    """
    columns = 2
    panel = columns * REGISTER

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, belief, advanced = _data(context, builder, signature, arguments, (0, 3, 4))
        _, entry, n_states, *_, first = arguments
        rows = cgutils.unpack_tuple(builder, arguments[5])
        factors = cgutils.unpack_tuple(builder, arguments[6])
        table = builder.gep(table, [entry])

        def add_state(state: Any, sums: list[Any]) -> list[Any]:
            """sums[r, c] + belief[r, state] * table[state, c]"""
            line = builder.mul(state, INDEX(panel))
            parts = [_load(builder, table, builder.add(line, INDEX(c * REGISTER)), WIDE) for c in range(columns)]
            shares = [_spread(builder, builder.load(builder.gep(belief, [builder.add(row, state)]))) for row in rows]
            return [
                _multiply_add(builder, share, part, sums[r * columns + c])
                for r, share in enumerate(shares)
                for c, part in enumerate(parts)
            ]

        sums = _over_states(builder, n_states, [ir.Constant(WIDE, [0.0] * REGISTER)] * (n_rows * columns), add_state)
        add_up = _function(builder, REAL, [REAL, WIDE], f"llvm.vector.reduce.fadd.v{REGISTER}f64")
        totals = []
        for r in range(n_rows):
            factor = _spread(builder, factors[r])
            scaled = [builder.fmul(part, factor) for part in sums[r * columns : (r + 1) * columns]]
            for c, part in enumerate(scaled):
                _store(builder, part, advanced, builder.add(builder.add(rows[r], first), INDEX(c * REGISTER)))
            together = builder.fadd(*scaled)
            totals.append(builder.call(add_up, [ir.Constant(REAL, -0.0), together], fastmath=("reassoc",)))
        return context.make_tuple(builder, signature.return_type, totals)

    @intrinsic
    def advance(typing_context, table, entry, n_states, belief, advanced, rows, factors, first):
        numbers, reals = types.UniTuple(types.int64, n_rows), types.UniTuple(types.float64, n_rows)
        signature = reals(table, types.int64, types.int64, belief, advanced, numbers, reals, types.int64)
        return signature, emit

    return advance


def _data(context: Any, builder: Any, signature: Any, arguments: Any, which: Any) -> list[Any]:
    """Pointers to the first numbers of the arrays among the arguments."""
    return [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in which]


def _function(builder: Any, result: Any, arguments: list[Any], name: str) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, in one instruction where there is one."""
    function = _function(builder, WIDE, [WIDE] * 3, f"llvm.fmuladd.v{REGISTER}f64")
    return builder.call(function, [a, b, c])


def _load(builder: Any, base: Any, place: Any, vector: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(base, [place]), vector.as_pointer()), align=8)


def _store(builder: Any, value: Any, base: Any, place: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(base, [place]), value.type.as_pointer()), align=8)


def _shuffle(builder: Any, vector: Any, places: list[int], other: Any = None) -> Any:
    """The numbers at `places` of a vector, or of two: those of `other` are counted on."""
    second = ir.Constant(vector.type, ir.Undefined) if other is None else other
    return builder.shuffle_vector(vector, second, ir.Constant(ir.VectorType(LANE, len(places)), places))


def _side_by_side(builder: Any, vectors: list[Any]) -> Any:
    """One vector of all, 1, 2 or 4 of them."""
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [_shuffle(builder, a, list(range(2 * a.type.count)), b) for a, b in pairs]
    return vectors[0]


def _spread(builder: Any, value: Any) -> Any:
    """The value in every lane of a register."""
    one = builder.insert_element(ir.Constant(WIDE, ir.Undefined), value, LANE(0))
    return _shuffle(builder, one, [0] * REGISTER)


def _over_states(builder: Any, n_states: Any, sums: list[Any], add_state: Callable[[Any, list[Any]], list[Any]]) -> Any:
    """for state in range(n_states): sums = add_state(state, sums); n_states is at least 1."""
    before, loop, after = builder.block, builder.append_basic_block("state"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    state = builder.phi(INDEX)
    running = [builder.phi(each.type) for each in sums]
    added = add_state(state, running)
    next_state = builder.add(state, INDEX(1))
    for phi, start, following in zip([state, *running], [INDEX(0), *sums], [next_state, *added], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", next_state, n_states), loop, after)
    builder.position_at_end(after)
    return added
