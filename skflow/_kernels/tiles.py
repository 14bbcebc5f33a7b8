"""Compiled loops over tiles of neighbouring points, of which most do not count for a query."""

import numpy as np

from skflow._kernels.builder import GROUP, PANEL
from skflow._kernels.compiled import _finish, _pack, njit, zero_vectors
from skflow._kernels.loops import add_up, highest, settle
from skflow._kernels.scans import bound_logits, list_tiles
from skflow._kernels.vectors import VECTOR_BYTES


@njit()
def enclose_tiles(X, order, size, lower, upper):
    """Lowest and highest coordinates of the points of each tile, into (d, n_tiles)."""
    for t in range(lower.shape[1]):
        first = order[t * size]
        for k in range(X.shape[1]):
            lower[k, t] = upper[k, t] = X[first, k]
        for place in range(t * size + 1, min((t + 1) * size, order.shape[0])):
            i = order[place]
            for k in range(X.shape[1]):
                lower[k, t] = min(lower[k, t], X[i, k])
                upper[k, t] = max(upper[k, t], X[i, k])


@njit()
def _room_for_bounds(n_tiles, n_bundles, like):
    """For bounds of tiles, of bundles, the highest of them, and whose tiles have theirs."""
    bounds = np.empty((GROUP, n_tiles), like.dtype)
    of_bundles = np.empty((GROUP, n_bundles), like.dtype)
    highest_bounds = np.empty((GROUP, VECTOR_BYTES // like.itemsize), like.dtype)
    return bounds, of_bundles, highest_bounds, np.empty(n_bundles, np.bool_)


@njit()
def count_tiles(groups, thresholds, tiles, bundles, per_unit):
    """How many tiles have a kernel above a threshold for any query of a group, over all groups.

    groups: (n, d, GROUP). thresholds: (n, GROUP), log2 of kernels. tiles, bundles: lowest and
    highest coordinates (d, T) of the points, and log2 of their largest weight (T,), in whole
    vectors; what fills these up is not a number.
    """
    n_dims, n_tiles, n_bundles = groups.shape[1], tiles[2].shape[0], bundles[2].shape[0]
    nothing, scale = np.zeros(GROUP), np.full(1, -0.5 * per_unit)
    bounds, of_bundles, highest_bounds, is_bounded = _room_for_bounds(n_tiles, n_bundles, groups)
    listed, n_listed = np.empty(n_tiles, np.intp), np.empty(1, np.intp)
    n_counted = 0
    for g in range(groups.shape[0]):
        group = groups[g], nothing, scale, n_dims
        is_bounded[:] = False
        bound_logits((*group, *bundles, n_bundles, of_bundles, highest_bounds))
        bounded = bounds, highest_bounds, thresholds[g], of_bundles, n_bundles, is_bounded
        list_tiles((*group, *tiles, n_tiles, *bounded, listed, n_listed))
        n_counted += n_listed[0]
    return n_counted


@njit()
def _set_thresholds(thresholds, lanes, n):
    """Those of n queries to the highest of their lanes; others to what nothing reaches."""
    thresholds[:] = np.inf
    for q in range(n):
        threshold = lanes[q, 0]
        for lane in range(1, lanes.shape[1]):
            threshold = max(threshold, lanes[q, lane])
        thresholds[q] = threshold


@njit(inline="always")  # to call it would count references to every array in the tuples
def _find_tops(to_bound, to_list, bounding, of_points, size, scale, n):
    """Set the thresholds of a group of n queries to their largest logits.

    These are first looked for where they may be as far as the bundles tell, and then the tiles in
    these; then wherever there may be a larger one. A tile that holds the largest logit has a bound
    that is not below it, and no threshold on the way is above it: whatever the other queries are,
    it is looked into.

    to_bound, to_list: what :func:`~skflow._kernels.scans.bound_logits` takes for the bundles, and
    :func:`~skflow._kernels.scans.list_tiles`. bounding: some of these once more. of_points: the
    queries and the points for :func:`~skflow._kernels.loops.highest`, its results, and which tiles
    it has looked into.
    """
    highest_bounds, is_bounded, thresholds, listed, n_listed = bounding
    queries, shifts, panels, biases, n_dims, tops, is_seen = of_points
    is_bounded[:] = False
    is_seen[:] = False
    highest_bounds[:] = -np.inf
    bound_logits(to_bound)
    _set_thresholds(thresholds, highest_bounds, n)
    highest_bounds[:] = -np.inf
    list_tiles(to_list)
    _set_thresholds(thresholds, highest_bounds, n)
    tops[:] = -np.inf
    for _ in range(2):
        list_tiles(to_list)
        for i in range(n_listed[0]):
            t = listed[i]
            if not is_seen[t]:
                is_seen[t] = True
                places = queries, shifts, panels, biases, t * size, (t + 1) * size
                highest((*places, n_dims, tops, *scale))
        _set_thresholds(thresholds, tops, n)


@njit(fastmath={"reassoc", "nsz"})
def _add_lanes(lanes, totals):
    """Sums of as many numbers in a row as there are for each total; they are set to zero."""
    totals = totals.reshape(-1)
    lanes = lanes.reshape(totals.shape[0], -1)
    for i in range(totals.shape[0]):
        total = 0.0
        for lane in range(lanes.shape[1]):
            total += lanes[i, lane]
            lanes[i, lane] = 0.0
        totals[i] = total


@njit()
def stream_tiles(offsets, own, slack, units, cut, least, tiles, value_center, results):
    """The kernel mean of each query, over the points of the tiles that count for it.

    Of a group of queries at a time: the largest kernel of each, from the tiles that may have it;
    then the sums over the tiles that may have a kernel above 2^cut times the largest.

    offsets: (n, d), the queries about the origin of the points, neighbours near each other.
    own: (n,), what turns logs of kernels into logits: |z|^2 / (2 sigma^2 ln 2), or 0 with a scale.
    slack: (n,), at least the rounding of a logit.
    units: 1 / (sigma^2 ln 2); what queries are multiplied by for the points; and the scale, as in
    :func:`~skflow._kernels.compiled.stream`.
    least: logits below which a query is not summed up.
    tiles: layout and biases of :func:`~skflow._kernels.compiled.stream`; how many panels a tile
    has; and the tiles and bundles of :func:`count_tiles`, in the dtype of the layout.
    results: shifts (n,), sums (n,) and means (n, v), filled here; with a scale shifts are zero.

    Whether a tile counts for a query, and when it is added, does not depend on the other queries:
    a result has the same bits in any group.
    """
    (panels, values), biases, size, (boxes, bundles) = tiles
    per_unit, factor, scale = units
    shifts, sums, means = results
    n_dims, width, dtype = offsets.shape[1], panels.shape[2], panels.dtype
    n_tiles, n_bundles = boxes[2].shape[0], bundles[2].shape[0]
    lanes, n_values = width // PANEL, values.shape[1]
    n_vectors = n_values if values.ndim == 3 else n_values // lanes
    # Queries as the points take them, and as the boxes do.
    queries, query_shifts = np.empty((1, n_dims, GROUP), dtype), np.zeros((1, GROUP), dtype)
    no_shifts, origin = np.zeros(GROUP), np.zeros(n_dims)
    columns, added = np.zeros((n_dims, GROUP), dtype), np.zeros(GROUP, dtype)
    thresholds = np.zeros(GROUP, dtype)
    group = columns, added, np.full(1, -0.5 * per_unit).astype(dtype), n_dims
    bounds, of_bundles, highest_bounds, is_bounded = _room_for_bounds(n_tiles, n_bundles, panels)
    listed, n_listed = np.empty(n_tiles, np.intp), np.empty(1, np.intp)
    bounded = bounds, highest_bounds, thresholds, of_bundles, n_bundles, is_bounded
    to_bound = *group, *bundles, n_bundles, of_bundles, highest_bounds
    to_list = *group, *boxes, n_tiles, *bounded, listed, n_listed
    bounding = highest_bounds, is_bounded, thresholds, listed, n_listed
    # What is added up: of a tile, of all tiles lane by lane, and in all.
    kernels = zero_vectors(GROUP * width, panels).reshape(GROUP, width)
    tops, kernel_sums = zero_vectors(2 * GROUP * lanes, panels).reshape(2, GROUP, lanes)
    value_sums = zero_vectors(GROUP * n_vectors * lanes, panels).reshape(GROUP, -1)
    kernel_lanes, value_lanes = np.zeros(kernel_sums.shape), np.zeros(value_sums.shape)
    totals = np.empty((1, GROUP)), np.empty((1, GROUP, n_values))
    nothing = np.empty((0, 0), np.float32)
    is_seen = np.empty(n_tiles, np.bool_)
    of_points = queries[0], query_shifts[0], panels, biases, n_dims, tops, is_seen
    for first in range(0, offsets.shape[0], GROUP):
        last = min(offsets.shape[0], first + GROUP)
        n, rows = last - first, offsets[first:last]
        for q in range(n):
            added[q] = own[first + q] + slack[first + q]
            for k in range(n_dims):
                columns[k, q] = rows[q, k]
        _pack(rows, origin, no_shifts[:n], factor, queries, query_shifts)
        _find_tops(to_bound, to_list, bounding, of_points, size, scale, n)
        for q in range(n):
            top = thresholds[q]
            thresholds[q] = top + cut if top >= least else np.inf
            shifts[first + q] = query_shifts[0, q] = 0.0 if scale else np.ceil(top)
        list_tiles(to_list)
        for i in range(n_listed[0]):
            t = listed[i]
            for panel in range(t * size, (t + 1) * size):
                places = queries[0], query_shifts[0], panels, biases, panel, n_dims
                of_tile = kernels, kernel_sums, value_sums
                add_up((*places, values, n_vectors, *of_tile, *scale))
            for q in range(n):
                if bounds[q, t] >= thresholds[q]:
                    settle((kernel_sums[q], kernel_lanes[q], 1))
                    settle((value_sums[q], value_lanes[q], n_vectors))
            kernel_sums[:] = 0
            value_sums[:] = 0
        _add_lanes(kernel_lanes, totals[0])
        _add_lanes(value_lanes, totals[1])
        _finish(totals, value_center, sums[first:last], means[first:last], nothing)
