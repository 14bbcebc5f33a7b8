"""Distances between samples, and signs that a sampler copies the rows it was fitted on.

A sampler that returns its training rows is perfect by every distance and useless. So quality is
read as a pair of figures, both against rows held out from training: fidelity
(:func:`characteristic_function_distance`, :func:`energy_distance`,
:func:`classifier_two_sample_auc`) and memorisation (:func:`closer_to_train_share`,
:func:`nearest_distance_ratio`).

All but the classifier depend on the units of the columns: standardise columns that come in
different units, with the scaler fitted on the real rows.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import pairwise_distances_chunked
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

__all__ = [
    "characteristic_function_distance",
    "characteristic_function_threshold",
    "classifier_two_sample_auc",
    "closer_to_train_share",
    "energy_distance",
    "nearest_distance_ratio",
    "nearest_neighbor_distances",
]

# Blocks of this size stay in the processor's cache: several times faster than blocks as large as
# scikit-learn's default working memory of 1024 MiB, which remains the upper limit.
_BLOCK_MIB = 16


def _block_mib(row_bytes):
    return min(max(_BLOCK_MIB, row_bytes / 2**20), get_config()["working_memory"])


def _check_samples(**samples):
    """Validate samples of one space, given by argument name, and return them as float64."""
    checked = {
        name: check_array(sample, dtype=np.float64, input_name=name)
        for name, sample in samples.items()
    }
    first, *others = checked
    for name in others:
        if checked[name].shape[1] != checked[first].shape[1]:
            raise ValueError(
                f"{first} has {checked[first].shape[1]} features but {name} has "
                f"{checked[name].shape[1]}: pass the same columns, in the same order."
            )
        columns = [getattr(samples[key], "columns", None) for key in (first, name)]
        if all(c is not None for c in columns) and list(columns[0]) != list(columns[1]):
            raise ValueError(
                f"The columns of {first} and {name} differ in name or order: select the same "
                f"columns from both, e.g. {name}[{first}.columns]."
            )
    return list(checked.values())


def _characteristic_function(X, frequencies):
    """Empirical characteristic function of X at each row of frequencies."""
    total = np.zeros(len(frequencies), dtype=np.complex128)
    # The phases, and their cosines or sines, are two blocks of float64.
    row_bytes = 16 * len(frequencies)
    n_rows = max(1, int(_block_mib(row_bytes) * 2**20 / row_bytes))
    for rows in gen_batches(len(X), n_rows):
        phase = X[rows] @ frequencies.T
        total.real += np.cos(phase).sum(axis=0)
        total.imag += np.sin(phase).sum(axis=0)
    return total / len(X)


def _mean_characteristic_gap(X, Y, frequencies):
    # A common shift turns both functions by one phase and leaves the distance alone; without it,
    # data far from the origin would lose digits in cos and sin.
    center = X.mean(axis=0)
    gap = _characteristic_function(X - center, frequencies)
    gap -= _characteristic_function(Y - center, frequencies)
    return float(np.abs(gap).mean())


def _check_frequencies(frequencies, n_features):
    frequencies = check_array(frequencies, dtype=np.float64, input_name="frequencies")
    if frequencies.shape[1] != n_features:
        raise ValueError(
            f"frequencies has {frequencies.shape[1]} columns but the samples have {n_features} "
            "features: pass an array of shape (n_frequencies, n_features)."
        )
    return frequencies


_FREQUENCY_CONSTRAINTS = {
    "n_frequencies": [Interval(Integral, 1, None, closed="left")],
    "frequency_scale": [Interval(Real, 0, None, closed="neither")],
    "frequencies": ["array-like", None],
    "random_state": ["random_state"],
}


@validate_params(
    {"X": ["array-like"], "Y": ["array-like"], **_FREQUENCY_CONSTRAINTS},
    prefer_skip_nested_validation=True,
)
def characteristic_function_distance(
    X,
    Y,
    *,
    n_frequencies=256,
    frequency_scale=0.5,
    frequencies=None,
    random_state=None,
):
    """Mean distance between the empirical characteristic functions of two samples.

    The mean over K frequencies w of abs(mean(exp(i w.x)) - mean(exp(i w.y))). The paper calls it
    CFD and decides convergence by it, against :func:`characteristic_function_threshold`.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample.

    n_frequencies : int, default=256
        Number K of frequencies to draw. Ignored if `frequencies` is given.

    frequency_scale : float, default=0.5
        Standard deviation of the normal draws of the frequencies, in units of one over the
        units of the data: differences at length scales far below ``1 / frequency_scale`` are not
        seen. Ignored if `frequencies` is given.

    frequencies : array-like of shape (n_frequencies, n_features), default=None
        The frequencies themselves. Give the same ones to compare several samples.

    random_state : int, RandomState instance or None, default=None
        Draws the frequencies. Pass an int for reproducible results.

    Returns
    -------
    distance : float
        Between 0 (equal samples) and 2; without unit.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    See Also
    --------
    characteristic_function_threshold : What two samples of one law reach.

    Notes
    -----
    Time is O((n_samples_X + n_samples_Y) * n_frequencies * n_features). Rows are read in blocks;
    memory beyond the inputs is bounded by scikit-learn's `working_memory`.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       section 7.2. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.datasets import make_gaussian_grid
    >>> from skflow.metrics import characteristic_function_distance
    >>> X, _ = make_gaussian_grid(1000, random_state=0)
    >>> Y, _ = make_gaussian_grid(1000, random_state=1)
    >>> d_same = characteristic_function_distance(X, Y, random_state=0)
    >>> d_moved = characteristic_function_distance(X, Y + 1, random_state=0)
    >>> bool(d_same < 0.06 < d_moved)
    True
    """
    X, Y = _check_samples(X=X, Y=Y)
    if frequencies is None:
        rng = check_random_state(random_state)
        frequencies = rng.normal(scale=frequency_scale, size=(n_frequencies, X.shape[1]))
    else:
        frequencies = _check_frequencies(frequencies, X.shape[1])
    return _mean_characteristic_gap(X, Y, frequencies)


def _draw(sampler, n_samples, rng):
    sample = check_array(
        sampler(n_samples, rng), dtype=np.float64, input_name="the sampler's output"
    )
    if len(sample) != n_samples:
        raise ValueError(
            f"sampler was asked for {n_samples} rows and returned {len(sample)}: sampler("
            "n_samples, random_state) must return an array of shape (n_samples, n_features)."
        )
    return sample


@validate_params(
    {
        "sampler": [callable],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        **_FREQUENCY_CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,  # the sampler is the user's
)
def characteristic_function_threshold(
    sampler,
    n_samples,
    *,
    n_trials=1000,
    quantile=1.0,
    n_frequencies=256,
    frequency_scale=0.5,
    frequencies=None,
    random_state=None,
):
    """Characteristic function distance that two samples of one law stay below.

    Draws `n_trials` pairs of independent samples of one law and returns the largest distance, or
    another quantile, among the pairs. A sample that comes closer than this to `n_samples` rows of
    the law cannot be told from an independent sample by this distance.

    Parameters
    ----------
    sampler : callable
        ``sampler(n_samples, random_state)`` returns a new independent sample of shape
        (n_samples, n_features); `random_state` is a numpy RandomState that all calls share.

    n_samples : int
        Size of each sample: the size of the samples that will be judged.

    n_trials : int, default=1000
        Number of pairs.

    quantile : float, default=1.0
        Quantile, between 0 and 1, of the distances of the pairs. The default, the maximum, is the
        paper's; it keeps growing slowly with `n_trials`, other quantiles settle.

    n_frequencies, frequency_scale, frequencies
        As for :func:`characteristic_function_distance`; use the same values. Unless `frequencies`
        is given, each trial draws its own, so that the threshold holds for any draw of them and
        not just for one.

    random_state : int, RandomState instance or None, default=None
        Draws the samples and the frequencies. Pass an int for reproducible results.

    Returns
    -------
    threshold : float
        The quantile of the distances.

    Raises
    ------
    ValueError
        If the sampler returns anything but finite arrays of `n_samples` rows and one width.

    Warns
    -----
    UserWarning
        If the first two samples are equal: then the sampler ignores its `random_state`.

    See Also
    --------
    characteristic_function_distance : The distance.

    Notes
    -----
    With its defaults and 1024 rows, ten to thirty seconds on one core, nearly all of it in the
    2 * n_trials * n_samples * n_frequencies cosines and as many sines.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       section 7.2 and appendix C.1. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.metrics import (
    ...     characteristic_function_distance,
    ...     characteristic_function_threshold,
    ... )
    >>> def sampler(n_samples, random_state):
    ...     return random_state.normal(size=(n_samples, 2))
    >>> threshold = characteristic_function_threshold(sampler, 200, n_trials=50, random_state=0)
    >>> X = sampler(200, random_state=np.random.RandomState(1))
    >>> Y = sampler(200, random_state=np.random.RandomState(2))
    >>> characteristic_function_distance(X, Y, random_state=0) < threshold
    True
    >>> characteristic_function_distance(X, Y + 1, random_state=0) < threshold
    False
    """
    rng = check_random_state(random_state)
    distances = np.empty(n_trials)
    for trial in range(n_trials):
        X = _draw(sampler, n_samples, rng)
        Y = _draw(sampler, n_samples, rng)
        if X.shape != Y.shape:
            raise ValueError(
                f"sampler returned {X.shape[1]} features and then {Y.shape[1]}: it must return "
                "samples of one law."
            )
        if trial == 0:
            if np.array_equal(X, Y):
                warnings.warn(
                    "sampler returned the same rows twice, which makes the threshold too low: "
                    "it must draw from the random_state it is given.",
                    UserWarning,
                    stacklevel=3,
                )
            if frequencies is not None:
                frequencies = _check_frequencies(frequencies, X.shape[1])
        if frequencies is None:
            w = rng.normal(scale=frequency_scale, size=(n_frequencies, X.shape[1]))
        else:
            w = frequencies
        distances[trial] = _mean_characteristic_gap(X, Y, w)
    return float(np.quantile(distances, quantile))


def _sum_rows(distances, start):
    return distances.sum(axis=1)


def _mean_distance(X, Y=None):
    """Mean distance over all pairs of rows, a row with itself included if Y is None."""
    n_columns = len(X if Y is None else Y)
    chunks = pairwise_distances_chunked(
        X, Y, reduce_func=_sum_rows, working_memory=_block_mib(8 * n_columns)
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
    X, Y = _check_samples(X=X, Y=Y)
    # scikit-learn expands the square, which cancels badly far from the origin.
    center = np.median(np.concatenate([X, Y]), axis=0)
    X, Y = X - center, Y - center
    distance = 2 * _mean_distance(X, Y) - _mean_distance(X) - _mean_distance(Y)
    return float(max(distance, 0.0))


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
        return _nearest_distances(*_check_samples(X=X, Y=Y))
    (X,) = _check_samples(X=X)
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
    samples, train, heldout = _check_samples(samples=samples, train=train, heldout=heldout)
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
    samples, train, heldout = _check_samples(samples=samples, train=train, heldout=heldout)
    reference = np.median(_nearest_distances(heldout, train))
    if reference == 0:
        raise ValueError(
            "The median distance of heldout to train is 0: more than half of the held-out rows are "
            "also in train. Remove duplicate rows before splitting, or use "
            "closer_to_train_share."
        )
    return float(np.median(_nearest_distances(samples, train)) / reference)


def _seed_unset_random_states(classifier, rng):
    for name, value in sorted(classifier.get_params(deep=True).items()):
        if value is None and (name == "random_state" or name.endswith("__random_state")):
            classifier.set_params(**{name: rng.randint(np.iinfo(np.int32).max)})


@validate_params(
    {
        "X": ["array-like"],
        "Y": ["array-like"],
        "classifier": [HasMethods(["fit", "get_params"]), None],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,  # the classifier is the user's
)
def classifier_two_sample_auc(X, Y, *, classifier=None, cv=5, random_state=None):
    """How well a classifier can tell two samples apart, on rows it was not fitted on.

    The classifier two-sample test (C2ST) by the area under the ROC curve (AUC).

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample. Sizes may differ: the AUC does not depend on them.

    classifier : classifier with `predict_proba` or `decision_function`, default=None
        Cloned before it is fitted; its `random_state`, if None, is set from this function's.
        If None, a :class:`~sklearn.ensemble.RandomForestClassifier` of 200 trees and balanced
        classes. Trees do not depend on the units of the columns.

    cv : int, cross-validation splitter or iterable, default=5
        Number of stratified folds, or a splitter. The rows are shuffled before any splitter sees
        them, since samplers such as :meth:`sklearn.mixture.GaussianMixture.sample` return rows
        grouped by component; an iterable of splits therefore indexes the shuffled rows.

    random_state : int, RandomState instance or None, default=None
        Shuffles the rows and seeds the classifier. Pass an int for reproducible results.

    Returns
    -------
    auc : float
        Mean over the folds of the AUC on the fold's own rows: 0.5 if the samples cannot be told
        apart, 1 if they can. Folds are averaged and not pooled, since scores of classifiers fitted
        on different folds do not compare. Well below 0.5 means that the samples share rows, for
        a shared row is judged by its twin in the other sample: a sign of copying.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if a sample has fewer rows than there are folds.

    Notes
    -----
    Costs as many fits of the classifier as there are folds.

    References
    ----------
    .. [1] D. Lopez-Paz and M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017.
       https://arxiv.org/abs/1610.06545
    .. [2] G. Forman and M. Scholz, "Apples-to-Apples in Cross-Validation Studies", SIGKDD
       Explorations 12, 2010, on averaging folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skflow.metrics import classifier_two_sample_auc
    >>> X, Y = np.random.default_rng(0).normal(size=(2, 300, 2))
    >>> auc = classifier_two_sample_auc(X, Y + 2, classifier=LogisticRegression(), random_state=0)
    >>> round(auc, 2)
    0.98
    """
    X, Y = _check_samples(X=X, Y=Y)
    rng = check_random_state(random_state)
    if classifier is None:
        classifier = RandomForestClassifier(n_estimators=200, class_weight="balanced")
    else:
        classifier = clone(classifier)
    _seed_unset_random_states(classifier, rng)

    label = np.repeat([0, 1], [len(X), len(Y)])
    order = rng.permutation(len(label))
    rows, label = np.concatenate([X, Y])[order], label[order]

    cv = check_cv(cv, label, classifier=True)
    if isinstance(cv, StratifiedKFold) and min(len(X), len(Y)) < cv.n_splits:
        raise ValueError(
            f"X has {len(X)} rows and Y has {len(Y)}, too few for {cv.n_splits} folds: pass more "
            "rows, or a smaller cv."
        )
    aucs = cross_val_score(classifier, rows, label, cv=cv, scoring="roc_auc", error_score="raise")
    return float(aucs.mean())
