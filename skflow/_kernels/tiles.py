"""Compiled loops over tiles of neighbouring points, of which most do not count for a query."""

import math

import numpy as np

from skflow._kernels.compiled import _finish, _pack, njit, zero_vectors
from skflow._kernels.loops import (
    GROUP,
    PANEL,
    add_up,
    gaps,
    highest,
    settle,
    settle_lanes,
    settle_values,
)


@njit()
def sort_into_tiles(X, tile, order):
    """Sort `order`, row numbers of X, so that every `tile` of them are near each other.

    They are the leaves of a k-d tree: the widest dimension is halved, at a multiple of `tile`.
    """
    # Plain loops, and no array expressions, which take seconds to compile.
    keys = np.empty(X.shape[0])
    starts, stops = np.empty(64, np.intp), np.empty(64, np.intp)  # parts left behind by halvings
    starts[0], stops[0] = 0, X.shape[0]
    n_parts = 1
    while n_parts > 0:
        n_parts -= 1
        start, stop = starts[n_parts], stops[n_parts]
        n_tiles = (stop - start + tile - 1) // tile
        if n_tiles < 2:
            continue
        widest, extent = 0, -1.0
        for k in range(X.shape[1]):
            low = high = X[order[start], k]
            for i in range(start + 1, stop):
                low = min(low, X[order[i], k])
                high = max(high, X[order[i], k])
            if high - low > extent:
                widest, extent = k, high - low
        for i in range(start, stop):
            keys[i] = X[order[i], widest]
        middle = start + n_tiles // 2 * tile
        _select(keys, order, start, stop - 1, middle)
        starts[n_parts], stops[n_parts] = start, middle
        starts[n_parts + 1], stops[n_parts + 1] = middle, stop
        n_parts += 2


@njit()
def enclose_tiles(X, order, tile, lower, upper):
    """Lowest and highest coordinates of the points of each tile, into (d, n_tiles)."""
    for t in range(lower.shape[1]):
        first = order[t * tile]
        for k in range(X.shape[1]):
            lower[k, t] = upper[k, t] = X[first, k]
        for place in range(t * tile + 1, min((t + 1) * tile, order.shape[0])):
            i = order[place]
            for k in range(X.shape[1]):
                lower[k, t] = min(lower[k, t], X[i, k])
                upper[k, t] = max(upper[k, t], X[i, k])


@njit()
def _select(keys, order, first, last, nth):
    """Bring smaller keys before the nth place and larger ones behind it (Hoare's quickselect)."""
    while first < last:
        a, b, c = keys[first], keys[(first + last) // 2], keys[last]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = first, last
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if nth <= j:
            last = j
        elif nth >= i:
            first = i
        else:
            return


@njit(fastmath={"nnan", "nsz", "contract"})
def squared_gaps(low, high, lower, upper, gaps):
    """Squared distance of a box to each of many: their corners low, high (d,) and (d, n_boxes)."""
    gaps[:] = 0.0
    for k in range(lower.shape[0]):
        first, last = lower[k], upper[k]
        for t in range(gaps.shape[0]):
            gap = max(max(first[t] - high[k], low[k] - last[t]), 0.0)
            gaps[t] += gap * gap


@njit()
def bound_kernels(low, high, boxes, per_unit, bounds):
    """log2 of the largest kernel that a query in a box can have with a point of each tile.

    low, high: (d,), the box of the queries. boxes: lowest and highest coordinates (d, n_tiles) of
    the points, and log2 of their largest weight (n_tiles,). bounds: (n_tiles,), filled here.
    """
    lower, upper, heaviest = boxes
    squared_gaps(low, high, lower, upper, bounds)
    for t in range(bounds.shape[0]):
        bounds[t] = heaviest[t] - 0.5 * per_unit * bounds[t]


@njit()
def _bound_logits(group, boxes, per_unit, t, bounds):
    """The largest logit, rounding included, that each query of a group can have in tile t.

    group: offsets (d, GROUP), own and slack (n,) of at most so many queries. bounds: (GROUP,).
    """
    offsets, own, slack = group
    lower, upper, heaviest = boxes
    gaps((offsets, lower, upper, t, lower.shape[0], lower.shape[1], bounds))
    for q in range(own.shape[0]):
        bounds[q] = heaviest[t] - 0.5 * per_unit * bounds[q] + own[q] + slack[q]


@njit()
def _raise_tops(packed, tiles, t, lane_tops, tops):
    """Raise the largest logits of a group by what they have in tile t."""
    (panels, _), biases, (lower, _, _) = tiles
    size = panels.shape[0] // lower.shape[1]
    queries, shifts = packed
    start, stop = t * size, (t + 1) * size
    highest((queries[0], shifts[0], panels, biases, start, stop, panels.shape[1], lane_tops))
    for q in range(tops.shape[0]):
        for lane in range(lane_tops.shape[1]):
            top = lane_tops[q, lane]
            tops[q] = top if lane == 0 else max(tops[q], top)


@njit()
def _enclose(offsets, n_queries, low, high):
    """The box of a group of queries, (d, GROUP)."""
    for k in range(offsets.shape[0]):
        low[k] = high[k] = offsets[k, 0]
        for q in range(1, n_queries):
            low[k], high[k] = min(low[k], offsets[k, q]), max(high[k], offsets[k, q])


@njit()
def _find_tops(group, packed, tiles, per_unit, cut, lane_tops, tops, scratch):
    """Largest logit of each query of a group, and the tiles that may have one 2^cut times as large.

    Returns the number of these tiles: candidates, with bounds on the logits there.
    """
    offsets, own, slack = group
    _, _, boxes = tiles
    low, high, group_bounds, candidates, bounds, seen = scratch
    _enclose(offsets, own.shape[0], low, high)
    bound_kernels(low, high, boxes, per_unit, group_bounds)
    nearest = np.argmax(group_bounds)
    lane_tops[:] = -np.inf
    _raise_tops(packed, tiles, nearest, lane_tops, tops)
    threshold = np.inf
    for q in range(tops.shape[0]):
        threshold = min(threshold, tops[q] - own[q] - 2 * slack[q] + cut)
    n_candidates = 0
    for t in range(group_bounds.shape[0]):
        if group_bounds[t] > threshold:
            candidates[n_candidates], seen[n_candidates] = t, t == nearest
            _bound_logits(group, boxes, per_unit, t, bounds[n_candidates])
            n_candidates += 1
    if n_candidates == 0:
        return 0
    # First for each query where it may be highest: most other tiles are then out of the question.
    for q in range(tops.shape[0]):
        best = 0
        for c in range(1, n_candidates):
            if bounds[c, q] > bounds[best, q]:
                best = c
        if bounds[best, q] > tops[q] and not seen[best]:
            seen[best] = True
            _raise_tops(packed, tiles, candidates[best], lane_tops, tops)
    for c in range(n_candidates):
        if not seen[c] and _any_above(bounds[c], tops):
            _raise_tops(packed, tiles, candidates[c], lane_tops, tops)
    return n_candidates


@njit()
def _any_above(bounds, thresholds):
    above = False
    for q in range(thresholds.shape[0]):
        above |= bounds[q] > thresholds[q]
    return above


@njit()
def count_tiles(groups, thresholds, boxes, per_unit):
    """How many tiles have a kernel above a threshold for any query of a group, over all groups.

    groups: (n, d, GROUP). thresholds: (n, GROUP), log2 of kernels. boxes: see
    :func:`bound_kernels`.
    """
    n_tiles = boxes[2].shape[0]
    group_bounds, bounds = np.empty(n_tiles), np.empty(thresholds.shape[1])
    nothing = np.zeros(thresholds.shape[1])
    low, high = np.empty(groups.shape[1]), np.empty(groups.shape[1])
    n_counted = 0
    for g in range(groups.shape[0]):
        group = groups[g], nothing, nothing
        _enclose(groups[g], groups.shape[2], low, high)
        least = thresholds[g].min()
        bound_kernels(low, high, boxes, per_unit, group_bounds)
        for t in range(n_tiles):
            if group_bounds[t] > least:
                _bound_logits(group, boxes, per_unit, t, bounds)
                n_counted += _any_above(bounds, thresholds[g])
    return n_counted


@njit()
def stream_tiles(offsets, own, slack, per_unit, cut, tiles, value_center, results):
    """The kernel mean of each query, over the points of the tiles that count for it.

    Of a group of queries at a time: the largest kernel of each, from the tiles that may have it;
    then the sums over the tiles that may have a kernel above 2^cut times the largest.

    offsets: (n, d), the queries about the centre of the points, neighbours near each other.
    own: (n,), |z|^2 / (2 sigma^2 ln 2), which turns logs of kernels into logits.
    slack: (n,), at least the rounding of a logit.
    per_unit: 1 / (sigma^2 ln 2).
    tiles: layout and biases of :func:`~skflow._kernels.compiled.stream`, with equal numbers of
    panels a tile, and the boxes of :func:`bound_kernels`.
    results: shifts (n,), sums (n,) and means (n, v), filled here.

    Whether a tile counts for a query, and when it is added, does not depend on the other queries:
    a result has the same bits in any group.
    """
    (panels, values), biases, (lower, _, _) = tiles
    shifts, sums, means = results
    n_tiles, n_dims = lower.shape[1], offsets.shape[1]
    size, width, dtype = panels.shape[0] // n_tiles, panels.shape[2], panels.dtype
    lanes, n_values = width // PANEL, values.shape[1]
    n_vectors = n_values if values.ndim == 3 else n_values // lanes
    packed = np.empty((1, n_dims, GROUP), dtype), np.empty((1, GROUP), dtype)
    kernels = zero_vectors((GROUP, width), panels)
    lane_tops, kernel_sums = zero_vectors((2, GROUP, lanes), panels)
    value_sums = zero_vectors((GROUP, n_vectors * lanes), panels)
    kernel_lanes, value_lanes = np.zeros((GROUP, lanes)), np.zeros((GROUP, n_vectors * lanes))
    kernel_totals, value_totals = np.empty((1, GROUP)), np.empty((1, GROUP, n_values))
    totals = kernel_totals, value_totals
    thresholds, columns = np.empty(GROUP), np.zeros((n_dims, GROUP))
    no_shifts, origin = np.zeros(GROUP), np.zeros(n_dims)
    candidates = np.empty(n_tiles, np.intp)
    bounds = np.empty((n_tiles, GROUP))
    low, high = np.empty((2, n_dims))
    scratch = low, high, np.empty(n_tiles), candidates, bounds, np.empty(n_tiles, np.bool_)
    for first in range(0, offsets.shape[0], GROUP):
        last = min(offsets.shape[0], first + GROUP)
        n, rows = last - first, offsets[first:last]
        for q in range(n):
            for k in range(n_dims):
                columns[k, q] = rows[q, k]
        group = columns, own[first:last], slack[first:last]
        top = shifts[first:last]
        _pack(rows, origin, no_shifts[:n], per_unit, *packed)
        n_candidates = _find_tops(group, packed, tiles, per_unit, cut, lane_tops, top, scratch)
        for q in range(n):
            thresholds[q] = top[q] + cut
            top[q] = math.ceil(top[q])
        _pack(rows, origin, top, per_unit, *packed)
        z, shift = packed[0][0], packed[1][0]
        for c in range(n_candidates):
            if not _any_above(bounds[c], thresholds[:n]):
                continue
            kernel_sums[:] = 0
            value_sums[:] = 0
            for panel in range(candidates[c] * size, (candidates[c] + 1) * size):
                places = z, shift, panels, biases, panel, n_dims
                add_up((*places, values, n_vectors, kernels, kernel_sums, value_sums))
            for q in range(n):
                if bounds[c, q] > thresholds[q]:
                    settle((kernel_sums[q], kernel_lanes[q], 1))
                    settle((value_sums[q], value_lanes[q], n_vectors))
        kernel_totals[:] = 0
        settle_lanes((kernel_lanes, kernel_totals, GROUP))
        value_totals[:] = 0
        settle_values((value_lanes, value_totals, GROUP * n_vectors, values))
        _finish(totals, value_center, sums[first:last], means[first:last])
