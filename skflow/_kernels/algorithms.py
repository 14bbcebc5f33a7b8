"""Which algorithm computes the kernel sums of which query."""

from importlib.util import find_spec

import numpy as np

from skflow._kernels.blocks import blocks_mean, share_of_blocks
from skflow._kernels.dense import dense_mean
from skflow._kernels.fourier import LEAST_TOLERANCE, MOST_DIMENSIONS, fourier_mean, fourier_pays

ALGORITHMS = ("auto", "dense", "blocks", "nufft")

_FLOAT32_REACH = 64.0  # about 4e-6 of error in a float32 logit
_ROUNDING = {np.float32: 2.0**-24, np.float64: 2.0**-53}
_BLOCKS_SHARE = 0.5  # of the tiles, above which finding out which count costs more than it saves


def kernel_sums(points, offsets, sigma, *, single, algorithm, tolerance):
    """log2 of the weighted kernel sum at each offset from the centre, and the mean of the values.

    Parameters
    ----------
    points : Points
        The points.
    offsets : ndarray of shape (n_queries, n_features)
        Queries about the centre of the points, in float64.
    sigma : float
        Bandwidth.
    single : bool
        Whether to compute in float32 what that can carry.
    algorithm, tolerance
        See :func:`~skflow._kernels.kernel_mean`.
    """
    _check(points, algorithm, tolerance)
    rounding = _ROUNDING[np.float32 if single else np.float64]
    allowed = rounding if tolerance is None else tolerance
    sums, means = np.empty(len(offsets)), np.empty((len(offsets), points.n_values))
    left = np.ones(len(offsets), dtype=bool)
    if algorithm == "auto" and tolerance is not None:
        pairs = share_of_blocks(points, sigma, allowed) * len(points.X) * len(offsets)
        if fourier_pays(points, sigma, allowed, len(offsets), pairs):
            algorithm = "nufft"
    if algorithm == "nufft":
        some_sums, some_means, certain = fourier_mean(points, offsets, sigma, allowed)
        sums[certain], means[certain] = some_sums[certain], some_means[certain]
        left = ~certain
    near = left & (_within_float32(points, offsets, sigma) if single else False)
    if algorithm == "blocks":
        near[:] = False
    for rows, method in ((near, _dense32), (left & ~near, _float64_method(algorithm))):
        if rows.all() and len(rows):
            return method(points, offsets, sigma, allowed)
        if rows.any():
            sums[rows], means[rows] = method(points, offsets[rows], sigma, allowed)
    return sums, means


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


def _within_float32(points, offsets, sigma):
    """Queries that float32 can carry: norms about the centre decide."""
    lengths = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    return (lengths + points.radius) * points.radius <= _FLOAT32_REACH * float(sigma) ** 2


def _dense32(points, offsets, sigma, tolerance):
    return dense_mean(points, offsets, sigma, np.float32)


def _dense64(points, offsets, sigma, tolerance):
    return dense_mean(points, offsets, sigma, np.float64)


def _dense_or_blocks(points, offsets, sigma, tolerance):
    few = share_of_blocks(points, sigma, tolerance) < _BLOCKS_SHARE
    return (blocks_mean if few else _dense64)(points, offsets, sigma, tolerance)


def _float64_method(algorithm):
    return {"dense": _dense64, "blocks": blocks_mean}.get(algorithm, _dense_or_blocks)
