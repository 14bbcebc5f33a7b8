"""Kernel means and log-densities: states of queries, how they merge, and what they end in."""

import math
import sys
from typing import NamedTuple

import numpy as np

from skflow._kernels.algorithms import kernel_sums
from skflow._kernels.compiled import exchange_rows
from skflow._kernels.points import Points
from skflow._kernels.threads import Loop, alone
from skflow._kernels.vectors import LOG2_E

_WORK_A_QUERY, _WORK_A_NUMBER = 5_000, 300  # multiply-adds that an exchange takes as long as


class KernelState(NamedTuple):
    """What a set of points has contributed at each query; merge with :func:`merge`.

    Attributes
    ----------
    log_sum : ndarray of shape (n_queries,)
        ``log sum_j w_j K(z, x_j)``.
    mean : ndarray of shape (n_queries, n_values)
        The kernel-weighted mean of the values.
    weight : float
        ``sum_j w_j``.
    """

    log_sum: np.ndarray
    mean: np.ndarray
    weight: float


def partial(Z, X, sigma, values=None, weights=None, *, algorithm="auto", tolerance=None):
    """State of every query ``Z`` after the points ``X``; see :func:`kernel_mean`.

    Returns
    -------
    KernelState
        In float64, whatever the dtype of the input.
    """
    points = _as_points(X, values, weights)
    return alone(partial_task(Z, points, sigma, algorithm=algorithm, tolerance=tolerance))


def partial_task(Z, points, sigma, *, algorithm="auto", tolerance=None, dtype=np.float64):
    """:func:`partial` as a task, see :func:`~skflow._kernels.threads.together`; mean of a dtype."""
    Z = _check(Z, points, sigma)
    options = {"algorithm": algorithm, "tolerance": tolerance, "dtype": dtype}
    log2_sum, mean = yield from kernel_sums(points, Z, sigma, **options)
    return KernelState(log2_sum() / LOG2_E, mean, points.weight)


def soft_mean_task(Z, points, sigma, *, algorithm="auto", tolerance=None):
    """The mean alone of :func:`kernel_mean`, as a task."""
    Z = _check(Z, points, sigma)
    dtype = _dtype(Z, points)
    options = {"algorithm": algorithm, "tolerance": tolerance, "dtype": dtype}
    _, mean = yield from kernel_sums(points, Z, sigma, **options)
    return mean.astype(dtype, copy=False)


def _as_points(X, values, weights):
    if not isinstance(X, Points):
        return Points(X, values, weights)
    if values is not None or weights is not None:
        raise ValueError("values and weights belong to the Points: pass them there.")
    return X


def _check(Z, points, sigma):
    """The queries as a C-contiguous array, if the arguments are good."""
    Z = np.asarray(Z, order="C")
    if Z.ndim != 2 or Z.shape[1] != points.X.shape[1]:
        raise ValueError(
            "Z and X must be 2-D arrays of the same width, got shapes "
            f"{Z.shape} and {points.X.shape}."
        )
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be a positive finite number, got {sigma!r}.")
    if not sys.float_info.min <= float(sigma) * float(sigma) < math.inf:
        raise ValueError(
            f"sigma is {float(sigma)!r}, and its square overflows or vanishes in float64: divide "
            "Z, X and sigma by a number of their size."
        )
    return Z


def _dtype(Z, points):
    """That of results: float32 where nothing else was given."""
    return np.float32 if Z.dtype == points.X.dtype == np.float32 else np.float64


def merge(first, second):
    """State of the same queries after the points of both states."""
    log_sum = np.logaddexp(first.log_sum, second.log_sum)
    share = np.exp(second.log_sum - log_sum)[:, None]
    mean = first.mean + share * (second.mean - first.mean)
    return KernelState(log_sum, mean, first.weight + second.weight)


def exchange(state, Z, Y, sigma, own, values=None, own_values=None, tolerance=None):
    """State of each query when a row of its own has taken the place of some of the points.

    Parameters
    ----------
    state : KernelState
        At the queries Z, after the points Y without weights.
    Z : ndarray of shape (n_queries, n_features)
        The queries.
    Y : ndarray of shape (n_points, n_features)
        The points.
    sigma : float
        Standard deviation of the kernel.
    own : StandIn
        For each query the row that joins, its neighbours among Y, and how much of each leaves.
    values : ndarray of shape (n_points, n_values), default=None
        What is averaged; Y itself by default.
    own_values : ndarray of shape (n_queries, n_values), default=None
        The values of the rows that join; the rows themselves by default.
    tolerance : float, default=None
        Of the state.

    Returns
    -------
    KernelState
    """

    values = Y if values is None else values
    own_values = own.rows if own_values is None else own_values
    # Where all but nothing is left, it is rounding, or what was left out of the sum.
    drowned = max(1e-5 if Z.dtype == np.float32 else 1e-10, 10 * (tolerance or 0.0))
    log_sum, mean = np.empty_like(state.log_sum), np.empty_like(state.mean)

    def run(start, stop):
        part = slice(start, stop)
        old = state.log_sum[part], state.mean[part]
        joining = own.rows[part], own_values[part]
        leaving = own.neighbors[part], own.shares[part]
        new = log_sum[part], mean[part]
        exchange_rows(Z[part], Y, values, float(sigma), old, joining, leaving, drowned, new)

    a_query = _WORK_A_QUERY + _WORK_A_NUMBER * (Z.shape[1] + values.shape[1])
    Loop(run, len(Z), work=a_query * len(Z)).run()
    return KernelState(log_sum, mean, state.weight)


def finalize(state):
    """``(mean, log_density)`` of a state, as :func:`kernel_mean` defines them."""
    return state.mean, state.log_sum - math.log(state.weight)


def kernel_mean(Z, X, sigma, values=None, weights=None, *, algorithm="auto", tolerance=None):
    """Gaussian soft mean and log kernel density at each row of Z, in one streaming pass.

    Parameters
    ----------
    Z : ndarray of shape (n_queries, n_features)
        Where to evaluate.
    X : ndarray of shape (n_points, n_features), or Points
        The points; laid out beforehand, with their values and weights, for many calls.
    sigma : float
        Standard deviation of the kernel ``exp(-|z - x|^2 / (2 sigma^2))``, in units of X.
    values : ndarray of shape (n_points, n_values), default=None
        What is averaged; X itself by default.
    weights : ndarray of shape (n_points,), default=None
        Non-negative weights of the points; equal by default. Only their ratios matter.
    algorithm : {"auto", "dense", "blocks", "nufft"}, default="auto"
        How to sum. "dense" computes every kernel; "blocks" passes over tiles of points that
        are too far away to count, the faster the smaller `sigma` is; "nufft" sums a Fourier
        series, the faster the larger `sigma` is, in at most three dimensions, with the exact sums
        where that would not do (it needs finufft and a `tolerance`). "auto" is what is fastest by
        a measured rule; without a `tolerance` it does not depend on the queries.
    tolerance : float, default=None
        Error that is allowed: the largest share of a query's kernel sum that is left out, of
        which the mean is then wrong by no more than this share of the spread of the values.
        None is the rounding of the result.

    Returns
    -------
    mean : ndarray of shape (n_queries, n_values)
        ``E[K v] / E[K]`` over the weighted points: with ``values=None`` the terms in the brackets
        of equation 15. float32 if Z and X are float32, else float64.
    log_density : ndarray of shape (n_queries,)
        ``log E[K]``. Add ``-d/2 log(2 pi sigma^2)`` for the density of equation 12.

    Raises
    ------
    ValueError
        If shapes do not match, sigma is not positive, no point has a positive weight, squares of
        sigma or of the points overflow in float64, or the algorithm cannot be had at this
        tolerance or in so many dimensions.
    ImportError
        If `algorithm` is "nufft" and finufft is not installed.

    Notes
    -----
    Time grows as n_queries x n_points x (n_features + n_values) if every kernel counts, memory as
    the input.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations
    12 to 15.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow._kernels import kernel_mean
    >>> mean, log_density = kernel_mean(np.zeros((1, 1)), np.array([[-1.0], [3.0]]), sigma=1.0)
    >>> weights = np.exp([-0.5, -4.5])
    >>> bool(np.allclose(mean, weights @ [-1.0, 3.0] / weights.sum()))
    True
    >>> bool(np.allclose(log_density, np.log(weights.mean())))
    True
    """
    points = _as_points(X, values, weights)
    options = {"algorithm": algorithm, "tolerance": tolerance}
    return alone(kernel_mean_task(Z, points, sigma, **options))


def kernel_mean_task(Z, points, sigma, **options):
    """:func:`kernel_mean` as a task."""
    dtype = _dtype(np.asarray(Z), points)
    state = yield from partial_task(Z, points, sigma, **options, dtype=dtype)
    return tuple(result.astype(dtype, copy=False) for result in finalize(state))
