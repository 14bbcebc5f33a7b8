"""Column by column: real rows and synthetic ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import ks_2samp

from skflow.inspection._panels import (
    REAL,
    SYNTHETIC,
    bins_of,
    check_drawable,
    check_rows,
    check_same_width,
    constant_again,
    draw,
    names_of,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MarginalsDisplay"]

_MOST_COLUMNS = 5  # panels in a row


class MarginalsDisplay:
    """Histograms of each column of real and of synthetic rows.

    With each comes the Kolmogorov-Smirnov distance (KS), the largest difference between the two
    distribution functions: 0 is best, 1 is worst.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    real : ndarray of shape (n_real, n_features)
        Real rows.
    synthetic : ndarray of shape (n_synthetic, n_features)
        Synthetic rows.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_columns)
        One for each column that is shown, in order; the others are None.
    figure_ : matplotlib Figure
        Figure with the histograms.
    shown_ : list of int
        Which columns are shown.
    distances_ : ndarray of shape (n_features,)
        The Kolmogorov-Smirnov distance in each column.

    See Also
    --------
    CorrelationsDisplay : How columns go together.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import MarginalsDisplay
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> display = MarginalsDisplay.from_estimator(sampler, X, random_state=0)
    >>> display.axes_.shape
    (3, 5)
    """

    def __init__(
        self, real: np.ndarray, synthetic: np.ndarray, *, feature_names: Sequence[str]
    ) -> None:
        self.real = real
        self.synthetic = synthetic
        self.feature_names = feature_names

    def plot(
        self, ax: "Axes | np.ndarray | Sequence[Axes] | None" = None, *, max_features: int = 15
    ) -> Self:
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each column that is shown; a new figure if None.
        max_features : int, default=15
            Most columns to show: those that differ most, in the order of the data.

        Returns
        -------
        MarginalsDisplay
            This object, with `axes_`, `figure_`, `shown_` and `distances_`.
        """
        n_features = self.real.shape[1]
        pairs = zip(self.real.T, self.synthetic.T, strict=True)
        # Only the p-value, which is not used, depends on the method.
        self.distances_ = np.array([ks_2samp(*pair, method="asymp").statistic for pair in pairs])
        n_shown = min(max_features, n_features)
        order = np.argsort(-self.distances_, kind="stable")
        self.shown_ = sorted(int(i) for i in order[:n_shown])
        n_columns = min(n_shown, _MOST_COLUMNS)
        self.figure_, self.axes_ = panels(
            type(self).__name__,
            ax,
            -(-n_shown // n_columns),
            n_columns,
            (2.5, 2.1) if n_shown > 1 else (5.5, 3.8),
            n_shown,
        )
        axes = self.axes_.ravel()[:n_shown]
        for one, column in zip(axes, self.shown_, strict=True):
            self._draw(one, column)
        ending = "" if n_shown == n_features else f"\n({n_shown} of {n_features} columns)"
        axes[0].set_ylabel(f"share of rows{ending}")
        axes[0].legend(frameon=False, fontsize="small", handlelength=1.2)
        return self

    def _draw(self, ax, column):
        real, synthetic = self.real[:, column], self.synthetic[:, column]
        edges = bins_of(real, synthetic, at_most=25)
        shares = [np.histogram(v, edges)[0] / len(v) for v in (real, synthetic)]
        ax.stairs(shares[0], edges, fill=True, color=REAL, alpha=0.35, label="real")
        ax.stairs(shares[1], edges, color=SYNTHETIC, linewidth=1.5, label="synthetic")
        ax.set_title(
            f"{self.feature_names[column]}\nKS {self.distances_[column]:.2f}", fontsize="small"
        )
        ax.tick_params(labelsize="small")
        ax.locator_params(nbins=4)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        n_samples: int | None = None,
        feature_names: Sequence[str] | None = None,
        max_features: int = 15,
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw real rows and new rows of a fitted sampler.

        Parameters
        ----------
        estimator : sampler or generator, or a pipeline or search that ends in one
            Fitted.
        X : array-like of shape (n_real, n_features)
            Real rows, best some that were not fitted on.
        n_samples : int, default=None
            Number of new rows; as many as there are in X by default.
        feature_names : list of str, default=None
            Names of the columns, by default those of X or of the estimator.
        max_features : int, default=15
            Most columns to show: those that differ most.
        random_state : int, RandomState instance or None, default=None
            Seed of the new rows.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each column that is shown; a new figure if None.

        Returns
        -------
        MarginalsDisplay
            The picture.
        """
        check_drawable(estimator, cls.__name__)
        real = check_rows(X, "X")
        samples = draw(estimator, len(real) if n_samples is None else n_samples, random_state)
        names = names_of(real.shape[1], X, estimator, given=feature_names)
        return cls.from_predictions(
            real, samples, feature_names=names, max_features=max_features, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        real: ArrayLike,
        synthetic: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        max_features: int = 15,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw real and synthetic rows from anywhere.

        Parameters
        ----------
        real : array-like of shape (n_real, n_features)
            Real rows.
        synthetic : array-like of shape (n_synthetic, n_features)
            Synthetic rows.
        feature_names : list of str, default=None
            Names of the columns, by default those of the data frames.
        max_features : int, default=15
            Most columns to show: those that differ most.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each column that is shown; a new figure if None.

        Returns
        -------
        MarginalsDisplay
            The picture.
        """
        sources = real, synthetic
        real, synthetic = check_rows(real, "real"), check_rows(synthetic, "synthetic")
        check_same_width(real=real, synthetic=synthetic)
        names = names_of(real.shape[1], *sources, given=feature_names)
        synthetic = constant_again(real, synthetic)
        return cls(real, synthetic, feature_names=names).plot(ax, max_features=max_features)
