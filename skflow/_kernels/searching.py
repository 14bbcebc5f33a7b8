"""The compiled search for nearest points, through tiles of neighbours."""

import numpy as np

from skflow._kernels.compiled import njit
from skflow._kernels.scans import SCAN, collect
from skflow._kernels.vectors import lanes

_WIDTH = SCAN * lanes(np.float64)
_ROWS = 16  # that share a tile


@njit()
def scan_for_nearest(rows, sequence, points, tiles, guessed, neighbors, squared):
    """For some rows the nearest points, nearest first, and their squared distances.

    rows: (n, d). sequence: numbers of those to look at. points: (m, d). tiles: the points by column
    (n_tiles, d, size), padded with infinity, in whole strips of :func:`~skflow._kernels.scans.
    collect`; their lowest and highest coordinates (d, n_tiles); and their numbers (n_tiles, size).
    guessed: whether neighbors (n, k) are given with numbers of any k points, from which to begin.
    neighbors, squared: (n, k), filled here.

    Points that may be among the nearest are collected, and sorted when there are many of them or
    no more to come: what a guess lets through is sorted just once. Some rows share a tile while it
    is in the caches.
    """
    columns, (lower, upper), numbers = tiles
    n_tiles, n_dims, size = columns.shape
    k = neighbors.shape[1]
    room = 2 * (k + size)
    limits, n_found = np.empty(_ROWS), np.empty(_ROWS, np.intp)
    found = limits, np.empty((_ROWS, room)), np.empty((_ROWS, room), np.intp), n_found
    gaps, wanted = np.empty(n_tiles), np.empty(n_tiles, np.intp)  # by which rows: a bit for each
    shape, scratch = (n_dims, size // _WIDTH), np.empty(size)
    for first in range(0, sequence.shape[0], _ROWS):
        n_rows = min(_ROWS, sequence.shape[0] - first)
        wanted[:] = 0
        for r in range(n_rows):
            i, n_found[r] = sequence[first + r], 0
            limits[r] = _bound_distances(rows, i, points, neighbors) if guessed else np.inf
            _squared_gaps(rows[i], lower, upper, gaps)
            closest = np.argmin(gaps)
            collect((rows, i, columns, numbers, closest, *shape, scratch, r, room, *found))
            if not guessed:
                _keep_nearest(found, r, neighbors, squared, i)
            gaps[closest] = np.inf
            for t in range(n_tiles):
                wanted[t] |= np.intp(gaps[t] < limits[r]) << r
        for t in range(n_tiles):
            if wanted[t] == 0:
                continue
            for r in range(n_rows):
                if wanted[t] >> r & 1:
                    i = sequence[first + r]
                    collect((rows, i, columns, numbers, t, *shape, scratch, r, room, *found))
                    if n_found[r] > room - size:
                        _keep_nearest(found, r, neighbors, squared, i)
        for r in range(n_rows):
            _keep_nearest(found, r, neighbors, squared, sequence[first + r])


@njit(fastmath={"nnan", "nsz", "contract"})
def _squared_gaps(row, lower, upper, gaps):
    """Squared distance of a row to each of many boxes: their corners (d, n_boxes)."""
    gaps[:] = 0.0
    for k in range(lower.shape[0]):
        z, first, last = row[k], lower[k], upper[k]
        for t in range(gaps.shape[0]):
            gap = max(max(first[t] - z, z - last[t]), 0.0)
            gaps[t] += gap * gap


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
