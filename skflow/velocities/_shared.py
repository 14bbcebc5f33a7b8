"""What the velocities share: kernel means of target and particles, and denoisers in their place."""

from numbers import Real

from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from skflow._kernels import Points, alone, exchange, finalize, partial_task, soft_mean_task
from skflow._sklearn import Interval

__all__ = [
    "TOLERANCE",
    "check_denoiser",
    "fit_denoiser",
    "if_taken",
    "laid_out",
    "particle_mean",
    "particle_mean_task",
    "particle_soft_mean_task",
    "work_of_fields",
]

TOLERANCE = [Interval(Real, 0, 1, closed="neither"), None]
_WORK_A_NUMBER = 30  # multiply-adds for a query, of a number of the points


def fit_denoiser(denoiser, X, sample_weight, sigmas):
    """A denoiser fitted on the target; None is the kernel estimate, which needs no fit."""
    if denoiser is None:
        return None
    return clone(denoiser).fit(X, sample_weight=sample_weight, **if_taken(denoiser, sigmas))


def check_denoiser(denoiser, name):
    if isinstance(denoiser, type) or not hasattr(denoiser, "denoise"):
        raise ValueError(
            f"{name} must be a denoiser, with methods fit and denoise, or None; got {denoiser!r}. "
            "RegressorDenoiser(regressor) makes one of a regressor."
        )


def if_taken(denoiser, sigmas):
    """The keyword argument `sigmas` of a denoiser's `fit`, if it has one."""
    return {"sigmas": sigmas} if has_fit_parameter(denoiser, "sigmas") else {}


def laid_out(points, X, sample_weight):
    """The target rows X, laid out: the fitted points where X is what was fitted."""
    fitted, _, weights = points.given
    if X is fitted and sample_weight is weights:
        return points
    return Points(X, weights=sample_weight)


def work_of_fields(Z, X, Y):
    """What the kernel sums of target and particles take, in multiply-adds in float32."""
    return _WORK_A_NUMBER * len(Z) * (X.size + Y.size)


def particle_mean(Z, Y, sigma, own=None, function=None, tolerance=None):
    """Kernel mean of the particles, each query with a particle of its own if given.

    Parameters
    ----------
    Z : ndarray of shape (n_queries, n_features)
        The queries.
    Y : ndarray of shape (n_particles, n_features)
        The particles.
    sigma : float
        Standard deviation of the kernel.
    own : StandIn, default=None
        For each query a row that takes the place of some particles.
    function : callable, default=None
        What is averaged, as a function of the particles; they themselves by default.
    tolerance : float, default=None
        Of the kernel sums; see :func:`~skflow._kernels.kernel_mean`.

    Returns
    -------
    mean : ndarray of shape (n_queries, n_values)
    log_density : ndarray of shape (n_queries,)
        As those of :func:`~skflow._kernels.kernel_mean`.
    """
    return alone(particle_mean_task(Z, Y, sigma, own, function, tolerance))


def particle_mean_task(Z, Y, sigma, own=None, function=None, tolerance=None):
    """:func:`particle_mean` as a task; see :func:`~skflow._kernels.together`."""
    points = Points(Y, None if function is None else function(Y))
    state = yield from partial_task(Z, points, sigma, tolerance=tolerance)
    if own is not None:
        own_values = None if function is None else function(own.rows)
        state = exchange(state, Z, Y, sigma, own, points.values, own_values, tolerance)
    return tuple(result.astype(Z.dtype, copy=False) for result in finalize(state))


def particle_soft_mean_task(Z, Y, sigma, own=None, tolerance=None):
    """The mean alone of :func:`particle_mean`, as a task."""
    if own is None:
        return (yield from soft_mean_task(Z, Points(Y), sigma, tolerance=tolerance))
    return (yield from particle_mean_task(Z, Y, sigma, own, tolerance=tolerance))[0]
