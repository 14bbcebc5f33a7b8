"""The streaming Gaussian kernel mean, compiled by numba: the engine under every flow.

For queries ``z``, points ``x_j`` with values ``v_j`` and weights ``w_j``, and the Gaussian kernel
``K(z, x) = exp(-|z - x|^2 / (2 sigma^2))``, :func:`kernel_mean` returns at each query

    mean        = sum_j w_j K(z, x_j) v_j / sum_j w_j K(z, x_j)
    log_density = log(sum_j w_j K(z, x_j) / sum_j w_j)

in one pass over the points and without ever forming a queries-by-points matrix.

How it works, from the outside in:

- :func:`kernel_mean` is ``finalize(partial(...))``. A :class:`KernelState` holds two numbers and
  a mean for each query and merges associatively (:func:`merge`), so that points may arrive in
  chunks, from threads or from machines.
- :func:`partial` centres the data, chooses the precision row by row (below), packs the points
  into tiles that the compiled loop can stream, and deals blocks of queries out to threads.
- ``_stream_tiles`` is the compiled loop. For a block of queries and a tile of points: logits in
  base 2 (a bias and d multiply-adds), their maximum, ``2^(logit - max)`` by an inlined
  polynomial, and the weighted sums, with the usual rescaling when a later tile raises the maximum.

Precision. Writing ``-|z - x|^2 / 2`` as ``z.x - |x|^2 / 2 - |z|^2 / 2`` costs one multiply-add a
dimension, but its rounding error grows with ``|z| |x| / sigma^2`` (norms about the centre of the
points). In float32, queries for which that number exceeds ``_FLOAT32_REACH`` are computed in
float64. The choice depends on the query and on the points, never on the other queries. In float64
the same number is harmless up to about 1e12 (a log-density is then good to 1e-4); where sigma is a
ten-millionth of the spread of the points, a log-density is off by a tenth.

Threads. The compiled loop releases the GIL and is run on a pool of ordinary threads, as many as
``numba.get_num_threads()`` says. numba's own parallel loops are not used: their workqueue layer
aborts the process when two threads launch at once, and their OpenMP layer dies in a forked child.
A query's arithmetic does not depend on its neighbours, so results have the same bits for any
number of threads and any split of the queries.
"""

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import overload

TILE = 256  # points in a tile: its logits stay in the first-level cache
BLOCK = 4  # queries that share one pass over a tile
_FLOAT32_REACH = 64.0  # about 4e-6 of error in a float32 logit
_INLINE_WORK = 2**15  # query-point pairs below which a thread costs more than it saves
_LOG2_E = math.log2(math.e)
# Logit of a padding point, below that of any other; not infinite, so that no NaN comes of it.
_NEVER = {np.float32: -1e30, np.float64: -1e300}


def _njit(**options):
    """``numba.njit`` with an on-disk cache where one can be written, without one elsewhere."""

    def decorate(function):
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": read-only installation and home
            return numba.njit(**options)(function)

    return decorate


# --- 2^t ------------------------------------------------------------------------------------
# numba from PyPI has no vector math library, so a call to exp2 in a loop would be a scalar call.


def _exp2_coefficients(degree):
    """Coefficients of a near-minimax polynomial for 2^f on [-1/2, 1/2], lowest power first."""
    # The Chebyshev series of 2^(x/2) on [-1, 1], from a Taylor series long enough to be exact;
    # a least-squares fit would lose four bits.
    taylor = [(math.log(2) / 2) ** k / math.factorial(k) for k in range(degree + 10)]
    chebyshev = np.polynomial.chebyshev.poly2cheb(taylor)[: degree + 1]
    return np.polynomial.chebyshev.cheb2poly(chebyshev) * 2.0 ** np.arange(degree + 1)


_COEFFICIENTS_32 = tuple(np.float32(c) for c in _exp2_coefficients(6))
_COEFFICIENTS_64 = tuple(float(c) for c in _exp2_coefficients(11))


def _exp2(t):
    """``2.0**t`` for t <= 0, flushed to exactly zero below the smallest normal number."""
    raise TypeError("only for compiled code")  # pragma: no cover


# Adding 1.5 * 2^(mantissa bits) leaves round(t) in the low bits of the sum: `shifted - magic` is
# the rounded value and the bits of `shifted`, moved into the exponent field, multiply by 2^round.
@overload(_exp2, jit_options={"fastmath": {"contract", "nsz"}})
def _exp2_overload(t):
    if t == types.float32:
        lowest, magic, zero = np.float32(-126.0), np.float32(1.5 * 2**23), np.float32(0.0)
        c0, c1, c2, c3, c4, c5, c6 = _COEFFICIENTS_32
        mantissa_bits = np.int32(23)

        def exp2_float32(t):
            clipped = max(t, lowest)
            shifted = clipped + magic
            f = clipped - (shifted - magic)
            p = (((((c6 * f + c5) * f + c4) * f + c3) * f + c2) * f + c1) * f + c0
            exponent = np.int32(np.float32(shifted).view(np.int32) << mantissa_bits)
            scaled = np.int32(np.float32(p).view(np.int32) + exponent).view(np.float32)
            return scaled if t > lowest else zero

        return exp2_float32

    lowest, magic, zero = -1022.0, 1.5 * 2**52, 0.0
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 = _COEFFICIENTS_64
    mantissa_bits = np.int64(52)

    def exp2_float64(t):
        clipped = max(t, lowest)
        shifted = clipped + magic
        f = clipped - (shifted - magic)
        p = (((((c11 * f + c10) * f + c9) * f + c8) * f + c7) * f + c6) * f + c5
        p = ((((p * f + c4) * f + c3) * f + c2) * f + c1) * f + c0
        exponent = np.float64(shifted).view(np.int64) << mantissa_bits
        scaled = np.int64(np.float64(p).view(np.int64) + exponent).view(np.float64)
        return scaled if t > lowest else zero

    return exp2_float64


# --- the compiled loop ----------------------------------------------------------------------


@_njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _stream_tiles(queries, tiles, biases, values, small, maxima, sums, totals):
    """Add every tile of points to the running state of every query.

    queries: (n, D), centred and divided by sigma^2 ln 2; n a multiple of BLOCK.
    tiles: (T, D, TILE), the centred points. D is 2, or a multiple of BLOCK.
    biases: (T, TILE), log2 of the weight minus |x|^2 / (2 sigma^2 ln 2).
    values: (T, V, TILE), centred; V is even.
    small: a tuple whose length is D when D is to be a constant of the compiled code, else empty.
    maxima (n,), sums (n,), totals (n, V): float64, the state, updated in place.
    """
    n_queries, n_dims = queries.shape
    n_values = values.shape[1]
    zero = queries.dtype.type(0.0)
    logits = np.empty((BLOCK, TILE), queries.dtype)
    lanes = np.empty(16, queries.dtype)
    a, b, c, d = logits[0], logits[1], logits[2], logits[3]
    for first in range(0, n_queries, BLOCK):
        for t in range(tiles.shape[0]):
            bias = biases[t]

            if len(small) > 0:
                for q in range(BLOCK):
                    row = logits[q]
                    for j in range(TILE):
                        s = bias[j]
                        for k in range(len(small)):
                            s += queries[first + q, k] * tiles[t, k, j]
                        row[j] = s
            else:
                for j in range(TILE):
                    a[j] = bias[j]
                    b[j] = bias[j]
                    c[j] = bias[j]
                    d[j] = bias[j]
                for k in range(0, n_dims, 4):
                    x0, x1, x2, x3 = tiles[t, k], tiles[t, k + 1], tiles[t, k + 2], tiles[t, k + 3]
                    za, zb = queries[first, k : k + 4], queries[first + 1, k : k + 4]
                    zc, zd = queries[first + 2, k : k + 4], queries[first + 3, k : k + 4]
                    a0, a1, a2, a3 = za[0], za[1], za[2], za[3]
                    b0, b1, b2, b3 = zb[0], zb[1], zb[2], zb[3]
                    c0, c1, c2, c3 = zc[0], zc[1], zc[2], zc[3]
                    d0, d1, d2, d3 = zd[0], zd[1], zd[2], zd[3]
                    for j in range(TILE):
                        y0, y1, y2, y3 = x0[j], x1[j], x2[j], x3[j]
                        a[j] += a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3
                        b[j] += b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3
                        c[j] += c0 * y0 + c1 * y1 + c2 * y2 + c3 * y3
                        d[j] += d0 * y0 + d1 * y1 + d2 * y2 + d3 * y3

            for q in range(BLOCK):
                row = logits[q]
                i = first + q
                for lane in range(16):  # LLVM does not vectorise a plain maximum
                    lanes[lane] = row[lane]
                for j in range(16, TILE, 16):
                    for lane in range(16):
                        lanes[lane] = max(lanes[lane], row[j + lane])
                top = lanes[0]
                for lane in range(16):
                    top = max(top, lanes[lane])
                if top > maxima[i]:
                    shrink = _exp2(maxima[i] - np.float64(top))  # 0 before the first tile
                    sums[i] *= shrink
                    for k in range(n_values):
                        totals[i, k] *= shrink
                    maxima[i] = top
                else:
                    top = queries.dtype.type(maxima[i])
                s = zero
                for j in range(TILE):
                    e = _exp2(row[j] - top)
                    row[j] = e
                    s += e
                sums[i] += s

            for k in range(0, n_values, 2):
                v0, v1 = values[t, k], values[t, k + 1]
                sa0 = sa1 = sb0 = sb1 = sc0 = sc1 = sd0 = sd1 = zero
                for j in range(TILE):
                    u0, u1, ea, eb, ec, ed = v0[j], v1[j], a[j], b[j], c[j], d[j]
                    sa0 += ea * u0
                    sa1 += ea * u1
                    sb0 += eb * u0
                    sb1 += eb * u1
                    sc0 += ec * u0
                    sc1 += ec * u1
                    sd0 += ed * u0
                    sd1 += ed * u1
                totals[first, k] += sa0
                totals[first, k + 1] += sa1
                totals[first + 1, k] += sb0
                totals[first + 1, k + 1] += sb1
                totals[first + 2, k] += sc0
                totals[first + 2, k + 1] += sc1
                totals[first + 3, k] += sd0
                totals[first + 3, k + 1] += sd1


@_njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _scan_for_nearest(rows, columns, neighbors, squared):
    """For each row the nearest points, nearest first, and their squared distances.

    rows: (n, d). columns: (d, m), the points by column. neighbors, squared: (n, k), filled here.
    """
    n_points, n_kept = columns.shape[1], neighbors.shape[1]
    distances = np.empty(n_points)
    for i in range(rows.shape[0]):
        distances[:] = 0.0
        for c in range(rows.shape[1]):
            z, column = rows[i, c], columns[c]
            for j in range(n_points):
                difference = column[j] - z
                distances[j] += difference * difference
        nearest, which = squared[i], neighbors[i]
        nearest[:] = np.inf
        for j in range(n_points):
            if distances[j] < nearest[n_kept - 1]:
                place = n_kept - 1
                while place > 0 and nearest[place - 1] > distances[j]:
                    nearest[place], which[place] = nearest[place - 1], which[place - 1]
                    place -= 1
                nearest[place], which[place] = distances[j], j


# --- packing --------------------------------------------------------------------------------


def _padded_width(width):
    return 2 if width <= 2 else -(-width // BLOCK) * BLOCK


def _padded(array, n_rows, n_columns, dtype):
    padded = np.zeros((n_rows, n_columns), dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded


def _tiles(array, dtype):
    """Rows in (tile, column, row in tile) layout, padded with zeros."""
    n_tiles = -(-array.shape[0] // TILE)
    padded = _padded(array, n_tiles * TILE, _padded_width(array.shape[1]), dtype)
    return np.ascontiguousarray(padded.reshape(n_tiles, TILE, -1).transpose(0, 2, 1))


# --- threads --------------------------------------------------------------------------------

_pool = None


def _forget_pool():
    """After a fork the child has the pool but not its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _run_in_threads(function, n_rows, n_threads):
    """Call ``function(start, stop)`` on ranges of rows, the first of them in this thread."""
    global _pool
    n_blocks = -(-n_rows // BLOCK)
    n_tasks = min(n_threads, n_blocks)
    if n_tasks <= 1:
        function(0, n_rows)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(
            numba.config.NUMBA_DEFAULT_NUM_THREADS, thread_name_prefix="skflow"
        )
    edges = [min(n_rows, BLOCK * (n_blocks * i // n_tasks)) for i in range(n_tasks + 1)]
    others = [_pool.submit(function, *edge) for edge in itertools.pairwise(edges[1:])]
    try:
        function(edges[0], edges[1])
    finally:
        for other in others:
            other.result()


def _n_threads(n_pairs):
    return numba.get_num_threads() if n_pairs >= _INLINE_WORK else 1


def nearest(rows, points, n_neighbors):
    """Nearest points of each row: indices and distances, nearest first, by direct differences.

    Unlike scikit-learn's search, a row's result has the same bits whatever the other rows are, and
    a call costs little more than its arithmetic: a flow makes one in every step.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Where to look from.
    points : ndarray of shape (n_points, n_features)
        Where to look.
    n_neighbors : int
        How many to find, at most n_points.

    Returns
    -------
    neighbors : ndarray of int of shape (n_rows, n_neighbors)
    distances : ndarray of float64 of shape (n_rows, n_neighbors)
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    columns = np.ascontiguousarray(points.T, dtype=np.float64)
    neighbors = np.zeros((len(rows), n_neighbors), dtype=np.intp)
    squared = np.empty((len(rows), n_neighbors))

    def scan(start, stop):
        part = slice(start, stop)
        _scan_for_nearest(rows[part], columns, neighbors[part], squared[part])

    _run_in_threads(scan, len(rows), _n_threads(len(rows) * len(points)))
    return neighbors, np.sqrt(squared)


# --- the kernel mean ------------------------------------------------------------------------


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


def _partial(Z, X, sigma, values, weights, dtype):
    """One precision of :func:`partial`; the points have positive weights, or None for ones."""
    center = X.mean(axis=0, dtype=np.float64)
    offsets = Z - center
    points = X - center
    per_unit = _LOG2_E / float(sigma) ** 2

    n_queries = -(-Z.shape[0] // BLOCK) * BLOCK
    tiles = _tiles(points, dtype)
    queries = _padded(offsets * per_unit, n_queries, tiles.shape[1], dtype)
    biases = np.full((tiles.shape[0], TILE), _NEVER[dtype], dtype)
    bias = np.einsum("ij,ij->i", points, points) * (-0.5 * per_unit)
    scale = 0.0  # log2 of the largest weight: in the logits it would cost float32 digits
    if weights is not None:
        log_weights = np.log2(weights)
        scale = log_weights.max()
        bias += log_weights - scale
    biases.reshape(-1)[: X.shape[0]] = bias
    if values is None:
        values, value_center, value_tiles = X, center, tiles
    else:
        value_center = values.mean(axis=0, dtype=np.float64)
        value_tiles = _tiles(values - value_center, dtype)

    maxima = np.full(n_queries, _NEVER[dtype])
    sums = np.zeros(n_queries)
    totals = np.zeros((n_queries, value_tiles.shape[1]))
    small = (0,) * tiles.shape[1] if tiles.shape[1] <= 4 else ()

    def stream(start, stop):
        rows = slice(start, stop)
        _stream_tiles(
            queries[rows],
            tiles,
            biases,
            value_tiles,
            small,
            maxima[rows],
            sums[rows],
            totals[rows],
        )

    _run_in_threads(stream, n_queries, _n_threads(Z.shape[0] * X.shape[0]))

    rows, columns = slice(Z.shape[0]), slice(values.shape[1])
    squared_norms = np.einsum("ij,ij->i", offsets, offsets)
    log2_sum = maxima[rows] + np.log2(sums[rows]) + scale - 0.5 * per_unit * squared_norms
    mean = value_center + totals[rows, columns] / sums[rows, None]
    return log2_sum / _LOG2_E, mean


def partial(Z, X, sigma, values=None, weights=None):
    """State of every query ``Z`` after the points ``X``; see :func:`kernel_mean`.

    Returns
    -------
    KernelState
        In float64, whatever the dtype of the input.
    """
    # numpy sums rows in an order, and so with a rounding, that depends on the memory layout.
    Z, X = np.asarray(Z, order="C"), np.asarray(X, order="C")
    values = None if values is None else np.asarray(values, order="C")
    if Z.ndim != 2 or X.ndim != 2 or Z.shape[1] != X.shape[1]:
        raise ValueError(
            f"Z and X must be 2-D arrays of the same width, got shapes {Z.shape} and {X.shape}."
        )
    if X.shape[0] == 0:
        raise ValueError("X has no rows: a kernel mean needs at least one point.")
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be a positive finite number, got {sigma!r}.")
    if values is not None and (values.ndim != 2 or values.shape[0] != X.shape[0]):
        raise ValueError(
            f"values must be a 2-D array with a row for each of the {X.shape[0]} rows of X, "
            f"got shape {values.shape}."
        )
    weight = float(X.shape[0])
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != X.shape[:1] or not np.all(np.isfinite(weights) & (weights >= 0)):
            raise ValueError(
                f"weights must be {X.shape[0]} finite non-negative numbers, one for each row of X."
            )
        weight = float(weights.sum())
        if weight == 0:
            raise ValueError("All weights are zero: at least one must be positive.")
        used = weights > 0
        if not used.all():
            X, weights = X[used], weights[used]
            values = None if values is None else values[used]

    single = Z.dtype == X.dtype == np.float32
    if not single:
        return KernelState(*_partial(Z, X, sigma, values, weights, np.float64), weight)

    # Norms about the centre decide which queries float32 can carry.
    center = X.mean(axis=0, dtype=np.float64)
    reach = np.sqrt(np.square(X - center).sum(axis=1).max())
    lengths = np.sqrt(np.square(Z - center).sum(axis=1))
    near = (lengths + reach) * reach <= _FLOAT32_REACH * float(sigma) ** 2
    if near.all():
        return KernelState(*_partial(Z, X, sigma, values, weights, np.float32), weight)
    width = X.shape[1] if values is None else values.shape[1]
    log_sum, mean = np.empty(Z.shape[0]), np.empty((Z.shape[0], width))
    for rows, dtype in ((near, np.float32), (~near, np.float64)):
        if rows.any():
            log_sum[rows], mean[rows] = _partial(Z[rows], X, sigma, values, weights, dtype)
    return KernelState(log_sum, mean, weight)


def merge(first, second):
    """State of the same queries after the points of both states."""
    log_sum = np.logaddexp(first.log_sum, second.log_sum)
    share = np.exp(second.log_sum - log_sum)[:, None]
    mean = first.mean + share * (second.mean - first.mean)
    return KernelState(log_sum, mean, first.weight + second.weight)


def exchange(state, Z, Y, sigma, own, values=None, own_values=None):
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

    Returns
    -------
    KernelState
    """

    def log_kernel(points):
        return -0.5 * np.square((Z - points) / float(sigma), dtype=np.float64).sum(axis=1)

    values = Y if values is None else values
    own_values = own.rows if own_values is None else own_values
    # In units of the old sum: what is left of it, and of its weighted values.
    rest, rest_values = np.ones(len(Z)), state.mean.copy()
    for neighbor, share in zip(own.neighbors.T, own.shares.T, strict=True):
        leaves = share * np.exp(np.minimum(log_kernel(Y[neighbor]) - state.log_sum, 0.0))
        rest -= leaves
        rest_values -= leaves[:, None] * values[neighbor]
    # Where all but nothing is left, it is rounding.
    drowned = rest < (1e-5 if Z.dtype == np.float32 else 1e-10)
    rest[drowned], rest_values[drowned] = 0.0, 0.0
    joining = log_kernel(own.rows)
    top = np.maximum(joining, state.log_sum)
    old, new = np.exp(state.log_sum - top), np.exp(joining - top)
    total = old * rest + new
    gone = total == 0  # what left was all that counted
    total, new = np.where(gone, 1.0, total), np.where(gone, 1.0, new)
    mean = (old[:, None] * rest_values + new[:, None] * own_values) / total[:, None]
    return KernelState(top + np.log(total), mean, state.weight)


def finalize(state):
    """``(mean, log_density)`` of a state, as :func:`kernel_mean` defines them."""
    return state.mean, state.log_sum - math.log(state.weight)


def kernel_mean(Z, X, sigma, values=None, weights=None):
    """Gaussian soft mean and log kernel density at each row of Z, in one streaming pass.

    Parameters
    ----------
    Z : ndarray of shape (n_queries, n_features)
        Where to evaluate.
    X : ndarray of shape (n_points, n_features)
        The points.
    sigma : float
        Standard deviation of the kernel ``exp(-|z - x|^2 / (2 sigma^2))``, in units of X.
    values : ndarray of shape (n_points, n_values), default=None
        What is averaged; X itself by default.
    weights : ndarray of shape (n_points,), default=None
        Non-negative weights of the points; equal by default. Only their ratios matter.

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
        If shapes do not match, sigma is not positive, or no point has a positive weight.

    Notes
    -----
    Time grows as n_queries x n_points x (n_features + n_values), memory as the input.

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
    mean, log_density = finalize(partial(Z, X, sigma, values=values, weights=weights))
    single = np.asarray(Z).dtype == np.asarray(X).dtype == np.float32
    dtype = np.float32 if single else np.float64
    return mean.astype(dtype, copy=False), log_density.astype(dtype, copy=False)
