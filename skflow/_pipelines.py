"""Sampling through a fitted pipeline: its last step draws, the earlier ones are undone."""

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from skflow._rows import framed

__all__ = ["check_way_back", "sample", "steps_of", "undo"]


def sample(
    pipeline: Any,
    n_samples: int = 1,
    random_state: int | np.random.RandomState | None = None,
    **params: Any,
) -> Any:
    """New rows from a fitted pipeline, in the units that it was fitted in.

    The last step draws them, and the inverse of each earlier step is applied, last step first.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with a last step that has ``sample``, and earlier steps that have
        ``inverse_transform``, be they pipelines themselves or frozen. Of a search the best
        estimator is taken; an estimator that is no pipeline samples alone.
    n_samples : int, default=1
        Number of rows.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same rows at every call; None gives new ones. For samplers that take
        none, as ``GaussianMixture``, leave it out.
    **params : dict
        What else the last step's ``sample`` takes, such as the `y` and `return_y` of
        :class:`~skflow.ClasswiseSampler`.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The rows; after ``set_output``, a data frame with the columns that `pipeline` was fitted
        to. If the last step returns more than rows, a tuple
        of the rows and the rest.

    Raises
    ------
    TypeError
        If the last step has no ``sample``, or an earlier one no ``inverse_transform``, before
        anything is drawn; or if the ``inverse_transform`` of a step raises an error.
    sklearn.exceptions.NotFittedError
        If the pipeline is not fitted.

    Notes
    -----
    A step that loses something, as PCA with few components, gives back the rows of what it kept:
    samples then have less spread than the data.

    Behind ``SimpleImputer(add_indicator=True)`` samples have missing values, as the data have. No
    other imputer can be undone: impute before the pipeline, and fit it to the imputed rows.

    Examples
    --------
    >>> import skflow
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import PowerTransformer
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> pipeline = make_pipeline(PowerTransformer(), skflow.SDFlowSampler(random_state=0))
    >>> pipeline = pipeline.set_output(transform="pandas").fit(X)
    >>> wines = skflow.sample(pipeline, 100, random_state=0)
    >>> list(wines.columns[:2]), bool(10 < wines["alcohol"].mean() < 16)
    (['alcohol', 'malic_acid'], True)
    """
    steps = steps_of(pipeline)
    if not steps:
        raise TypeError("The pipeline has no step that draws rows.")
    *earlier, (name, sampler) = steps
    if not hasattr(sampler, "sample"):
        raise TypeError(
            f"The last step, {name!r}, has no sample: {type(sampler).__name__} draws no rows."
        )
    check_is_fitted(sampler)
    check_way_back(earlier)
    if random_state is not None:
        params["random_state"] = random_state
    drawn = sampler.sample(n_samples, **params)
    drawn, *rest = drawn if isinstance(drawn, tuple) else (drawn,)
    rows = undo(earlier, drawn)
    if earlier and not hasattr(rows, "columns"):
        rows = framed(rows, drawn, earlier[0][1], default=type(drawn).__module__.partition(".")[0])
    return (rows, *rest) if rest else rows


def check_way_back(steps):
    """Raise a TypeError unless rows can be brought back through all of these named steps."""
    for name, step in steps:
        obstacle = _obstacle(step)
        if obstacle is not None:
            raise _no_way_back(name, f"{type(step).__name__} has {obstacle}")
        check_is_fitted(step)


def undo(steps, rows):
    """Rows as they were before these named steps."""
    for name, step in reversed(steps):
        if hasattr(step, "indicator_"):
            rows = _as_an_imputer_takes_them(rows, step)
        try:
            rows = step.inverse_transform(rows)
        except Exception as error:
            reason = f"{type(step).__name__}.inverse_transform raised {type(error).__name__}"
            raise _no_way_back(name, f"{reason}: {error}".rstrip(".")) from error
    return rows


def _as_an_imputer_takes_them(rows, imputer):
    """No frame, and indicators of missing values as 0 or 1, which a scaler may not give back."""
    rows = np.array(rows)
    if imputer.indicator_ is not None:
        indicators = rows[:, rows.shape[1] - len(imputer.indicator_.features_) :]
        indicators[...] = indicators > 0.5
    return rows


def _no_way_back(name, reason):
    return TypeError(
        f"Samples cannot be brought back through step {name!r}: {reason}. Transform the data by "
        "this step first, and leave it out of the pipeline: samples are then rows as it makes "
        "them."
    )


def _obstacle(step):
    """What a step has or lacks so that it cannot be undone, as far as it is known before."""
    if not hasattr(step, "inverse_transform"):
        return "no inverse_transform"
    # A FunctionTransformer without an inverse takes the identity for it.
    if isinstance(step, FunctionTransformer) and step.func and not step.inverse_func:
        return "no inverse_func"
    # These have the method, and raise: SimpleImputer and KernelPCA, by default.
    for parameter in ("add_indicator", "fit_inverse_transform"):
        if not getattr(step, parameter, True):
            return f"no inverse_transform with {parameter}=False"
    return None


def steps_of(estimator, name="estimator"):
    """Names and estimators, those of pipelines within pipelines laid out flat."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    if not isinstance(estimator, Pipeline):
        return [(name, estimator)]
    named = [(name, step) for name, step in estimator.steps if step not in (None, "passthrough")]
    return [flat for name, step in named for flat in steps_of(step, name)]
