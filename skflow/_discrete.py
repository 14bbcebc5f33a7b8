"""Columns of few values: found in the target, and how generated rows get back on their values."""

from numbers import Integral

import numpy as np

__all__ = ["DiscreteFeatures", "check_discrete_features"]


def check_discrete_features(discrete_features, n_features, names=None):
    """Mask of the columns that a parameter ``discrete_features`` names, or None if it is "auto".

    Parameters
    ----------
    discrete_features : {"auto"}, bool or array-like
        A mask, or places or names of columns.
    n_features : int
        Number of columns.
    names : ndarray of shape (n_features,), default=None
        Their names, if they have any.
    """
    if isinstance(discrete_features, str):
        return None
    if isinstance(discrete_features, bool | np.bool_):
        return np.full(n_features, bool(discrete_features))
    listed = np.asarray(discrete_features)
    if listed.dtype.kind == "b" and listed.shape == (n_features,):
        return listed.copy()
    mask = np.zeros(n_features, dtype=bool)
    for entry in listed.tolist() if listed.ndim == 1 else [discrete_features]:
        mask[_place(entry, n_features, names)] = True
    return mask


def _place(entry, n_features, names):
    """Where a column is that is given by its place or name."""
    if isinstance(entry, str) and names is not None and entry in names:
        return int(np.flatnonzero(names == entry)[0])
    is_place = isinstance(entry, Integral) and not isinstance(entry, bool)
    if is_place and -n_features <= entry < n_features:
        return entry
    known = "has no column names" if names is None else f"has the columns {', '.join(names)}"
    raise ValueError(
        f"discrete_features has the entry {entry!r}, but X {known} and is {n_features} columns "
        'wide: pass "auto", True, False, a mask of that length, or a list of places or names.'
    )


class DiscreteFeatures:
    """The values of the columns that have few of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Target rows.
    mask : ndarray of shape (n_features,), default=None
        Which columns are discrete; by default those in which, of the different rows of X, at least
        every other one has a value that another has too: no more values than half the rows.

    Attributes
    ----------
    mask_ : ndarray of shape (n_features,)
        Which columns are discrete.
    """

    def __init__(self, X, mask=None):
        values = [np.unique(column) for column in X.T]
        if mask is None:
            counts = np.array([len(of_column) for of_column in values])
            mask = 2 * counts <= len(X)
            if mask.any():  # rows that are there twice are no evidence
                mask = 2 * counts <= len(np.unique(X, axis=0))
        self.mask_ = mask
        self._values = {j: values[j] for j in np.flatnonzero(mask)}

    def join(self, X):
        """The same columns, with the values of further rows."""
        joined = object.__new__(DiscreteFeatures)
        joined.mask_ = self.mask_
        joined._values = {j: np.union1d(v, X[:, j]) for j, v in self._values.items()}
        return joined

    def snap(self, rows):
        """Rows with the nearest value of X in each discrete column.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            In units of the data; not changed.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the dtype of the rows.
        """
        if not self._values:
            return rows
        rows = rows.copy()
        for j, values in self._values.items():
            edges = values[:-1] + (values[1:] - values[:-1]) / 2
            rows[:, j] = values[np.searchsorted(edges, rows[:, j])]
        return rows
