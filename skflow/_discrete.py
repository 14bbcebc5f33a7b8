"""Columns of few values: found in the target, and how generated rows get back on their values."""

from numbers import Integral

import numpy as np

__all__ = ["DiscreteFeatures", "check_discrete_features"]

_ROWS_PER_VALUE = 2
_FEW_VALUES = 10  # that may occur equally often by design


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
    """Values of the columns that have few of them, and how often each occurs.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Target rows.
    weights : ndarray of shape (n_samples,), default=None
        Their weights; a weight counts as that many rows.
    mask : ndarray of shape (n_features,), default=None
        Which columns are discrete; by default those in which, of the different rows of X, at least
        every other one has a value that another has too: no more values than half the rows. Where
        only one column varies, equal rows count, too; not where all values are there the same
        number of times over, and are more than a few: then the table is, or its weights say so.

    Attributes
    ----------
    mask_ : ndarray of shape (n_features,)
        Which columns are discrete.
    """

    def __init__(self, X, weights=None, mask=None):
        weights = np.ones(len(X)) if weights is None else weights
        counted = [_count(column, weights) for column in X.T]
        if mask is None:
            n_values = np.array([len(values) for values, _ in counted])
            n_rows = weights.sum()
            if (n_values > 1).sum() > 1:
                if (_ROWS_PER_VALUE * n_values <= n_rows).any():
                    n_rows = len(np.unique(X, axis=0))  # rows that are there twice are no evidence
            elif n_values.max() > _FEW_VALUES:
                n_rows /= _times_over(counted[int(n_values.argmax())][1])
            mask = _ROWS_PER_VALUE * n_values <= n_rows
        self.mask_ = mask
        self._counted = {j: counted[j] for j in np.flatnonzero(mask).tolist()}

    def join(self, X, weights=None):
        """The same columns, with the values of further rows."""
        weights = np.ones(len(X)) if weights is None else weights
        joined = object.__new__(DiscreteFeatures)
        joined.mask_ = self.mask_
        joined._counted = {
            j: _count(np.append(values, X[:, j]), np.append(masses, weights))
            for j, (values, masses) in self._counted.items()
        }
        return joined

    def rounding(self, generated):
        """How rows like some that were generated get on the values."""
        edges = {j: _edges(*counted, generated[:, j]) for j, counted in self._counted.items()}
        return Rounding({j: (self._counted[j][0], edges[j]) for j in edges})


class Rounding:
    """A step function for every discrete column.

    Parameters
    ----------
    columns : dict
        Of each discrete column, by its place, its values and the edges between them.
    """

    def __init__(self, columns):
        self._columns = columns

    def round(self, rows):
        """Rows with a value of the target in each discrete column.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            In units of the data; not changed.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the dtype of the rows.
        """
        if not self._columns:
            return rows
        rows = rows.copy()
        for j, (values, edges) in self._columns.items():
            rows[:, j] = values[np.searchsorted(edges, rows[:, j])]
        return rows


def _count(column, weights):
    """Values of a column, in order, and the weight of each."""
    values, places = np.unique(column, return_inverse=True)
    return values, np.bincount(places, weights)


def _times_over(masses):
    """How many times over all values of a column are there: the largest common divisor."""
    if (masses == masses[0]).all():
        return masses[0]
    whole = masses.max() < 2**53 and (masses == np.rint(masses)).all()
    return np.gcd.reduce(masses.astype(np.int64)) if whole else 1


def _edges(values, masses, generated):
    """Edges between the values of a column: half way between two.

    Unless the generated rows below an edge are by more than a standard error more, or less, than
    the target has. Then it is moved until they are not: smooth rows beside a value that most rows
    share would otherwise be taken for the next value.
    """
    middles = values[:-1] + (values[1:] - values[:-1]) / 2
    total, n_rows = masses.sum(), len(generated)
    wanted = np.cumsum(masses)[:-1] / total
    error = np.sqrt(wanted * (1 - wanted) * (1 / total + 1 / n_rows))
    generated = np.sort(generated)
    found = np.searchsorted(generated, middles) / n_rows
    allowed = np.clip(found, wanted - error, wanted + error)
    moved = np.quantile(generated, np.clip(allowed, 0, 1))
    return np.maximum.accumulate(np.where(allowed == found, middles, moved))
