"""How columns go together, in real rows and in synthetic ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skflow.inspection._panels import (
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

__all__ = ["CorrelationsDisplay"]

_MOST_NAMES = 20  # column names that can be read along an axis


class CorrelationsDisplay:
    """Correlations of the columns of real rows, of synthetic rows, and their difference.

    All three have one scale of colours, from -1 to 1. Columns that are constant have no
    correlations and are left grey.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    real : ndarray of shape (n_features, n_features)
        Correlations of the real rows.
    synthetic : ndarray of shape (n_features, n_features)
        Correlations of the synthetic rows.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1, 3)
        Axes of the three matrices.
    figure_ : matplotlib Figure
        Figure with the matrices.
    images_ : list of matplotlib AxesImage
        The three matrices.

    See Also
    --------
    MarginalsDisplay : Each column on its own.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import CorrelationsDisplay
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> display = CorrelationsDisplay.from_estimator(sampler, X, random_state=0)
    >>> [ax.get_title().splitlines()[0] for ax in display.axes_.ravel()]
    ['real', 'synthetic', 'synthetic - real']
    """

    def __init__(
        self, real: np.ndarray, synthetic: np.ndarray, *, feature_names: Sequence[str]
    ) -> None:
        self.real = real
        self.synthetic = synthetic
        self.feature_names = feature_names

    def plot(self, ax: "Axes | np.ndarray | Sequence[Axes] | None" = None) -> Self:
        """Draw the matrices.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of 3 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.

        Returns
        -------
        CorrelationsDisplay
            This object, with `axes_`, `figure_` and `images_`.
        """
        self.figure_, self.axes_ = panels(type(self).__name__, ax, 1, 3, (4.2, self._height()))
        difference = self.synthetic - self.real
        off_diagonal = ~np.eye(len(difference), dtype=bool)
        gaps = np.abs(difference[off_diagonal])
        gap = f"mean |difference| {np.nanmean(gaps):.2f}" if np.isfinite(gaps).any() else ""
        titles = ["real", "synthetic", f"synthetic - real\n{gap}".strip()]
        self.images_ = []
        matrices = (self.real, self.synthetic, difference)
        for one, matrix, title in zip(self.axes_.ravel(), matrices, titles, strict=True):
            # Purple, white, orange: also for those who cannot tell red from green.
            image = one.imshow(matrix, cmap="PuOr_r", vmin=-1, vmax=1)
            one.set_facecolor("0.75")
            one.set_title(title)
            self._label(one, first=one is self.axes_[0, 0])
            self.images_.append(image)
        self.figure_.colorbar(
            self.images_[0], ax=list(self.axes_.ravel()), label="correlation", shrink=0.7
        )
        return self

    def _height(self):
        """Inches: room for the names below."""
        if len(self.feature_names) > _MOST_NAMES:
            return 4.4
        return 3.6 + 0.075 * max(map(len, self.feature_names))

    def _label(self, ax, first):
        n_features = len(self.feature_names)
        if n_features > _MOST_NAMES:
            ax.set_xlabel("column")
            ax.set_ylabel("column" if first else "")
            return
        ax.set_xticks(range(n_features), self.feature_names, rotation=90, fontsize="small")
        names = self.feature_names if first else [""] * n_features
        ax.set_yticks(range(n_features), names, fontsize="small")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        n_samples: int | None = None,
        feature_names: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw the correlations of real rows and of new rows of a fitted sampler.

        Parameters
        ----------
        estimator : sampler or generator, or a pipeline or search that ends in one
            Fitted.
        X : array-like of shape (n_real, n_features)
            Real rows, best some that were not fitted on. At least two columns.
        n_samples : int, default=None
            Number of new rows; as many as there are in X by default.
        feature_names : list of str, default=None
            Names of the columns, by default those of X or of the estimator.
        random_state : int, RandomState instance or None, default=None
            Seed of the new rows.
        ax : matplotlib Axes or array-like of 3 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.

        Returns
        -------
        CorrelationsDisplay
            The picture.
        """
        check_drawable(estimator, cls.__name__)
        real = check_rows(X, "X")
        samples = draw(estimator, len(real) if n_samples is None else n_samples, random_state)
        names = names_of(real.shape[1], X, estimator, given=feature_names)
        return cls.from_predictions(real, samples, feature_names=names, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        real: ArrayLike,
        synthetic: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw the correlations of real and synthetic rows from anywhere.

        Parameters
        ----------
        real : array-like of shape (n_real, n_features)
            Real rows. At least two rows and two columns.
        synthetic : array-like of shape (n_synthetic, n_features)
            Synthetic rows.
        feature_names : list of str, default=None
            Names of the columns, by default those of the data frames.
        ax : matplotlib Axes or array-like of 3 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.

        Returns
        -------
        CorrelationsDisplay
            The picture.
        """
        sources = real, synthetic
        real, synthetic = check_rows(real, "real"), check_rows(synthetic, "synthetic")
        check_same_width(real=real, synthetic=synthetic)
        n_rows, n_features = min(len(real), len(synthetic)), real.shape[1]
        if n_features < 2 or n_rows < 2:
            raise ValueError(
                "Correlations need at least two columns and two rows of either kind; got "
                f"{n_features} columns and {n_rows} rows. MarginalsDisplay shows a single column."
            )
        names = names_of(n_features, *sources, given=feature_names)
        correlations = _correlations(real), _correlations(constant_again(real, synthetic))
        return cls(*correlations, feature_names=names).plot(ax)


def _correlations(rows):
    """Correlation matrix; NaN for constant columns."""
    centered = rows - rows.mean(axis=0)
    scale = rows.std(axis=0)
    scale[scale <= 1e-12 * np.abs(rows).max(axis=0)] = np.nan
    centered = centered / scale
    return np.clip(centered.T @ centered / len(rows), -1, 1)
