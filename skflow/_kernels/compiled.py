"""The loops that are compiled, from the inner loops of :mod:`skflow._kernels.loops` outwards.

A function is compiled when it is first called with arguments of new types, and kept on disk. One
that others call is compiled on its own, too, and with each of them once more; most are inlined
before (``inline="always"``), which takes less time.
"""

import contextlib
import math

import numba
import numpy as np

from skflow._kernels.builder import GROUP, PANEL
from skflow._kernels.loops import add_up, highest, raise_two, settle_lanes, settle_values
from skflow._kernels.vectors import LOG2_E, VECTOR_BYTES

# Terms that are added in the precision of the data, lane by lane, before what they make is added
# up in float64.
_SUBTOTAL = 64
# Panels that a group of queries meets, by column, while its sums are in the nearest cache; some
# whole runs of them are a subtotal.
_RUN = 8 if PANEL == 4 else 7
_EXCHANGED = 32  # queries of which neighbours are exchanged at a time: whole pairs of vectors


def njit(**options):
    """``numba.njit`` with an on-disk cache where one can be written, without one elsewhere."""
    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function):
        try:
            compiled = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": read-only installation and home
            return numba.njit(**options)(function)
        _let_saving_fail(compiled)
        return compiled

    return decorate


def _let_saving_fail(compiled):
    """Where a disk is full, or a folder has become read-only, what is compiled is not kept."""
    cache = getattr(compiled, "_cache", None)  # private: another numba may have no such thing
    save = getattr(cache, "save_overload", None)
    if save is None:
        return

    def save_or_not(*arguments):
        with contextlib.suppress(OSError):
            save(*arguments)

    cache.save_overload = save_or_not


@njit()
def zero_vectors(size, like):
    """Zeros of the dtype of an array, which start where a vector does."""
    room = np.zeros(size + VECTOR_BYTES // like.itemsize, like.dtype)
    start = -room.ctypes.data % VECTOR_BYTES // like.itemsize
    return room[start : start + size]


@njit(fastmath={"reassoc", "contract", "nsz"})
def square_norms(rows, center, norms):
    """Squared distance of each row from the centre, into norms (n,)."""
    for i in range(rows.shape[0]):
        squared = 0.0
        for k in range(rows.shape[1]):
            difference = rows[i, k] - center[k]
            squared += difference * difference
        norms[i] = squared


@njit(fastmath={"reassoc", "contract", "nsz"})
def add_up_columns(rows, room, sums):
    """Sums of the columns, in float64, into sums (d,); room (n d,), for n rows at a time."""
    n, n_columns = room.shape[0], sums.shape[0]
    # Of a sum of two indices LLVM does not see that it is not negative, and adds up no vectors.
    blocks = rows.reshape(-1)[: rows.size // n * n].reshape(-1, n)
    rest = rows.reshape(-1)[blocks.size :]
    room[:] = 0
    for b in range(blocks.shape[0]):
        for i in range(n):
            room[i] += blocks[b, i]
    for i in range(rest.shape[0]):
        room[i] += rest[i]
    for k in range(n_columns):
        sums[k] = 0.0
        for i in range(k, n, n_columns):
            sums[k] += room[i]


@njit(fastmath={"reassoc", "contract", "nsz"})
def sum_of_squares(rows):
    """Of all entries, in float64."""
    total, numbers = 0.0, rows.reshape(-1)
    for i in range(numbers.shape[0]):
        total += np.float64(numbers[i]) ** 2
    return total


@njit()
def fill_panels(rows, center, panels):
    """Rows about the centre into panels (P, D, W), by column; filled up with zeros."""
    n_dims, width = panels.shape[1:]
    for p in range(panels.shape[0]):
        panel, some = panels[p], rows[p * width : (p + 1) * width]
        for k in range(n_dims):
            for j in range(some.shape[0]):
                panel[k, j] = some[j, k] - center[k]
            for j in range(some.shape[0], width):
                panel[k, j] = 0.0


@njit()
def fill_rows(rows, center, filled):
    """Rows about the centre into the first columns of `filled`; zeros in the others."""
    n_columns = rows.shape[1]
    for i in range(rows.shape[0]):
        for k in range(n_columns):
            filled[i, k] = rows[i, k] - center[k]
        for k in range(n_columns, filled.shape[1]):
            filled[i, k] = 0.0


@njit(inline="always")
def _pack(rows, origin, shifts, per_unit, queries, packed_shifts):
    """Rows about an origin, scaled, in groups (G, D, size); the last is filled up with zeros."""
    queries[:] = 0
    packed_shifts[:] = 0
    size = queries.shape[2]
    for i in range(rows.shape[0]):
        g, q = divmod(i, size)
        packed_shifts[g, q] = shifts[i]
        for k in range(rows.shape[1]):
            queries[g, k, q] = (rows[i, k] - origin[k]) * per_unit


@njit(inline="always")
def _finish(totals, value_center, sums, means, rounded):
    """Sums and means of queries from what has been added up for them, group by group.

    Of means (n, V) in float64 and rounded (n, V) in float32, one has no rows.
    """
    kernel_totals, value_totals = totals
    size = kernel_totals.shape[1]
    for i in range(sums.shape[0]):
        g, q = divmod(i, size)
        sums[i] = kernel_totals[g, q]
        for k in range(value_center.shape[0]):
            mean = value_center[k] + value_totals[g, q, k] / sums[i]
            if rounded.shape[0] > 0:
                rounded[i, k] = mean
            else:
                means[i, k] = mean


@njit()
def stream(rows, shifts, units, layout, biases, groups_a_block, value_center, results):
    """The kernel mean of all points at every query.

    rows: (n, D), the queries.
    shifts: (n,), at least about the largest logit of the query; not heeded in float32.
    units: the origin (D,), what queries about it are multiplied by, and a tuple with the scale of
    :func:`~skflow._kernels.loops.add_up`. Without one: 1 / (sigma^2 ln 2), which makes them logits.
    layout: the points about the origin (P, D, W) and values, by row (P W, V) with V in whole
    vectors, or by column (P, V, W).
    biases: (P, W), log2 of the weight minus, without a scale, |x|^2 / (2 sigma^2 ln 2).
    groups_a_block: that a panel serves while it is in the caches.
    results: sums (n,) of the kernels, in float64 times 2^-shift, and means (n, <= V) of the values
    that these weigh, in float64 or float32: two arrays, of which one has no rows.
    """
    (panels, values), (sums, means, rounded) = layout, results
    origin, per_unit, scale = units
    n_panels, n_dims, width = panels.shape
    n_values, lanes, dtype = values.shape[1], width // PANEL, panels.dtype
    n_vectors = n_values if values.ndim == 3 else n_values // lanes
    run = _RUN if values.ndim == 3 else 1
    step = _SUBTOTAL // PANEL // run * run
    kernels = zero_vectors(GROUP * width, panels).reshape(GROUP, width)
    queries = np.empty((groups_a_block, n_dims, GROUP), dtype)
    logit_shifts = np.empty((groups_a_block, GROUP), dtype)
    kernel_sums = zero_vectors(groups_a_block * GROUP * lanes, panels).reshape(-1, GROUP, lanes)
    value_sums = zero_vectors(groups_a_block * GROUP * n_vectors * lanes, panels)
    value_sums = value_sums.reshape(-1, GROUP, n_vectors * lanes)
    kernel_totals = np.empty((groups_a_block, GROUP))
    value_totals = np.empty((groups_a_block, GROUP, n_values))
    for first in range(0, rows.shape[0], groups_a_block * GROUP):
        last = min(rows.shape[0], first + groups_a_block * GROUP)
        n_groups = (last - first + GROUP - 1) // GROUP
        _pack(rows[first:last], origin, shifts[first:last], per_unit, queries, logit_shifts)
        kernel_totals[:] = 0
        value_totals[:] = 0
        for start in range(0, n_panels, run):
            stop = min(n_panels, start + run)
            for g in range(n_groups):
                z, shift = queries[g], logit_shifts[g]
                sums_of, totals_of = kernel_sums[g], value_sums[g]
                for panel in range(start, stop):
                    places = z, shift, panels, biases, panel, n_dims
                    add_up((*places, values, n_vectors, kernels, sums_of, totals_of, *scale))
            if stop % step == 0 or stop == n_panels:
                n = n_groups * GROUP
                settle_lanes((kernel_sums, kernel_totals, n))
                settle_values((value_sums, value_totals, n * n_vectors, values))
        totals = kernel_totals, value_totals
        _finish(totals, value_center, sums[first:last], means[first:last], rounded[first:last])


@njit()
def stream_highest(rows, shifts, units, panels, biases, tops):
    """Largest logit of every query, less its shift, into tops (n,); see :func:`stream`."""
    origin, per_unit = units
    n_panels, n_dims, width = panels.shape
    queries = np.empty((1, n_dims, GROUP), panels.dtype)
    logit_shifts = np.empty((1, GROUP), panels.dtype)
    group_tops = zero_vectors(GROUP * width // PANEL, panels).reshape(GROUP, -1)
    for first in range(0, rows.shape[0], GROUP):
        last = min(rows.shape[0], first + GROUP)
        _pack(rows[first:last], origin, shifts[first:last], per_unit, queries, logit_shifts)
        group_tops[:] = -np.inf
        highest((queries[0], logit_shifts[0], panels, biases, 0, n_panels, n_dims, group_tops))
        for i in range(first, last):
            tops[i] = group_tops[i - first].max()


@njit(inline="always")
def _log2_kernel(Z, i, X, j, scale):
    """Of rows i of Z and j of X; of views of these rows the references would be counted."""
    squared = 0.0
    for k in range(Z.shape[1]):
        squared += (np.float64(Z[i, k]) - np.float64(X[j, k])) ** 2
    return scale * squared


@njit()
def exchange_rows(Z, Y, values, sigma, old, joining, leaving, drowned, new):
    """Sums of kernels in which points have made way, in part, for a row of the query's own.

    old: log_sum (n,) and mean (n, v) of the queries Z. joining: rows (n, d) and their values
    (n, v). leaving: numbers of points of Y (n, k), and how much of each leaves. drowned: a share
    of the old sum below which nothing is left. new: log_sum and mean, filled here.
    """
    # Sums are in the order in which they are written: arrays of other layouts, for which this is
    # compiled anew, must lead to the same bits.
    (log_sum, mean), (rows, row_values), (neighbors, shares) = old, joining, leaving
    new_log_sum, new_mean = new
    scale = -0.5 * LOG2_E / sigma**2
    n_leaving = neighbors.shape[1]
    # Of some queries at a time, in vectors: what leaves, in units of the old sum, and at the end
    # the smaller of what joins and the old sum, in units of the larger.
    n_terms = n_leaving + 1
    powers, joins = zero_vectors(_EXCHANGED * n_terms, log_sum), np.empty(_EXCHANGED)
    for first in range(0, Z.shape[0], _EXCHANGED):
        last = min(Z.shape[0], first + _EXCHANGED)
        for i in range(first, last):
            at, log2_sum = (i - first) * n_terms, log_sum[i] * LOG2_E
            for j in range(n_leaving):
                logit = _log2_kernel(Z, i, Y, neighbors[i, j], scale)
                powers[at + j] = min(logit - log2_sum, 0.0)
            joins[i - first] = _log2_kernel(Z, i, rows, i, scale)
            powers[at + n_leaving] = -abs(joins[i - first] - log2_sum)
        raise_two((powers, _EXCHANGED * n_terms))
        for i in range(first, last):
            at, left, top = (i - first) * n_terms, 1.0, log_sum[i] * LOG2_E
            for k in range(mean.shape[1]):
                new_mean[i, k] = mean[i, k]
            for j in range(n_leaving):
                y, leaves = neighbors[i, j], powers[at + j] * shares[i, j]
                left -= leaves
                for k in range(mean.shape[1]):
                    new_mean[i, k] -= leaves * values[y, k]
            weight, row_weight = powers[at + n_leaving], 1.0
            if joins[i - first] < top:
                weight, row_weight = row_weight, weight
            if left < drowned:
                left, weight = 0.0, 0.0
            total = weight * left + row_weight
            if total == 0:  # what left was all that counted
                total, row_weight, top = 1.0, 1.0, joins[i - first]
            weight, row_weight = weight / total, row_weight / total
            for k in range(mean.shape[1]):
                rest = weight * new_mean[i, k] if weight > 0 else 0.0
                new_mean[i, k] = rest + row_weight * row_values[i, k]
            new_log_sum[i] = max(joins[i - first], top) / LOG2_E + math.log(total)


@njit()
def fill_normals(rng, scale, numbers):
    """Normal numbers of a generator, times a scale."""
    for i in range(numbers.shape[0]):
        numbers[i] = scale * rng.standard_normal()
