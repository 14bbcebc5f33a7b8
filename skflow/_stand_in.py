"""Carried rows as particles: which of the particles a row takes the place of."""

from typing import NamedTuple

import numpy as np

from skflow._kernels import nearest

__all__ = ["StandIn", "stand_in"]

_NEIGHBORS = 8


class StandIn(NamedTuple):
    """Rows that join a cloud of particles, each for its own query, in the place of its neighbours.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_features)
        The rows; each has the weight of one particle.
    neighbors : ndarray of int of shape (n_rows, n_neighbors)
        Particles near each row.
    shares : ndarray of shape (n_rows, n_neighbors)
        How much of each neighbour leaves; they sum to one.
    """

    rows: np.ndarray
    neighbors: np.ndarray
    shares: np.ndarray

    def repeated(self, times):
        """The same rows several times, one copy after the other."""
        return StandIn(*(np.concatenate([part] * times) for part in self))


def stand_in(rows, Y, search=nearest):
    """Let rows take the place of the particles nearest to them.

    A row at the place of a particle replaces just that one. Between particles the shares blend
    into each other by Shepard's weights ``(1 / distance - 1 / reach)^2``, where `reach` is the
    distance of the first neighbour that is left alone: they are continuous in the row.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        The rows.
    Y : ndarray of shape (n_particles, n_features)
        The particles.
    search : callable, default=nearest
        Finds the particles; a :class:`~skflow._kernels.Search` for rows on their way.

    Returns
    -------
    StandIn

    Examples
    --------
    >>> import numpy as np
    >>> from skflow._stand_in import stand_in
    >>> Y = np.array([[0.0], [1.0], [5.0]])
    >>> stand_in(np.array([[0.0], [0.5]]), Y).shares.round(2)
    array([[1.  , 0.  , 0.  ],
           [0.5 , 0.5 , 0.01]])
    """
    n_found = min(_NEIGHBORS + 1, len(Y))
    neighbors, distances = search(rows, Y, n_found)
    reach = np.inf
    if n_found > _NEIGHBORS:
        reach = distances[:, -1:]
        neighbors, distances = neighbors[:, :-1], distances[:, :-1]
    return StandIn(rows, neighbors, _shepard_weights(distances, reach))


def _shepard_weights(distances, reach):
    """Weights that sum to one, all on a neighbour at distance zero, none on one out of reach."""
    # Multiplied through by the least distance, which keeps everything finite.
    least = distances[:, :1]
    at_row = distances == 0
    ratio = np.where(at_row, 1.0, least / np.where(at_row, 1.0, distances))
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.square(ratio - least / reach)
    total = weights.sum(axis=1, keepdims=True)
    even = np.full_like(weights, 1.0 / weights.shape[1])  # all are equally far
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), even)
