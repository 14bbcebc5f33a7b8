"""The space in which a flow runs: the data, centred and scaled so that one bandwidth fits all."""

import numpy as np

from skflow._kernels import kernel_mean

__all__ = ["FlowSpace", "row_times", "symmetric_root", "weighted_moments"]

_SQUARABLE = 1e-100, 1e100  # numbers whose squares, and sums of them, float64 can hold
_ROOM = 0.4  # power of the largest number of a dtype up to which a flow can square and sum


def weighted_moments(X, weights=None):
    """Mean and covariance of the rows, in float64; a weight counts as that many rows."""
    X = np.asarray(X, dtype=np.float64)
    # From the first row on: a column of equal numbers then has exactly that mean and no variance.
    mean = X[0] + np.average(X - X[0], axis=0, weights=weights)
    centered = X - mean
    scaled = centered if weights is None else centered * (weights / np.sum(weights))[:, None]
    covariance = centered.T @ scaled
    return mean, covariance / len(X) if weights is None else covariance


def _exponents(X):
    """Powers of two that bring each column near 1; zeros where its squares do no harm."""
    sizes = np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64)
    least, most = _SQUARABLE
    return np.where((sizes > 0) & ((sizes < least) | (sizes > most)), np.frexp(sizes)[1], 0)


def symmetric_root(covariance, power=0.5):
    """A power of a symmetric positive semi-definite matrix; zero on its null space.

    Symmetric, so that a small change of the matrix changes the root little; eigenvalues that are
    zero up to rounding count as zero, since the root would turn 1e-16 into 1e-8.
    """
    eigenvalues, vectors = np.linalg.eigh(covariance)
    rounding = len(covariance) * np.finfo(np.float64).eps * np.abs(eigenvalues).max()
    powers = np.zeros_like(eigenvalues)
    np.power(eigenvalues, power, out=powers, where=eigenvalues > rounding)
    return (vectors * powers) @ vectors.T


def row_times(rows, matrix):
    """``rows @ matrix``, one row at a time: BLAS rounds differently for one row and for many."""
    return (rows[:, None] @ matrix)[:, 0]


class FlowSpace:
    """An affine change of coordinates, fitted on the target.

    Parameters
    ----------
    covariance_type : {"spherical", "diag", "full"}
        What is scaled away: nothing, the standard deviation of each column, or the covariance.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Origin of the flow space.
    scale_ : ndarray of shape (n_features,)
        Standard deviations; ones where nothing is scaled and for constant columns.
    root_, inverse_root_ : ndarray of shape (n_features, n_features) or None
        Symmetric square root of the covariance in standard units, and its inverse.
    log_determinant_ : float
        Log of the volume of a flow-space unit in units of the data.
    """

    def __init__(self, covariance_type):
        self.covariance_type = covariance_type

    def fit(self, X, weights=None, column_names=None):
        """Learn origin and scale from the target rows.

        Raises
        ------
        ValueError
            With "full", when the covariance does not have full rank. With "spherical", when the
            rows are so large or small that their squares overflow or vanish.
        """
        exponents = _exponents(X)
        near_one = np.ldexp(X, -exponents) if exponents.any() else X
        mean, covariance = weighted_moments(near_one, weights)
        self.mean_ = np.ldexp(mean, exponents)
        deviations = np.ldexp(np.sqrt(np.diag(covariance)), exponents)
        # Numbers that differ by no more than their rounding are equal: their column is constant.
        rounding = np.finfo(X.dtype).eps * np.abs(self.mean_)
        constant = deviations <= rounding
        self.scale_ = np.ones(len(self.mean_))
        self.root_ = self.inverse_root_ = None
        if self.covariance_type == "spherical":
            self._check_size(deviations.max(), X.dtype)
        else:
            self.scale_[~constant] = deviations[~constant]
        if self.covariance_type == "full":
            scale = np.ldexp(self.scale_, -exponents)
            correlation = covariance / np.outer(scale, scale)
            self._check_rank(correlation, constant, len(X), column_names)
            self.root_ = symmetric_root(correlation, 0.5)
            self.inverse_root_ = symmetric_root(correlation, -0.5)
        self.log_determinant_ = float(np.log(self.scale_).sum())
        if self.root_ is not None:
            self.log_determinant_ += 0.5 * float(np.linalg.slogdet(correlation)[1])
        return self

    @staticmethod
    def _check_size(deviation, dtype):
        least, most = (getattr(np.finfo(dtype), end) ** _ROOM for end in ("tiny", "max"))
        if deviation == 0 or least <= deviation <= most:
            return
        raise ValueError(
            f"X has a standard deviation of {deviation:.1g}: squares of such numbers overflow or "
            f'vanish in {np.dtype(dtype)}, and covariance_type="spherical" leaves X in its units. '
            f'Divide X by {deviation:.0e}, or pass covariance_type="diag".'
        )

    @staticmethod
    def _check_rank(correlation, constant, n_rows, column_names):
        eigenvalues, vectors = np.linalg.eigh(correlation)
        smallest = 1e-10 * len(correlation)
        if not constant.any() and eigenvalues[0] > smallest:
            return
        involved = constant | (np.abs(vectors[:, eigenvalues <= smallest]) > 1e-3).any(axis=1)
        names = np.arange(len(correlation)) if column_names is None else column_names
        listed = [str(name) for name in np.asarray(names)[involved]]
        shown = ", ".join(listed[:10]) + (", ..." if len(listed) > 10 else "")
        raise ValueError(
            'covariance_type="full" needs a target covariance of full rank, but in the '
            f"{n_rows} rows of X these columns are constant, duplicates, or linear combinations "
            f'of each other: {shown}. Drop the redundant ones, or use covariance_type="diag".'
        )

    def to_flow(self, X):
        """Rows in flow space, in the dtype of X."""
        flow = (X - self.mean_) / self.scale_
        if self.inverse_root_ is not None:
            flow = row_times(flow, self.inverse_root_)
        return np.ascontiguousarray(flow, dtype=X.dtype)

    def from_flow(self, Y):
        """Rows of flow space in units of the data, in the dtype of Y."""
        data = Y if self.root_ is None else row_times(Y, self.root_)
        return np.asarray(data * self.scale_ + self.mean_, dtype=Y.dtype)

    def direction_from_flow(self, V):
        """Differences of rows of flow space in units of the data, in the dtype of V."""
        data = V if self.root_ is None else row_times(V, self.root_)
        return np.asarray(data * self.scale_, dtype=V.dtype)

    def gradient_to_flow(self, gradient):
        """The gradient of a function by the data as one by the rows of flow space."""
        scaled = gradient * self.scale_
        return scaled if self.root_ is None else row_times(scaled, self.root_)

    def log_density(self, rows, particles, sigma):
        """Log-density at rows of the particles, smoothed by a Gaussian (equation 12).

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
            In flow space, as the particles are.
        particles : ndarray of shape (n_particles, n_features)
        sigma : float
            Standard deviation of the Gaussian.

        Returns
        -------
        ndarray of shape (n_samples,)
            Normalised, in the units of the data.
        """
        log_kernel = kernel_mean(rows, particles, sigma)[1]
        log_volume = rows.shape[1] * np.log(np.sqrt(2 * np.pi) * sigma)
        return log_kernel - log_volume - self.log_determinant_
