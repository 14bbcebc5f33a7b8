"""Are new rows copies? The distances to the nearest rows that were learned from."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skflow.inspection._panels import (
    HELDOUT,
    REAL,
    SYNTHETIC,
    bins_of,
    check_drawable,
    check_rows,
    check_same_width,
    deviations,
    draw,
    legend,
    subplots,
)
from skflow.metrics import nearest_neighbor_distances

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NearestDistanceDisplay"]


class NearestDistanceDisplay:
    """Distances to the nearest training row: of new rows, of training rows and of held-out rows.

    New rows should be as far from the training rows as real rows are, which the sampler has not
    seen. Distances near zero are copies.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    synthetic : ndarray of shape (n_samples,)
        Distances of new rows to the nearest training row.
    train : ndarray of shape (n_train,)
        Distances of training rows to the nearest other one.
    heldout : ndarray of shape (n_heldout,), default=None
        Distances of held-out rows to the nearest training row.
    unit : str, default=None
        The unit of the distances.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the histograms.
    figure_ : matplotlib Figure
        Figure with the histograms.
    histograms_ : list of matplotlib StepPatch
        Histograms of training rows, held-out rows if there are any, and new rows.

    See Also
    --------
    skflow.metrics.nearest_distance_ratio : The same in one number.
    skflow.metrics.closer_to_train_share : The other figure of memorisation.

    References
    ----------
    .. [1] Romann M. Weber, "The Score-Difference Flow for Implicit Generative Modeling",
       Transactions on Machine Learning Research, 2023, Figure 4. arXiv:2304.12906.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import NearestDistanceDisplay
    >>> X, _ = load_wine(return_X_y=True)
    >>> X_train, X_heldout = train_test_split(X, test_size=0.5, random_state=0)
    >>> sampler = SDFlowSampler(random_state=0).fit(X_train)
    >>> display = NearestDistanceDisplay.from_estimator(sampler, X_train, X_heldout, random_state=0)
    >>> len(display.histograms_)
    3
    """

    def __init__(
        self,
        synthetic: np.ndarray,
        train: np.ndarray,
        heldout: np.ndarray | None = None,
        *,
        unit: str | None = None,
    ) -> None:
        self.synthetic = synthetic
        self.train = train
        self.heldout = heldout
        self.unit = unit

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        NearestDistanceDisplay
            This object, with `ax_`, `figure_` and `histograms_`.
        """
        self.figure_, self.ax_ = subplots(type(self).__name__, ax)
        samples: list[tuple[str, Any, dict[str, Any]]] = [
            (
                "training rows, to another one",
                self.train,
                {"fill": True, "color": REAL, "alpha": 0.3},
            ),
            ("held-out rows", self.heldout, {"color": HELDOUT, "linestyle": "--"}),
            ("new rows", self.synthetic, {"color": SYNTHETIC}),
        ]
        samples = [sample for sample in samples if sample[1] is not None]
        edges = bins_of(*(distances for _, distances, _ in samples), at_most=30)
        if edges[0] < 0:  # all distances are zero
            edges = edges - edges[0]
        self.histograms_ = []
        for label, distances, style in samples:
            counts = np.histogram(distances, edges)[0] / len(distances)
            label = f"{label}, median {np.median(distances):.3g}"
            style = {"linewidth": 1.8, **style}
            self.histograms_.append(self.ax_.stairs(counts, edges, label=label, **style))
        unit = "" if self.unit is None else f" ({self.unit})"
        self.ax_.set(xlabel=f"distance to the nearest training row{unit}", ylabel="share of rows")
        self.ax_.set_xlim(left=0)
        if ax is not None:  # room for the legend
            self.ax_.set_ylim(top=1.3 * self.ax_.get_ylim()[1])
        legend(self.figure_, self.ax_, ax is None, n_columns=1)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        X_heldout: ArrayLike | None = None,
        *,
        n_samples: int | None = None,
        standardize: bool = True,
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the distances of new rows of a fitted sampler.

        Parameters
        ----------
        estimator : sampler or generator, or a pipeline or search that ends in one
            Fitted on X.
        X : array-like of shape (n_train, n_features)
            The rows that it was fitted on. Rows that come through a pipeline which loses
            something, as PCA does, are farther from them for that alone.
        X_heldout : array-like of shape (n_heldout, n_features), default=None
            Rows of the same law that it has not seen.
        n_samples : int, default=None
            Number of new rows; as many as there are in X by default.
        standardize : bool, default=True
            Whether to measure in standard deviations of the columns of X.
        random_state : int, RandomState instance or None, default=None
            Seed of the new rows.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        NearestDistanceDisplay
            The picture.
        """
        check_drawable(estimator, cls.__name__)
        train = check_rows(X, "X")
        samples = draw(estimator, len(train) if n_samples is None else n_samples, random_state)
        return cls.from_predictions(samples, X, X_heldout, standardize=standardize, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        samples: ArrayLike,
        train: ArrayLike,
        heldout: ArrayLike | None = None,
        *,
        standardize: bool = True,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the distances of rows from anywhere.

        Parameters
        ----------
        samples : array-like of shape (n_samples, n_features)
            New rows.
        train : array-like of shape (n_train, n_features)
            The rows that their sampler was fitted on.
        heldout : array-like of shape (n_heldout, n_features), default=None
            Rows of the same law that it has not seen.
        standardize : bool, default=True
            Whether to measure in standard deviations of the columns of `train`.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.

        Returns
        -------
        NearestDistanceDisplay
            The picture.
        """
        samples, train = check_rows(samples, "samples"), check_rows(train, "train")
        heldout = None if heldout is None else check_rows(heldout, "heldout")
        check_same_width(train=train, samples=samples, heldout=heldout)
        scale = deviations(train) if standardize else 1.0
        train = train / scale
        display = cls(
            nearest_neighbor_distances(samples / scale, train),
            nearest_neighbor_distances(train),
            None if heldout is None else nearest_neighbor_distances(heldout / scale, train),
            unit="column standard deviations" if standardize else "units of the data",
        )
        return display.plot(ax)
