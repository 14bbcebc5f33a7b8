"""Estimators inside ours: what may be passed, how they are called, their seeds, learning on."""

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

__all__ = [
    "check_call",
    "check_part",
    "check_regressor",
    "fit_columns",
    "learn_on",
    "plant_seeds",
    "shaped",
    "show_once",
    "way_on",
]


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


def check_part(part, name):
    """Raise a ValueError if it is a class, or has a parameter that is out of its own bounds."""
    if isinstance(part, type):
        raise ValueError(f"{name} is the class {part.__name__}: pass an instance of it.")
    skipped = get_config()["skip_parameter_validation"]
    if hasattr(part, "_parameter_constraints") and not skipped:
        part._validate_params()


def check_call(velocity, Z):
    """Raise unless a velocity is fitted, to rows as wide as those of Z; once in a step."""
    width = getattr(velocity, "n_features_in_", None)
    if width is None:
        check_is_fitted(velocity)
    if Z.shape[1] != width:
        raise ValueError(
            f"Z has {Z.shape[1]} features, but {type(velocity).__name__} is expecting {width} "
            "features as input: call it with rows as wide as those it was fitted on."
        )


def check_regressor(regressor):
    """Raise a ValueError unless it is None or an instance of a regressor."""
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
    from sklearn.pipeline import Pipeline  # here, as it loads all preprocessing

    return regressor.steps[-1][1] if isinstance(regressor, Pipeline) else regressor


def fit_columns(regressor, features, targets):
    """The regressor, fitted to all columns of the targets; one for each if it cannot take several.

    Parameters
    ----------
    regressor : regressor
        Not fitted yet.
    features : ndarray of shape (n_samples, n_inputs)
    targets : ndarray of shape (n_samples, n_columns)
    """
    if get_tags(regressor).target_tags.multi_output:
        return regressor.fit(features, shaped(regressor, targets))
    # The tag is not to be trusted: MLPRegressor takes several columns and says that it does not.
    try:
        return regressor.fit(features, shaped(regressor, targets))
    except ValueError:
        if targets.shape[1] == 1:
            raise
        return _one_a_column(regressor).fit(features, targets)


def show_once(regressor, features, targets):
    """The regressor after its first sight of some rows, in one pass if it learns by passes."""
    if way_on(regressor) != "partial_fit":
        return fit_columns(regressor, features, targets)
    try:
        regressor.partial_fit(features, shaped(regressor, targets))
    except ValueError:
        if targets.shape[1] == 1:
            raise
        regressor = _one_a_column(regressor)
        regressor.partial_fit(features, targets)  # which returns None
    return regressor


def _one_a_column(regressor):
    # Imported here: it loads model selection and metrics, and most flows fit no regressor.
    from sklearn.multioutput import MultiOutputRegressor

    return MultiOutputRegressor(regressor)


def shaped(regressor, targets):
    """Targets as a regressor takes them: a single column as a vector, but for those of many."""
    from sklearn.multioutput import MultiOutputRegressor, RegressorChain

    takes_many = isinstance(_last_step(regressor), MultiOutputRegressor | RegressorChain)
    return targets if takes_many or targets.shape[1] > 1 else targets[:, 0]


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
            features, targets = draw(n_passes)
            regressor.partial_fit(features, shaped(regressor, targets))
        return regressor
    features, targets = draw(None)
    if way == "warm_start":
        _last_step(regressor).set_params(warm_start=True)
        return regressor.fit(features, shaped(regressor, targets))
    return fit_columns(clone(regressor), features, targets)
