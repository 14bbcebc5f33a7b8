"""The loops that are compiled, from the inner loops of :mod:`skflow._kernels.loops` outwards.

A function is compiled when it is first called with arguments of new types, and kept on disk.
"""

import numba
import numpy as np

from skflow._kernels.loops import FUSED_GROUP, GROUP, PANEL, average, fuse, highest, weigh

# Sums of as many points are made in the precision of the data, and those added up in float64.
_SUBTOTAL = 1024


def njit(**options):
    """``numba.njit`` with an on-disk cache where one can be written, without one elsewhere."""
    options = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function):
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": read-only installation and home
            return numba.njit(**options)(function)

    return decorate


@njit()
def _pack(offsets, shifts, per_unit, queries, packed_shifts):
    """Lay queries out in groups (G, D, size), scaled; the last group is filled with zeros."""
    queries[:] = 0
    packed_shifts[:] = 0
    size = queries.shape[2]
    for i in range(offsets.shape[0]):
        g, q = divmod(i, size)
        packed_shifts[g, q] = shifts[i]
        for k in range(offsets.shape[1]):
            queries[g, k, q] = offsets[i, k] * per_unit


@njit()
def _finish(all_sums, value_center, sums, means):
    """Sums and means of queries from what has been added up for them, group by group."""
    size = all_sums.shape[1]
    for i in range(sums.shape[0]):
        added = all_sums[i // size, i % size]
        sums[i] = added[0]
        for k in range(means.shape[1]):
            means[i, k] = value_center[k] + added[1 + k] / added[0]


@njit()
def stream(offsets, shifts, per_unit, layout, biases, groups_a_block, value_center, sums, means):
    """The kernel mean of all points at every query.

    offsets: (n, D), float64, the queries about the centre of the points.
    shifts: (n,), at least about the largest logit of the query.
    per_unit: what turns offsets into logits, 1 / (sigma^2 ln 2).
    layout: the centred points (P, D, W) and values (P W, V), V in whole vectors.
    biases: (P, W), log2 of the weight minus |x|^2 / (2 sigma^2 ln 2).
    groups_a_block: that a panel serves while it is in the caches.
    sums: (n,), filled with the sums of the kernels, times 2^-shift.
    means: (n, <= V), filled with the weighted means of the values.
    """
    panels, values = layout
    n_panels, n_dims, width = panels.shape
    n_values, lanes, dtype = values.shape[1], width // PANEL, panels.dtype
    step = _SUBTOTAL // width
    kernels = np.empty((GROUP, width), dtype)
    queries = np.empty((groups_a_block, n_dims, GROUP), dtype)
    logit_shifts = np.empty((groups_a_block, GROUP), dtype)
    kernel_sums = np.empty((groups_a_block, GROUP, lanes), dtype)
    totals = np.empty((groups_a_block, GROUP, n_values), dtype)
    all_sums = np.empty((groups_a_block, GROUP, 1 + n_values))
    for first in range(0, offsets.shape[0], groups_a_block * GROUP):
        last = min(offsets.shape[0], first + groups_a_block * GROUP)
        n_groups = (last - first + GROUP - 1) // GROUP
        _pack(offsets[first:last], shifts[first:last], per_unit, queries, logit_shifts)
        all_sums[:] = 0
        kernel_sums[:] = 0
        totals[:] = 0
        for panel in range(n_panels):
            for g in range(n_groups):
                z, shift = queries[g], logit_shifts[g]
                weigh((z, shift, panels, biases, panel, n_dims, kernels, kernel_sums[g]))
                average((kernels, values, panel, n_values // lanes, totals[g]))
            if (panel + 1) % step == 0 or panel + 1 == n_panels:
                for g in range(n_groups):
                    for q in range(GROUP):
                        for lane in range(lanes):
                            all_sums[g, q, 0] += kernel_sums[g, q, lane]
                        for k in range(n_values):
                            all_sums[g, q, 1 + k] += totals[g, q, k]
                kernel_sums[:] = 0
                totals[:] = 0
        _finish(all_sums, value_center, sums[first:last], means[first:last])


@njit()
def stream_fused(offsets, shifts, per_unit, layout, biases, known, value_center, sums, means):
    """:func:`stream` for few dimensions: groups of FUSED_GROUP, panels and values of one vector.

    layout: points (P, D, lanes) and values (P, V, lanes).
    known: the tuples d and v of :func:`~skflow._kernels.loops.fuse`.
    """
    points, values = layout
    d, v = known
    n_panels, n_dims, lanes = points.shape
    n_sums = 1 + values.shape[1]
    step = _SUBTOTAL // lanes
    queries = np.empty((1, n_dims, FUSED_GROUP), points.dtype)
    logit_shifts = np.empty((1, FUSED_GROUP), points.dtype)
    parts = np.empty((FUSED_GROUP, n_sums, lanes), points.dtype)
    all_sums = np.empty((1, FUSED_GROUP, n_sums))
    for first in range(0, offsets.shape[0], FUSED_GROUP):
        last = min(offsets.shape[0], first + FUSED_GROUP)
        _pack(offsets[first:last], shifts[first:last], per_unit, queries, logit_shifts)
        all_sums[:] = 0
        for start in range(0, n_panels, step):
            stop = min(n_panels, start + step)
            parts[:] = 0
            fuse((queries[0], logit_shifts[0], points, biases, values, start, stop, d, v, parts))
            for q in range(FUSED_GROUP):
                for k in range(n_sums):
                    for lane in range(lanes):
                        all_sums[0, q, k] += parts[q, k, lane]
        _finish(all_sums, value_center, sums[first:last], means[first:last])


@njit()
def stream_highest(offsets, shifts, per_unit, panels, biases, tops):
    """Largest logit of every query, less its shift, into tops (n,); see :func:`stream`."""
    n_panels, n_dims, width = panels.shape
    queries = np.empty((1, n_dims, GROUP), panels.dtype)
    logit_shifts = np.empty((1, GROUP), panels.dtype)
    group_tops = np.empty((GROUP, width // PANEL), panels.dtype)
    for first in range(0, offsets.shape[0], GROUP):
        last = min(offsets.shape[0], first + GROUP)
        _pack(offsets[first:last], shifts[first:last], per_unit, queries, logit_shifts)
        group_tops[:] = -np.inf
        highest((queries[0], logit_shifts[0], panels, biases, 0, n_panels, n_dims, group_tops))
        for i in range(first, last):
            tops[i] = group_tops[i - first].max()


@njit(fastmath={"contract", "nsz"})
def scan_for_nearest(rows, columns, neighbors, squared):
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
