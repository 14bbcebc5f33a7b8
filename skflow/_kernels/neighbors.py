"""Nearest points, for the rows that a flow carries along."""

import numpy as np

from skflow._kernels.compiled import fill_panels
from skflow._kernels.searching import scan_for_nearest
from skflow._kernels.sorting import sorted_into_tiles
from skflow._kernels.threads import n_threads, run_in_threads
from skflow._kernels.vectors import empty_vectors

_TILE = 96  # points: whole strips for every register file
_CALLS_IN_ORDER = 16  # before points that move are sorted again


class Search:
    """Nearest points of rows, again and again, where rows and points move little in between.

    Of the last call are kept the points that were nearest, which are hardly ever far away: whatever
    is farther need not be looked at; and the orders in which neighbours follow each other, so that
    what one row needs is in the caches when the next one does. This changes no result.
    """

    def __init__(self):
        self._neighbors = np.empty((0, 0), dtype=np.intp)
        self._order = np.empty(0, dtype=np.intp)  # of the points
        self._sequence = np.empty(0, dtype=np.intp)  # of the rows
        self._calls_in_order = 0

    def __call__(self, rows, points, n_neighbors):
        """See :func:`nearest`."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        points = np.ascontiguousarray(points, dtype=np.float64)
        shape = len(rows), n_neighbors
        same_points = len(self._order) == len(points)
        guessed = same_points and self._neighbors.shape == shape
        neighbors = self._neighbors.copy() if guessed else np.zeros(shape, dtype=np.intp)
        squared = np.full(shape, np.inf)
        if not guessed or self._calls_in_order == _CALLS_IN_ORDER:
            self._sort(points, neighbors)
        self._calls_in_order += 1
        tiles, sequence = _lay_out(points, self._order), self._sequence

        def scan(start, stop):
            part = sequence[start:stop]
            scan_for_nearest(rows, part, points, tiles, guessed, neighbors, squared)

        run_in_threads(scan, len(rows), n_threads(8 * len(rows) * points.size))
        self._neighbors = neighbors
        return neighbors, np.sqrt(squared)

    def _sort(self, points, neighbors):
        """Sort the points, and the rows like the points that were nearest."""
        self._order = sorted_into_tiles(points, _TILE)
        places = np.empty_like(self._order)
        places[self._order] = np.arange(len(points))
        self._sequence = np.argsort(places[neighbors[:, 0]], kind="stable")
        self._calls_in_order = 0


def _lay_out(points, order):
    """Points by column in tiles, their lowest and highest coordinates, and their numbers."""
    n_tiles = -(-len(points) // _TILE)
    rows, starts = points[order], np.arange(0, len(points), _TILE)
    tiles = empty_vectors((n_tiles, points.shape[1], _TILE), np.float64)
    fill_panels(rows, np.zeros(points.shape[1]), tiles)
    numbers = np.zeros(n_tiles * _TILE, dtype=np.intp)
    numbers[: len(points)] = order
    tiles[-1, :, len(points) - starts[-1] :] = np.inf
    lower, upper = (
        np.ascontiguousarray(f.reduceat(rows, starts).T) for f in (np.minimum, np.maximum)
    )
    return tiles, (lower, upper), numbers.reshape(n_tiles, _TILE)


def nearest(rows, points, n_neighbors):
    """Nearest points of each row: indices and distances, nearest first, by direct differences.

    Of equally near points come those of the lowest indices. Unlike scikit-learn's search, a row's
    result has the same bits whatever the other rows are, and a call costs little more than its
    arithmetic: a flow makes one in every step.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Where to look from.
    points : ndarray of shape (n_points, n_features)
        Where to look.
    n_neighbors : int
        How many to find, at most n_points.

    Returns
    -------
    neighbors : ndarray of int of shape (n_rows, n_neighbors)
    distances : ndarray of float64 of shape (n_rows, n_neighbors)
    """
    return Search()(rows, points, n_neighbors)
