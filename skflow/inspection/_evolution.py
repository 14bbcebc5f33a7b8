"""Rows on their way from the base to the target."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skflow.inspection._panels import (
    REAL,
    SYNTHETIC,
    bins_of,
    check_flow,
    check_rows,
    check_same_width,
    deviations,
    drawn_at,
    have_one_scale,
    height_of,
    legend,
    limits_of,
    names_of,
    panels,
    target_of,
)
from skflow.inspection._projection import PrincipalAxes
from skflow.metrics import energy_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EvolutionDisplay"]

_TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)
_ENOUGH = 1000  # rows, to tell where a flow goes


class EvolutionDisplay:
    """Rows at several times of a flow, from base to target.

    Rows of one column are shown as histograms, rows of two or three columns as they are, and
    others by principal components of the target with standardised columns.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    stages : ndarray of shape (n_times, n_rows, n_features)
        The rows at each time.
    times : sequence of float
        The times.
    X : ndarray of shape (n_samples, n_features), default=None
        The target.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_pairs, n_times)
        Axes of each pair of components, of which there is one up to three columns, and time.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    VelocityFieldDisplay : Where the flow goes.
    ConvergenceDisplay : How fast it still moves.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import EvolutionDisplay
    >>> X, _ = make_moons(500, noise=0.05, random_state=0)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> display = EvolutionDisplay.from_estimator(sampler, X, random_state=0)
    >>> display.axes_.shape
    (1, 5)
    """

    def __init__(
        self,
        stages: np.ndarray,
        times: Sequence[float],
        X: np.ndarray | None = None,
        *,
        feature_names: Sequence[str],
    ) -> None:
        self.stages = stages
        self.times = times
        self.X = X
        self.feature_names = feature_names

    def plot(
        self,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
        *,
        components: Sequence[tuple[int, int]] = ((0, 1),),
        scatter_kw: dict | None = None,
    ) -> Self:
        """Draw the rows at each time.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each pair of components and time; a new figure if None.
        components : sequence of pairs of int, default=((0, 1),)
            Which principal components are shown, for four or more columns.
        scatter_kw : dict, default=None
            Keywords for ``Axes.scatter`` of the rows.

        Returns
        -------
        EvolutionDisplay
            This object, with `axes_` and `figure_`.
        """
        n_features = self.stages.shape[2]
        if n_features == 1:
            self._plot_histograms(ax)
        elif n_features == 3:
            self._plot_in_space(ax, scatter_kw)
        else:
            self._plot_on_planes(ax, components, scatter_kw)
        for one, t in zip(self.axes_[0], self.times, strict=True):
            one.set_title(f"t = {t:.3g}" + {0.0: ", base", 1.0: ", end"}.get(t, ""))
        legend(self.figure_, self.axes_[0, 0], ax is None, marker_scale=2)
        return self

    def _panels(self, ax, n_rows, size, projection=None):
        self.figure_, self.axes_ = panels(
            type(self).__name__, ax, n_rows, len(self.times), size, projection=projection
        )

    def _plot_histograms(self, ax):
        self._panels(ax, 1, (2.6, 2.9))
        low, high = limits_of(*self.stages, self.X)
        values = [stage[:, 0] for stage in self.stages]
        target = [] if self.X is None else [self.X[:, 0]]
        edges = bins_of(*values, *target)
        for one, rows in zip(self.axes_[0], values, strict=True):
            for X in target:
                shares = np.histogram(X, edges)[0] / len(X)
                one.stairs(shares, edges, fill=True, color=REAL, alpha=0.35, label="target")
            shares = np.histogram(rows, edges)[0] / len(rows)
            one.stairs(shares, edges, color=SYNTHETIC, linewidth=1.5, label="rows of the flow")
            one.set(xlim=(low[0], high[0]), xlabel=self.feature_names[0])
        top = max(one.get_ylim()[1] for one in self.axes_[0])
        for one in self.axes_[0]:
            one.set_ylim(0, top)
            one.tick_params(labelleft=one is self.axes_[0, 0])
        self.axes_[0, 0].set_ylabel("share of rows")

    def _scatter(self, ax, target, rows, scatter_kw):
        if target is not None:
            ax.scatter(*target.T, s=9, linewidths=0, color=REAL, alpha=0.5, label="target")
        style = {"s": 6, "linewidths": 0, "color": SYNTHETIC, "alpha": 0.7, **(scatter_kw or {})}
        ax.scatter(*rows.T, label="rows of the flow", **style)

    def _plot_on_planes(self, ax, components, scatter_kw):
        if self.stages.shape[2] == 2:
            components, axes = ((0, 1),), None
        else:
            axes = PrincipalAxes(self.stages[-1] if self.X is None else self.X)
            for pair in components:
                axes.check(pair)
        shown = [self._on_plane(axes, pair) for pair in components]
        limits = [limits_of(*stages, target) for target, stages, _ in shown]
        height = max(height_of(low[:2], high[:2], 2.4) for low, high in limits)
        self._panels(ax, len(components), (2.6, height + 0.8 + 0.4 / len(components)))
        for row, (target, stages, labels), (low, high) in zip(
            self.axes_, shown, limits, strict=True
        ):
            for one, rows in zip(row, stages, strict=True):
                self._scatter(one, target, rows, scatter_kw)
                one.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=labels[0])
                one.set_aspect("equal" if have_one_scale(low, high) else "auto")
                one.tick_params(labelleft=one is row[0])
            row[0].set_ylabel(labels[1])

    def _on_plane(self, axes, pair):
        """Target, stages and labels of two axes."""
        if axes is None:
            return self.X, self.stages, self.feature_names
        target = None if self.X is None else axes.rows(self.X, pair)
        return target, [axes.rows(stage, pair) for stage in self.stages], axes.labels(pair)

    def _plot_in_space(self, ax, scatter_kw):
        self._panels(ax, 1, (3.1, 3.8), projection="3d")
        low, high = limits_of(*self.stages, self.X)
        for one, rows in zip(self.axes_[0], self.stages, strict=True):
            self._scatter(one, self.X, rows, scatter_kw)
            x, y, z = self.feature_names
            one.set(xlabel=x, ylabel=y, zlabel=z)
            one.set(**{f"{axis}lim": (low[i], high[i]) for i, axis in enumerate("xyz")})
            # A little smaller than it could be: labels in space are not seen by the layout.
            one.set_box_aspect(high - low if have_one_scale(low, high) else None, zoom=0.85)
            one.tick_params(labelsize="small")
            one.locator_params(nbins=4)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        X_base: ArrayLike | None = None,
        times: Sequence[float] = _TIMES,
        n_samples: int = 500,
        feature_names: Sequence[str] | None = None,
        components: Sequence[tuple[int, int]] = ((0, 1),),
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
        scatter_kw: dict | None = None,
    ) -> Self:
        """Draw rows on their way through the flow of a fitted sampler.

        Parameters
        ----------
        estimator : sampler, or a search for one
            Fitted; of a pipeline, its last step.
        X : array-like of shape (n_samples, n_features), default=None
            The target, as in ``fit``, shown behind the rows. By default the rows that the
            estimator was fitted on, if it still has them.
        X_base : array-like of shape (n_rows, n_features), default=None
            Rows of the base to follow, by ``interpolate``. By default new ones are drawn, and
            followed on the way that ``sample`` takes.
        times : sequence of float, default=(0.0, 0.25, 0.5, 0.75, 1.0)
            Times in [0, 1], from base to target; at 0.5 the particles are about half way.
        n_samples : int, default=500
            Number of rows to draw, without `X_base`.
        feature_names : list of str, default=None
            Names of the columns, by default those of X or of the estimator.
        components : sequence of pairs of int, default=((0, 1),)
            Which principal components are shown, for four or more columns.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows, without `X_base`.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each pair of components and time; a new figure if None.
        scatter_kw : dict, default=None
            Keywords for ``Axes.scatter`` of the rows.

        Returns
        -------
        EvolutionDisplay
            The picture.

        Warns
        -----
        UserWarning
            If the rows move away from X, as they do if X has rows of the base.

        Notes
        -----
        Rows are carried anew for each time.
        """
        estimator = check_flow(estimator, cls.__name__, "interpolate")
        if X_base is None:
            stages = drawn_at(estimator, times, n_samples, random_state)
        else:
            stages = [check_rows(estimator.interpolate(X_base, t), "X_base") for t in times]
        names = names_of(stages[0].shape[1], X, X_base, estimator, given=feature_names)
        if X is None:
            X = target_of(estimator)
        else:
            X = check_rows(X, "X")
            check_same_width(stages=stages[0], X=X)
            _warn_of_another_target(stages, times, X)
        return cls.from_predictions(
            stages,
            times,
            X,
            feature_names=names,
            components=components,
            ax=ax,
            scatter_kw=scatter_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        stages: Sequence[ArrayLike],
        times: Sequence[float],
        X: ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | None = None,
        components: Sequence[tuple[int, int]] = ((0, 1),),
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
        scatter_kw: dict | None = None,
    ) -> Self:
        """Draw rows on their way, from anywhere.

        Parameters
        ----------
        stages : array-like of shape (n_times, n_rows, n_features)
            The rows at each time.
        times : sequence of float
            The times.
        X : array-like of shape (n_samples, n_features), default=None
            The target, shown behind the rows.
        feature_names : list of str, default=None
            Names of the columns, by default those of X.
        components : sequence of pairs of int, default=((0, 1),)
            Which principal components are shown, for four or more columns.
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to be divided, or one for each pair of components and time; a new figure if None.
        scatter_kw : dict, default=None
            Keywords for ``Axes.scatter`` of the rows.

        Returns
        -------
        EvolutionDisplay
            The picture.
        """
        times = [float(t) for t in times]
        if len(stages) != len(times) or not times:
            raise ValueError(
                f"stages has rows at {len(stages)} times, and times has {len(times)}: pass rows "
                "for each time, and at least one."
            )
        stages = np.stack([check_rows(stage, "stages") for stage in stages])
        names = names_of(stages.shape[2], X, given=feature_names)
        X = None if X is None else check_rows(X, "X")
        check_same_width(stages=stages[0], X=X)
        display = cls(stages, times, X, feature_names=names)
        return display.plot(ax, components=components, scatter_kw=scatter_kw)


def _warn_of_another_target(stages, times, X):
    """Warn if the rows move away from X: more than half of their way, in energy distance."""
    scale = deviations(X)
    ends = stages[int(np.argmin(times))], stages[int(np.argmax(times))]
    start, end, X = (rows[:: -(-len(rows) // _ENOUGH)] / scale for rows in (*ends, X))
    before, after, way = (
        max(energy_distance(*pair), 0.0) ** 0.5 for pair in [(start, X), (end, X), (start, end)]
    )
    if after - before > 0.5 * way:
        warnings.warn(
            "The flow moves away from X, which its rows resemble more at the start than at the "
            "end. X is the target, where a flow ends, as in fit: pass rows to start from as "
            "X_base.",
            UserWarning,
            stacklevel=3,
        )
