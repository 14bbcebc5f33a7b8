"""What the Displays share: rows and their names, colours, axes side by side."""

from copy import copy

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skflow._pipelines import sample, steps_of

__all__ = [
    "HELDOUT",
    "REAL",
    "SYNTHETIC",
    "bins_of",
    "check_drawable",
    "check_flow",
    "check_rows",
    "check_same_width",
    "constant_again",
    "deviations",
    "draw",
    "drawn_at",
    "have_one_scale",
    "height_of",
    "legend",
    "limits_of",
    "names_of",
    "panels",
    "subplots",
    "target_of",
]

# Of Okabe and Ito's colours, which most colour-blind people can tell apart.
REAL, SYNTHETIC, HELDOUT = "#0072B2", "#D55E00", "0.35"

_MOST_UNEQUAL = 5  # sides of a picture whose axes have one scale


# --- rows ---------------------------------------------------------------------------------------


def check_rows(rows, name):
    """Rows as float64."""
    return check_array(rows, dtype=np.float64, input_name=name)


def check_same_width(**samples):
    """Raise unless all of the given arrays, or None, have as many columns as the first."""
    first, *others = ((name, rows) for name, rows in samples.items() if rows is not None)
    for name, rows in others:
        if rows.shape[1] != first[1].shape[1]:
            raise ValueError(
                f"{first[0]} has {first[1].shape[1]} columns but {name} has {rows.shape[1]}: "
                "pass the same columns, in the same order."
            )


def names_of(n_features, *sources, given=None):
    """Names of columns: as given, or those of the first data frame or estimator that has some."""
    if given is not None:
        if len(given) != n_features:
            raise ValueError(f"feature_names has {len(given)} names for {n_features} columns.")
        return [str(name) for name in given]
    for source in sources:
        names = getattr(source, "feature_names_in_", None)
        if names is None:
            names = _column_names(source)
        if names is not None:
            return [str(name) for name in names]
    return [f"x{i}" for i in range(n_features)]


def _column_names(rows):
    """Names of the columns of a data frame as an estimator takes them, or None."""
    reader = BaseEstimator()
    validate_data(reader, rows, skip_check_array=True, ensure_2d=False)
    return getattr(reader, "feature_names_in_", None)


def deviations(rows):
    """Standard deviation of each column; one for a constant column."""
    scale = rows.std(axis=0)
    return np.where(scale > 1e-12 * np.abs(rows).max(axis=0), scale, 1.0)


def constant_again(real, synthetic):
    """The synthetic rows, without rounding errors where a real column is constant."""
    constant = (real == real[0]).all(axis=0) & np.isclose(synthetic, real[0]).all(axis=0)
    return np.where(constant, real[0], synthetic)


def check_flow(estimator, caller, method):
    """The fitted sampler of an estimator, be it the best of a search, that has a method."""
    *earlier, (_, sampler) = steps_of(estimator)
    if earlier:
        raise TypeError(
            f"{caller}.from_estimator shows a flow among the rows that it moves, which here are "
            "those that the steps before it make: of a Pipeline, pass the last step, pipeline[-1], "
            "and rows as pipeline[:-1].transform(X) gives them."
        )
    check_is_fitted(sampler)
    if not hasattr(sampler, method):
        raise TypeError(
            f"{caller}.from_estimator needs a sampler with the method {method}, and "
            f"{type(sampler).__name__} has none. The samplers of skflow have it."
        )
    return sampler


def check_drawable(estimator, caller):
    """Raise unless the estimator is fitted and new rows can be drawn from it."""
    check_is_fitted(estimator)
    last = steps_of(estimator)[-1][1]
    if not hasattr(last, "sample"):
        raise TypeError(
            f"{caller}.from_estimator needs a sampler, or a pipeline or search that ends in one, "
            f"and {type(last).__name__} has no method sample."
        )


def draw(estimator, n_samples, random_state):
    """New rows of a sampler, or through a pipeline in the units of its data."""
    rows = sample(estimator, n_samples, random_state)
    return check_rows(rows[0] if isinstance(rows, tuple) else rows, "sample")


def drawn_at(sampler, times, n_samples, random_state):
    """The same new rows at several times on their way."""
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    return [draw(copy(sampler).set_params(t_stop=t), n_samples, seed) for t in times]


def target_of(sampler):
    """The rows that a sampler was fitted on, or None where it no longer has them."""
    try:
        return check_rows(sampler._training_rows(), "X")
    except (AttributeError, ValueError):
        return None


# --- axes ---------------------------------------------------------------------------------------


def _check_matplotlib(caller):
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller}.plot requires matplotlib. You can install it with `pip install matplotlib`."
        ) from error


def subplots(caller, ax, size=None):
    """Figure and axes, new ones if none are given."""
    _check_matplotlib(caller)
    import matplotlib.pyplot as plt

    if ax is None:
        return plt.subplots(layout="constrained", figsize=size)
    return ax.figure, ax


def panels(caller, ax, n_rows, n_columns, size, n_panels=None, projection=None):
    """Figure and an array of axes of shape (n_rows, n_columns).

    Parameters
    ----------
    caller : str
        Name of the Display.
    ax : Axes, array-like of Axes or None
        Axes to be divided, axes to be used, or None for a new figure.
    n_rows, n_columns : int
        How many there are of each.
    size : tuple of two floats
        Inches of each panel in a new figure.
    n_panels : int, default=None
        How many are used; the others are None.
    projection : {None, "3d"}, default=None
        For new axes.
    """
    _check_matplotlib(caller)
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

    n_panels = n_rows * n_columns if n_panels is None else n_panels
    axes = np.full(n_rows * n_columns, None, dtype=object)
    if ax is None or isinstance(ax, Axes):
        if ax is None:
            figure = plt.figure(
                figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained"
            )
            grid = GridSpec(n_rows, n_columns, figure=figure)
        else:
            figure = ax.figure
            ax.set_axis_off()
            ax.set_in_layout(False)
            grid = GridSpecFromSubplotSpec(n_rows, n_columns, subplot_spec=ax.get_subplotspec())
        for i in range(n_panels):
            axes[i] = figure.add_subplot(grid[i], projection=projection)
    else:
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n_panels:
            raise ValueError(f"{caller}.plot draws {n_panels} panels, but ax has {len(given)}.")
        if projection == "3d" and not all(hasattr(one, "set_zlim") for one in given):
            raise ValueError(f'{caller}.plot draws in three dimensions: use projection="3d".')
        axes[:n_panels] = given
        figure = given[0].figure
    return figure, axes.reshape(n_rows, n_columns)


def limits_of(*samples):
    """Lower and upper limits of each column, with a margin."""
    rows = np.concatenate([rows for rows in samples if rows is not None])
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = np.where(high > low, 0.05 * (high - low), 0.5)
    return low - margin, high + margin


def have_one_scale(low, high):
    """Whether all axes can have one scale, without one of them becoming a sliver."""
    sides = high - low
    return bool(sides.max() <= _MOST_UNEQUAL * sides.min())


def height_of(low, high, width):
    """Inches for axes of a width, that are to have one scale if they can."""
    if not have_one_scale(low, high):
        return width
    return width * float(np.clip((high[1] - low[1]) / (high[0] - low[0]), 0.4, 1.4))


def legend(figure, ax, is_new, n_columns=4, marker_scale=1):
    """What the colours mean: below a new figure, in the axes otherwise."""
    handles, labels = ax.get_legend_handles_labels()
    style = {"markerscale": marker_scale, "edgecolor": "none"}
    if handles and is_new:
        figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, **style)
    elif handles:  # what is behind it shows through
        ax.legend(fontsize="small", framealpha=0.7, **style)


def bins_of(*samples, at_most=50):
    """Edges of histogram bins that serve several samples of one column."""
    values = np.concatenate(samples)
    low, high = values.min(), values.max()
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    # The rule of Freedman and Diaconis, for the smallest sample.
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25]))
    width = 2 * quartiles / min(map(len, samples)) ** (1 / 3)
    n_bins = at_most if width == 0 else min(at_most, int(np.ceil((high - low) / width)))
    return np.linspace(low, high, max(n_bins, 5) + 1)
