"""Stein variational gradient descent."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skflow._estimators import check_call
from skflow._kernels import Points, kernel_mean
from skflow._rows import DTYPES
from skflow._sklearn import _fit_context
from skflow.velocities._shared import TOLERANCE, laid_out, particle_mean

__all__ = ["Stein"]


class Stein(BaseEstimator):
    """Stein variational gradient descent: scores averaged by the kernel, and a repulsion.

    The mean over the particles of ``K(z, y) score(y) + grad_y K(z, y)`` (equation 51), which is the
    kernel-weighted mean of the score difference of target and particles.

    Parameters
    ----------
    target_score : callable, default=None
        The score of the target, the gradient of its log-density, ``target_score(Y) -> (n, d)``: in
        a sampler in units of the data, otherwise in those of the rows that it is called with. None
        is the kernel estimate on the target rows at the bandwidth of the step (equation 13).
    difference : bool, default=False
        Use the second line of equation 51, the mean over the particles of
        ``K(z, y) (score(y) - score_q(y))``, with the kernel estimate of the particles' score
        (equation 13) for `score_q`. The lines are equal where particles are a density, not where
        they are rows: with kernel estimates of both scores this one comes to rest where
        particles and target are the same rows, the first line at a smoothed target.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    space_ : FlowSpace or None
        What translates rows into the units of the data for `target_score`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    Notes
    -----
    A row carried through a recorded flow takes its place among the particles that it sees. With
    `difference` the scores of the others stay those of the particles.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equation 51.
    Liu & Wang, "Stein variational gradient descent", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import Stein
    >>> Y = np.array([[-1.0], [3.0]])
    >>> velocity = Stein(target_score=lambda Y: -Y).fit(np.zeros((1, 1)))  # of a standard Gaussian
    >>> velocity(Y, None, Y, sigma=1.0).round(1)
    array([[ 0.5],
           [-1.5]])
    >>> at_rest = Stein(difference=True).fit(Y)(Y, Y, Y, sigma=1.0)
    >>> bool((at_rest == 0).all())
    True
    """

    _parameter_constraints: dict = {
        "target_score": [callable, None],
        "difference": ["boolean"],
        "tolerance": TOLERANCE,
    }

    def __init__(
        self,
        target_score: Callable[[np.ndarray], np.ndarray] | None = None,
        difference: bool = False,
        tolerance: float | None = None,
    ) -> None:
        self.target_score = target_score
        self.difference = difference
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        space: Any = None,
    ) -> Self:
        """Note the space in which the rows are, and lay them out.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        space : FlowSpace, default=None
            What translates rows into the units of the data for `target_score`; None if they are in
            these units.

        Returns
        -------
        self : Stein
            The fitted velocity.
        """
        self.space_ = space
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
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
            Noised particles, or any other places.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step; not used with a `target_score`.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query and seen by it alone, with the particles whose place
            they take.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)

        def pull(rows):
            return self._target_score(rows, X, sigma, sample_weight) - rows / sigma**2

        def score_difference(rows):
            joined = None if rows is Y else own
            from_source = particle_mean(rows, Y, sigma, joined, tolerance=self.tolerance)[0]
            source_score = (from_source - rows) / sigma**2
            return self._target_score(rows, X, sigma, sample_weight) - source_score

        averaged = score_difference if self.difference else pull
        mean, log_p_Y = particle_mean(Z, Y, sigma, own, averaged, tolerance=self.tolerance)
        return np.exp(log_p_Y)[:, None] * (mean if self.difference else mean + Z / sigma**2)

    def _target_score(self, Y, X, sigma, sample_weight):
        if self.target_score is None:
            points = laid_out(self._points, X, sample_weight)
            return (kernel_mean(Y, points, sigma, tolerance=self.tolerance)[0] - Y) / sigma**2
        rows = Y if self.space_ is None else self.space_.from_flow(Y)
        scores = np.asarray(self.target_score(rows))
        if scores.shape != Y.shape or not np.isfinite(scores).all():
            raise ValueError(
                f"target_score must return finite numbers of shape {Y.shape}, the gradient of the "
                f"log-density at each row it is given; got shape {scores.shape}"
                f"{'' if np.isfinite(scores).all() else ' with NaN or infinity'}."
            )
        scores = scores if self.space_ is None else self.space_.gradient_to_flow(scores)
        return scores.astype(Y.dtype, copy=False)
