"""How fast the particles still moved, step by step."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skflow._pipelines import steps_of
from skflow.inspection._panels import SYNTHETIC, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConvergenceDisplay"]

_UNITS = {
    "spherical": "units of the data",
    "diag": "column standard deviations",
    "full": "whitened units",
}


class ConvergenceDisplay:
    """Speed of the particles at each step of a fit.

    At a constant bandwidth, the curve of a flow that has arrived has levelled off: what is left is
    the noise of a finite number of particles. One that still falls at the end needs more steps, or
    larger ones. Where the bandwidth falls, as by default, the speed falls with it to the end.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    speed : ndarray of shape (n_steps,)
        Root mean square speed of the particles at each step.
    unit : str, default=None
        The unit of the speeds.
    name : str, default=None
        Name of the curve in the legend; there is no legend without.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure with the curve.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    EvolutionDisplay : The particles themselves.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import ConvergenceDisplay
    >>> X, _ = load_wine(return_X_y=True)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> display = ConvergenceDisplay.from_estimator(sampler)
    >>> display.ax_.get_xlabel()
    'step'
    """

    def __init__(
        self, speed: np.ndarray, *, unit: str | None = None, name: str | None = None
    ) -> None:
        self.speed = speed
        self.unit = unit
        self.name = name

    def plot(
        self, ax: "Axes | None" = None, *, name: str | None = None, line_kw: dict | None = None
    ) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        name : str, default=None
            Name of the curve in the legend.
        line_kw : dict, default=None
            Keywords for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
            This object, with `ax_`, `figure_` and `line_`.
        """
        is_first = ax is None
        self.figure_, self.ax_ = subplots(type(self).__name__, ax)
        name = self.name if name is None else name
        kwargs = {"label": name, **({"color": SYNTHETIC} if is_first else {})}
        if len(self.speed) == 1:
            kwargs["marker"] = "o"
        steps = np.arange(1, len(self.speed) + 1)
        (self.line_,) = self.ax_.plot(steps, self.speed, **{**kwargs, **(line_kw or {})})
        if min(self.speed) > 0:
            self.ax_.set_yscale("log")
            self._label_decades()
        else:
            self.ax_.set_ylim(bottom=0)
        unit = "" if self.unit is None else f"\n({self.unit})"
        self.ax_.set(xlabel="step", ylabel=f"root mean square velocity{unit}")
        self.ax_.grid(alpha=0.3)
        if name is not None:
            self.ax_.legend(frameon=False)
        return self

    def _label_decades(self):
        """Plain numbers on a logarithmic axis, also between its decades if these are few."""
        from matplotlib.ticker import LogLocator

        low, high = self.ax_.get_ylim()
        self.ax_.yaxis.set_major_formatter("{x:g}")
        self.ax_.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5) if high < 20 * low else (2, 5)))
        self.ax_.yaxis.set_minor_formatter("{x:g}" if high < 1000 * low else "")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict | None = None,
    ) -> Self:
        """Draw the history of a fitted sampler or generator.

        Parameters
        ----------
        estimator : sampler or generator, or a pipeline or search that ends in one
            Fitted, with a `history_`.
        name : str, default=None
            Name of the curve in the legend, for several curves in one picture.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        line_kw : dict, default=None
            Keywords for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
            The picture.
        """
        check_is_fitted(estimator)
        last = steps_of(estimator)[-1][1]
        if not hasattr(last, "history_"):
            raise TypeError(
                f"{cls.__name__}.from_estimator needs an estimator with a history_, or a pipeline "
                f"or search that ends in one, and {type(last).__name__} has none. The samplers and "
                "the generator of skflow have one."
            )
        unit = _UNITS.get(getattr(last, "covariance_type", ""))
        return cls.from_predictions(last.history_, unit=unit, name=name, ax=ax, line_kw=line_kw)

    @classmethod
    def from_predictions(
        cls,
        history: ArrayLike,
        *,
        unit: str | None = None,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict | None = None,
    ) -> Self:
        """Draw a history that was kept.

        Parameters
        ----------
        history : array-like of shape (n_steps,)
            Mean squared velocity at each step, as the samplers' `history_`.
        unit : str, default=None
            The unit of the velocities.
        name : str, default=None
            Name of the curve in the legend, for several curves in one picture.
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure if None.
        line_kw : dict, default=None
            Keywords for ``Axes.plot``.

        Returns
        -------
        ConvergenceDisplay
            The picture.
        """
        history = check_array(history, dtype=np.float64, ensure_2d=False, input_name="history")
        if history.ndim != 1 or history.min() < 0:
            raise ValueError(
                "history must be one mean squared velocity a step, none of them negative; got "
                f"an array of shape {history.shape} with a least value of {history.min():g}."
            )
        display = cls(np.sqrt(history), unit=unit, name=name)
        return display.plot(ax, line_kw=line_kw)
