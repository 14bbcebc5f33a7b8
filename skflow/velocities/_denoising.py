"""The step of denoising diffusion."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skflow._estimators import check_call
from skflow._kernels import Points, kernel_mean
from skflow._rows import DTYPES
from skflow._sklearn import _fit_context
from skflow.velocities._shared import check_denoiser, fit_denoiser, laid_out

__all__ = ["Denoising"]


class Denoising(BaseEstimator):
    """The particle's own row in place of the particles' denoiser: ``E[x | z] - y``.

    The step ``y <- (1 - rho) y + rho D(z; sigma)`` of equation 19. Particles do not see each
    other. With fresh noise in each step it draws the particles together too far; with noise that
    is carried along it is the reverse process of denoising diffusion (equation 22), which is what
    :class:`~skflow.DiffusionSampler` runs.

    Parameters
    ----------
    target : denoiser, default=None
        Estimate of E[x | z], fitted once on all target rows. None is the kernel estimate on the
        target rows of the step.

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
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 19 to
    22.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import Denoising
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> Denoising().fit(X)(Y, X, Y, sigma=10.0).round(1)
    array([[-4.5],
           [-5.5]])
    """

    _parameter_constraints: dict = {"target": "no_validation"}

    def __init__(self, target: Any = None) -> None:
        self.target = target

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> Self:
        """Fit the denoiser, if one was given, on the target rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        sigmas : sequence of float, default=None
            Bandwidths that the denoiser will be asked for, if they are known.

        Returns
        -------
        self : Denoising
            The fitted velocity.
        """
        if self.target is not None:
            check_denoiser(self.target, "target")
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        self.target_ = fit_denoiser(self.target, X, sample_weight, sigmas)
        return self

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step: row i is the one that row i of Z is a noised copy of.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query, which then take the part of Y.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)
        rows = Y if own is None else own.rows
        if len(rows) != len(Z):
            raise ValueError(
                f"Denoising compares each row of Z with the particle that it came from, but Z has "
                f"{len(Z)} rows and Y has {len(rows)}."
            )
        if self.target_ is not None:
            return self.target_.denoise(Z, sigma) - rows
        return kernel_mean(Z, laid_out(self._points, X, sample_weight), sigma)[0] - rows
