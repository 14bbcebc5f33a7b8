"""Carried rows as particles: which of the particles a row takes the place of."""

from typing import NamedTuple

import numpy as np

from skflow._kernels import nearest, share_out

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
    reach = distances[:, _NEIGHBORS] if n_found > _NEIGHBORS else np.full(len(rows), np.inf)
    shares = np.empty((len(rows), min(_NEIGHBORS, n_found)))
    share_out(distances, reach, shares)
    return StandIn(rows, neighbors[:, :_NEIGHBORS], shares)
