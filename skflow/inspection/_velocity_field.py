"""Where a flow goes from here."""

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skflow.inspection._panels import (
    REAL,
    SYNTHETIC,
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
    subplots,
    target_of,
)
from skflow.inspection._projection import PrincipalAxes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["VelocityFieldDisplay"]

_LENGTH = 0.04  # of an arrow, in sides of the picture
_FINE = 10  # times as many places on a line as on the side of a grid


class VelocityFieldDisplay:
    """Velocity of a flow at one time.

    With one column this is a curve, above zero where the flow goes up. With two it is arrows on a
    grid. With more there is no plane that would hold the rows: the arrows start at rows of the
    flow, and places and velocities are shown by principal components of the target with
    standardised columns. Arrows tell the direction, all with the same length, and their colours
    the speed.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    places : ndarray of shape (n_places, n_features)
        Where the velocity was taken.
    velocity : ndarray of shape (n_places, n_features)
        The velocity there, in units of the data for a step size of 1.
    X : ndarray of shape (n_samples, n_features), default=None
        The target.
    rows : ndarray of shape (n_rows, n_features), default=None
        Rows of the flow at that time.
    t : float, default=None
        The time.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the field.
    figure_ : matplotlib Figure
        Figure with the field.
    arrows_ : matplotlib Quiver or None
        The arrows, with two columns or more.
    line_ : matplotlib Line2D or None
        The curve, with one column.

    See Also
    --------
    EvolutionDisplay : The rows that follow the field.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import VelocityFieldDisplay
    >>> X, _ = make_moons(500, noise=0.05, random_state=0)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> display = VelocityFieldDisplay.from_estimator(sampler, X, t=0.5, random_state=0)
    >>> display.places.shape
    (400, 2)
    """

    def __init__(
        self,
        places: np.ndarray,
        velocity: np.ndarray,
        X: np.ndarray | None = None,
        *,
        rows: np.ndarray | None = None,
        t: float | None = None,
        feature_names: Sequence[str],
    ) -> None:
        self.places = places
        self.velocity = velocity
        self.X = X
        self.rows = rows
        self.t = t
        self.feature_names = feature_names

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        components: tuple[int, int] = (0, 1),
        quiver_kw: dict | None = None,
    ) -> Self:
        """Draw the field.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        components : pair of int, default=(0, 1)
            Which principal components are shown, for three or more columns.
        quiver_kw : dict, default=None
            Keywords for ``Axes.quiver``.

        Returns
        -------
        VelocityFieldDisplay
            This object, with `ax_`, `figure_`, `arrows_` and `line_`.
        """
        self.arrows_ = self.line_ = None
        if self.places.shape[1] == 1:
            self._plot_curve(ax)
        else:
            self._plot_arrows(ax, components, quiver_kw or {})
        legend(self.figure_, self.ax_, ax is None, marker_scale=2)
        if self.t is not None:
            self.ax_.set_title(f"velocity at t = {self.t:.3g}")
        return self

    def _plot_curve(self, ax):
        self.figure_, self.ax_ = subplots(type(self).__name__, ax)
        order = np.argsort(self.places[:, 0])
        self.ax_.axhline(0, color="0.6", linewidth=0.8)
        (self.line_,) = self.ax_.plot(
            self.places[order, 0], self.velocity[order, 0], color="0.1", label="velocity"
        )
        # Marks on two levels below the curve, in shares of the height of the axes.
        shown = [("target", self.X, REAL, 0.02), ("rows of the flow", self.rows, SYNTHETIC, 0.06)]
        for label, rows, color, level in shown:
            if rows is not None:
                self.ax_.plot(
                    rows[:, 0],
                    np.full(len(rows), level),
                    "|",
                    color=color,
                    alpha=0.5,
                    transform=self.ax_.get_xaxis_transform(),
                    label=label,
                )
        low, high = self.velocity.min(), self.velocity.max()
        margin = 0.15 * max(high - low, 1e-12)
        self.ax_.set(
            xlabel=self.feature_names[0],
            ylabel="velocity for step_size=1 (units of the data)",
            ylim=(min(low, 0) - 1.5 * margin, max(high, 0) + margin),
        )

    def _plot_arrows(self, ax, components, quiver_kw):
        if self.places.shape[1] == 2:
            places, velocity, X, rows = self.places, self.velocity, self.X, self.rows
            labels, measured, unit = self.feature_names, "speed", "units of the data"
        else:
            axes = PrincipalAxes(self.places if self.X is None else self.X)
            axes.check(components)
            places, X, rows = (
                None if one is None else axes.rows(one, components)
                for one in (self.places, self.X, self.rows)
            )
            velocity = axes.directions(self.velocity, components)
            labels, unit = axes.labels(components), "standard deviations"
            measured = "speed in this plane"
        low, high = limits_of(places, X, rows)
        scale = np.ones(2)
        one_scale = have_one_scale(low, high)
        if not one_scale:  # the columns have units of their own
            unit, scale = "standard deviations", deviations(places if X is None else X)
        self.figure_, self.ax_ = subplots(
            type(self).__name__, ax, (6.4, height_of(low, high, 5.0) + 1.0)
        )
        self.ax_.set_aspect("equal" if one_scale else "auto")
        speed = np.linalg.norm(velocity / scale, axis=1)
        for label, some, color in [("target", X, REAL), ("rows of the flow", rows, SYNTHETIC)]:
            if some is not None:
                style = {"s": 6, "linewidths": 0, "alpha": 0.5, "color": color}
                self.ax_.scatter(*some.T, label=label, **style)
        lengths = np.linalg.norm(velocity / (high - low), axis=1)[:, None]
        arrows = np.divide(velocity, lengths, out=np.zeros_like(velocity), where=lengths > 0)
        self.arrows_ = self.ax_.quiver(
            *places.T,
            *(_LENGTH * arrows).T,
            speed,
            **{
                "angles": "xy",
                "scale_units": "xy",
                "scale": 1,
                "cmap": "viridis_r",
                "width": 0.004,
                **quiver_kw,
            },
        )
        if speed.max() > 0:
            self.arrows_.set_clim(0, speed.max())  # slow is pale, also where all are fast
        self.figure_.colorbar(
            self.arrows_,
            ax=self.ax_,
            label=f"colour: {measured} for step_size=1 ({unit})\narrows: direction only",
            shrink=0.9,
        )
        self.ax_.set(xlabel=labels[0], ylabel=labels[1])
        self.ax_.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        t: float = 0.0,
        grid_resolution: int = 20,
        n_samples: int = 200,
        feature_names: Sequence[str] | None = None,
        components: tuple[int, int] = (0, 1),
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | None" = None,
        quiver_kw: dict | None = None,
    ) -> Self:
        """Draw the velocity of a fitted sampler's flow, by its ``velocity_at``.

        Parameters
        ----------
        estimator : sampler, or a search for one
            Fitted; of a pipeline, its last step.
        X : array-like of shape (n_samples, n_features), default=None
            The target, shown behind the arrows. By default the rows that the estimator was fitted
            on, if it still has them.
        t : float, default=0.0
            Time in [0, 1], from base to target.
        grid_resolution : int, default=20
            Number of arrows along each side of the grid, with two columns. With one column there
            are ten times as many places.
        n_samples : int, default=200
            Number of new rows, carried to the time t, that are shown with the field; with three
            or more columns the arrows start from them.
        feature_names : list of str, default=None
            Names of the columns, by default those of X or of the estimator.
        components : pair of int, default=(0, 1)
            Which principal components are shown, for three or more columns.
        random_state : int, RandomState instance or None, default=None
            Seed of the new rows.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        quiver_kw : dict, default=None
            Keywords for ``Axes.quiver``.

        Returns
        -------
        VelocityFieldDisplay
            The picture.
        """
        estimator = check_flow(estimator, cls.__name__, "velocity_at")
        if not (isinstance(t, Real) and 0 <= t <= 1):
            raise ValueError(f"t must be a number in [0, 1], from base to target; got {t!r}.")
        names = names_of(estimator.n_features_in_, X, estimator, given=feature_names)
        (rows,) = drawn_at(estimator, [t], n_samples, random_state)
        X = target_of(estimator) if X is None else check_rows(X, "X")
        check_same_width(rows=rows, X=X)
        if rows.shape[1] > 2:
            places = rows
        else:
            places = _grid(*limits_of(rows, X), grid_resolution)
        velocity = _velocity(estimator, places, t)
        return cls.from_predictions(
            places,
            velocity,
            X,
            rows=None if places is rows else rows,
            t=t,
            feature_names=names,
            components=components,
            ax=ax,
            quiver_kw=quiver_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        places: ArrayLike,
        velocity: ArrayLike,
        X: ArrayLike | None = None,
        *,
        rows: ArrayLike | None = None,
        t: float | None = None,
        feature_names: Sequence[str] | None = None,
        components: tuple[int, int] = (0, 1),
        ax: "Axes | None" = None,
        quiver_kw: dict | None = None,
    ) -> Self:
        """Draw velocities from anywhere.

        Parameters
        ----------
        places : array-like of shape (n_places, n_features)
            Where the velocity was taken.
        velocity : array-like of shape (n_places, n_features)
            The velocity there.
        X : array-like of shape (n_samples, n_features), default=None
            The target.
        rows : array-like of shape (n_rows, n_features), default=None
            Rows of the flow at that time.
        t : float, default=None
            The time, for the title.
        feature_names : list of str, default=None
            Names of the columns, by default those of the data frames.
        components : pair of int, default=(0, 1)
            Which principal components are shown, for three or more columns.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        quiver_kw : dict, default=None
            Keywords for ``Axes.quiver``.

        Returns
        -------
        VelocityFieldDisplay
            The picture.
        """
        sources = places, X, rows
        places, velocity = check_rows(places, "places"), check_rows(velocity, "velocity")
        if places.shape != velocity.shape:
            raise ValueError(
                f"places has shape {places.shape} and velocity {velocity.shape}: pass one velocity "
                "for each place."
            )
        X = None if X is None else check_rows(X, "X")
        rows = None if rows is None else check_rows(rows, "rows")
        check_same_width(places=places, X=X, rows=rows)
        names = names_of(places.shape[1], *sources, given=feature_names)
        display = cls(places, velocity, X, rows=rows, t=t, feature_names=names)
        return display.plot(ax, components=components, quiver_kw=quiver_kw)


def _grid(low, high, resolution):
    """Places on a line or on a plane."""
    n_places = resolution if len(low) == 2 else _FINE * resolution
    sides = [np.linspace(*ends, n_places) for ends in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, len(low))


def _velocity(estimator, places, t):
    """Velocities at places that have no column names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return check_rows(estimator.velocity_at(places, t), "velocity")
