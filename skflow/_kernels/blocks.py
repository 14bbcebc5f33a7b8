"""Passing over the points that do not count: tiles of neighbours, with a bound for each."""

import math

import numpy as np

from skflow._kernels.dense import Layout, run_in_groups
from skflow._kernels.loops import GROUP
from skflow._kernels.points import LOG2_E
from skflow._kernels.repeats import merged, share_of_distinct
from skflow._kernels.tiles import bound_kernels, sort_into_tiles, stream_tiles
from skflow._kernels.vectors import lanes

TILE = 96  # points; a whole number of panels for every register file
_N_EXAMPLES = 50
_LEAST_POINTS = 4096
# Of what is not passed over: kernels are computed twice, first to find the largest.
_PAIRS_A_PAIR = 1.6
_PAIRS_A_ROW = 350  # to sort, and to find out, that one lane of a vector computes in the same time


class Tiles:
    """Points, equal ones merged, sorted into tiles of neighbours: their layout and boxes.

    Parameters
    ----------
    points : Points
        The points, which are not kept.
    """

    def __init__(self, points):
        points = merged(points)
        self.n_points, self.n_values = len(points.X), points.n_values
        self.center, self.value_center = points.center, points.value_center
        self.radius, self.scale = points.radius, points.scale
        centered = points.centered
        order = sorted_into_tiles(centered, TILE)
        self.layout = Layout(points, np.float64, order, TILE, columns_width=0)
        starts = np.arange(0, len(order), TILE)
        rows = centered[order]
        heaviest = np.zeros(len(starts))
        if points.weights is not None:
            heaviest = np.maximum.reduceat(points.log2_weights[order], starts)
        lower, upper = (f.reduceat(rows, starts) for f in (np.minimum, np.maximum))
        self.boxes = np.ascontiguousarray(lower.T), np.ascontiguousarray(upper.T), heaviest
        self.examples = rows[:: max(1, len(rows) // _N_EXAMPLES)]


def sorted_into_tiles(X, tile):
    """Row numbers of X, in an order in which every `tile` of them are near each other."""
    order = np.arange(len(X))
    sort_into_tiles(X, tile, order)
    return order


def _cut(n_points, tolerance):
    """log2 of the kernel, relative to the largest, that is small enough to leave all out."""
    return math.log2(tolerance / n_points)


def blocks_mean(points, Z, sigma, tolerance):
    """:func:`~skflow._kernels.dense.dense_mean` in float64, but for a share of the kernel sum.

    A tile is passed over where its largest possible kernel, times the number of all points, is
    below `tolerance` times the largest kernel of the query. What is left out is therefore at most
    `tolerance` times the sum.
    """
    tiles = points.once(Tiles)
    per_unit = LOG2_E / float(sigma) ** 2
    offsets = Z - tiles.center
    order = sorted_into_tiles(offsets, GROUP)
    rows = offsets[order]
    squared = np.einsum("ij,ij->i", rows, rows)
    own = 0.5 * per_unit * squared
    slack = 2.0**-46 * per_unit * (np.sqrt(squared) + tiles.radius) ** 2
    everything = (
        (tiles.layout.panels, tiles.layout.values),
        tiles.layout.biases(per_unit),
        tiles.boxes,
    )
    shifts, sums = np.empty((2, len(rows)))
    means = np.empty((len(rows), tiles.n_values))
    cut = _cut(tiles.n_points, tolerance)

    def run(part):
        results = shifts[part], sums[part], means[part]
        stream_tiles(
            *(rows[part], own[part], slack[part], per_unit, cut),
            *(everything, tiles.value_center, results),
        )

    run_in_groups(run, len(rows), GROUP, tiles.layout.work(len(rows)))
    log2_sum, mean = np.empty_like(sums), np.empty_like(means)
    log2_sum[order] = shifts + np.log2(sums) + tiles.scale - own
    mean[order] = means
    return log2_sum, mean


def share_of_blocks(points, sigma, tolerance):
    """Share of the points that a query needs, judged by some of them; 1 for few points.

    It does not depend on the queries: how a row is computed must not depend on other rows.
    """
    if len(points.X) < _LEAST_POINTS:
        return 1.0
    distinct = share_of_distinct(points)
    per_unit = LOG2_E / float(sigma) ** 2
    if -0.5 * per_unit * points.radius**2 > _cut(len(points.X), tolerance):
        return distinct  # from the centre all points count
    tiles = points.once(Tiles)
    bounds = np.empty(tiles.boxes[2].shape)
    needed = 0
    for row in tiles.examples:
        bound_kernels(row, row, tiles.boxes, per_unit, bounds)
        needed += np.count_nonzero(bounds > _cut(tiles.n_points, tolerance))
    return distinct * needed / (len(bounds) * len(tiles.examples))


def blocks_cost(points, n_queries, share=0.0):
    """In the time of how many pairs of a query and a point a share of them is summed in tiles."""
    rows = _PAIRS_A_ROW * lanes(np.float64) * (len(points.X) + n_queries)
    return rows + _PAIRS_A_PAIR * share * len(points.X) * n_queries
