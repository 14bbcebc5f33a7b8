"""The compiled inner loops of the kernel mean: generated for a dtype and a register file.

The arrays that these loops work on are laid out for them by :mod:`skflow._kernels.dense` and, for
:func:`collect`, :mod:`skflow._kernels.neighbors`:

- queries come in groups of GROUP; the four of a quad share every load of a point;
- points come in panels: PANEL vectors of points, a row of the panel for each dimension;
- values come in rows, padded to whole vectors; or, a few of them, in panels like the points.

Everything is C-contiguous and, but for totals in float64, of one dtype. See :func:`add_up`.
"""

from contextlib import contextmanager
from functools import reduce

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skflow._kernels.vectors import N_REGISTERS, Vectors

# In registers stay _QUAD x PANEL logits, with a row of a panel, then with what the exponential
# needs, and as kernels with a row of values (of sixteen registers LLVM lends some to the
# exponential, which is as fast as to do so here); and GROUP x _STRIP sums, with a row of values.
PANEL = 4 if N_REGISTERS == 32 else 3
GROUP = 8 if N_REGISTERS == 32 else 4
_QUAD = 4
_STRIP = 3
SCAN = 12 if N_REGISTERS == 32 else 6  # vectors of squared distances at a time
_ROWS_AHEAD = 8  # of values that are asked for, which are too far apart to be expected


class _Code(Vectors):
    """Builder of one loop nest: its arrays as pointers, its numbers as integers."""

    def __init__(self, context, builder, signature, arguments):
        for_dtype = next(t.dtype for t in signature.args if isinstance(t, types.Array))
        super().__init__(builder, for_dtype)
        self.arguments = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        self.index = context.get_value_type(types.intp)

    def number(self, value):
        return self.index(value)

    def plus(self, *terms):
        total, *rest = (self.number(t) if isinstance(t, int) else t for t in terms)
        for term in rest:
            total = self.builder.add(total, term)
        return total

    def times(self, a, b):
        return self.builder.mul(a, self.number(b) if isinstance(b, int) else b)

    def loop(self, start, stop):
        return cgutils.for_range(self.builder, stop, start=start)

    def get(self, variables):
        return [self.builder.load(v) for v in variables]

    @contextmanager
    def quads(self):
        """Loop over the quads of a group; gives the numbers of the queries of one."""
        with self.loop(self.number(0), self.number(GROUP // _QUAD)) as quad:
            first = self.times(quad.index, _QUAD)
            yield [self.plus(first, q) for q in range(_QUAD)]

    def logits(self, quad, queries, shifts, panels, biases, panel, n_dims, scale=()):
        """Logits of a quad, and of a panel: [query][vector].

        ``bias - shift + z . x`` in float64, ``bias + z . x`` in float32, or with a scale
        ``bias + scale |x - z|^2``, which takes twice the arithmetic, and loses no digits where z
        and x are large against the bandwidth.
        """
        b = self.builder
        start = self.times(panel, PANEL * self.lanes)
        bias = [self.load(biases, self.plus(start, p * self.lanes)) for p in range(PANEL)]

        def starts(q):
            if scale:
                return [self.constant(0.0)] * PANEL
            if self.scalar == ir.FloatType():
                return bias
            shift = self.spread(shifts, q)
            return [b.fsub(vector, shift) for vector in bias]

        first = self.times(start, n_dims)
        # A difference takes one more register than there are sixteen: fewer queries at a time.
        parts = [quad[:2], quad[2:]] if scale and N_REGISTERS == 16 else [quad]
        sums = []
        for part in parts:
            rows = [[self.variable(value) for value in starts(q)] for q in part]
            with self.loop(self.number(0), n_dims) as k:
                place = self.plus(first, self.times(k.index, PANEL * self.lanes))
                x = [self.load(panels, self.plus(place, p * self.lanes)) for p in range(PANEL)]
                for q, row in zip(part, rows, strict=True):
                    z = self.spread(queries, self.plus(self.times(k.index, GROUP), q))
                    for p, total in enumerate(row):
                        factors = [b.fsub(x[p], z)] * 2 if scale else [z, x[p]]
                        b.store(self.multiply_add(*factors, b.load(total)), total)
            sums += rows
        totals = [self.get(row) for row in sums]
        if not scale:
            return totals
        factor = self.spread(scale[0], self.number(0))
        return [
            [self.multiply_add(factor, *terms) for terms in zip(row, bias, strict=True)]
            for row in totals
        ]


def _loop(build):
    """An intrinsic for numba of a function that generates code, typed by its arguments."""

    @intrinsic
    def typed(typing_context, arguments):
        def generate(context, builder, signature, values):
            unpacked = cgutils.unpack_tuple(builder, values[0])
            inner = types.void(*signature.args[0].types)
            build(_Code(context, builder, inner, unpacked), inner)
            return context.get_dummy_value()

        return types.void(arguments), generate

    return typed


@_loop
def add_up(code, signature):
    """Add the kernels of a group of queries and a panel, and the values they weigh, to their sums.

    (queries (D, GROUP), shifts (GROUP,), panels (., D, W), biases (., W), panel, n_dims, values,
    n_vectors, scratch (GROUP, W), sums (GROUP, lanes), totals (GROUP, n_vectors lanes)): the
    kernels of the points of one panel,

        2^(biases[j] - shifts[q] + z_q . x_j)

    are added to sums[q] lane by lane. In float32 there are no shifts. With one more argument,
    scale (1,), the kernels are

        2^(biases[j] + scale |x_j - z_q|^2)

    Values by row, (. W, V) with V in whole vectors: totals += kernels @ values. Values by column,
    (., V, W), of which none is wasted on filling up a vector: totals have V vectors, whose lanes
    are to be added.
    """
    by_column = signature.args[6].ndim == 3
    arguments, scale = code.arguments[:11], code.arguments[11:]
    *places, panel, n_dims, values, n_vectors, scratch, sums, totals = arguments
    with code.quads() as quad:
        logits = code.logits(quad, *places, panel, n_dims, scale)
        kernels = [code.exp2(row) for row in logits]
        for q, row in zip(quad, kernels, strict=True):
            place = code.times(q, code.lanes)
            code.store(reduce(code.builder.fadd, row, code.load(sums, place)), sums, place)
        if by_column:
            _add_columns(code, quad, kernels, values, panel, n_vectors, totals)
        else:
            for q, row in zip(quad, kernels, strict=True):
                for p, kernel in enumerate(row):
                    place = code.plus(code.times(q, PANEL * code.lanes), p * code.lanes)
                    code.store(kernel, scratch, place)
    if not by_column:
        _add_rows(code, scratch, values, panel, n_vectors, totals)


def _add_columns(code, quad, kernels, values, panel, n_values, totals):
    """Values by column, weighted by the kernels of a quad: [query][vector]."""
    lanes = code.lanes
    first = code.times(code.times(panel, n_values), PANEL * lanes)
    with code.loop(code.number(0), n_values) as column:
        place = code.plus(first, code.times(column.index, PANEL * lanes))
        v = [code.load(values, code.plus(place, p * lanes)) for p in range(PANEL)]
        for q, row in zip(quad, kernels, strict=True):
            place = code.times(code.plus(code.times(q, n_values), column.index), lanes)
            total = code.load(totals, place)
            for kernel, value in zip(row, v, strict=True):
                total = code.multiply_add(kernel, value, total)
            code.store(total, totals, place)


def _add_rows(code, kernels, values, panel, n_vectors, totals):
    """Values by row, weighted by the kernels of a group, in strips of some vectors."""
    b = code.builder

    def strip(vector, count):
        _add_strip(code, kernels, values, panel, n_vectors, totals, vector, count)

    full = b.udiv(n_vectors, code.number(_STRIP))
    with code.loop(code.number(0), full) as number:
        strip(code.times(number.index, _STRIP), _STRIP)
    done = code.times(full, _STRIP)
    for count in range(1, _STRIP):
        with b.if_then(b.icmp_unsigned("==", b.sub(n_vectors, done), code.number(count))):
            strip(done, count)


def _add_strip(code, kernels, values, panel, n_vectors, totals, vector, count):
    """A strip of `count` vectors of values by row, from number `vector` on."""
    b, panel_width = code.builder, PANEL * code.lanes
    row_length = code.times(n_vectors, code.lanes)
    offset = code.times(vector, code.lanes)
    first = code.times(code.times(panel, panel_width), row_length)
    # From zero: a total of all points would round off more and more of what is added.
    sums = [[code.variable(code.constant(0.0)) for _ in range(count)] for _ in range(GROUP)]
    with code.loop(code.number(0), code.number(panel_width)) as j:
        row = code.plus(first, code.times(j.index, row_length), offset)
        v = [code.load(values, code.plus(row, p * code.lanes)) for p in range(count)]
        later = code.times(row_length, _ROWS_AHEAD)
        for p in range(count):
            code.prefetch(values, code.plus(row, later, p * code.lanes))
        for q in range(GROUP):
            kernel = code.spread(kernels, code.plus(j.index, q * panel_width))
            for p in range(count):
                b.store(code.multiply_add(kernel, v[p], b.load(sums[q][p])), sums[q][p])
    for q in range(GROUP):
        for p in range(count):
            place = code.plus(code.times(row_length, q), offset, p * code.lanes)
            total = b.fadd(code.load(totals, place), b.load(sums[q][p]))
            code.store(total, totals, place)


@_loop
def settle(code, signature):
    """Add vectors to totals in float64, number by number, and set them to zero.

    (vectors (n, lanes), totals (n, lanes), n). Left to the compiler, this takes longer to compile
    than all other loops together: it makes a version of it for arrays that overlap.
    """
    _settle(code, *code.arguments)


@_loop
def settle_lanes(code, signature):
    """Add the lanes of vectors to one number in float64 for each, and set the vectors to zero.

    (vectors (n, lanes), totals (n,), n)
    """
    _settle_lanes(code, *code.arguments)


@_loop
def settle_values(code, signature):
    """Values by row as :func:`settle`, those by column as :func:`settle_lanes`.

    (vectors, totals, n, values): of the values only the layout counts.
    """
    *arguments, _ = code.arguments
    (_settle_lanes if signature.args[3].ndim == 3 else _settle)(code, *arguments)


def _settle(code, vectors, totals, n):
    with code.loop(code.number(0), n) as i:
        place = code.times(i.index, code.lanes)
        vector = code.doubles(code.load(vectors, place))
        code.store(code.builder.fadd(code.load_doubles(totals, place), vector), totals, place)
        code.store(code.constant(0.0), vectors, place)


def _settle_lanes(code, vectors, totals, n):
    b = code.builder
    with code.loop(code.number(0), n) as i:
        place = code.times(i.index, code.lanes)
        at = b.gep(totals, [i.index])
        b.store(b.fadd(b.load(at), code.sum_lanes(code.load(vectors, place))), at)
        code.store(code.constant(0.0), vectors, place)


@_loop
def highest(code, signature):
    """Largest logits of a group of queries and a run of panels, lane by lane.

    (queries (D, GROUP), shifts (GROUP,), panels (., D, W), biases (., W), start, stop, n_dims,
    tops (GROUP, lanes)): the arguments of :func:`add_up`; tops are raised where they are lower.
    """
    queries, shifts, panels, biases, start, stop, n_dims, tops = code.arguments
    with code.loop(start, stop) as panel, code.quads() as quad:
        rows = code.logits(quad, queries, shifts, panels, biases, panel.index, n_dims)
        for q, row in zip(quad, rows, strict=True):
            place = code.times(q, code.lanes)
            top = code.load(tops, place)
            for logit in row:
                top = code.maximum(logit, top)
            code.store(top, tops, place)


@_loop
def gaps(code, signature):
    """Squared distances of a group of queries to a box, in float64.

    (queries (D, GROUP), lower (D, T), upper (D, T), t, n_dims, n_boxes, squared (GROUP,)): to box
    t, whose lowest and highest coordinates are in column t.
    """
    queries, lower, upper, t, n_dims, n_boxes, squared = code.arguments
    b, zero = code.builder, code.constant(0.0)
    places = [v * code.lanes for v in range(GROUP // code.lanes)]
    totals = [code.variable(zero) for _ in places]
    with code.loop(code.number(0), n_dims) as k:
        corner = code.plus(code.times(k.index, n_boxes), t)
        first, last = code.spread(lower, corner), code.spread(upper, corner)
        for place, total in zip(places, totals, strict=True):
            z = code.load(queries, code.plus(code.times(k.index, GROUP), place))
            gap = code.maximum(code.maximum(b.fsub(first, z), b.fsub(z, last)), zero)
            b.store(code.multiply_add(gap, gap, b.load(total)), total)
    for place, total in zip(places, code.get(totals), strict=True):
        code.store(total, squared, code.number(place))


@_loop
def collect(code, signature):
    """Append the points of a tile that are near a row to those that were found for it before.

    (rows (., D), i, tiles (., D, W), numbers (., W), t, n_dims, n_strips, distances (W,), r, room,
    limits (.,), found (., room), found_numbers (., room), n_found (.,)), all in float64: for row i,
    whose results are in place r, squared distances below its limit, and numbers of the points of
    tile t that have them; W is the width of n_strips times SCAN vectors. n_found is how many there
    are before and after. distances is scratch.
    """
    rows, i, tiles, numbers, t, n_dims, n_strips, distances, r, room, *results = code.arguments
    limits, found, found_numbers, n_found = results
    b, width = code.builder, SCAN * code.lanes
    row_length = code.times(n_strips, width)
    row = b.gep(rows, [code.times(i, n_dims)])
    tile = b.gep(tiles, [code.times(t, code.times(row_length, n_dims))])
    numbers = b.gep(numbers, [code.times(t, row_length)])
    start = code.times(r, room)
    found = b.gep(found, [start]), b.gep(found_numbers, [start]), b.gep(n_found, [r])
    most = code.spread(limits, r)
    with code.loop(code.number(0), n_strips) as strip:
        start = code.times(strip.index, width)
        places = [code.plus(start, p * code.lanes) for p in range(SCAN)]
        sums = [code.variable(code.constant(0.0)) for _ in places]
        with code.loop(code.number(0), n_dims) as k:
            z, first = code.spread(row, k.index), code.times(k.index, row_length)
            for place, total in zip(places, sums, strict=True):
                difference = b.fsub(code.load(tile, code.plus(first, place)), z)
                b.store(code.multiply_add(difference, difference, b.load(total)), total)
        totals = code.get(sums)
        for place, total in zip(places, totals, strict=True):
            code.store(total, distances, place)
        # A word holds the bits of half of the vectors.
        for half in range(0, SCAN, SCAN // 2):
            bits = code.number(0)
            for p, total in enumerate(totals[half : half + SCAN // 2]):
                of_vector = code.bits_below(total, most, code.index)
                bits = b.or_(bits, b.shl(of_vector, code.number(p * code.lanes)))
            _append(code, bits, places[half], numbers, distances, found)


def _append(code, bits, first, numbers, distances, found):
    """Append the points of which bits are set, counted from number `first` on: few, if any."""
    found_distances, found_numbers, n_found = found
    b, left = code.builder, cgutils.alloca_once(code.builder, code.index)
    b.store(bits, left)
    with code.loop(code.number(0), b.ctpop(bits)):
        bits = b.load(left)
        lane = b.cttz(bits, ir.Constant(ir.IntType(1), 1))  # never of zero
        b.store(b.and_(bits, b.sub(bits, code.number(1))), left)
        at, place = b.load(n_found), code.plus(first, lane)
        b.store(b.load(b.gep(distances, [place])), b.gep(found_distances, [at]))
        b.store(b.load(b.gep(numbers, [place])), b.gep(found_numbers, [at]))
        b.store(code.plus(at, 1), n_found)
