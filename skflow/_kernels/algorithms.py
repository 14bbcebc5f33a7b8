"""Which algorithm computes the kernel sums of which query."""

import math
from functools import partial
from importlib.util import find_spec

import numpy as np

from skflow._kernels.blocks import blocks_cost, blocks_mean, share_of_blocks, share_of_pairs
from skflow._kernels.dense import (
    dense_mean,
    differences_mean,
    products_mean,
    squared_lengths,
    suits_differences,
)
from skflow._kernels.fourier import (
    LEAST_TOLERANCE,
    MOST_DIMENSIONS,
    MOST_MODES,
    fourier_cost,
    fourier_mean,
    n_modes,
)
from skflow._kernels.threads import at_once
from skflow._kernels.vectors import N_REGISTERS

ALGORITHMS = ("auto", "dense", "blocks", "nufft")

_FLOAT32_REACH = 64.0  # about 4e-6 of error in a float32 logit
_ROUNDING = {np.float32: 2.0**-24, np.float64: 2.0**-53}
_SIGMA32 = 2.0**-50, 2.0**50  # bandwidths that float32 can square, with room for distances
# Dimensions up to which differences are as fast as products.
_FEW = 4 if N_REGISTERS == 32 else 0
# Tiles are asked about where they would cost at most this share of all pairs if no point counted.
_WORTH_ASKING = 0.8
_SAVED32 = 2.4  # times as fast are pairs in float32, in the few dimensions of tiles and series


def kernel_sums(points, Z, sigma, *, algorithm, tolerance, dtype=np.float64):
    """log2 of the weighted kernel sum at each query, and the mean of the values there; a task.

    Parameters
    ----------
    points : Points
        The points.
    Z : ndarray of shape (n_queries, n_features)
        The queries. If they and the points are float32, so is the arithmetic that can be.
    sigma : float
        Bandwidth. One whose square float32 cannot hold is computed with in float64.
    algorithm, tolerance
        See :func:`~skflow._kernels.kernel_mean`.
    dtype : type, default=np.float64
        np.float32 where no more digits of the mean are wanted: it may have that dtype then.

    Returns
    -------
    log2_sum : callable
        A function without arguments: not everybody needs logarithms.
    mean : ndarray of shape (n_queries, n_values)
    """
    _check(points, algorithm, tolerance)
    single = _is_single(points, Z, sigma)
    allowed = _ROUNDING[np.float32 if single else np.float64] if tolerance is None else tolerance
    if algorithm == "auto":
        algorithm = _fastest(points, len(Z), sigma, single, tolerance, allowed)
    methods = _methods(points, sigma, algorithm, single, allowed, dtype)
    log2_sum, means, certain = yield from next(methods)(points, Z, sigma, allowed)
    if certain.all():
        return log2_sum, means
    sums, left = log2_sum(), np.flatnonzero(~certain)
    for method in methods:
        log2_sum, some_means, certain = yield from method(points, Z[left], sigma, allowed)
        done = left[certain]
        sums[done], means[done] = log2_sum()[certain], some_means[certain]
        left = left[~certain]
        if len(left) == 0:
            break
    return lambda: sums, means


def _is_single(points, Z, sigma):
    """Whether float32 may do."""
    in_float32 = Z.dtype == points.X.dtype == np.float32
    return in_float32 and _SIGMA32[0] <= sigma <= _SIGMA32[1]


def _fastest(points, n_queries, sigma, single, tolerance, allowed):
    """The algorithm that takes the least time; without a tolerance whatever the queries are."""
    series = math.inf
    if tolerance is None:
        n_queries = len(points.X)
    else:
        series = fourier_cost(points, sigma, allowed, n_queries)
    dense, blocks = _costs(points, n_queries, sigma, single, allowed, series)
    costs = {"dense": dense, "blocks": blocks, "nufft": series}
    return min(costs, key=costs.get)


def _costs(points, n_queries, sigma, single, allowed, series=math.inf):
    """What all pairs cost, and what tiles do: infinity where that need not be known."""
    dense = len(points.X) * n_queries / (_SAVED32 if single else 1)
    dtype = np.float32 if single and suits_differences(points) else np.float64
    at_least = blocks_cost(points, n_queries, dtype)  # though no point counted
    if at_least > _WORTH_ASKING * dense or at_least >= series:
        return dense, math.inf
    for share_of in (share_of_pairs, share_of_blocks):  # the first to rule out what is clear
        blocks = blocks_cost(points, n_queries, dtype, share_of(points, sigma, allowed))
        if blocks >= dense:
            break
    return dense, blocks


def _methods(points, sigma, algorithm, single, allowed, dtype):
    """One after the other, each for the queries that those before it were not certain about.

    dtype: that of the means, see :func:`kernel_sums`; what tiles take is that of the arithmetic.
    """
    if algorithm == "nufft" and n_modes(points, sigma, allowed) <= MOST_MODES:
        yield _fourier
        yield _without_series
        return
    differences = single and suits_differences(points)
    if algorithm != "dense":  # a series of more modes would take memory and time without end
        if differences:
            yield partial(_blocks, dtype=np.float32)
        yield partial(_blocks, dtype=np.float64)
        return
    if single and points.X.shape[1] > _FEW:
        # Faster than differences, but not where many queries have to be computed again: queries
        # are points with noise, most often.
        noise = sigma * math.sqrt(points.X.shape[1])
        if _is_near(points, sigma, points.radius + noise if differences else 0.0):
            yield partial(_dense32, dtype=dtype)
    if differences:
        yield partial(_differences, dtype=dtype)
    yield _dense64


def _check(points, algorithm, tolerance):
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}.")
    if tolerance is not None and not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be None or between 0 and 1, got {tolerance!r}.")
    if algorithm != "nufft":
        return
    if points.X.shape[1] > MOST_DIMENSIONS:
        raise ValueError(
            f"algorithm='nufft' is for at most {MOST_DIMENSIONS} dimensions, got "
            f"{points.X.shape[1]}. Use 'auto'."
        )
    if tolerance is None or tolerance < LEAST_TOLERANCE:
        raise ValueError(
            f"algorithm='nufft' needs a tolerance of at least {LEAST_TOLERANCE:g}, got "
            f"{tolerance}. Use 'auto' for results that are exact up to rounding."
        )
    if find_spec("finufft") is None:
        raise ImportError(
            "algorithm='nufft' needs the package finufft: pip install 'skflow[nufft]'."
        )


def _differences(points, Z, sigma, tolerance, dtype):
    return differences_mean(points, Z, sigma, dtype)


def _dense32(points, Z, sigma, tolerance, dtype):
    """The queries that float32 can carry: norms about the centre decide."""
    squared = squared_lengths(points, Z)
    near = _is_near(points, sigma, np.sqrt(squared))
    if near.all():
        return (yield from products_mean(points, Z, sigma, squared, dtype))
    some = yield from products_mean(points, Z[near], sigma, squared[near], dtype)
    log2_sum, some_means, some_certain = some
    sums, means = np.zeros(len(Z)), np.empty((len(Z), points.n_values), dtype)
    certain = near.copy()
    sums[near], means[near], certain[near] = log2_sum(), some_means, some_certain
    return lambda: sums, means, certain


def _is_near(points, sigma, lengths=0.0):
    """Where products of coordinates keep their digits in float32; at best, at the centre."""
    return (lengths + points.radius) * points.radius <= _FLOAT32_REACH * float(sigma) ** 2


def _dense64(points, Z, sigma, tolerance):
    log2_sum, means = yield from dense_mean(points, Z, sigma)
    return log2_sum, means, np.ones(len(Z), dtype=bool)


def _without_series(points, Z, sigma, tolerance):
    """Rows that a series left: in tiles if these are many rows and few points count for each."""
    dense, blocks = _costs(points, len(Z), sigma, _is_single(points, Z, sigma), tolerance)
    options = {"algorithm": "dense", "tolerance": None}
    if blocks < dense:
        options = {"algorithm": "blocks", "tolerance": tolerance}
    log2_sum, means = yield from kernel_sums(points, Z, sigma, **options)
    return log2_sum, means, np.ones(len(Z), dtype=bool)


def _fourier(points, Z, sigma, tolerance):
    sums, means, certain = yield from at_once(fourier_mean, points, Z, sigma, tolerance)
    return lambda: sums, means, certain


def _blocks(points, Z, sigma, tolerance, dtype):
    sums, means, certain = yield from at_once(blocks_mean, points, Z, sigma, tolerance, dtype)
    return lambda: sums, means, certain
