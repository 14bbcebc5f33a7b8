"""The paper's distance between samples, and the threshold that decides convergence by it."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_random_state

from skflow._sklearn import Interval, validate_params
from skflow.metrics._samples import check_samples, row_blocks

__all__ = ["characteristic_function_distance", "characteristic_function_threshold"]


def _characteristic_function(X, frequencies):
    """Empirical characteristic function of X at each row of frequencies."""
    total = np.zeros(len(frequencies), dtype=np.complex128)
    # The phases, and their cosines or sines, are two blocks of float64.
    for rows in row_blocks(len(X), 16 * len(frequencies)):
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
    X: ArrayLike,
    Y: ArrayLike,
    *,
    n_frequencies: int = 256,
    frequency_scale: float = 0.5,
    frequencies: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
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
    X, Y = check_samples(X=X, Y=Y)
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
    sampler: Callable[..., ArrayLike],
    n_samples: int,
    *,
    n_trials: int = 1000,
    quantile: float = 1.0,
    n_frequencies: int = 256,
    frequency_scale: float = 0.5,
    frequencies: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> float:
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

    n_frequencies : int, default=256
        Number of frequencies, as for :func:`characteristic_function_distance`: use the same value.

    frequency_scale : float, default=0.5
        Standard deviation of the frequencies, likewise.

    frequencies : array-like of shape (n_frequencies, n_features), default=None
        The frequencies themselves, likewise. Unless they are given, each trial draws its own, so
        that the threshold holds for any draw of them and not just for one.

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
