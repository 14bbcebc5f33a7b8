"""Maximum mean discrepancy, and the permutation test by it."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist
from sklearn import get_config
from sklearn.metrics import euclidean_distances
from sklearn.utils import check_random_state, gen_batches

from skflow._sklearn import Interval, StrOptions, validate_params
from skflow.metrics._samples import check_samples, row_blocks

__all__ = ["maximum_mean_discrepancy", "maximum_mean_discrepancy_test"]

_MEDIAN_ROWS = 2000
# What rounding does to a squared discrepancy, whose terms are sums of kernels between 0 and 1.
_ROUNDING = 1e-12


def _pooled(X, Y):
    rows = np.concatenate([X, Y])
    return rows - np.median(rows, axis=0)  # the expanded square cancels far from the origin


def _resolve_bandwidth(bandwidth, rows, rng):
    """The bandwidth itself, or the median distance between rows that differ."""
    if bandwidth != "median":
        return bandwidth
    if len(rows) > _MEDIAN_ROWS:
        rows = rows[rng.choice(len(rows), _MEDIAN_ROWS, replace=False)]
    distances = pdist(rows)
    distances = distances[distances > 0]
    return np.median(distances) if len(distances) else 1.0


def _squared_discrepancies(rows, weights, sigma):
    """``w' K w`` for each column w of weights, K the kernels between rows."""
    total = np.zeros(weights.shape[1])
    for block in row_blocks(len(rows), 16 * len(rows)):
        kernels = euclidean_distances(rows[block], rows, squared=True)
        kernels /= -2 * sigma**2
        np.exp(kernels, out=kernels)
        total += np.einsum("ij,ij->j", weights[block], kernels @ weights)
    return total


_CONSTRAINTS = {
    "X": ["array-like"],
    "Y": ["array-like"],
    "bandwidth": [Interval(Real, 0, None, closed="neither"), StrOptions({"median"})],
    "random_state": ["random_state"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def maximum_mean_discrepancy(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    bandwidth: float | str = "median",
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Maximum mean discrepancy (MMD) between two samples, by the Gaussian kernel.

    The norm of the difference of the mean kernels of both samples (the witness function,
    equation 44), the square root of E[K(X, X')] + E[K(Y, Y')] - 2 E[K(X, Y)]. Means are over all
    pairs of rows, a row with itself included (the V-statistic), which keeps it real.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample. Sizes may differ.

    bandwidth : float or "median", default="median"
        Standard deviation sigma of the kernel ``exp(-d^2 / (2 sigma^2))``, in units of the data.
        "median" is the median distance between those of the rows of both samples that differ.
        Give the same number to compare several samples.

    random_state : int, RandomState instance or None, default=None
        Draws 2000 rows for the median, where there are more.

    Returns
    -------
    discrepancy : float
        Between 0 (equal samples) and the square root of 2; without unit. Two samples of one law
        do not reach 0: expect the square root of 1 / n_samples_X + 1 / n_samples_Y, or less for
        wide kernels.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    See Also
    --------
    maximum_mean_discrepancy_test : Whether it is larger than that of two samples of one law.
    skflow.velocities.MMD : The flow that descends it.

    Notes
    -----
    Time is O((n_samples_X + n_samples_Y)^2 * n_features). Kernels are computed in blocks; memory
    beyond the inputs is bounded by scikit-learn's `working_memory`. Bandwidths below about 1e-7
    times the spread of the data are lost in rounding, and so is a discrepancy below about 1e-8.

    References
    ----------
    .. [1] A. Gretton, K. Borgwardt, M. Rasch, B. Schoelkopf and A. Smola, "A Kernel Two-Sample
       Test", Journal of Machine Learning Research 13, 2012.
    .. [2] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       appendix B.3. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.metrics import maximum_mean_discrepancy
    >>> X, Y = [[0.0], [1.0]], [[0.0], [2.0]]
    >>> round(maximum_mean_discrepancy(X, Y, bandwidth=1.0), 3)
    0.444
    >>> maximum_mean_discrepancy(X, X[::-1])
    0.0
    """
    X, Y = check_samples(X=X, Y=Y)
    rows = _pooled(X, Y)
    sigma = _resolve_bandwidth(bandwidth, rows, check_random_state(random_state))
    weights = _weights(len(X), len(Y))[:, None]
    squared = _squared_discrepancies(rows, weights, sigma)[0]
    return float(np.sqrt(max(squared, 0.0)))


def _weights(n_X, n_Y):
    """Weights of the pooled rows whose sum is the mean over X less the mean over Y."""
    return np.repeat([1 / n_X, -1 / n_Y], [n_X, n_Y])


class TwoSampleTest(NamedTuple):
    """Result of a two-sample test.

    Attributes
    ----------
    statistic : float
        The distance between the samples.
    pvalue : float
        Probability that two samples of one law are at least as far apart.
    """

    statistic: float
    pvalue: float


@validate_params(
    {**_CONSTRAINTS, "n_permutations": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def maximum_mean_discrepancy_test(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    bandwidth: float | str = "median",
    n_permutations: int = 999,
    random_state: int | np.random.RandomState | None = None,
) -> TwoSampleTest:
    """Test by the maximum mean discrepancy whether two samples are of one law.

    If they are, then they are as far apart as two other sets of the same sizes that the rows of
    both, put together, are dealt out to at random. The p-value is the share of such deals that are
    at least as far apart, the observed one included: that it is at most alpha has a probability of
    at most alpha, for any sizes.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample: independent rows.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample: independent rows, and not made of those of X.

    bandwidth : float or "median", default="median"
        As for :func:`maximum_mean_discrepancy`; it decides which differences the test sees best.

    n_permutations : int, default=999
        Number of deals. The p-value is no smaller than ``1 / (n_permutations + 1)``.

    random_state : int, RandomState instance or None, default=None
        Deals the rows, and draws those for the median. Pass an int for reproducible results.

    Returns
    -------
    result : NamedTuple
        With the discrepancy as `statistic`, and the `pvalue`: small if the laws differ.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, or if there are NaN or infinite values.

    See Also
    --------
    maximum_mean_discrepancy : The discrepancy alone.

    Notes
    -----
    Time is O((n_samples_X + n_samples_Y)^2 * (n_features + n_permutations)), most of it in products
    of matrices. Kernels and deals are taken in blocks; memory beyond the inputs is bounded by
    scikit-learn's `working_memory`.

    A large p-value of rows against those that their sampler was fitted on is no merit: copies reach
    1. Test against rows that were held out.

    References
    ----------
    .. [1] A. Gretton, K. Borgwardt, M. Rasch, B. Schoelkopf and A. Smola, "A Kernel Two-Sample
       Test", Journal of Machine Learning Research 13, 2012.
    .. [2] B. Phipson and G. Smyth, "Permutation P-values Should Never Be Zero", Statistical
       Applications in Genetics and Molecular Biology 9, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import maximum_mean_discrepancy_test
    >>> X, Y = np.random.default_rng(0).normal(size=(2, 100, 2))
    >>> bool(maximum_mean_discrepancy_test(X, Y, random_state=0).pvalue > 0.05)
    True
    >>> maximum_mean_discrepancy_test(X, Y + 1, random_state=0).pvalue
    0.001
    """
    X, Y = check_samples(X=X, Y=Y)
    rows = _pooled(X, Y)
    rng = check_random_state(random_state)
    sigma = _resolve_bandwidth(bandwidth, rows, rng)
    observed = _weights(len(X), len(Y))
    squared = _squared_discrepancies(rows, observed[:, None], sigma)[0]
    n_farther = 0
    # The weights of a deal, and their products with a block of kernels, which is no larger.
    n_dealt = max(1, int(get_config()["working_memory"] * 2**20 / (16 * len(rows))))
    for deals in gen_batches(n_permutations, n_dealt):
        weights = np.array([rng.permutation(observed) for _ in range(deals.stop - deals.start)]).T
        dealt = _squared_discrepancies(rows, np.ascontiguousarray(weights), sigma)
        n_farther += np.count_nonzero(dealt >= squared - _ROUNDING)
    pvalue = float((1 + n_farther) / (1 + n_permutations))
    return TwoSampleTest(float(np.sqrt(max(squared, 0.0))), pvalue)
