"""Values that many rows share: found in the target, and how generated rows get back on them."""

from numbers import Integral

import numpy as np

__all__ = ["DiscreteFeatures", "check_discrete_features"]

_ROWS_PER_VALUE = 2
_FEW_VALUES = 10  # that may occur equally often by design
# A value is an atom of a column if at least this share of the rows has it, and many more than have
# others; and the rest of a column is real if nearly all of its rows have a value of their own.
_ATOM, _ATOM_TO_MEAN, _REAL = 0.1, 5, 0.9


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
        Columns of a few values that many rows share, the atoms, and of others that hardly repeat
        are none: there only the atoms are values to get back on.

    Attributes
    ----------
    mask_ : ndarray of shape (n_features,)
        Which columns are discrete.
    has_atoms_ : ndarray of shape (n_features,)
        Which columns have atoms, and are real beside them.
    """

    def __init__(self, X, weights=None, mask=None):
        weights = np.ones(len(X)) if weights is None else weights
        counted = [_count(column, weights) for column in X.T]
        self._atoms = {}
        if mask is None:
            masses = _of_different_rows(X, [masses for _, masses in counted])
            places = {j: _atoms(column) for j, column in enumerate(masses)}
            self._atoms = {j: counted[j][0][at] for j, at in places.items() if at.any()}
            mask = np.array([_ROWS_PER_VALUE * len(column) <= column.sum() for column in masses])
        self.has_atoms_ = np.isin(np.arange(len(mask)), list(self._atoms))
        self.mask_ = mask & ~self.has_atoms_
        counts = np.flatnonzero(self.mask_ | self.has_atoms_)
        self._counted = {j: counted[j] for j in counts.tolist()}

    def join(self, X, weights=None):
        """The same columns, with the values of further rows."""
        weights = np.ones(len(X)) if weights is None else weights
        joined = object.__new__(DiscreteFeatures)
        joined.mask_, joined.has_atoms_, joined._atoms = self.mask_, self.has_atoms_, self._atoms
        joined._counted = {
            j: _count(np.append(values, X[:, j]), np.append(masses, weights))
            for j, (values, masses) in self._counted.items()
        }
        return joined

    def rounding(self, generated):
        """How rows like some that were generated get on the values."""
        columns = {}
        for j, (values, masses) in self._counted.items():
            stays = np.isin(values, self._atoms[j]) if j in self._atoms else None
            columns[j] = values, _edges(values, masses, generated[:, j]), stays
        return Rounding(columns)


class Rounding:
    """A step function for every discrete column; where there are atoms, with steps at these.

    Parameters
    ----------
    columns : dict
        Of each column, by its place, its values, the edges between them, and a mask of the values
        that are atoms, or None where all are.
    """

    def __init__(self, columns):
        self._columns = columns

    def round(self, rows):
        """Rows with a value of the target in each discrete column, or an atom or a new number.

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
        for j, (values, edges, stays) in self._columns.items():
            places = np.searchsorted(edges, rows[:, j])
            rounded = values[places]
            if stays is not None:
                real = _carried(rows[:, j], edges, _middles(values))
                rounded = np.where(stays[places], rounded, real)
            rows[:, j] = rounded
        return rows


def _count(column, weights=None):
    """Values of a column, in order, and the weight of each."""
    values, places = np.unique(column, return_inverse=True)
    return values, np.bincount(places, weights)


def _of_different_rows(X, masses):
    """How many of the different rows have each value, by column, given how many of all rows.

    Rows that are there twice are no evidence, unless there is only one column to tell them apart.
    """
    n_values = np.array([len(column) for column in masses])
    if (n_values > 1).sum() > 1:
        if n_values.min() > (1 - _ATOM) * len(X) + 1:  # no value is shared by many rows
            return [np.ones(n) for n in n_values]
        return [_count(column)[1] for column in np.unique(X, axis=0).T]
    longest = int(n_values.argmax())
    times = _times_over(masses[longest]) if n_values[longest] > _FEW_VALUES else 1
    return [column / times for column in masses]


def _atoms(masses):
    """Mask of the values of a column that many rows share while others hardly repeat."""
    atoms = masses >= max(_ATOM * masses.sum(), _ATOM_TO_MEAN * masses.mean())
    rest = masses[~atoms]
    real = len(rest) > _FEW_VALUES and len(rest) >= _REAL * rest.sum()
    return atoms if real else np.zeros_like(atoms)


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
    middles = _middles(values)
    total, n_rows = masses.sum(), len(generated)
    wanted = np.cumsum(masses)[:-1] / total
    error = np.sqrt(wanted * (1 - wanted) * (1 / total + 1 / n_rows))
    generated = np.sort(generated)
    found = np.searchsorted(generated, middles) / n_rows
    allowed = np.clip(found, wanted - error, wanted + error)
    moved = np.quantile(generated, np.clip(allowed, 0, 1))
    return np.maximum.accumulate(np.where(allowed == found, middles, moved))


def _middles(values):
    return values[:-1] + (values[1:] - values[:-1]) / 2


def _carried(numbers, edges, middles):
    """Numbers as they are, but that each edge comes to lie in the middle between two values."""
    carried = np.interp(numbers, edges, middles)
    below, above = numbers < edges[0], numbers > edges[-1]
    carried[below] = numbers[below] + (middles[0] - edges[0])
    carried[above] = numbers[above] + (middles[-1] - edges[-1])
    return carried
