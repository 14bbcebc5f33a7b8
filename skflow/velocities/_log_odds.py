"""Log-odds of a classifier that tells target from particles, and their gradient in the rows.

Trained on as much of one as of the other, the best classifier's log-odds are
``log p(z) - log q(z)``, and their gradient is the score difference (Weber 2023, equations 33 to
35). scikit-learn's classifiers come without gradients. Here a gradient is pulled back through a
fitted pipeline step by step, as automatic differentiation would do it, each kind of step by a
function of its own; what no function is known for is differentiated numerically.
"""

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.special import expit
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomTreesEmbedding,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

__all__ = ["check_differentiable", "last_step", "log_odds", "log_odds_gradient"]

# Entries of the widest array between two steps; more rows than that are taken in turns.
_ENTRIES = 2**21

# That all differences vanish says something only if they are those of more rows than these.
_HANDFUL = 5

_PIECEWISE_CONSTANT = (
    AdaBoostClassifier,  # it adds up votes, of whatever voters
    BernoulliNB,
    Binarizer,
    CategoricalNB,
    DecisionTreeClassifier,
    DummyClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    KBinsDiscretizer,
    KNeighborsClassifier,
    RadiusNeighborsClassifier,
    RandomForestClassifier,
    RandomTreesEmbedding,
)

_INSTEAD = (
    "Use a classifier with smooth log-odds, such as LogisticRegression on PolynomialFeatures or "
    "Nystroem, or MLPClassifier."
)


def log_odds(classifier, Z):
    """``log P(1 | z) - log P(0 | z)`` at each row.

    Where the classifier has a number whose logistic function is the probability, it is that
    number, which does not saturate; where it has not, the difference of the logarithms of the
    probabilities, a zero counting as the smallest float.

    Parameters
    ----------
    classifier : classifier
        Fitted, with the classes 0 and 1.
    Z : ndarray of shape (n_queries, n_features)
        Rows. All is computed in float64.

    Returns
    -------
    ndarray of shape (n_queries,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skflow.velocities._log_odds import log_odds
    >>> classifier = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    >>> classifier.coef_ = np.array([[2.0]])
    >>> log_odds(classifier, np.array([[0.5], [400.0]]))
    array([  1., 800.])
    """
    _check_classes(classifier)
    return _in_turns(_log_odds, _steps(classifier), Z)


def log_odds_gradient(classifier, Z, scale=None):
    """Gradient of :func:`log_odds` in the row, at each row.

    Exact, by the chain rule, for a Pipeline of scalers, PCA, PolynomialFeatures, Nystroem of the
    RBF kernel or RBFSampler that ends in logistic regression, a discriminant analysis, GaussianNB
    or MLPClassifier, and for each of these by itself. For anything else it is a central difference
    in each column, with a step of ``eps ** (1/3)`` times the scale of the column; eps is that of
    the dtype of Z, since a classifier fitted on float32 may compute in float32.

    Parameters
    ----------
    classifier : classifier
        Fitted, with the classes 0 and 1.
    Z : ndarray of shape (n_queries, n_features)
        Rows. All is computed in float64.
    scale : ndarray of shape (n_features,), default=None
        Over which distance log-odds change in each column, for the step of central differences.
        None is the standard deviation of the columns of Z or, where that is 0, their largest
        entry.

    Returns
    -------
    ndarray of shape (n_queries, n_features)

    Raises
    ------
    ValueError
        When all differences at more than a handful of rows are exactly zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skflow.velocities._log_odds import log_odds_gradient
    >>> classifier = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    >>> bool(log_odds_gradient(classifier, np.array([[1e9]])) == classifier.coef_)
    True
    """
    _check_classes(classifier)
    steps = _steps(classifier)
    if _is_known(steps[-1], _HEADS) and all(_is_known(step, _PULL_BACKS) for step in steps[:-1]):
        return _in_turns(_chain_rule, steps, Z)
    return _central_differences(steps, Z, scale)


def check_differentiable(classifier):
    """Refuse a classifier, fitted or not, whose log-odds have no gradient to follow.

    Parameters
    ----------
    classifier : object
        What was passed as a classifier. Its parts count as well: steps of a Pipeline, and the
        estimators that others are wrapped around.

    Raises
    ------
    TypeError
        When it is not a classifier.
    ValueError
        When it has no probabilities, or they are piecewise constant.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skflow.velocities._log_odds import check_differentiable
    >>> check_differentiable(DecisionTreeClassifier())
    Traceback (most recent call last):
    ...
    ValueError: The log-odds of DecisionTreeClassifier are piecewise constant...
    """
    if (
        not hasattr(classifier, "fit")
        or isinstance(classifier, type)
        or not is_classifier(classifier)
    ):
        raise TypeError(
            "classifier should be a scikit-learn classifier, or a Pipeline that ends in one, such "
            f"as LogisticRegression(); got {classifier!r}."
        )
    name = type(last_step(classifier)).__name__
    culprit = _piecewise_constant(classifier)
    if culprit is not None:
        raise ValueError(
            f"The log-odds of {culprit} are piecewise constant: their gradient, which the "
            f"particles should follow, is zero almost everywhere. {_INSTEAD}"
        )
    if not hasattr(classifier, "predict_proba"):
        raise ValueError(
            f"{name} with these parameters has no predict_proba, so it has no log-odds: wrap it in "
            "CalibratedClassifierCV, or use LogisticRegression (for SGDClassifier, "
            'loss="log_loss").'
        )


def last_step(classifier):
    """The classifier at the end of pipelines."""
    return last_step(classifier.steps[-1][1]) if isinstance(classifier, Pipeline) else classifier


def _piecewise_constant(estimator):
    """Name of the part that makes an unfitted estimator piecewise constant, or None."""
    name = type(estimator).__name__
    if isinstance(estimator, _PIECEWISE_CONSTANT):
        return name
    if isinstance(estimator, Pipeline):
        # What a transformer is wrapped around, as to select features, does not speak itself.
        *before, (_, last) = estimator.steps
        steps = [type(step).__name__ for _, step in before if isinstance(step, _PIECEWISE_CONSTANT)]
        return steps[0] if steps else _piecewise_constant(last)
    if isinstance(estimator, CalibratedClassifierCV) and estimator.method == "isotonic":
        return 'CalibratedClassifierCV(method="isotonic")'
    if isinstance(estimator, BaggingClassifier) and estimator.estimator is None:
        return "BaggingClassifier of trees"
    if isinstance(estimator, VotingClassifier | StackingClassifier):
        # One smooth voice suffices, if the one who listens is smooth.
        judge = _piecewise_constant(getattr(estimator, "final_estimator", None))
        voices = [_piecewise_constant(voice) for _, voice in estimator.estimators]
        heard = getattr(estimator, "passthrough", False) or None in voices
        return judge or (None if heard else f"{name} of {voices[0]}")
    inner = getattr(estimator, "estimator", None)
    return None if inner is None else _piecewise_constant(inner)


def _check_classes(classifier):
    classes = np.asarray(classifier.classes_)
    if classes.shape != (2,) or not np.array_equal(classes, [0, 1]):
        raise ValueError(
            f"Log-odds are those of class 1 (target) over class 0 (particles), but {classifier!r} "
            f"was fitted to the classes {classes.tolist()}: fit it to y of zeros and ones."
        )


def _steps(estimator):
    """The steps of a fitted estimator in their order, pipelines in pipelines included."""
    if isinstance(estimator, Pipeline):
        return [part for _, step in estimator.steps for part in _steps(step)]
    if isinstance(estimator, FrozenEstimator):
        return _steps(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return _steps(estimator.best_estimator_)
    return [] if estimator is None or estimator == "passthrough" else [estimator]


def _is_known(step, table):
    """Whether the table has a function for a step: for its very class, and its parameters."""
    return type(step) in table and _ONLY_IF.get(type(step), lambda step: True)(step)


def _in_turns(function, steps, Z):
    """``function(steps, rows)`` for some rows at a time, so that arrays between steps fit."""
    Z = np.asarray(Z, dtype=np.float64)
    width = max(getattr(step, "n_features_in_", 1) for step in steps)
    n_turns = min(len(Z), -(-len(Z) * width // _ENTRIES))
    if n_turns <= 1:
        return function(steps, Z)
    return np.concatenate([function(steps, rows) for rows in np.array_split(Z, n_turns)])


def _array(rows):
    """What a step put out, which may have been told to put out frames."""
    return rows if issparse(rows) else np.asarray(rows)


def _log_odds(steps, rows):
    for step in steps[:-1]:
        rows = step.transform(rows)
    head = steps[-1]
    of_head = _HEADS[type(head)][0] if _is_known(head, _HEADS) else _from_probabilities
    return np.asarray(of_head(head, rows), dtype=np.float64)


def _chain_rule(steps, rows):
    """Gradient of the last step, pulled back through those before it."""
    inputs = [rows]
    for step in steps[:-1]:
        inputs.append(step.transform(inputs[-1]))
    gradient = _HEADS[type(steps[-1])][1](steps[-1], _array(inputs.pop()))
    for step in reversed(steps[:-1]):
        gradient = _PULL_BACKS[type(step)](step, _array(inputs.pop()), gradient)
    return gradient


def _central_differences(steps, Z, scale):
    eps = np.finfo(Z.dtype).eps if np.issubdtype(Z.dtype, np.floating) else np.finfo(float).eps
    Z = np.asarray(Z, dtype=np.float64)
    if scale is None:
        scale = Z.std(axis=0)
        scale = np.where(scale > 0, scale, np.abs(Z).max(axis=0))
        scale[scale == 0] = 1.0
    # The error, h^2 of truncation and eps / h of rounding, is least near the cube root.
    h = np.maximum(eps ** (1 / 3) * np.asarray(scale), np.finfo(float).eps ** (2 / 3) * np.abs(Z))
    gradient = np.empty_like(Z)
    for j in range(Z.shape[1]):
        right, left = Z.copy(), Z.copy()
        right[:, j] += h[:, j]
        left[:, j] -= h[:, j]
        change = _in_turns(_log_odds, steps, right) - _in_turns(_log_odds, steps, left)
        gradient[:, j] = change / (right[:, j] - left[:, j])
    if len(Z) > _HANDFUL and not gradient.any():
        raise ValueError(
            f"The log-odds of {type(steps[-1]).__name__} do not change in the neighbourhood of any "
            f"of {len(Z)} rows: they are piecewise constant, or probabilities have saturated at 0 "
            f"or 1. {_INSTEAD}"
        )
    return gradient


# Each head has its log-odds, and their gradient.


def _from_probabilities(head, rows):
    with np.errstate(divide="ignore"):
        if hasattr(head, "predict_log_proba"):
            logs = head.predict_log_proba(rows)
        else:
            logs = np.log(head.predict_proba(rows))
    logs = np.asarray(logs, dtype=np.float64)
    # Those computed as logarithms may well be below that of the smallest float.
    logs = np.where(np.isneginf(logs), np.log(np.finfo(float).tiny), logs)
    return logs[:, 1] - logs[:, 0]


def _decision(head, rows):
    return head.decision_function(rows)


def _linear_gradient(head, rows):
    return np.tile(head.coef_.reshape(1, -1), (len(rows), 1))


def _quadratic_gradient(head, rows):
    gradient = np.zeros(rows.shape)
    parts = zip((-1, 1), head.means_, head.rotations_, head.scalings_, strict=True)
    for sign, mean, rotation, scaling in parts:
        gradient -= sign * ((rows - mean) @ (rotation / scaling)) @ rotation.T
    return gradient


def _joint(head, rows):
    logs = head.predict_joint_log_proba(rows)
    return logs[:, 1] - logs[:, 0]


def _naive_gradient(head, rows):
    to_means = [(mean - rows) / var for mean, var in zip(head.theta_, head.var_, strict=True)]
    return to_means[1] - to_means[0]


# Activations, and their slopes as functions of what they put out.
_ACTIVATIONS = {
    "identity": (lambda a: a, np.ones_like),
    "logistic": (expit, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0).astype(a.dtype)),
}


def _layers(head, rows):
    """What the hidden layers of a network put out, the rows first."""
    activation = _ACTIVATIONS[head.activation][0]
    outputs = [_array(rows)]
    for weights, bias in zip(head.coefs_[:-1], head.intercepts_[:-1], strict=True):
        outputs.append(activation(outputs[-1] @ weights + bias))
    return outputs


def _network(head, rows):
    return (_layers(head, rows)[-1] @ head.coefs_[-1] + head.intercepts_[-1])[:, 0]


def _network_gradient(head, rows):
    slope = _ACTIVATIONS[head.activation][1]
    gradient = np.tile(head.coefs_[-1].T, (len(rows), 1))
    outputs = _layers(head, rows)
    for weights, output in zip(head.coefs_[-2::-1], outputs[:0:-1], strict=True):
        gradient = (gradient * slope(output)) @ weights.T
    return gradient


# Each of these pulls back a gradient in what a step puts out to one in the rows it is given.


def _through_division(step, rows, gradient):
    return gradient if step.scale_ is None else gradient / step.scale_


def _through_min_max(step, rows, gradient):
    return gradient * step.scale_


def _through_pca(step, rows, gradient):
    if step.whiten:
        deviations = np.sqrt(step.explained_variance_)
        gradient = gradient / np.maximum(deviations, np.finfo(deviations.dtype).eps)
    return gradient @ step.components_


def _through_polynomial(step, rows, gradient):
    """By the product rule; a monomial of degree 3 is three factors, some of them perhaps 1."""
    powers = step.powers_
    width, degree = rows.shape[1], int(powers.sum(axis=1).max(initial=0))
    factors = np.full((len(powers), degree), width)  # the last column is that of the ones
    for k, row in enumerate(powers):
        which = np.repeat(np.arange(width), row)
        factors[k, : len(which)] = which
    padded = np.column_stack([rows, np.ones(len(rows))])
    result = np.zeros(padded.shape)
    every = np.arange(len(powers))
    for t in range(degree):
        term = gradient
        for s in range(degree):
            if s != t:
                term = term * padded[:, factors[:, s]]
        share = csr_array((np.ones(len(powers)), (factors[:, t], every)), (width + 1, len(powers)))
        result += (share @ term.T).T
    return result[:, :width]


def _through_nystroem(step, rows, gradient):
    gamma = step.gamma if step.gamma is not None else (step.kernel_params or {}).get("gamma")
    gamma = 1.0 / rows.shape[1] if gamma is None else gamma
    squares = (
        np.square(rows).sum(axis=1)[:, None]
        + np.square(step.components_).sum(axis=1)
        - 2 * rows @ step.components_.T
    )
    weights = (gradient @ step.normalization_) * np.exp(-gamma * np.maximum(squares, 0))
    return 2 * gamma * (weights @ step.components_ - weights.sum(axis=1)[:, None] * rows)


def _through_random_cosines(step, rows, gradient):
    sines = np.sin(rows @ step.random_weights_ + step.random_offset_)
    return -np.sqrt(2.0 / step.n_components) * (sines * gradient) @ step.random_weights_.T


_HEADS = {
    LogisticRegression: (_decision, _linear_gradient),
    LogisticRegressionCV: (_decision, _linear_gradient),
    LinearDiscriminantAnalysis: (_decision, _linear_gradient),
    SGDClassifier: (_decision, _linear_gradient),
    QuadraticDiscriminantAnalysis: (_decision, _quadratic_gradient),
    GaussianNB: (_joint, _naive_gradient),
    MLPClassifier: (_network, _network_gradient),
}

_PULL_BACKS = {
    StandardScaler: _through_division,
    MaxAbsScaler: _through_division,
    RobustScaler: _through_division,
    MinMaxScaler: _through_min_max,
    PCA: _through_pca,
    PolynomialFeatures: _through_polynomial,
    Nystroem: _through_nystroem,
    RBFSampler: _through_random_cosines,
}

# Parameters with which a step is what its function takes it for.
_ONLY_IF = {
    SGDClassifier: lambda step: step.loss == "log_loss",
    Nystroem: lambda step: step.kernel == "rbf",
    MaxAbsScaler: lambda step: not step.clip,
    MinMaxScaler: lambda step: not step.clip,
}
