"""The difference of the scores of target and particles."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import validate_data

from skflow._estimators import check_call
from skflow._kernels import Points, soft_mean_task, together
from skflow._rows import DTYPES
from skflow._sklearn import _fit_context
from skflow.velocities._shared import (
    TOLERANCE,
    check_denoiser,
    fit_denoiser,
    if_taken,
    laid_out,
    particle_soft_mean_task,
    work_of_fields,
)

__all__ = ["ScoreDifference"]


class ScoreDifference(BaseEstimator):
    """The difference of the scores of the smoothed target and particles, times sigma^2.

    ``E[x | z] - E[y | z]`` (equations 15 and 18). It is parallel to the direction that reduces
    the KL divergence of the smoothed distributions fastest, and vanishes where particles and target
    are the same rows.

    Parameters
    ----------
    target : denoiser, default=None
        Estimate of E[x | z], fitted once on all target rows. None is the kernel estimate on the
        target rows of the step.
    source : denoiser, default=None
        Estimate of E[y | z], fitted on the particles before every step; one with ``partial_fit``
        goes on from the step before. None is the kernel estimate.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    target_ : denoiser or None
        The fitted denoiser of the target, if one was given.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 14,
    15, 17 and 18. The step is eta times this velocity, as in Algorithm 1; equation 15 has eta / 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import ScoreDifference
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> velocity = ScoreDifference().fit(X)
    >>> bool((velocity(Y, X, Y, sigma=10.0) < 0).all()), bool((velocity(X, X, X, 1.0) == 0).all())
    (True, True)
    """

    _parameter_constraints: dict = {
        # `fit` says more of what a denoiser is.
        "target": "no_validation",
        "source": "no_validation",
        "tolerance": TOLERANCE,
    }

    def __init__(
        self, target: Any = None, source: Any = None, tolerance: float | None = None
    ) -> None:
        self.target = target
        self.source = source
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> Self:
        """Fit the target's denoiser, if one was given, on the target rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        sigmas : sequence of float, default=None
            Bandwidths that the denoisers will be asked for, if they are known.

        Returns
        -------
        self : ScoreDifference
            The fitted velocity.
        """
        if self.source is not None:
            check_denoiser(self.source, "source")
        if self.target is not None:
            check_denoiser(self.target, "target")
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        self.target_ = fit_denoiser(self.target, X, sample_weight, sigmas)
        return self

    def learn(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        learned: Any = None,
    ) -> Any:
        """Fit the particles' denoiser, if one was given, on the particles.

        Parameters
        ----------
        X : ndarray of shape (n_target, n_features)
            Target rows of the step; not used.
        Y : ndarray of shape (n_particles, n_features)
            Particles of the step.
        sigma : float
            Bandwidth of the step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X; not used.
        learned : denoiser, default=None
            The denoiser of the step before; a copy of it goes on, if it has ``partial_fit``.

        Returns
        -------
        denoiser or None
            The fitted denoiser of the particles; None without a `source`.
        """
        if self.source is None:
            return None
        sigmas = if_taken(self.source, [sigma])
        if learned is None or not hasattr(learned, "partial_fit"):
            return clone(self.source).fit(Y, **sigmas)
        return deepcopy(learned).partial_fit(Y, **sigmas)

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
        learned: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles, or any other places.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query and seen by it alone, with the particles whose place
            they take. Used by the kernel estimate; a denoiser given as `source` is not told.
        learned : denoiser, default=None
            The denoiser of the particles. With a `source`, None fits it first.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)

        def from_target():
            if self.target_ is not None:
                return self.target_.denoise(Z, sigma)
            points = laid_out(self._points, X, sample_weight)
            return (yield from soft_mean_task(Z, points, sigma, tolerance=self.tolerance))

        def from_source():
            if self.source is None:
                return (yield from particle_soft_mean_task(Z, Y, sigma, own, self.tolerance))
            denoiser = self.learn(X, Y, sigma) if learned is None else learned
            return denoiser.denoise(Z, sigma)

        by_kernels = self.source is None and self.target_ is None  # denoisers take their turn
        work = work_of_fields(Z, X, Y) if by_kernels else 0
        target_mean, source_mean = together(work, from_target(), from_source())
        return target_mean - source_mean
