"""The compiled search for nearest points, through tiles of neighbours."""

import math

import numpy as np

from skflow._kernels.compiled import njit
from skflow._kernels.scans import FEW, SCAN, collect, list_near_boxes, sort_few, square_gaps
from skflow._kernels.vectors import lanes

_WIDTH = SCAN * lanes(np.float64)
_ROWS = 16  # that share a tile


@njit()
def scan_for_nearest(rows, sequence, points, tiles, guessed, neighbors, squared):
    """For some rows the nearest points, nearest first, and their squared distances.

    rows: (n, d). sequence: numbers of those to look at. points: (m, d). tiles: those of
    :func:`lay_out_tiles`. guessed: whether neighbors (n, k) are given with numbers of any k points,
    from which to begin. neighbors, squared: (n, k), filled here.

    Points that may be among the nearest are collected, and sorted when there are many of them or
    no more to come: what a guess lets through is sorted just once. Some rows share a tile while it
    is in the caches.
    """
    columns, (lower, upper), numbers = tiles
    n_tiles, n_dims, size = columns.shape
    k, n_boxes = neighbors.shape[1], lower.shape[1]
    room = 2 * (k + size)
    limits, n_found = np.empty(_ROWS), np.empty(_ROWS, np.intp)
    found = limits, np.empty((_ROWS, room)), np.empty((_ROWS, room), np.intp), n_found
    gaps, n_equal = np.empty(n_boxes), np.empty(1, np.intp)
    wanting, n_wanting = np.empty((n_boxes, _ROWS), np.intp), np.empty(n_boxes, np.intp)
    shape, scratch = (n_dims, size // _WIDTH), np.empty(size)
    for first in range(0, sequence.shape[0], _ROWS):
        n_rows = min(_ROWS, sequence.shape[0] - first)
        n_wanting[:] = 0
        for r in range(n_rows):
            i, n_found[r] = sequence[first + r], 0
            square_gaps((rows, i, n_dims, lower, upper, n_boxes, gaps))
            if guessed:
                limits[r] = _bound_distances(rows, i, points, neighbors)
            else:
                limits[r], closest = np.inf, np.argmin(gaps)
                collect((rows, i, columns, numbers, closest, *shape, scratch, r, room, *found))
                _keep_nearest(found, r, neighbors, squared, i)
                gaps[closest] = np.inf
            list_near_boxes((gaps, n_boxes, limits, r, wanting, n_wanting, _ROWS))
        for t in range(n_tiles):
            for w in range(n_wanting[t]):
                r = wanting[t, w]
                i = sequence[first + r]
                collect((rows, i, columns, numbers, t, *shape, scratch, r, room, *found))
                if n_found[r] > room - size:
                    _keep_nearest(found, r, neighbors, squared, i)
        for r in range(n_rows):
            i, n_equal[0] = sequence[first + r], 1
            if n_found[r] <= FEW:
                sort_few((*found[1:], r, room, k, i, squared, neighbors, n_equal))
            if n_equal[0] > 0:
                _keep_nearest(found, r, neighbors, squared, i)


@njit()
def lay_out_tiles(points, order, columns, lower, upper, numbers):
    """Tiles for :func:`scan_for_nearest`, which are filled here, of points in some order.

    columns: the points by column (n_tiles, d, size), padded with infinity, in whole strips of
    :func:`~skflow._kernels.scans.collect`. lower, upper: the lowest and highest coordinates of each
    tile (d, >= n_tiles). numbers: those of the points (n_tiles, size).
    """
    n_tiles, n_dims, size = columns.shape
    for t in range(n_tiles):
        first = t * size
        n = min(size, order.shape[0] - first)
        for j in range(size):
            numbers[t, j] = order[first + j] if j < n else 0
        for k in range(n_dims):
            low = high = points[order[first], k]
            for j in range(n):
                x = points[order[first + j], k]
                columns[t, k, j] = x
                low, high = min(low, x), max(high, x)
            for j in range(n, size):
                columns[t, k, j] = np.inf
            lower[k, t], upper[k, t] = low, high


@njit()
def share_out(sequence, squared, shares):
    """Shepard's weights of the nearest points of some rows, which sum to one.

    All is on a point at distance zero, and nothing on the first that has no share, or on another
    that is as far away.

    sequence: numbers of these rows. squared: their squared distances (n, k or k + 1), nearest
    first. shares: (n, k), filled here.
    """
    k = shares.shape[1]
    for i in sequence:
        # Multiplied through by the least distance, which keeps everything finite.
        least, total, last = math.sqrt(squared[i, 0]), 0.0, 0.0
        if squared.shape[1] > k:
            last = least / math.sqrt(squared[i, k]) if squared[i, k] > 0 else 1.0
        for j in range(k):
            ratio = least / math.sqrt(squared[i, j]) if squared[i, j] > 0 else 1.0
            shares[i, j] = (ratio - last) ** 2
            total += shares[i, j]
        for j in range(k):  # evenly where all are equally far
            shares[i, j] = shares[i, j] / total if total > 0 else 1.0 / k


@njit(fastmath={"reassoc", "contract", "nsz"})
def _bound_distances(rows, i, points, neighbors):
    """A little more than all squared distances of a row to some points."""
    most = 0.0
    for j in range(neighbors.shape[1]):
        total = 0.0
        for k in range(rows.shape[1]):
            difference = points[neighbors[i, j], k] - rows[i, k]
            total += difference * difference
        most = max(most, total)
    return _a_little_more(most)


@njit()
def _keep_nearest(found, r, neighbors, squared, i):
    """Keep the nearest of what was found, of equally near ones those of the lowest numbers.

    They are sorted; row i of the results gets them, too. Where there are enough of them, what is
    farther than the last need no longer be looked at.
    """
    limits, found_squared, found_numbers, n_found = found
    k, n_sorted = squared.shape[1], 0
    for j in range(n_found[r]):
        distance, number = found_squared[r, j], found_numbers[r, j]
        if n_sorted < k:
            n_sorted += 1
        elif distance > squared[i, k - 1]:  # most of them, if there are many
            continue
        elif not _is_nearer(distance, number, squared, neighbors, i, k - 1):
            continue
        place = n_sorted - 1
        while place > 0 and _is_nearer(distance, number, squared, neighbors, i, place - 1):
            squared[i, place], neighbors[i, place] = squared[i, place - 1], neighbors[i, place - 1]
            place -= 1
        squared[i, place], neighbors[i, place] = distance, number
    for j in range(n_sorted):
        found_squared[r, j], found_numbers[r, j] = squared[i, j], neighbors[i, j]
    n_found[r] = n_sorted
    if n_sorted == k:
        limits[r] = _a_little_more(squared[i, k - 1])


@njit(inline="always")
def _is_nearer(distance, number, squared, neighbors, i, place):
    other, other_number = squared[i, place], neighbors[i, place]
    return distance < other or (distance == other and number < other_number)


@njit(inline="always")
def _a_little_more(distance):
    return distance * (1 + 1e-9) + 1e-300
