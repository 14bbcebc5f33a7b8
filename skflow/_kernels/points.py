"""Points, their values and weights, laid out for the compiled loops once for many calls."""

import math
from functools import cached_property

import numpy as np

from skflow._kernels.compiled import stream, stream_fused, stream_highest
from skflow._kernels.loops import FUSED_GROUP, GROUP, PANEL
from skflow._kernels.threads import n_threads, run_in_threads
from skflow._kernels.vectors import LOWEST, lanes

LOG2_E = math.log2(math.e)
_FUSED_WIDTH = 4  # dimensions and values up to which all sums stay in registers
_GROUPS_A_BLOCK = 16  # that share a panel while it is in the caches
_LEAST_GROUPS = 4  # that a thread is given
# Logit of a padding point, below that of any other; not infinite, so that no NaN comes of it.
_NEVER = {np.float32: -1e30, np.float64: -1e300}


class Points:
    """Points with values and weights, for any number of calls of :func:`kernel_mean`.

    Parameters
    ----------
    X : ndarray of shape (n_points, n_features)
        The points.
    values : ndarray of shape (n_points, n_values), default=None
        What is averaged; X itself by default.
    weights : ndarray of shape (n_points,), default=None
        Non-negative weights of the points; equal by default.

    Raises
    ------
    ValueError
        If shapes do not match, there are no points, or none has a positive weight.
    """

    def __init__(self, X, values=None, weights=None):
        # numpy sums rows in an order, and so with a rounding, that depends on the memory layout.
        X = np.asarray(X, order="C")
        values = None if values is None else np.asarray(values, order="C")
        if X.ndim != 2:
            raise ValueError(f"X must be a 2-D array, got shape {X.shape}.")
        if X.shape[0] == 0:
            raise ValueError("X has no rows: a kernel mean needs at least one point.")
        if values is not None and (values.ndim != 2 or values.shape[0] != X.shape[0]):
            raise ValueError(
                f"values must be a 2-D array with a row for each of the {X.shape[0]} rows of X, "
                f"got shape {values.shape}."
            )
        self.weight = float(X.shape[0])
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float64)
            if weights.shape != X.shape[:1] or not np.all(np.isfinite(weights) & (weights >= 0)):
                raise ValueError(
                    f"weights must be {X.shape[0]} finite non-negative numbers, one for each row "
                    "of X."
                )
            self.weight = float(weights.sum())
            if self.weight == 0:
                raise ValueError("All weights are zero: at least one must be positive.")
            used = weights > 0
            if not used.all():
                X, weights = X[used], weights[used]
                values = None if values is None else values[used]
        self.X, self.values, self.weights = X, values, weights
        self.center = X.mean(axis=0, dtype=np.float64)
        self.value_center = self.center
        if values is not None:
            self.value_center = values.mean(axis=0, dtype=np.float64)

    @property
    def n_values(self):
        return len(self.value_center)

    @cached_property
    def centered(self):
        """The points about their centre, in float64."""
        return self.X - self.center

    @property
    def centered_values(self):
        return self.centered if self.values is None else self.values - self.value_center

    @cached_property
    def squared_norms(self):
        return np.einsum("ij,ij->i", self.centered, self.centered)

    @cached_property
    def radius(self):
        """Distance of the outermost point from the centre."""
        return math.sqrt(self.squared_norms.max())

    @cached_property
    def log2_weights(self):
        """log2 of the weights over the largest: in the logits that would cost float32 digits."""
        log2_weights = np.log2(self.weights)
        return log2_weights - log2_weights.max()

    @cached_property
    def scale(self):
        """log2 of the largest weight."""
        return 0.0 if self.weights is None else float(np.log2(self.weights).max())

    @cached_property
    def _layouts(self):
        return {}

    def layout(self, dtype, fused=None):
        """The points in the layout of the loops; fused ones where the widths allow, by default."""
        if fused is None:
            fused = max(self.X.shape[1], self.n_values) <= _FUSED_WIDTH
        if (dtype, fused) not in self._layouts:
            self._layouts[dtype, fused] = (FusedLayout if fused else Layout)(self, dtype)
        return self._layouts[dtype, fused]


def _padded(array, n_rows, n_columns, dtype):
    padded = np.zeros((n_rows, n_columns), dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded


def _by_column(array, length, n_columns, dtype):
    """Rows in (piece, column, row in piece) layout, padded with zeros."""
    n_pieces = -(-array.shape[0] // length)
    padded = _padded(array, n_pieces * length, n_columns, dtype)
    return np.ascontiguousarray(padded.reshape(n_pieces, length, -1).transpose(0, 2, 1))


class Layout:
    """Points in panels of PANEL vectors, values in rows: for any number of dimensions."""

    group = GROUP
    vectors = PANEL

    def __init__(self, points, dtype):
        # Not the points themselves: they keep their layouts, and a cycle would outlive its use.
        self.dtype, self.n_values, self.value_center = dtype, points.n_values, points.value_center
        self.squared_norms = points.squared_norms
        self.log2_weights = None if points.weights is None else points.log2_weights
        self.width = self.vectors * lanes(dtype)
        self.n_dims = self._padded_dims(points.X.shape[1])
        self.panels = _by_column(points.centered, self.width, self.n_dims, dtype)
        self._lay_out_values(points)

    def _padded_dims(self, n_dims):
        return n_dims

    def _lay_out_values(self, points):
        n_rows = self.panels.shape[0] * self.width
        n_values = -(-self.n_values // lanes(self.dtype)) * lanes(self.dtype)
        self.values = _padded(points.centered_values, n_rows, n_values, self.dtype)

    def biases(self, per_unit):
        """What the logits have from the points alone."""
        bias = self.squared_norms * (-0.5 * per_unit)
        if self.log2_weights is not None:
            bias += self.log2_weights
        biases = np.full(self.panels.shape[0] * self.width, _NEVER[self.dtype], self.dtype)
        biases[: len(bias)] = bias
        return biases.reshape(-1, self.width)

    def means(self, offsets, shifts, per_unit):
        """Sum of the kernels times 2^-shift, and mean of the values, of each query."""
        biases = self.biases(per_unit)
        sums = np.empty(len(offsets))
        means = np.empty((len(offsets), self.n_values))

        def run(start, stop):
            part = slice(start * self.group, stop * self.group)
            self._stream(offsets[part], shifts[part], per_unit, biases, (sums[part], means[part]))

        self._run(run, len(offsets))
        return sums, means

    def highest(self, offsets, shifts, per_unit):
        """Largest logit of each query."""
        biases = self.biases(per_unit)
        tops = np.empty(len(offsets))

        def run(start, stop):
            part = slice(start * self.group, stop * self.group)
            stream_highest(offsets[part], shifts[part], per_unit, self.panels, biases, tops[part])

        self._run(run, len(offsets))
        return shifts + tops

    def _run(self, function, n_queries):
        n_groups = -(-n_queries // self.group)
        run_in_threads(
            function, n_groups, n_threads(n_queries * len(self.squared_norms)), _LEAST_GROUPS
        )

    def _stream(self, offsets, shifts, per_unit, biases, results):
        stream(
            *(offsets, shifts, per_unit, (self.panels, self.values), biases),
            *(_GROUPS_A_BLOCK, self.value_center, *results),
        )


class FusedLayout(Layout):
    """Points and values in panels of one vector: for few dimensions, which the code knows."""

    group = FUSED_GROUP
    vectors = 1

    def _padded_dims(self, n_dims):
        return max(n_dims, 2)

    def _lay_out_values(self, points):
        d, v = (0,) * self.n_dims, ()
        self.values = self.panels
        if points.values is not None:
            n_values = self._padded_dims(self.n_values)
            self.values = _by_column(points.centered_values, self.width, n_values, self.dtype)
            v = (0,) * n_values
        self._known = d, v

    def _stream(self, offsets, shifts, per_unit, biases, results):
        stream_fused(
            *(offsets, shifts, per_unit, (self.panels, self.values), biases),
            *(self._known, self.value_center, *results),
        )


def mean_of(points, offsets, sigma, dtype):
    """log2 of the weighted kernel sum at each offset from the centre, and the mean of the values.

    Kernels are computed as multiples of a bound on the largest of them, which costs no pass over
    the points; where the bound is so high that small kernels would be lost, once more as multiples
    of the largest itself.
    """
    per_unit = LOG2_E / float(sigma) ** 2
    squared = np.einsum("ij,ij->i", offsets, offsets)
    # z.x - |x|^2 / 2 is at most |z|^2 / 2, and at most |z| max |x|.
    shifts = np.ceil(np.minimum(0.5 * squared, np.sqrt(squared) * points.radius) * per_unit)
    sums, means = points.layout(dtype).means(offsets, shifts, per_unit)
    # Kernels below 2^lowest count as 2^lowest: all of them together as a rounding of the sum.
    lost = sums < len(points.X) * 2.0 ** (LOWEST[dtype] + np.finfo(dtype).nmant + 2)
    if lost.any():
        layout = points.layout(dtype, fused=False)
        shifts[lost] = layout.highest(offsets[lost], shifts[lost], per_unit)
        sums[lost], means[lost] = layout.means(offsets[lost], shifts[lost], per_unit)
    log2_sum = shifts + np.log2(sums) + points.scale - 0.5 * per_unit * squared
    return log2_sum, means
