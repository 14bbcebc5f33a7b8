"""Distances between samples, and a test by one of them."""

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.utils._param_validation import validate_params

from skflow.metrics._samples import block_mib, check_samples

__all__ = ["energy_distance"]


def _sum_rows(distances, start):
    return distances.sum(axis=1)


def _mean_distance(X, Y=None):
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
def energy_distance(X, Y):
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
    distance = 2 * _mean_distance(X, Y) - _mean_distance(X) - _mean_distance(Y)
    return float(max(distance, 0.0))
