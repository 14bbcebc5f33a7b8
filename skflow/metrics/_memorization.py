"""Signs that samples copy the rows that their sampler was fitted on."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neighbors import NearestNeighbors

from skflow._sklearn import validate_params
from skflow.metrics._samples import check_samples, warn_of_unequal_sizes

__all__ = [
    "closer_to_train_share",
    "nearest_distance_ratio",
    "nearest_neighbor_adversarial_accuracy",
    "nearest_neighbor_distances",
    "privacy_loss",
]


def _is_less(distances, others):
    """1 where the first distance is less, a half where both are equal."""
    return (distances < others) + 0.5 * (distances == others)


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
def nearest_neighbor_distances(X: ArrayLike, Y: ArrayLike | None = None) -> np.ndarray:
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
    {
        "samples": ["array-like"],
        "train": ["array-like"],
        "heldout": ["array-like"],
        "adjusted": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def closer_to_train_share(
    samples: ArrayLike, train: ArrayLike, heldout: ArrayLike, *, adjusted: bool = False
) -> float:
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

    adjusted : bool, default=False
        Whether to adjust the share for `train` and `heldout` of different sizes, as the folds of a
        cross-validation have. Among both together the nearest row to an honest sample is any of
        them with the same probability, so the share of samples that are nearer to held-out rows is
        divided by twice ``n_heldout / (n_train + n_heldout)``. Equal sizes need no adjustment.

    Returns
    -------
    share : float
        Between 0 and 1: 0.5 is ideal, 1 is copying. A tie counts half. For independent samples the
        standard error is about ``0.5 / sqrt(n_samples)``, and the finite `train` and `heldout` add
        their own. If adjusted the standard error is ``sqrt(n_train / n_heldout)`` times as large,
        and a share far below 0.5 can be negative.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    Warns
    -----
    UserWarning
        If the sizes of `train` and `heldout` differ by more than 10 percent and the share is not
        adjusted. The larger set has the nearer rows by its size alone: at two to one even real rows
        look copied.

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
    if not adjusted:
        warn_of_unequal_sizes(train=train, heldout=heldout)
    to_train = _nearest_distances(samples, train)
    to_heldout = _nearest_distances(samples, heldout)
    share = np.mean(_is_less(to_train, to_heldout))
    if adjusted:
        share = 1 - (1 - share) * (len(train) + len(heldout)) / (2 * len(heldout))
    return float(share)


@validate_params(
    {"samples": ["array-like"], "train": ["array-like"], "heldout": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def nearest_distance_ratio(samples: ArrayLike, train: ArrayLike, heldout: ArrayLike) -> float:
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


def _adversarial_accuracy(X, Y):
    X_is_told = _is_less(_nearest_distances(X), _nearest_distances(X, Y))
    Y_is_told = _is_less(_nearest_distances(Y), _nearest_distances(Y, X))
    return float((X_is_told.mean() + Y_is_told.mean()) / 2)


def _check_neighbors(**samples):
    for name, rows in samples.items():
        if len(rows) < 2:
            raise ValueError(f"{name} has a single row, which has no neighbour: pass more rows.")


@validate_params(
    {"X": ["array-like"], "Y": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def nearest_neighbor_adversarial_accuracy(X: ArrayLike, Y: ArrayLike) -> float:
    """How often a row's nearest neighbour is of its own sample.

    The accuracy of an adversary who takes each row of both samples for one of the sample that its
    nearest other row is of. The mean over both samples of the shares of rows that are nearer to
    another row of their own sample than to any of the other.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One sample.

    Y : array-like of shape (n_samples, n_features)
        The other sample, of as many rows.

    Returns
    -------
    accuracy : float
        Between 0 and 1. With rows of the same law that were held out, 0.5 is ideal, and 1 means
        that the samples can be told apart. With the rows that a sampler was fitted on, values
        below 0.5 mean copying: every row has its twin in the other sample, not in its own. A tie
        counts half.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if a sample has a single row.

    Warns
    -----
    UserWarning
        If the sizes differ by more than 10 percent: the larger set has the nearer rows by its size
        alone.

    See Also
    --------
    privacy_loss : How much of it is due to copying.
    classifier_two_sample_auc : The same question for a stronger adversary.

    Notes
    -----
    Four nearest-neighbour searches; see :func:`nearest_neighbor_distances`.

    References
    ----------
    .. [1] A. Yale, S. Dash, R. Dutta, I. Guyon, A. Pavao and K. Bennett, "Generation and evaluation
       of privacy preserving synthetic health data", Neurocomputing 416, 2020.

    Examples
    --------
    >>> from skflow.metrics import nearest_neighbor_adversarial_accuracy
    >>> nearest_neighbor_adversarial_accuracy([[0.0], [1.0]], [[5.0], [6.0]])
    1.0
    >>> nearest_neighbor_adversarial_accuracy([[0.0], [5.0]], [[0.1], [5.1]])
    0.0
    """
    X, Y = check_samples(X=X, Y=Y)
    _check_neighbors(X=X, Y=Y)
    warn_of_unequal_sizes(X=X, Y=Y)
    return _adversarial_accuracy(X, Y)


@validate_params(
    {"samples": ["array-like"], "train": ["array-like"], "heldout": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def privacy_loss(samples: ArrayLike, train: ArrayLike, heldout: ArrayLike) -> float:
    """Adversarial accuracy that samples lose from held-out rows to training rows.

    :func:`nearest_neighbor_adversarial_accuracy` of samples and held-out rows, less that of
    samples and training rows. What the samples lack in fidelity they lack in both.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Generated rows.

    train : array-like of shape (n_samples, n_features)
        Rows that the sampler was fitted on, as many.

    heldout : array-like of shape (n_samples, n_features)
        Rows of the same law that the sampler has not seen, as many.

    Returns
    -------
    loss : float
        Between -1 and 1: 0 is ideal, about 0.5 is copying.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if one of them has a single row.

    Warns
    -----
    UserWarning
        If the sizes differ by more than 10 percent: the larger set has the nearer rows by its size
        alone.

    See Also
    --------
    closer_to_train_share : The same question, asked of each sample alone.

    Notes
    -----
    Eight nearest-neighbour searches; see :func:`nearest_neighbor_distances`.

    References
    ----------
    .. [1] A. Yale, S. Dash, R. Dutta, I. Guyon, A. Pavao and K. Bennett, "Generation and evaluation
       of privacy preserving synthetic health data", Neurocomputing 416, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import privacy_loss
    >>> rng = np.random.default_rng(0)
    >>> train, heldout, fresh = rng.normal(size=(3, 500, 2))
    >>> round(abs(privacy_loss(fresh, train, heldout)), 1)
    0.0
    >>> round(privacy_loss(train, train, heldout), 1)
    0.5
    """
    samples, train, heldout = check_samples(samples=samples, train=train, heldout=heldout)
    _check_neighbors(samples=samples, train=train, heldout=heldout)
    warn_of_unequal_sizes(ideal=0, samples=samples, train=train)
    warn_of_unequal_sizes(ideal=0, samples=samples, heldout=heldout)
    return _adversarial_accuracy(samples, heldout) - _adversarial_accuracy(samples, train)
