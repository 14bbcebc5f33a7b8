"""Estimates of E[x | z]: what a row was before Gaussian noise was added to it."""

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skflow._kernels import kernel_mean

__all__ = ["KernelDenoiser"]


class KernelDenoiser(BaseEstimator):
    """The optimal denoiser of an empirical distribution: the Gaussian soft mean of its rows.

    For the empirical distribution of the fitted rows this is E[x | z] exactly; for the law that
    they came from it is an estimate. Nothing is trained.

    Attributes
    ----------
    X_ : ndarray of shape (n_samples, n_features)
        The rows.
    sample_weight_ : ndarray of shape (n_samples,) or None
        Their weights.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equation 41
    (whose denominator is misprinted: it has a stray x) and the brackets of equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.denoisers import KernelDenoiser
    >>> denoiser = KernelDenoiser().fit(np.array([[-1.0], [1.0]]))
    >>> denoiser.denoise(np.array([[0.0], [50.0]]), sigma=1.0)
    array([[0.],
           [1.]])
    """

    def fit(self, X, y=None, sample_weight=None):
        """Keep the rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Clean rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : KernelDenoiser
        """
        self.X_ = X
        self.sample_weight_ = sample_weight
        return self

    def denoise(self, Z, sigma):
        """Expected clean row at each noisy row.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noisy rows.
        sigma : float
            Standard deviation of the noise.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
        """
        check_is_fitted(self)
        return kernel_mean(Z, self.X_, sigma, weights=self.sample_weight_)[0]
