"""Distances between samples by the distances between their rows."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import pairwise_distances_chunked
from sklearn.utils import check_array, check_random_state

from skflow._sklearn import Interval, validate_params
from skflow.metrics._samples import block_mib, check_samples, row_blocks

__all__ = ["energy_distance", "mean_distance", "sliced_wasserstein_distance"]


def _sum_rows(distances, start):
    return distances.sum(axis=1)


def mean_distance(X, Y=None):
    """Mean distance over all pairs of rows, a row with itself included if Y is None."""
    n_columns = len(X if Y is None else Y)
    chunks = pairwise_distances_chunked(
        X, Y, reduce_func=_sum_rows, working_memory=block_mib(8 * n_columns)
    )
    return np.concatenate(list(chunks)).mean() / n_columns


@validate_params(
    {"X": ["array-like"], "Y": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def energy_distance(X: ArrayLike, Y: ArrayLike) -> float:
    """Energy distance between two multivariate samples.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| with Euclidean norms and means over all pairs of rows, a row
    with itself included (the V-statistic), which keeps it nonnegative.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample.

    Returns
    -------
    distance : float
        Nonnegative, 0 for equal samples, in units of the data. Two samples of one law do not
        reach 0: expect E|X - X'| * (1 / n_samples_X + 1 / n_samples_Y).

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    See Also
    --------
    scipy.stats.energy_distance : Its square root, for one feature.

    Notes
    -----
    Time is O((n_samples_X + n_samples_Y)^2 * n_features). Distances are computed in blocks;
    memory beyond the inputs is bounded by scikit-learn's `working_memory`. Rounding is about
    1e-8 times the spread of the data divided by the number of rows.

    References
    ----------
    .. [1] G. J. Szekely and M. L. Rizzo, "Energy statistics: A class of statistics based on
       distances", Journal of Statistical Planning and Inference 143, 2013.

    Examples
    --------
    >>> from skflow.metrics import energy_distance
    >>> energy_distance([[0.0, 0.0]], [[3.0, 4.0]])
    10.0
    """
    X, Y = check_samples(X=X, Y=Y)
    # scikit-learn expands the square, which cancels badly far from the origin.
    center = np.median(np.concatenate([X, Y]), axis=0)
    X, Y = X - center, Y - center
    distance = 2 * mean_distance(X, Y) - mean_distance(X) - mean_distance(Y)
    return float(max(distance, 0.0))


def _directions(projections, n_projections, n_features, random_state):
    """Unit vectors, as rows."""
    if projections is None:
        rng = check_random_state(random_state)
        projections = rng.normal(size=(n_projections, n_features))
    projections = check_array(projections, dtype=np.float64, input_name="projections")
    if projections.shape[1] != n_features:
        raise ValueError(
            f"projections has {projections.shape[1]} columns but the samples have {n_features} "
            "features: pass an array of shape (n_projections, n_features)."
        )
    lengths = np.linalg.norm(projections, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("A row of projections is zero: it has no direction to project on.")
    return projections / lengths


def _common_quantiles(n_X, n_Y):
    """Shares of the whole on which both sorted samples stay at one row, and these rows."""
    # In units of 1 / (n_X n_Y), in which all steps of both quantile functions are integers.
    ends = np.union1d(np.arange(1, n_X + 1) * n_Y, np.arange(1, n_Y + 1) * n_X)
    starts = np.concatenate([[0], ends[:-1]])
    return (ends - starts) / (n_X * n_Y), starts // n_Y, starts // n_X


@validate_params(
    {
        "X": ["array-like"],
        "Y": ["array-like"],
        "p": [Interval(Real, 1, None, closed="left")],
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "projections": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def sliced_wasserstein_distance(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    p: int | float = 2,
    n_projections: int = 128,
    projections: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Sliced Wasserstein distance between two multivariate samples.

    Both samples are projected on directions of their space, where the cheapest way to move one
    onto the other is to keep the rows in order. The distance is the mean of the p-th powers of
    these one-dimensional Wasserstein distances, to the power ``1 / p``.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample. Sizes may differ.

    p : float, default=2
        Power of the distance that a row is moved by; at least 1.

    n_projections : int, default=128
        Number of directions to draw, evenly from the sphere. Ignored if `projections` is given.

    projections : array-like of shape (n_projections, n_features), default=None
        The directions themselves; their lengths do not matter. Give the same ones to compare
        several samples.

    random_state : int, RandomState instance or None, default=None
        Draws the directions. Pass an int for reproducible results.

    Returns
    -------
    distance : float
        Nonnegative, 0 for equal samples, in units of the data. Two samples of one law do not
        reach 0.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    See Also
    --------
    scipy.stats.wasserstein_distance : The same for one feature and ``p=1``.

    Notes
    -----
    A direction costs a projection and a sort of both samples: time is
    O(n_projections * n_samples * (n_features + log(n_samples))). Directions are taken in blocks;
    memory beyond the inputs is bounded by scikit-learn's `working_memory`.

    References
    ----------
    .. [1] N. Bonneel, J. Rabin, G. Peyre and H. Pfister, "Sliced and Radon Wasserstein
       Barycenters of Measures", Journal of Mathematical Imaging and Vision 51, 2015.

    Examples
    --------
    >>> from skflow.metrics import sliced_wasserstein_distance
    >>> sliced_wasserstein_distance([[0.0], [1.0]], [[2.0], [3.0]])
    2.0
    """
    X, Y = check_samples(X=X, Y=Y)
    directions = _directions(projections, n_projections, X.shape[1], random_state)
    center = np.median(np.concatenate([X, Y]), axis=0)
    X, Y = X - center, Y - center
    shares, rows_X, rows_Y = _common_quantiles(len(X), len(Y))
    total = 0.0
    # Projections of both samples, and both of their quantile functions.
    for block in row_blocks(len(directions), 16 * (len(X) + len(Y) + len(shares))):
        sorted_X = np.sort(directions[block] @ X.T, axis=1)
        sorted_Y = np.sort(directions[block] @ Y.T, axis=1)
        total += (np.abs(sorted_X[:, rows_X] - sorted_Y[:, rows_Y]) ** p @ shares).sum()
    return float((total / len(directions)) ** (1 / p))
