"""Nearest points, for the rows that a flow carries along."""

import numpy as np

from skflow._kernels.blocks import TILE, sorted_into_tiles
from skflow._kernels.threads import n_threads, run_in_threads
from skflow._kernels.tiles import scan_for_nearest
from skflow._kernels.vectors import empty_vectors


class Search:
    """Nearest points of rows, again and again, where rows and points move little in between.

    A call is given the points that were nearest in the last one, which are hardly ever far away:
    whatever is farther need not be looked at. It changes no result.
    """

    def __init__(self):
        self._last = None

    def __call__(self, rows, points, n_neighbors):
        """See :func:`nearest`."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        points = np.ascontiguousarray(points, dtype=np.float64)
        shape = len(rows), n_neighbors
        guessed = self._last is not None and self._last[0].shape == shape
        guessed = guessed and self._last[1] == len(points)
        neighbors = self._last[0].copy() if guessed else np.zeros(shape, dtype=np.intp)
        squared = np.empty(shape)
        tiles = _lay_out(points)

        def scan(start, stop):
            part = slice(start, stop)
            scan_for_nearest(rows[part], points, tiles, guessed, neighbors[part], squared[part])

        run_in_threads(scan, len(rows), n_threads(8 * len(rows) * points.size))
        self._last = neighbors, len(points)
        return neighbors, np.sqrt(squared)


def _lay_out(points):
    """Points by column in tiles, their lowest and highest coordinates, and their numbers."""
    order = sorted_into_tiles(points, TILE)
    n_tiles = -(-len(points) // TILE)
    rows = np.full((n_tiles * TILE, points.shape[1]), np.inf)
    rows[: len(points)] = points[order]
    tiles = empty_vectors((n_tiles, points.shape[1], TILE), np.float64)
    tiles[:] = rows.reshape(n_tiles, TILE, -1).transpose(0, 2, 1)
    numbers = np.zeros(n_tiles * TILE, dtype=np.intp)
    numbers[: len(points)] = order
    starts, rows = np.arange(0, len(points), TILE), rows[: len(points)]
    lower, upper = (
        np.ascontiguousarray(f.reduceat(rows, starts).T) for f in (np.minimum, np.maximum)
    )
    return tiles, (lower, upper), numbers.reshape(n_tiles, TILE)


def nearest(rows, points, n_neighbors):
    """Nearest points of each row: indices and distances, nearest first, by direct differences.

    Unlike scikit-learn's search, a row's result has the same bits whatever the other rows are, and
    a call costs little more than its arithmetic: a flow makes one in every step.

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
