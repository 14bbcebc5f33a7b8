"""Every query with every point: layouts for the compiled loops, and the sums over all of them."""

import numpy as np

from skflow._kernels.builder import GROUP, PANEL
from skflow._kernels.compiled import (
    fill_panels,
    fill_rows,
    square_norms,
    stream,
    stream_highest,
)
from skflow._kernels.threads import Loop, n_threads, run_in_threads
from skflow._kernels.vectors import LOG2_E, LOWEST, empty_vectors, lanes

_COLUMNS_WIDTH = 15  # values up to which filling up vectors of them costs more than it saves
_QUERY_BYTES = 1024  # a column, of the queries that share a panel while it is in the caches
_BLOCK_BYTES = 2**20  # most of these queries and of their sums, beside the panel
_LEAST_GROUPS = 4  # that a thread is given
_WORK_A_KERNEL, _WORK_A_NUMBER = 15, 30  # multiply-adds; of a number that is laid out
# Kernels below 2^lowest err by at most that. Of a sum that is at least this, times the number of
# points, all these errors together are at most half of a rounding.
_LEAST_A_POINT = {
    np.float32: 2.0 ** (LOWEST[np.float32] + 25),
    np.float64: 2.0 ** (LOWEST[np.float64] + 54),
}
_MOST32 = float(np.finfo(np.float32).max)
LEAST_SUM = 2.0**-40  # of float32 kernels: 7 sigmas away a logit errs by about 4e-6
_DIFFERENCES_WIDTH = 32  # dimensions up to which kernels of noised points are seldom smaller
# Logit of a padding point, below that of any other; not infinite, so that no NaN comes of it.
_NEVER = {np.float32: -1e30, np.float64: -1e300}


def dense_mean(points, Z, sigma):
    """log2 of the weighted kernel sum at each query, and the mean of the values there.

    In float64. Kernels are computed as multiples of a bound on the largest of them, which costs no
    pass over the points; where the bound is so high that small kernels would be lost, once more as
    multiples of the largest itself.

    A task; see :func:`~skflow._kernels.threads.together`.

    Returns
    -------
    log2_sum : callable
        A function without arguments: not everybody needs logarithms.
    mean : ndarray of shape (n_queries, n_values)
    """
    per_unit = LOG2_E / float(sigma) ** 2
    Z = Z.astype(np.float64, copy=False)
    squared = squared_lengths(points, Z)
    # z.x - |x|^2 / 2 is at most |z|^2 / 2, and at most |z| max |x|.
    shifts = np.ceil(np.minimum(0.5 * squared, np.sqrt(squared) * points.radius) * per_unit)
    layout = points.once(Layout, np.float64)
    sums, means = yield from layout.means(Z, shifts, per_unit)
    lost = sums < len(points.X) * _LEAST_A_POINT[np.float64]
    if lost.any():
        shifts[lost] = yield from layout.highest(Z[lost], shifts[lost], per_unit)
        sums[lost], means[lost] = yield from layout.means(Z[lost], shifts[lost], per_unit)
    return lambda: shifts + np.log2(sums) + points.scale - 0.5 * per_unit * squared, means


def products_mean(points, Z, sigma, squared, dtype=np.float64):
    """:func:`dense_mean` in float32, of float32 rows, where products of coordinates are small.

    Parameters
    ----------
    squared : ndarray of shape (n_queries,)
        Their :func:`squared_lengths`.
    dtype : type, default=np.float64
        That of the mean.

    Returns
    -------
    log2_sum : callable
    mean : ndarray of shape (n_queries, n_values)
        Rows that are not certain are not to be used.
    certain : ndarray of bool of shape (n_queries,)
        Where float32 can hold the sums, and no kernels are lost that count.
    """
    per_unit = LOG2_E / float(sigma) ** 2
    layout = points.once(Layout, np.float32)
    sums, means = yield from layout.means(Z, np.zeros(len(Z)), per_unit, dtype)
    most = 0.5 * _MOST32 / max(1.0, points.once(_largest_value))  # times a value it is finite, too
    certain = (sums >= len(points.X) * _LEAST_A_POINT[np.float32]) & (sums <= most)
    return _log2_sums(points, sums, certain, 0.5 * per_unit * squared), means, certain


def _log2_sums(points, sums, certain, subtracted=0.0):
    return lambda: np.log2(np.where(certain, sums, 1.0)) + points.scale - subtracted


def squared_lengths(points, Z):
    """Squared distance of each query from the centre of the points."""
    squared = np.empty(len(Z))
    square_norms(Z, points.center, squared)
    return squared


def suits_differences(points):
    """Whether :func:`differences_mean` will be certain about most queries near the points."""
    return points.X.shape[1] <= _DIFFERENCES_WIDTH


def differences_mean(points, Z, sigma, dtype=np.float64):
    """:func:`dense_mean` in float32, of float32 rows, by direct differences.

    Unlike products of coordinates about the centre, these lose no digits where sigma is small. They
    take longer, the more dimensions there are.

    Returns
    -------
    log2_sum, mean, certain
        As those of :func:`products_mean`. Where the largest kernels are so small that their logits
        have too few digits, rows are not certain.
    """
    per_unit = LOG2_E / float(sigma) ** 2
    layout = points.once(Differences)
    sums, means = yield from layout.means(Z, np.zeros(len(Z)), per_unit, dtype)
    certain = sums > LEAST_SUM if per_unit < _MOST32 else np.zeros(len(Z), dtype=bool)
    return _log2_sums(points, sums, certain), means, certain


def _by_column(rows, center, shape, dtype):
    """Rows about a centre in panels (P, D, W), filled up with zeros."""
    panels = empty_vectors(shape, dtype)
    width = shape[2]

    def fill(start, stop):
        fill_panels(rows[start * width : stop * width], center, panels[start:stop])

    run_in_threads(fill, shape[0], n_threads(_WORK_A_NUMBER * rows.size))
    return panels


class Layout:
    """Points in panels of PANEL vectors, values in rows or panels: for any number of dimensions.

    Parameters
    ----------
    points : Points
        What to lay out. The points themselves are not kept: they keep their layouts.
    dtype : type
        np.float32 or np.float64.
    order : ndarray of shape (n_points,), default=None
        Their order; as they are by default.
    multiple : int, default=1
        Fill up with points that count for nothing, to a multiple of so many.
    """

    def __init__(self, points, dtype, order=None, multiple=1):
        order = slice(None) if order is None else order
        self.dtype, self.n_values, self.value_center = dtype, points.n_values, points.value_center
        self.squared_norms = points.squared_norms[order]
        self.log2_weights = None if points.weights is None else points.log2_weights[order]
        self.width = PANEL * lanes(dtype)
        unit = max(self.width, multiple)
        n_rows = -(-len(points.X) // unit) * unit
        shape = n_rows // self.width, points.X.shape[1], self.width
        self.origin = self._origin(points)
        self.panels = _by_column(points.X[order], self.origin, shape, dtype)
        if self.n_values > _COLUMNS_WIDTH:
            values = points.X if points.values is None else points.values
            self.values = self._by_row(values[order], n_rows)
        elif points.values is None:
            self.values = self._values_in_panels()
        else:
            shape = shape[0], self.n_values, self.width
            self.values = _by_column(points.values[order], self.value_center, shape, dtype)

    def _origin(self, points):
        return points.center

    def _values_in_panels(self):
        """The points about their centre."""
        return self.panels

    def _by_row(self, values, n_rows):
        n_values = -(-self.n_values // lanes(self.dtype)) * lanes(self.dtype)
        filled = empty_vectors((n_rows, n_values), self.dtype)
        filled[len(values) :] = 0

        def fill(start, stop):
            fill_rows(values[start:stop], self.value_center, filled[start:stop])

        run_in_threads(fill, len(values), n_threads(_WORK_A_NUMBER * values.size))
        return filled

    def biases(self, per_unit):
        """What the logits have from the points alone."""
        bias = self.squared_norms * (-0.5 * per_unit)
        if self.log2_weights is not None:
            bias += self.log2_weights
        biases = empty_vectors((self.panels.shape[0], self.width), self.dtype)
        flat = biases.reshape(-1)
        flat[: len(bias)] = bias
        flat[len(bias) :] = _NEVER[self.dtype]
        return biases

    def means(self, rows, shifts, per_unit, dtype=np.float64):
        """Sum of the kernels times 2^-shift, and mean of the values, of each query; a task.

        Means are of a dtype: to write down more digits than are asked for takes time.
        """
        biases = self.biases(per_unit)
        sums, means = np.empty(len(rows)), np.empty((len(rows), self.n_values), dtype)
        either = [means if dtype == t else np.empty((0, 0), t) for t in (np.float64, np.float32)]

        def run(part):
            results = sums[part], *(some[part] for some in either)
            self._stream(rows[part], shifts[part], per_unit, biases, results)

        yield self._loop(run, len(rows))
        return sums, means

    def highest(self, rows, shifts, per_unit):
        """Largest logit of each query; a task."""
        biases = self.biases(per_unit)
        units = self.units(per_unit)[:2]
        tops = np.empty(len(rows))

        def run(part):
            stream_highest(rows[part], shifts[part], units, self.panels, biases, tops[part])

        yield self._loop(run, len(rows))
        return shifts + tops

    def units(self, per_unit):
        """The origin, the factor and the scale of :func:`~skflow._kernels.compiled.stream`."""
        return self.origin, per_unit, ()

    def work(self, n_queries):
        """Multiply-adds in float32 that all sums take, or take as long as."""
        a_pair = _WORK_A_KERNEL + self.panels.shape[1] + self.n_values
        return n_queries * len(self.squared_norms) * a_pair * np.dtype(self.dtype).itemsize // 4

    def _loop(self, function, n_queries):
        return over_groups(function, n_queries, GROUP, self.work(n_queries))

    def _stream(self, rows, shifts, per_unit, biases, results):
        a_group = GROUP * np.dtype(self.dtype).itemsize
        groups_a_block = _QUERY_BYTES // a_group
        most = _BLOCK_BYTES // (a_group * (self.panels.shape[1] + self.n_values))
        groups_a_block = max(1, min(groups_a_block, most))
        stream(
            *(rows, shifts, self.units(per_unit), (self.panels, self.values), biases),
            *(groups_a_block, self.value_center, results),
        )


def _largest_value(points):
    """What no value is larger than, about their centre."""
    if points.values is None:
        return points.radius
    return float(np.abs(points.centered_values).max())


def over_groups(function, n_queries, group, work):
    """The loop that calls ``function(slice)`` on runs of whole groups of queries."""

    def run(start, stop):
        function(slice(start * group, stop * group))

    return Loop(run, -(-n_queries // group), _LEAST_GROUPS, work)


class Differences(Layout):
    """The points as they are, for queries as they are, in float32: ``x - z`` loses no digit."""

    def __init__(self, points, order=None, multiple=1):
        super().__init__(points, np.float32, order, multiple)
        self._biases = super().biases(0.0)

    def _origin(self, points):
        return np.zeros_like(points.center)

    def _values_in_panels(self):
        # About a float32 next to the centre: to take that off and to add it costs no more digits.
        center = self.value_center.astype(np.float32)
        self.value_center = center.astype(np.float64)
        values = empty_vectors(self.panels.shape, np.float32)
        with np.errstate(over="ignore"):
            return np.subtract(self.panels, center[:, None], out=values)

    def biases(self, per_unit):
        """Logs of the weights."""
        return self._biases

    def units(self, per_unit):
        return self.origin, 1.0, (np.full(1, -0.5 * per_unit, self.dtype),)
