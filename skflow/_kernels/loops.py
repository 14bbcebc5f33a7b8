"""The compiled inner loops of the kernel mean.

The arrays that these loops work on are laid out for them by :mod:`skflow._kernels.dense`:

- queries come in groups of GROUP; the four of a quad share every load of a point;
- points come in panels: PANEL vectors of points, a row of the panel for each dimension;
- values come in rows, padded to whole vectors; or, a few of them, in panels like the points.

Everything is C-contiguous and, but for totals in float64, of one dtype. See :func:`add_up`.
"""

from functools import reduce

from llvmlite import ir

from skflow._kernels.builder import GROUP, PANEL, inner_loop
from skflow._kernels.vectors import N_REGISTERS

_STRIP = 3  # vectors of values by row, of which GROUP sums each stay in registers
_ROWS_AHEAD = 8  # of values that are asked for, which are too far apart to be expected


@inner_loop
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
        logits = _logits(code, quad, *places, panel, n_dims, scale)
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


@inner_loop
def settle(code, signature):
    """Add vectors to totals in float64, number by number, and set them to zero.

    (vectors (n, lanes), totals (n, lanes), n). Left to the compiler, this takes longer to compile
    than all other loops together: it makes a version of it for arrays that overlap.
    """
    _settle(code, *code.arguments)


@inner_loop
def settle_lanes(code, signature):
    """Add the lanes of vectors to one number in float64 for each, and set the vectors to zero.

    (vectors (n, lanes), totals (n,), n)
    """
    _settle_lanes(code, *code.arguments)


@inner_loop
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


@inner_loop
def raise_two(code, signature):
    """``2^t`` for each t of a vector, in its place: (numbers (n,), n), whole pairs of vectors."""
    numbers, n = code.arguments
    with code.loop(code.number(0), code.builder.udiv(n, code.number(2 * code.lanes))) as pair:
        first = code.times(pair.index, 2 * code.lanes)
        places = first, code.plus(first, code.lanes)
        powers = code.exp2([code.load(numbers, place) for place in places])
        for power, place in zip(powers, places, strict=True):
            code.store(power, numbers, place)


@inner_loop
def highest(code, signature):
    """Largest logits of a group of queries and a run of panels, lane by lane.

    (queries (D, GROUP), shifts (GROUP,), panels (., D, W), biases (., W), start, stop, n_dims,
    tops (GROUP, lanes)), and maybe scale (1,): the arguments of :func:`add_up`; tops are raised
    where they are lower.
    """
    arguments, scale = code.arguments[:8], code.arguments[8:]
    *places, start, stop, n_dims, tops = arguments
    with code.loop(start, stop) as panel, code.quads() as quad:
        rows = _logits(code, quad, *places, panel.index, n_dims, scale)
        for q, row in zip(quad, rows, strict=True):
            place = code.times(q, code.lanes)
            top = code.load(tops, place)
            for logit in row:
                top = code.maximum(logit, top)
            code.store(top, tops, place)


def _logits(code, quad, queries, shifts, panels, biases, panel, n_dims, scale=()):
    """Logits of a quad, and of a panel: [query][vector].

    ``bias - shift + z . x`` in float64, ``bias + z . x`` in float32, or with a scale
    ``bias + scale |x - z|^2``, which takes twice the arithmetic, and loses no digits where z
    and x are large against the bandwidth.
    """
    b = code.builder
    start = code.times(panel, PANEL * code.lanes)
    bias = [code.load(biases, code.plus(start, p * code.lanes)) for p in range(PANEL)]

    def starts(q):
        if scale:
            return [code.constant(0.0)] * PANEL
        if code.scalar == ir.FloatType():
            return bias
        shift = code.spread(shifts, q)
        return [b.fsub(vector, shift) for vector in bias]

    first = code.times(start, n_dims)
    # A difference takes one more register than there are sixteen: fewer queries at a time.
    parts = [quad[:2], quad[2:]] if scale and N_REGISTERS == 16 else [quad]
    sums = []
    for part in parts:
        rows = [[code.variable(value) for value in starts(q)] for q in part]
        with code.loop(code.number(0), n_dims) as k:
            place = code.plus(first, code.times(k.index, PANEL * code.lanes))
            x = [code.load(panels, code.plus(place, p * code.lanes)) for p in range(PANEL)]
            for q, row in zip(part, rows, strict=True):
                z = code.spread(queries, code.plus(code.times(k.index, GROUP), q))
                for p, total in enumerate(row):
                    factors = [b.fsub(x[p], z)] * 2 if scale else [z, x[p]]
                    b.store(code.multiply_add(*factors, b.load(total)), total)
        sums += rows
    totals = [code.get(row) for row in sums]
    if not scale:
        return totals
    factor = code.spread(scale[0], code.number(0))
    return [
        [code.multiply_add(factor, *terms) for terms in zip(row, bias, strict=True)]
        for row in totals
    ]
