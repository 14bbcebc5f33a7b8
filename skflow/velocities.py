"""The right-hand sides of the flows: where a particle wants to go.

A velocity is an estimator, fitted once on the target and then called as
``velocity(Z, X, Y, sigma)``, the line of Algorithm 1 that computes the direction: Z the noised
particles, X the target rows and Y the particles of the step (mini-batches or all), sigma its
bandwidth. It is also given ``sample_weight``, the weights of X, and, where rows are carried
through a recorded flow, ``own``: particles see themselves among the particles, and so must a
carried row. One that has no use for these takes them as ``**unused``.
"""

from sklearn.base import BaseEstimator, clone

from skflow._kernels import exchange, finalize, kernel_mean, partial

__all__ = ["ScoreDifference"]


class ScoreDifference(BaseEstimator):
    """sigma^2 times the difference of the scores of the smoothed target and particles.

    ``E[x | z] - E[y | z]`` (equations 15 and 18). It is parallel to the direction that reduces
    the KL divergence of the smoothed distributions fastest, and vanishes where particles and target
    are the same rows.

    Parameters
    ----------
    target : denoiser, default=None
        Estimate of E[x | z], fitted once on all target rows. None is the kernel estimate on the
        target rows of the step.
    source : denoiser, default=None
        Estimate of E[y | z], fitted on the particles at every call. None is the kernel estimate.

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

    def __init__(self, target=None, source=None):
        self.target = target
        self.source = source

    def fit(self, X, sample_weight=None):
        """Fit the target's denoiser, if one was given, on the target rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        self : ScoreDifference
        """
        self.target_ = None
        if self.target is not None:
            self.target_ = clone(self.target).fit(X, sample_weight=sample_weight)
        return self

    def __call__(self, Z, X, Y, sigma, sample_weight=None, own=None):
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

        Returns
        -------
        ndarray of shape (n_queries, n_features)
        """
        if self.target_ is None:
            from_target = kernel_mean(Z, X, sigma, weights=sample_weight)[0]
        else:
            from_target = self.target_.denoise(Z, sigma)
        if self.source is None:
            from_source = particle_mean(Z, Y, sigma, own)[0]
        else:
            from_source = clone(self.source).fit(Y).denoise(Z, sigma)
        return from_target - from_source


def particle_mean(Z, Y, sigma, own=None):
    """:func:`kernel_mean` of the particles, each query with a particle of its own if given."""
    if own is None:
        return kernel_mean(Z, Y, sigma)
    state = exchange(partial(Z, Y, sigma), Z, Y, sigma, own)
    return tuple(result.astype(Z.dtype, copy=False) for result in finalize(state))
