"""Nearest points, for the rows that a flow carries along."""

import numpy as np

from skflow._kernels.compiled import scan_for_nearest
from skflow._kernels.threads import n_threads, run_in_threads


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
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    columns = np.ascontiguousarray(points.T, dtype=np.float64)
    neighbors = np.zeros((len(rows), n_neighbors), dtype=np.intp)
    squared = np.empty((len(rows), n_neighbors))

    def scan(start, stop):
        part = slice(start, stop)
        scan_for_nearest(rows[part], columns, neighbors[part], squared[part])

    run_in_threads(scan, len(rows), n_threads(len(rows) * len(points)))
    return neighbors, np.sqrt(squared)
