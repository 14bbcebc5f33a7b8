"""All points at once where kernels are wide: sums of Gaussians as a Fourier series.

With a non-uniform fast Fourier transform (finufft, an optional package) the sums at all queries
cost about as much as one look at every point and query. The error is absolute, a fraction of the
sum of the weights, so that a query far out in the tails has no digit right. How large it is, is
measured at some of the points; a query whose sum is not far above it is left to the exact sums.
"""

import math
from importlib.util import find_spec

import numpy as np

from skflow._kernels.dense import dense_mean
from skflow._kernels.points import corners
from skflow._kernels.threads import alone, n_openmp_threads
from skflow._kernels.vectors import lanes

LEAST_TOLERANCE = 1e-10
MOST_DIMENSIONS = 3
_LEAST_ACCURACY = 1e-14  # that the transforms reach
_DIGITS = 1e-5  # by which they are more accurate than the tolerance: for sums of few points
_MARGIN = 3.0  # bandwidths outside the points' box in which queries are answered
_SAFETY = 10.0  # times the largest error that was measured
_N_MEASURED = 50
MOST_MODES = 2**23
# What a row and a mode cost by dimensions, and what remains, in pairs of a query and a point that
# one lane of a vector computes in the same time.
_PAIRS_A_ROW = {1: 60, 2: 200, 3: 660}
_PAIRS_A_MODE = {1: 110, 2: 220, 3: 550}
_PAIRS_AT_ALL = 800_000


def fourier_mean(points, Z, sigma, tolerance):
    """:func:`~skflow._kernels.algorithms.kernel_sums` where that is certain to `tolerance`.

    Returns
    -------
    log2_sum, mean : ndarrays
        Rows that are not certain are not to be used.
    certain : ndarray of bool of shape (n_queries,)
        Where the error of the sum, and of the mean in units of the largest value, is below
        `tolerance`: by ten times the largest error that was measured at 50 of the points.
    """
    series = Series(points, sigma, _accuracy(tolerance))
    offsets = Z - points.center
    every = max(1, len(points.X) // _N_MEASURED)
    log2_sum, mean = alone(dense_mean(points, points.X[::every], sigma))
    sums = np.exp2(log2_sum()) / series.total
    exact = np.column_stack([sums, sums[:, None] * (mean - points.value_center) / series.scale])
    error = max(
        _SAFETY * np.abs(series.sums(points.centered[::every]) - exact).max(), np.finfo(float).eps
    )
    outside = np.maximum(series.lower - offsets, offsets - series.upper).max(axis=1)
    certain = outside < series.margin
    sums = np.ones((len(offsets), 1 + points.n_values))
    sums[certain] = series.sums(offsets[certain])
    certain &= sums[:, 0] * tolerance > 2 * error
    sums[~certain] = 1.0
    log2_sum = np.log2(sums[:, 0] * series.total)
    return log2_sum, points.value_center + series.scale * sums[:, 1:] / sums[:, :1], certain


class Series:
    """Fourier series of the sums of kernels, and of values weighted by them.

    Both are relative to the sum of the weights, and the values to the largest of them.

    Parameters
    ----------
    points : Points
        The points, in at most three dimensions; they are not kept.
    sigma : float
        Bandwidth.
    accuracy : float
        Of the transforms and of the truncated series.
    """

    def __init__(self, points, sigma, accuracy):
        rows = points.centered
        self.accuracy, self.margin = accuracy, _MARGIN * sigma
        self.lower, self.upper = points.once(corners)
        periods = _periods(self.upper - self.lower, sigma, accuracy)
        self.unit = 2 * np.pi / periods
        self.shape = _shape(periods, sigma, accuracy)
        self.scale = max(float(np.abs(points.centered_values).max()), np.finfo(float).tiny)
        weights = np.ones(len(rows)) if points.weights is None else points.weights
        self.total = weights.sum()
        self.n_columns = 1 + points.n_values
        columns = np.zeros((len(rows), self.n_columns + self.n_columns % 2))
        columns[:, 0] = 1.0
        columns[:, 1 : self.n_columns] = points.centered_values / self.scale
        columns *= (weights / self.total)[:, None]
        # Two real columns are the real and the imaginary part of one transform.
        self.modes = np.ascontiguousarray(columns.view(np.complex128).T)
        # One thread: more would add in an order of their own.
        self.modes = self._transform(1, rows, self.modes, 1)
        for axis, (size, period) in enumerate(zip(self.shape, periods, strict=True)):
            k = self.unit[axis] * sigma * np.arange(-(size // 2), size // 2 + 1)
            factors = math.sqrt(2 * np.pi) * sigma / period * np.exp(-0.5 * k**2)
            self.modes *= np.expand_dims(factors, [i for i in range(len(self.shape)) if i != axis])

    def _transform(self, kind, rows, data, n_threads):
        import finufft

        n_pairs = -(-self.n_columns // 2)
        sign = -1 if kind == 1 else 1
        options = {"eps": self.accuracy, "isign": sign, "nthreads": n_threads, "showwarn": 0}
        plan = finufft.Plan(kind, self.shape, n_trans=n_pairs, **options)
        plan.setpts(*np.ascontiguousarray((rows * self.unit).T))
        return plan.execute(data).reshape(n_pairs, *(self.shape if kind == 1 else (len(rows),)))

    def sums(self, offsets):
        """Sums at each offset from the centre: of the kernels, and of the weighted values."""
        if len(offsets) == 0:
            return np.empty((0, self.n_columns))
        threads = n_openmp_threads(50_000 * len(offsets))
        pairs = self._transform(2, offsets, self.modes, threads)
        return np.ascontiguousarray(pairs.T).view(np.float64)[:, : self.n_columns]


def _accuracy(tolerance):
    return max(_LEAST_ACCURACY, tolerance * _DIGITS)


def _periods(extents, sigma, accuracy):
    """So long that no query sees the image of a point."""
    return extents + (_MARGIN + _reach(accuracy)) * sigma


def _reach(accuracy):
    """Bandwidths after which a Gaussian is below the accuracy."""
    return math.sqrt(-2 * math.log(accuracy))


def _shape(periods, sigma, accuracy):
    """Number of modes in each dimension."""
    return tuple(2 * math.ceil(_reach(accuracy) * p / (2 * np.pi * sigma)) + 1 for p in periods)


def fourier_cost(points, sigma, tolerance, n_queries):
    """In the time of how many pairs of a query and a point a series is summed, if one can be had.

    Infinity in more dimensions, for too many modes or digits, and without finufft.
    """
    width = points.X.shape[1]
    if width > MOST_DIMENSIONS or tolerance < LEAST_TOLERANCE or find_spec("finufft") is None:
        return math.inf
    n_rows, modes = len(points.X) + n_queries, n_modes(points, sigma, tolerance)
    if modes > MOST_MODES:
        return math.inf
    cost = _PAIRS_A_ROW[width] * n_rows + _PAIRS_A_MODE[width] * modes + _PAIRS_AT_ALL
    return lanes(np.float64) * cost


def n_modes(points, sigma, tolerance):
    """Number of terms of the series: it grows as the bandwidth shrinks, in every dimension."""
    accuracy = _accuracy(tolerance)
    lower, upper = points.once(corners)
    periods = _periods(upper - lower, sigma, accuracy)
    return math.prod(_shape(periods, sigma, accuracy))
