"""The compiled inner loops that look for what is near: boxes of points, and points.

Queries are laid out as for :mod:`skflow._kernels.loops`, boxes by :mod:`skflow._kernels.blocks`,
and the points of :func:`collect` by :mod:`skflow._kernels.neighbors`. Everything is C-contiguous.
"""

from contextlib import contextmanager
from functools import reduce

from skflow._kernels.builder import GROUP, inner_loop
from skflow._kernels.vectors import N_REGISTERS

BUNDLE = 16  # tiles, whole vectors of them
SCAN = 12 if N_REGISTERS == 32 else 6  # vectors of squared distances at a time
FEW = 16  # points found for a row that are sorted by counting, whole vectors of them


@inner_loop
def bound_logits(code, signature):
    """The largest logits that each query of a group can have with the points of each of many boxes.

    (queries (D, GROUP), added (GROUP,), scale (1,), n_dims, lower (D, T), upper (D, T),
    heaviest (T,), n_boxes, bounds (GROUP, T), highest (GROUP, lanes)): for boxes with the lowest
    and highest coordinates in lower and upper, whole vectors of them, into bounds

        heaviest[t] + added[q] + scale |gap between z_q and box t|^2

    The highest of these are raised where they are lower, lane by lane.
    """
    *group, lower, upper, heaviest, n_boxes, bounds, highest = code.arguments
    n_vectors = code.builder.udiv(n_boxes, code.number(code.lanes))
    boxes = lower, upper, heaviest, n_boxes
    with code.loop(code.number(0), n_vectors) as vector:
        _bound(code, group, boxes, code.times(vector.index, code.lanes), bounds, highest)


@inner_loop
def list_tiles(code, signature):
    """List the tiles whose bound for some query of a group is not below its threshold.

    (queries, added, scale, n_dims, lower, upper, heaviest, n_tiles, bounds, highest: those of
    :func:`bound_logits` for tiles; thresholds (GROUP,), bounds_of_bundles (GROUP, B), n_bundles,
    is_bounded (B,), listed (T,), n_listed (1,)): tiles are only looked at in bundles of BUNDLE
    for which that is so, too. The bounds of these tiles are computed unless is_bounded says that
    they are there.
    """
    *group, lower, upper, heaviest, n_tiles, bounds, highest = code.arguments[:10]
    thresholds, bounds_of_bundles, n_bundles, is_bounded, listed, n_listed = code.arguments[10:]
    b, boxes = code.builder, (lower, upper, heaviest, n_tiles)
    limits = [code.spread(thresholds, code.number(q)) for q in range(GROUP)]
    b.store(code.number(0), n_listed)
    n_vectors = b.udiv(n_bundles, code.number(code.lanes))
    with (
        code.loop(code.number(0), n_vectors) as vector,
        _not_below(code, bounds_of_bundles, n_bundles, vector.index, limits) as bundle,
    ):
        place = b.gep(is_bounded, [bundle])
        first = code.times(bundle, BUNDLE)
        with b.if_then(b.icmp_unsigned("==", b.load(place), place.type.pointee(0))):
            b.store(place.type.pointee(1), place)
            for start in range(0, BUNDLE, code.lanes):
                _bound(code, group, boxes, code.plus(first, start), bounds, highest)
        n_before = code.times(bundle, BUNDLE // code.lanes)
        with (
            code.loop(n_before, code.plus(n_before, BUNDLE // code.lanes)) as vector,
            _not_below(code, bounds, n_tiles, vector.index, limits) as tile,
        ):
            at = b.load(n_listed)
            b.store(tile, b.gep(listed, [at]))
            b.store(code.plus(at, 1), n_listed)


def _bound(code, group, boxes, start, bounds, highest):
    """Bounds for a vector of boxes; see :func:`bound_logits`."""
    queries, added, scale, n_dims = group
    lower, upper, heaviest, n_boxes = boxes
    b, scale = code.builder, code.spread(scale, code.number(0))
    with code.quads() as quad:
        totals = [code.variable(code.constant(0.0)) for _ in quad]
        with code.loop(code.number(0), n_dims) as k:
            corner = code.plus(code.times(k.index, n_boxes), start)
            low, high = code.load(lower, corner), code.load(upper, corner)
            for q, total in zip(quad, totals, strict=True):
                z = code.spread(queries, code.plus(code.times(k.index, GROUP), q))
                _add_gap(code, low, high, z, total)
        weight = code.load(heaviest, start)
        for q, total in zip(quad, code.get(totals), strict=True):
            bound = code.multiply_add(scale, total, b.fadd(weight, code.spread(added, q)))
            code.store(bound, bounds, code.plus(code.times(q, n_boxes), start))
            place = code.times(q, code.lanes)
            code.store(code.maximum(bound, code.load(highest, place)), highest, place)


def _add_gap(code, low, high, z, total):
    """Add the squared gap between a coordinate and those of boxes."""
    b = code.builder
    gap = code.maximum(code.maximum(b.fsub(low, z), b.fsub(z, high)), code.constant(0.0))
    b.store(code.multiply_add(gap, gap, b.load(total)), total)


@contextmanager
def _not_below(code, bounds, n_boxes, vector, limits):
    """Loop over the numbers of the boxes of a vector that have a bound not below its limit."""
    start = code.times(vector, code.lanes)
    reached = [
        code.compare(code.load(bounds, code.plus(start, code.times(n_boxes, q))), ">=", limit)
        for q, limit in enumerate(limits)
    ]
    lanes = reduce(code.builder.or_, reached)
    with code.each_bit(code.bits(lanes, code.index)) as lane:
        yield code.plus(start, lane)


@inner_loop
def square_gaps(code, signature):
    """Squared distances of a row to boxes, zero within one, all in float64.

    (rows (., D), i, n_dims, lower (D, T), upper (D, T), n_boxes, gaps (T,)): for row i and boxes
    with these lowest and highest coordinates, whole vectors of them.
    """
    rows, i, n_dims, lower, upper, n_boxes, gaps = code.arguments
    b = code.builder
    row = b.gep(rows, [code.times(i, n_dims)])
    with code.loop(code.number(0), b.udiv(n_boxes, code.number(code.lanes))) as vector:
        start, total = code.times(vector.index, code.lanes), code.variable(code.constant(0.0))
        with code.loop(code.number(0), n_dims) as k:
            corner = code.plus(code.times(k.index, n_boxes), start)
            low, high = code.load(lower, corner), code.load(upper, corner)
            _add_gap(code, low, high, code.spread(row, k.index), total)
        code.store(b.load(total), gaps, start)


@inner_loop
def list_near_boxes(code, signature):
    """Add a row to the lists of the boxes that are nearer to it than its limit.

    (gaps (T,), n_boxes, limits (.,), r, lists (T, L), n_listed (T,), list_length): gaps are those
    of :func:`square_gaps`, in whole vectors, and r the number that the row has here.
    """
    gaps, n_boxes, limits, r, lists, n_listed, list_length = code.arguments
    b, limit = code.builder, code.spread(limits, r)
    with code.loop(code.number(0), b.udiv(n_boxes, code.number(code.lanes))) as vector:
        start = code.times(vector.index, code.lanes)
        near = code.compare(code.load(gaps, start), "<", limit)
        with code.each_bit(code.bits(near, code.index)) as lane:
            box = code.plus(start, lane)
            n_before = b.gep(n_listed, [box])
            place = code.plus(code.times(box, list_length), b.load(n_before))
            b.store(r, b.gep(lists, [place]))
            b.store(code.plus(b.load(n_before), 1), n_before)


@inner_loop
def sort_few(code, signature):
    """Sort the few points that were found for a row.

    (found (., room), found_numbers (., room), n_found (.,), r, room, k, i, squared (., k),
    neighbors (., k), n_equal (1,)): of the points found in place r, at most FEW, the nearest k into
    row i. n_equal is the number of pairs that are equally far, which are not in order.
    """
    found, found_numbers, n_found, r, room, k, i, squared, neighbors, n_equal = code.arguments
    b = code.builder
    found, found_numbers = (
        b.gep(of_all, [code.times(r, room)]) for of_all in (found, found_numbers)
    )
    squared, neighbors = (b.gep(of_all, [code.times(i, k)]) for of_all in (squared, neighbors))
    n = b.load(b.gep(n_found, [r]))
    there = b.sub(b.shl(code.number(1), n), code.number(1))
    vectors = [code.load(found, code.number(start)) for start in range(0, FEW, code.lanes)]

    def count(relation, distance):
        word = code.number(0)
        for v, vector in enumerate(vectors):
            lanes = code.bits(code.compare(vector, relation, distance), code.index)
            word = b.or_(word, b.shl(lanes, code.number(v * code.lanes)))
        return b.ctpop(b.and_(word, there))

    b.store(code.number(0), n_equal)
    with code.loop(code.number(0), n) as point:
        distance = code.spread(found, point.index)
        n_nearer, n_same = count("<", distance), count("==", distance)
        b.store(code.plus(b.load(n_equal), n_same, -1), n_equal)
        with b.if_then(b.icmp_signed("<", n_nearer, k)):
            number = b.load(b.gep(found_numbers, [point.index]))
            b.store(b.load(b.gep(found, [point.index])), b.gep(squared, [n_nearer]))
            b.store(number, b.gep(neighbors, [n_nearer]))


@inner_loop
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
                of_vector = code.bits(code.compare(total, "<", most), code.index)
                bits = b.or_(bits, b.shl(of_vector, code.number(p * code.lanes)))
            _append(code, bits, places[half], numbers, distances, found)


def _append(code, bits, first, numbers, distances, found):
    """Append the points of which bits are set, counted from number `first` on."""
    found_distances, found_numbers, n_found = found
    b = code.builder
    with code.each_bit(bits) as lane:
        at, place = b.load(n_found), code.plus(first, lane)
        b.store(b.load(b.gep(distances, [place])), b.gep(found_distances, [at]))
        b.store(b.load(b.gep(numbers, [place])), b.gep(found_numbers, [at]))
        b.store(code.plus(at, 1), n_found)
