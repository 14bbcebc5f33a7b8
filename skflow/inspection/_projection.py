"""Rows of many columns on a plane: the principal components of a reference sample."""

import numpy as np

from skflow.inspection._panels import deviations

__all__ = ["PrincipalAxes"]


class PrincipalAxes:
    """Principal components of standardised columns.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        The reference.

    Attributes
    ----------
    axes_ : ndarray of shape (n_components, n_features)
        Orthonormal directions; the largest entry of each is positive.
    shares_ : ndarray of shape (n_components,)
        Shares of the variance of the reference.
    """

    def __init__(self, rows):
        self.mean_, self.scale_ = rows.mean(axis=0), deviations(rows)
        values, self.axes_ = np.linalg.svd(self._standardized(rows), full_matrices=False)[1:]
        largest = np.abs(self.axes_).argmax(axis=1)
        self.axes_ *= np.sign(self.axes_[np.arange(len(largest)), largest])[:, None]
        self.shares_ = values**2 / max((values**2).sum(), np.finfo(float).tiny)

    def _standardized(self, rows):
        return (rows - self.mean_) / self.scale_

    def rows(self, rows, components):
        """Coordinates of rows, in standard deviations."""
        return self._standardized(rows) @ self.axes_[list(components)].T

    def directions(self, directions, components):
        """Coordinates of differences between rows."""
        return (directions / self.scale_) @ self.axes_[list(components)].T

    def labels(self, components):
        """Labels of axes."""
        return [f"PC {i + 1} ({self.shares_[i]:.0%} of variance)" for i in components]

    def check(self, components):
        """Raise unless there are such components."""
        if not all(0 <= i < len(self.axes_) for i in components) or len(components) != 2:
            raise ValueError(
                f"components has {tuple(components)}: pass pairs of principal components, "
                f"numbered from 0 to {len(self.axes_) - 1}."
            )
