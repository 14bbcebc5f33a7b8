"""Passing over the points that do not count: tiles of neighbours, with a bound for each."""

import math

import numpy as np

from skflow._kernels.dense import Layout, over_groups
from skflow._kernels.loops import GROUP
from skflow._kernels.points import LOG2_E
from skflow._kernels.repeats import merged, share_of_distinct
from skflow._kernels.tiles import count_tiles, enclose_tiles, sort_into_tiles, stream_tiles
from skflow._kernels.vectors import lanes

TILE = 96  # points; a whole number of panels for every register file
_SKETCH = 8  # one of so many points tells how many tiles count
_N_EXAMPLES = 32  # groups of neighbouring queries, for which that is told
_LEAST_POINTS = 4096
# Of what is not passed over, kernels are computed twice, first to find the largest; sums of a tile
# are added to those of all: one for each column, or, from some number on, values by row.
_PAIRS_A_PAIR, _PAIRS_A_COLUMN, _MOST_PAIRS_A_PAIR = 1.15, 0.06, 1.85
_PAIRS_A_ROW = 200  # to sort, and to find out, that one lane of a vector computes in the same time


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
        self.layout = Layout(points, np.float64, order, TILE)
        lower, upper = _boxes(centered, order, TILE)
        heaviest = np.zeros(lower.shape[1])
        if points.weights is not None:
            starts = np.arange(0, len(order), TILE)
            heaviest = np.maximum.reduceat(points.log2_weights[order], starts)
        self.boxes = lower, upper, heaviest


class Sketch:
    """Some of the points in as many tiles as all, and queries as neighbours of some of these.

    Parameters
    ----------
    points : Points
        The points, which are not kept.
    """

    def __init__(self, points):
        rows = np.ascontiguousarray(merged(points).X[::_SKETCH] - points.center)
        tile = TILE // _SKETCH
        order = sorted_into_tiles(rows, tile)
        lower, upper = _boxes(rows, order, tile)
        # Of n numbers drawn from an interval the range is (n - 1) / (n + 1) of it, at the mean.
        wider = ((TILE - 1) / (TILE + 1)) / ((tile - 1) / (tile + 1)) - 1
        wider = 0.5 * wider * (upper - lower)
        self.boxes = lower - wider, upper + wider, np.zeros(lower.shape[1])
        tiles = rows[order[: len(order) // tile * tile]].reshape(-1, tile, rows.shape[1])
        tiles = tiles[:: max(1, len(tiles) // _N_EXAMPLES)]
        firsts = tiles[:, :1]
        distances = np.square(tiles - firsts).sum(axis=2)
        near = np.argpartition(distances, GROUP - 1, axis=1)[:, :GROUP, None]
        neighbors = np.take_along_axis(tiles, near, axis=1)
        # Among all points these would be nearer.
        self.groups = firsts + (neighbors - firsts) * _SKETCH ** (-1 / rows.shape[1])
        self.noise = np.random.default_rng(0).standard_normal(self.groups.shape)

    def share(self, per_unit, cut):
        """Share of the tiles that are needed by groups of queries with noise of the bandwidth."""
        tops = -0.5 * LOG2_E * np.square(self.noise).sum(axis=2)  # the kernel of their own point
        queries = self.groups + math.sqrt(LOG2_E / per_unit) * self.noise
        queries = np.ascontiguousarray(queries.transpose(0, 2, 1))
        n_needed = count_tiles(queries, tops + cut, self.boxes, per_unit)
        return n_needed / (len(self.groups) * len(self.boxes[2]))


def sorted_into_tiles(X, tile):
    """Row numbers of X, in an order in which every `tile` of them are near each other."""
    order = np.arange(len(X))
    sort_into_tiles(X, tile, order)
    return order


def _boxes(X, order, tile):
    """Lowest and highest coordinates of each tile, (d, n_tiles)."""
    lower, upper = np.empty((2, X.shape[1], -(-len(order) // tile)))
    enclose_tiles(X, order, tile, lower, upper)
    return lower, upper


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

    over_groups(run, len(rows), GROUP, tiles.layout.work(len(rows))).run()
    log2_sum, mean = np.empty_like(sums), np.empty_like(means)
    log2_sum[order] = shifts + np.log2(sums) + tiles.scale - own
    mean[order] = means
    return log2_sum, mean


def share_of_blocks(points, sigma, tolerance):
    """Share of the pairs that are computed for queries like those of a flow; 1 for few points.

    It does not depend on the queries: how a row is computed must not depend on other rows. They are
    taken to be as many as the points, and some of these with noise of the bandwidth.
    """
    if len(points.X) < _LEAST_POINTS:
        return 1.0
    distinct = share_of_distinct(points)
    per_unit = LOG2_E / float(sigma) ** 2
    if -0.5 * per_unit * points.radius**2 > _cut(len(points.X), tolerance):
        return distinct  # from the centre all points count
    if distinct * len(points.X) < 2 * TILE:
        return distinct
    return distinct * points.once(Sketch).share(per_unit, _cut(len(points.X), tolerance))


def blocks_cost(points, n_queries, share=0.0):
    """In the time of how many pairs of a query and a point a share of them is summed in tiles."""
    n_points = len(points.X)
    n_tiled = n_points if n_points < _LEAST_POINTS else share_of_distinct(points) * n_points
    rows = _PAIRS_A_ROW * lanes(np.float64) * (n_tiled + n_queries)
    a_pair = min(_PAIRS_A_PAIR + _PAIRS_A_COLUMN * points.n_values, _MOST_PAIRS_A_PAIR)
    return rows + a_pair * share * n_points * n_queries
