"""Passing over the points that do not count: tiles of neighbours, with a bound for each."""

import math

import numpy as np

from skflow._kernels.builder import GROUP, PANEL
from skflow._kernels.dense import LEAST_SUM, Differences, Layout, over_groups
from skflow._kernels.repeats import merged, share_of_distinct
from skflow._kernels.scans import BUNDLE
from skflow._kernels.sorting import sorted_into_tiles
from skflow._kernels.tiles import count_tiles, enclose_tiles, stream_tiles
from skflow._kernels.vectors import LOG2_E, lanes

TILE = 96  # points, or a little more: whole panels
_SKETCH = 8  # one of so many points tells how many tiles count
_N_EXAMPLES = 32  # groups of neighbouring queries, for which that is told
_LEAST_POINTS = 4096
_SLACK32 = 2.0**-10  # by far more than computed logits that count err; bounds err the same way
# The unit is the time of a pair of a query and a point in float64. For each pair that is not
# passed over, some of them computed twice to find the largest: this, this more for each column of
# values, and never more than that. For each row that is sorted and bounded: per lane of a vector.
_PAIRS_A_PAIR = {np.float64: (1.0, 0.06, 1.7), np.float32: (0.58, 0.025, 0.8)}
_PAIRS_A_ROW = {np.float64: 165, np.float32: 150}


class Tiles:
    """Points, equal ones merged, sorted into tiles of neighbours: their layout and boxes.

    Parameters
    ----------
    points : Points
        The points, which are not kept.
    dtype : type
        np.float32, for differences, or np.float64.
    """

    def __init__(self, points, dtype):
        points = merged(points)
        self.n_points, self.radius, self.scale = len(points.X), points.radius, points.scale
        width = PANEL * lanes(dtype)
        self.panels = -(-TILE // width)  # of each tile
        size = self.panels * width
        order = sorted_into_tiles(points.centered, size, BUNDLE)
        if dtype == np.float32:
            self.layout = Differences(points, order, size)
        else:
            self.layout = Layout(points, dtype, order, size)
        log2_weights = np.zeros(len(order)) if points.weights is None else points.log2_weights
        self.boxes = _boxes(points.X - self.layout.origin, log2_weights, order, size, dtype)

    def logits(self, rows, per_unit):
        """What makes logits of the logs of kernels, how far these err, and the least that counts.

        rows: (n, d), queries about the origin of the layout.
        """
        if self.layout.dtype == np.float32:
            nothing = np.zeros(len(rows))
            return nothing, nothing + _SLACK32, math.log2(LEAST_SUM / self.n_points)
        squared = np.einsum("ij,ij->i", rows, rows)
        slack = 2.0**-46 * per_unit * (np.sqrt(squared) + self.radius) ** 2
        return 0.5 * per_unit * squared, slack, -math.inf


class Sketch:
    """Some of the points in as many tiles as all, and queries as neighbours of some of these.

    Parameters
    ----------
    points : Points
        The points, which are not kept.
    """

    def __init__(self, points):
        rows = np.ascontiguousarray(merged(points).X[::_SKETCH] - points.center)
        size = TILE // _SKETCH
        order = sorted_into_tiles(rows, size, BUNDLE)
        # Of n numbers drawn from an interval the range is (n - 1) / (n + 1) of it, at the mean.
        wider = ((TILE - 1) / (TILE + 1)) / ((size - 1) / (size + 1)) - 1
        self.boxes = _boxes(rows, np.zeros(len(order)), order, size, np.float64, 0.5 * wider)
        self.n_tiles = -(-len(order) // size)
        tiles = rows[order[: len(order) // size * size]].reshape(-1, size, rows.shape[1])
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
        n_needed = count_tiles(queries, tops + cut, *self.boxes, per_unit)
        return n_needed / (len(self.groups) * self.n_tiles)


def _boxes(X, log2_weights, order, size, dtype, wider=0.0):
    """What encloses the points of each tile, and of each bundle of tiles; see `count_tiles`.

    On each side they are wider by some share of their extent.
    """
    n_tiles = -(-len(order) // size)
    lower, upper = np.empty((2, X.shape[1], n_tiles))
    enclose_tiles(X, order, size, lower, upper)
    margin = wider * (upper - lower)
    heaviest = np.maximum.reduceat(log2_weights[order], np.arange(0, len(order), size))
    tiles = lower - margin, upper + margin, heaviest
    starts = np.arange(0, n_tiles, BUNDLE)
    functions = np.minimum, np.maximum, np.maximum
    bundles = [f.reduceat(a, starts, axis=-1) for f, a in zip(functions, tiles, strict=True)]
    return _filled_up(tiles, BUNDLE, dtype), _filled_up(bundles, lanes(dtype), dtype)


def _filled_up(boxes, multiple, dtype):
    """As many boxes as a multiple of a number; the last are none, and their bounds no numbers."""
    n_boxes = len(boxes[-1])
    filled = []
    for array in boxes:
        filled.append(
            np.full((*array.shape[:-1], -(-n_boxes // multiple) * multiple), np.nan, dtype)
        )
        filled[-1][..., :n_boxes] = array
    return tuple(filled)


def _cut(n_points, tolerance):
    """log2 of the kernel, relative to the largest, that is small enough to leave all out."""
    return math.log2(tolerance / n_points)


def blocks_mean(points, Z, sigma, tolerance, dtype):
    """:func:`~skflow._kernels.dense.dense_mean`, but for a share of the kernel sum.

    A tile is passed over where its largest possible kernel, times the number of all points, is
    below `tolerance` times the largest kernel of the query. What is left out is therefore at most
    `tolerance` times the sum.

    Returns
    -------
    log2_sum, mean, certain : ndarrays
        In float32, for queries and points in float32, rows are certain as those of
        :func:`~skflow._kernels.dense.differences_mean` are, and others not to be used; in float64
        all are.
    """
    tiles = points.once(Tiles, dtype)
    layout = tiles.layout
    per_unit = LOG2_E / float(sigma) ** 2
    offsets = Z - layout.origin
    order = sorted_into_tiles(offsets, GROUP)
    rows = offsets[order]
    own, slack, least = tiles.logits(rows, per_unit)
    _, factor, scale = layout.units(per_unit)
    units = per_unit, factor, scale
    biases = layout.biases(per_unit)
    everything = (layout.panels, layout.values), biases, tiles.panels, tiles.boxes
    shifts, sums = np.empty((2, len(rows)))
    means = np.empty((len(rows), layout.n_values))

    def run(part):
        stream_tiles(
            *(rows[part], own[part], slack[part], units, _cut(tiles.n_points, tolerance), least),
            *(everything, layout.value_center, (shifts[part], sums[part], means[part])),
        )

    over_groups(run, len(rows), GROUP, layout.work(len(rows))).run()
    certain = sums > LEAST_SUM if dtype == np.float32 else np.ones(len(sums), dtype=bool)
    log2_sums = shifts + np.log2(np.where(sums > 0, sums, np.nan)) + tiles.scale - own
    return tuple(_unsorted(results, order) for results in (log2_sums, means, certain))


def _unsorted(rows, order):
    """Rows that were taken in an order, where they were before."""
    placed = np.empty_like(rows)
    placed[order] = rows
    return placed


def share_of_pairs(points, sigma, tolerance):
    """About the share of pairs of points that are near enough to count, by a few of them.

    Weights aside, no fewer are computed in tiles; this takes less time to find out.
    """
    some, others = (points.X[:: max(1, len(points.X) // n)].astype(np.float64) for n in (16, 64))
    squared = np.square(some[:, None] - others).sum(axis=2)
    near = -2 * _cut(len(points.X), tolerance) / LOG2_E * float(sigma) ** 2
    return share_of_distinct(points) * (squared < near).mean()


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


def blocks_cost(points, n_queries, dtype, share=0.0):
    """In the time of how many pairs in float64 a share of all pairs is summed in tiles."""
    n_points = len(points.X)
    n_tiled = n_points if n_points < _LEAST_POINTS else share_of_distinct(points) * n_points
    rows = _PAIRS_A_ROW[dtype] * lanes(np.float64) * (n_tiled + n_queries)
    base, a_column, most = _PAIRS_A_PAIR[dtype]
    a_pair = min(base + a_column * points.n_values, most)
    return rows + a_pair * share * n_points * n_queries
