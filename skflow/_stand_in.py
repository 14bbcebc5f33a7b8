"""Carried rows as particles: which of the particles a row takes the place of."""

from typing import NamedTuple

import numpy as np

from skflow._kernels import Search, alone

__all__ = ["StandIn", "stand_in", "stand_in_task"]

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


def stand_in(rows, Y, search=None):
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
    search : Search, default=None
        The :class:`~skflow._kernels.Search` of rows on their way.

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
    return alone(stand_in_task(rows, Y, search))


def stand_in_task(rows, Y, search=None):
    """:func:`stand_in` as a task; see :func:`~skflow._kernels.together`."""
    search = Search() if search is None else search
    return StandIn(rows, *(yield from search.shares_task(rows, Y, _NEIGHBORS)))
