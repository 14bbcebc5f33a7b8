"""Nearest points, for the rows that a flow carries along."""

import numpy as np

from skflow._kernels.searching import lay_out_tiles, scan_for_nearest, share_out
from skflow._kernels.sorting import sorted_into_tiles
from skflow._kernels.threads import Loop, alone
from skflow._kernels.vectors import empty_vectors, lanes

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
        neighbors, squared = alone(self._task(rows, points, n_neighbors))
        return neighbors, np.sqrt(squared)

    def shares_task(self, rows, points, n_neighbors):
        """The nearest points of each row, and how it is shared among them; a task.

        Shares are Shepard's weights ``(1 / distance - 1 / reach)^2``, where `reach` is the distance
        of the first point that has none.

        Parameters
        ----------
        rows, points : as for :func:`nearest`
        n_neighbors : int
            How many points share a row; all, if there are no more.

        Returns
        -------
        neighbors : ndarray of int of shape (n_rows, n_shares)
        shares : ndarray of shape (n_rows, n_shares)
            They sum to one.
        """
        n_shares = min(n_neighbors, len(points))
        shares = np.empty((len(rows), n_shares))
        n_found = min(n_shares + 1, len(points))
        neighbors, _ = yield from self._task(rows, points, n_found, shares)
        return neighbors[:, :n_shares], shares

    def _task(self, rows, points, n_neighbors, shares=None):
        """Nearest points and their squared distances; fills in shares if they are given."""
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
            if shares is not None:
                share_out(part, squared, shares)

        yield Loop(scan, len(rows), work=16 * len(rows) * points.size)
        self._neighbors = neighbors
        return neighbors, squared

    def _sort(self, points, neighbors):
        """Sort the points, and the rows like the points that were nearest."""
        self._order = sorted_into_tiles(points, _TILE)
        places = np.empty_like(self._order)
        places[self._order] = np.arange(len(points))
        self._sequence = np.argsort(places[neighbors[:, 0]], kind="stable")
        self._calls_in_order = 0


def _lay_out(points, order):
    """Points by column in tiles, their lowest and highest coordinates, and their numbers."""
    n_tiles, n_dims = -(-len(points) // _TILE), points.shape[1]
    columns = empty_vectors((n_tiles, n_dims, _TILE), np.float64)
    n_boxes = -(-n_tiles // lanes(np.float64)) * lanes(np.float64)
    lower, upper = empty_vectors((2, n_dims, n_boxes), np.float64)
    lower[:, n_tiles:], upper[:, n_tiles:] = np.inf, -np.inf
    numbers = np.empty((n_tiles, _TILE), dtype=np.intp)
    lay_out_tiles(points, order, columns, lower, upper, numbers)
    return columns, (lower, upper), numbers


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
