"""Points with values and weights, and what algorithms prepare of them once for many calls."""

import math

import numpy as np

from skflow._kernels.compiled import add_up_columns, square_norms, sum_of_squares

_ROWS_AT_A_TIME = 8  # that are added up, so that no sum waits for the last
_ROWS_OF_A_BLOCK = 64  # of which the lowest and the highest are found side by side


class Points:
    """Points with values and weights, for any number of calls of :func:`kernel_mean`.

    Parameters
    ----------
    X : ndarray of shape (n_points, n_features)
        The points.
    values : ndarray of shape (n_points, n_values), default=None
        What is averaged; X itself by default.
    weights : ndarray of shape (n_points,), default=None
        Non-negative weights of the points; equal by default.

    Raises
    ------
    ValueError
        If shapes do not match, there are no points, none has a positive weight, or their squared
        distances overflow.
    """

    def __init__(self, X, values=None, weights=None):
        self.given = X, values, weights
        # numpy sums rows in an order, and so with a rounding, that depends on the memory layout.
        X = np.asarray(X, order="C")
        values = None if values is None else np.asarray(values, order="C")
        if X.ndim != 2:
            raise ValueError(f"X must be a 2-D array, got shape {X.shape}.")
        if X.shape[0] == 0:
            raise ValueError("X has no rows: a kernel mean needs at least one point.")
        if values is not None and (values.ndim != 2 or values.shape[0] != X.shape[0]):
            raise ValueError(
                f"values must be a 2-D array with a row for each of the {X.shape[0]} rows of X, "
                f"got shape {values.shape}."
            )
        self.weight = float(X.shape[0])
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float64)
            if weights.shape != X.shape[:1] or not np.all(np.isfinite(weights) & (weights >= 0)):
                raise ValueError(
                    f"weights must be {X.shape[0]} finite non-negative numbers, one for each row "
                    "of X."
                )
            self.weight = float(weights.sum())
            if self.weight == 0:
                raise ValueError("All weights are zero: at least one must be positive.")
            used = weights > 0
            if not used.all():
                X, weights = X[used], weights[used]
                values = None if values is None else values[used]
        X, values = _in_floats(X), _in_floats(values)
        self.X, self.values, self.weights = X, values, weights
        self.center = _column_means(X)
        self.value_center = self.center if values is None else _column_means(values)
        # No cached properties: until Python 3.12 these take a lock that all points share, which
        # callers in other threads wait for, and a forked child forever.
        self.squared_norms = np.empty(len(X))  # about the centre
        square_norms(X, self.center, self.squared_norms)
        self.radius = math.sqrt(self.squared_norms.max())  # of the outermost point, to the centre
        if math.isinf(self.radius):
            raise ValueError(
                "X has points so far apart, or infinite, that their squared distances overflow in "
                "float64: divide X, and all that goes with it, by a number of its size."
            )
        self.scale = 0.0  # log2 of the largest weight
        if weights is not None:
            # Over the largest: in the logits that would cost float32 digits.
            log2_weights = np.log2(weights)
            self.scale = float(log2_weights.max())
            self.log2_weights = log2_weights - self.scale
        self._prepared = {}

    @property
    def n_values(self):
        return len(self.value_center)

    @property
    def centered(self):
        """The points about their centre, in float64, made anew."""
        return self.X - self.center

    @property
    def centered_values(self):
        return self.centered if self.values is None else self.values - self.value_center

    def once(self, prepare, *arguments):
        """``prepare(self, *arguments)``, which must not keep a reference to the points."""
        key = prepare, arguments
        if key not in self._prepared:
            self._prepared[key] = prepare(self, *arguments)
        return self._prepared[key]

    def __reduce__(self):
        """Only what was given: the rest is made again at need."""
        return Points, self.given


def _column_means(rows):
    """In float64; `mean` of so few columns takes ten times as long."""
    sums = np.empty(rows.shape[1])
    add_up_columns(rows, np.empty(_ROWS_AT_A_TIME * len(sums)), sums)
    return sums / len(rows)


def corners(points):
    """Lowest and highest coordinates of the points about their centre, in float64.

    Block by block: `max` of few columns takes numbers one after the other, and far longer.
    """
    rows = points.X
    whole = len(rows) // _ROWS_OF_A_BLOCK * _ROWS_OF_A_BLOCK
    found = []
    for function in (np.minimum, np.maximum):
        some = rows[whole:]
        if whole > 0:
            blocks = rows[:whole].reshape(-1, _ROWS_OF_A_BLOCK * rows.shape[1])
            of_blocks = function.reduce(blocks, axis=0).reshape(-1, rows.shape[1])
            some = np.concatenate([some, of_blocks])
        found.append(function.reduce(some, axis=0) - points.center)
    return found


def mean_square(rows):
    """Mean squared length of rows."""
    return sum_of_squares(np.asarray(rows, order="C")) / len(rows)


def _in_floats(array):
    """In one of the two dtypes that the loops are compiled for; others as float64."""
    if array is None or array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float64)
