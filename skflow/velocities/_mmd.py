"""The gradient flow of the maximum mean discrepancy."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skflow._estimators import check_call
from skflow._kernels import Points, kernel_mean_task, together
from skflow._rows import DTYPES
from skflow._sklearn import _fit_context
from skflow.velocities._shared import TOLERANCE, laid_out, particle_mean_task, work_of_fields

__all__ = ["MMD"]


class MMD(BaseEstimator):
    """Descent on the witness function of the maximum mean discrepancy.

    The mean over the target of ``K(z, x) (x - z) / sigma^2``, less that over the particles
    (equation 47). Where the target is many bandwidths away only the second term is left, and
    particles push each other apart (remark 1).

    Parameters
    ----------
    normalize : bool, default=False
        Let the weights ``K(z, x) / sigma^2`` of either mean sum to one. That makes it the score
        difference (remark 1), in the units of :class:`ScoreDifference`.
    scaled : bool, default=False
        Multiply by sigma^2. Velocities are then lengths, like those of :class:`ScoreDifference`,
        and one step size serves all bandwidths. With `normalize` they are lengths anyway.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    Notes
    -----
    The noise of MMD flow is a level of its own, often far above the bandwidth, which stays the
    same (remark 2): give the sampler ``schedule="constant"`` and a `noise_scale`, in bandwidths.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 44 to
    48 and remarks 1 and 2. Arbel et al., "Maximum mean discrepancy gradient flow", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import MMD, ScoreDifference
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> normalized = MMD(normalize=True).fit(X)(Y, X, Y, sigma=1.0)
    >>> bool(np.allclose(normalized, ScoreDifference().fit(X)(Y, X, Y, sigma=1.0)))
    True
    >>> MMD().fit(X)(Y, X, Y, sigma=1.0).round(2)  # too far from the target to feel it
    array([[-0.3],
           [ 0.3]])
    """

    _parameter_constraints: dict = {
        "normalize": ["boolean"],
        "scaled": ["boolean"],
        "tolerance": TOLERANCE,
    }

    def __init__(
        self, normalize: bool = False, scaled: bool = False, tolerance: float | None = None
    ) -> None:
        self.normalize = normalize
        self.scaled = scaled
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: np.ndarray | None = None) -> Self:
        """Lay the target rows out, for the steps in which all of them take part.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        self : MMD
            The fitted velocity.
        """
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
            Target rows of this step.
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
        points = laid_out(self._points, X, sample_weight)
        (m_X, log_p_X), (m_Y, log_p_Y) = together(
            work_of_fields(Z, X, Y),
            kernel_mean_task(Z, points, sigma, tolerance=self.tolerance),
            particle_mean_task(Z, Y, sigma, own, tolerance=self.tolerance),
        )
        if self.normalize:
            return m_X - m_Y
        p_X, p_Y = np.exp(log_p_X)[:, None], np.exp(log_p_Y)[:, None]
        velocity = p_X * (m_X - Z) - p_Y * (m_Y - Z)
        return velocity if self.scaled else velocity / sigma**2
