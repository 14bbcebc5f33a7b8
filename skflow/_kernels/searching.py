"""The compiled search for nearest points, through tiles of neighbours."""

import numpy as np

from skflow._kernels.compiled import njit
from skflow._kernels.loops import SCAN, collect
from skflow._kernels.tiles import squared_gaps
from skflow._kernels.vectors import lanes

_WIDTH = SCAN * lanes(np.float64)


@njit()
def scan_for_nearest(rows, sequence, points, tiles, guessed, neighbors, squared):
    """For some rows the nearest points, nearest first, and their squared distances.

    rows: (n, d). sequence: numbers of those to look at. points: (m, d). tiles: the points by column
    (n_tiles, d, size), padded with infinity, in whole strips of :func:`~skflow._kernels.loops.
    collect`; their lowest and highest coordinates (d, n_tiles); and their numbers (n_tiles, size).
    guessed: whether neighbors (n, k) are given with numbers of any k points, from which to begin.
    neighbors, squared: (n, k), filled here.

    Points that may be among the nearest are collected, and sorted when there are many of them or
    no more to come: what a guess lets through is sorted just once.
    """
    columns, (lower, upper), numbers = tiles
    n_tiles, n_dims, size = columns.shape
    k = neighbors.shape[1]
    room = 2 * (k + size)
    found = np.empty(room), np.empty(room, np.intp), np.empty(1, np.intp)
    gaps, limit, scratch = np.empty(n_tiles), np.empty(1), np.empty(size)
    shape, result = (n_dims, size // _WIDTH), (limit, scratch, *found)
    for i in sequence:
        nearest = squared[i], neighbors[i]
        limit[0] = _bound_distances(rows, i, points, neighbors) if guessed else np.inf
        squared_gaps(rows[i], rows[i], lower, upper, gaps)
        closest = np.argmin(gaps)
        found[2][0] = 0
        collect((rows, i, columns, numbers, closest, *shape, *result))
        if not guessed:
            _keep_nearest(found, limit, nearest)
        for t in range(n_tiles):
            if t == closest or gaps[t] >= limit[0]:
                continue
            collect((rows, i, columns, numbers, t, *shape, *result))
            if found[2][0] > room - size:
                _keep_nearest(found, limit, nearest)
        _keep_nearest(found, limit, nearest)


@njit()
def _bound_distances(rows, i, points, neighbors):
    """A little more than all squared distances of a row to some points."""
    most = 0.0
    for j in range(neighbors.shape[1]):
        total = 0.0
        for k in range(rows.shape[1]):
            difference = points[neighbors[i, j], k] - rows[i, k]
            total += difference * difference
        most = max(most, total)
    return most * (1 + 1e-9) + 1e-300


@njit()
def _keep_nearest(found, limit, nearest):
    """Keep the nearest of what was found, of equal ones the first, and lower the limit to the last.

    They are sorted; nearest gets their squared distances (k,) and numbers (k,), too.
    """
    found_squared, found_numbers, n_found = found
    squared, neighbors = nearest
    k, n_sorted = squared.shape[0], 0
    for i in range(n_found[0]):
        distance, number = found_squared[i], found_numbers[i]
        if n_sorted < k:
            n_sorted += 1
        elif distance >= squared[k - 1]:
            continue
        place = n_sorted - 1
        while place > 0 and squared[place - 1] > distance:
            squared[place], neighbors[place] = squared[place - 1], neighbors[place - 1]
            place -= 1
        squared[place], neighbors[place] = distance, number
    for j in range(n_sorted):
        found_squared[j], found_numbers[j] = squared[j], neighbors[j]
    n_found[0] = n_sorted
    if n_sorted == k:
        limit[0] = squared[k - 1]
