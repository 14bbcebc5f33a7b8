"""Signs that samples copy the rows that their sampler was fitted on."""

import warnings

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import validate_params

from skflow.metrics._samples import check_samples

__all__ = [
    "closer_to_train_share",
    "nearest_distance_ratio",
    "nearest_neighbor_distances",
]


def _nearest_distances(X, Y=None):
    # The search may expand the square and lose half of the digits. Centring limits this, and
    # measuring the neighbour again makes a copied row exactly 0 and equal distances equal.
    center = np.median(X if Y is None else Y, axis=0)
    if Y is None:
        search = NearestNeighbors(n_neighbors=1).fit(X - center)
        nearest = X[search.kneighbors(return_distance=False)[:, 0]]
    else:
        search = NearestNeighbors(n_neighbors=1).fit(Y - center)
        nearest = Y[search.kneighbors(X - center, return_distance=False)[:, 0]]
    return np.linalg.norm(X - nearest, axis=1)


@validate_params(
    {"X": ["array-like"], "Y": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def nearest_neighbor_distances(X, Y=None):
    """Distance of each row to its nearest row of another sample, or of its own.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        The rows to start from.

    Y : array-like of shape (n_samples_Y, n_features), default=None
        The rows to reach. If None, the other rows of X: a row is not its own neighbour, but a
        second row with the same values is, at distance 0.

    Returns
    -------
    distances : ndarray of shape (n_samples_X,)
        Euclidean distances, in units of the data.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if Y is None and X has a single row.

    Notes
    -----
    A tree for up to 15 features, otherwise a blocked search of all pairs, in
    O(n_samples_X * n_samples_Y * n_features); see :class:`sklearn.neighbors.NearestNeighbors`.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       appendix C.3. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.metrics import nearest_neighbor_distances
    >>> nearest_neighbor_distances([[0.0], [1.0], [3.0]])
    array([1., 1., 2.])
    >>> nearest_neighbor_distances([[0.0], [1.0], [3.0]], [[1.0], [5.0]])
    array([1., 0., 2.])
    """
    if Y is not None:
        return _nearest_distances(*check_samples(X=X, Y=Y))
    (X,) = check_samples(X=X)
    if len(X) < 2:
        raise ValueError("X has a single row, which has no neighbour: pass more rows, or Y.")
    return _nearest_distances(X)


@validate_params(
    {"samples": ["array-like"], "train": ["array-like"], "heldout": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def closer_to_train_share(samples, train, heldout):
    """Share of samples that are nearer to training rows than to held-out rows.

    If the samples are no nearer to the rows that the sampler has seen than to rows of the same law
    that it has not seen, the share is about one half.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Generated rows.

    train : array-like of shape (n_train, n_features)
        The rows that the sampler was fitted on.

    heldout : array-like of shape (n_heldout, n_features)
        Rows of the same law that the sampler has not seen, as many as in `train`.

    Returns
    -------
    share : float
        Between 0 and 1: 0.5 is ideal, 1 is copying. A tie counts half. For independent samples the
        standard error is about ``0.5 / sqrt(n_samples)``, and the finite `train` and `heldout` add
        their own.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    Warns
    -----
    UserWarning
        If the sizes of `train` and `heldout` differ by more than 10 percent. The larger set has
        the nearer rows by its size alone: at two to one even real rows look copied.

    See Also
    --------
    nearest_distance_ratio : How near the samples are to the training rows.

    Notes
    -----
    Two nearest-neighbour searches; see :func:`nearest_neighbor_distances`.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       appendix C.3. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import closer_to_train_share
    >>> rng = np.random.default_rng(0)
    >>> train, heldout, fresh = rng.normal(size=(3, 500, 2))
    >>> round(closer_to_train_share(fresh, train, heldout), 1)
    0.5
    >>> closer_to_train_share(train, train, heldout)
    1.0
    """
    samples, train, heldout = check_samples(samples=samples, train=train, heldout=heldout)
    if abs(len(train) - len(heldout)) > 0.1 * max(len(train), len(heldout)):
        warnings.warn(
            f"train has {len(train)} rows and heldout has {len(heldout)}: the larger set has the "
            "nearer rows by its size alone, so the share of an honest sampler is not 0.5. Pass "
            "a random subset of the larger set, as large as the smaller one.",
            UserWarning,
            stacklevel=3,
        )
    to_train = _nearest_distances(samples, train)
    to_heldout = _nearest_distances(samples, heldout)
    return float(np.mean((to_train < to_heldout) + 0.5 * (to_train == to_heldout)))


@validate_params(
    {"samples": ["array-like"], "train": ["array-like"], "heldout": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def nearest_distance_ratio(samples, train, heldout):
    """Median distance of samples to training rows, relative to that of held-out rows.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Generated rows.

    train : array-like of shape (n_train, n_features)
        The rows that the sampler was fitted on.

    heldout : array-like of shape (n_heldout, n_features)
        Rows of the same law that the sampler has not seen. Their number need not match `train`.

    Returns
    -------
    ratio : float
        Median over `samples` of the distance to the nearest row of `train`, divided by the median
        over `heldout` of the same: 1 is ideal, 0 is copying, above 1 is blur. Without unit.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if more than half of the held-out rows are also in `train`: nothing to divide by.

    See Also
    --------
    closer_to_train_share : The other figure of memorisation.

    Notes
    -----
    Two nearest-neighbour searches; see :func:`nearest_neighbor_distances`.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       appendix C.3. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.metrics import nearest_distance_ratio
    >>> nearest_distance_ratio([[0.5], [3.5]], train=[[0.0], [4.0]], heldout=[[1.0], [3.0]])
    0.5
    """
    samples, train, heldout = check_samples(samples=samples, train=train, heldout=heldout)
    reference = np.median(_nearest_distances(heldout, train))
    if reference == 0:
        raise ValueError(
            "The median distance of heldout to train is 0: more than half of the held-out rows are "
            "also in train. Remove duplicate rows before splitting, or use "
            "closer_to_train_share."
        )
    return float(np.median(_nearest_distances(samples, train)) / reference)
