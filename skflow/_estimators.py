"""Other people's estimators inside ours: what may be passed, their seeds, and learning on."""

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

__all__ = ["check_regressor", "fit_columns", "learn_on", "plant_seeds", "way_on"]


def plant_seeds(estimator, rng):
    """Give a seed to whatever in an estimator has none; returns the estimator."""
    if not hasattr(estimator, "get_params"):
        return estimator
    parameters = estimator.get_params()
    names = [name for name in sorted(parameters) if _word(name) == "random_state"]
    for name in names:
        if parameters[name] is None:
            draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
            estimator.set_params(**{name: int(draw(np.iinfo(np.int32).max))})
    return estimator


def check_regressor(regressor):
    if regressor is None:
        return
    if isinstance(regressor, type):
        raise ValueError(f"regressor is the class {regressor.__name__}: pass an instance of it.")
    if not is_regressor(regressor):
        raise ValueError(
            f"regressor must be a regressor: {type(regressor).__name__} is none, and does not "
            "predict numbers. Pass e.g. sklearn.neural_network.MLPRegressor()."
        )


def _word(name):
    return name.rpartition("__")[2]


def _last_step(regressor):
    return regressor.steps[-1][1] if isinstance(regressor, Pipeline) else regressor


def fit_columns(regressor, features, targets):
    """The regressor, fitted; one for each column if it cannot take several."""
    if targets.ndim == 1 or get_tags(regressor).target_tags.multi_output:
        return regressor.fit(features, targets)
    # The tag is not to be trusted: MLPRegressor takes several columns and says that it does not.
    try:
        return regressor.fit(features, targets)
    except ValueError:
        return MultiOutputRegressor(regressor).fit(features, targets)


def way_on(regressor):
    """How a fitted regressor can go on learning, or None."""
    parameters = [(_word(name), value) for name, value in regressor.get_params().items()]
    if any(name == "early_stopping" and value is True for name, value in parameters):
        return None
    # MLPRegressor has a partial_fit with this solver too, but it is a whole fit.
    whole = any(name == "solver" and str(value) == "lbfgs" for name, value in parameters)
    if hasattr(regressor, "partial_fit") and not whole:
        return "partial_fit"
    # Of an ensemble with all its members, a warm start fits none: only coefficients can go on.
    last = _last_step(regressor)
    if "warm_start" in last.get_params() and (hasattr(last, "coefs_") or hasattr(last, "coef_")):
        return "warm_start"
    return None


def learn_on(regressor, draw, n_passes=1):
    """A fitted regressor after it has seen new rows; `regressor` itself where it can go on.

    Parameters
    ----------
    regressor : regressor
        As :func:`fit_columns` returned it.
    draw : callable
        ``draw(n_passes)`` returns features and targets for one pass of several, or for a fit on
        all that it will see (``n_passes=None``).
    n_passes : int, default=1
        Passes, for a regressor that learns by `partial_fit`.
    """
    way = way_on(regressor)
    if way == "partial_fit":
        for _ in range(n_passes):
            regressor.partial_fit(*draw(n_passes))
        return regressor
    if way == "warm_start":
        _last_step(regressor).set_params(warm_start=True)
        return regressor.fit(*draw(None))
    return fit_columns(clone(regressor), *draw(None))
