"""The classifier two-sample test."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_score
from sklearn.utils import check_random_state

from skflow._estimators import plant_seeds
from skflow._sklearn import HasMethods, validate_params
from skflow.metrics._samples import check_samples

__all__ = ["classifier_two_sample_auc"]


@validate_params(
    {
        "X": ["array-like"],
        "Y": ["array-like"],
        "classifier": [HasMethods(["fit", "get_params"]), None],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,  # the classifier is the user's
)
def classifier_two_sample_auc(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    classifier: Any = None,
    cv: Any = 5,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """How well a classifier can tell two samples apart, on rows it was not fitted on.

    The classifier two-sample test (C2ST) by the area under the ROC curve (AUC).

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        One sample.

    Y : array-like of shape (n_samples_Y, n_features)
        The other sample. Sizes may differ: the AUC does not depend on them.

    classifier : classifier with `predict_proba` or `decision_function`, default=None
        Cloned before it is fitted; its `random_state`, if None, is set from this function's.
        If None, a :class:`~sklearn.ensemble.RandomForestClassifier` of 200 trees and balanced
        classes. Trees do not depend on the units of the columns.

    cv : int, cross-validation splitter or iterable, default=5
        Number of stratified folds, or a splitter. The rows are shuffled before any splitter sees
        them, since samplers such as :meth:`sklearn.mixture.GaussianMixture.sample` return rows
        grouped by component; an iterable of splits therefore indexes the shuffled rows.

    random_state : int, RandomState instance or None, default=None
        Shuffles the rows and seeds the classifier. Pass an int for reproducible results.

    Returns
    -------
    auc : float
        Mean over the folds of the AUC on the fold's own rows: 0.5 if the samples cannot be told
        apart, 1 if they can. Folds are averaged and not pooled, since scores of classifiers fitted
        on different folds do not compare. Well below 0.5 means that the samples share rows, for
        a shared row is judged by its twin in the other sample: a sign of copying.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if a sample has fewer rows than there are folds.

    Notes
    -----
    Costs as many fits of the classifier as there are folds.

    References
    ----------
    .. [1] D. Lopez-Paz and M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017.
       https://arxiv.org/abs/1610.06545
    .. [2] G. Forman and M. Scholz, "Apples-to-Apples in Cross-Validation Studies", SIGKDD
       Explorations 12, 2010, on averaging folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skflow.metrics import classifier_two_sample_auc
    >>> X, Y = np.random.default_rng(0).normal(size=(2, 300, 2))
    >>> auc = classifier_two_sample_auc(X, Y + 2, classifier=LogisticRegression(), random_state=0)
    >>> round(auc, 2)
    0.98
    """
    X, Y = check_samples(X=X, Y=Y)
    rng = check_random_state(random_state)
    if classifier is None:
        classifier = RandomForestClassifier(n_estimators=200, class_weight="balanced")
    else:
        classifier = clone(classifier)
    plant_seeds(classifier, rng)

    label = np.repeat([0, 1], [len(X), len(Y)])
    order = rng.permutation(len(label))
    rows, label = np.concatenate([X, Y])[order], label[order]

    cv = check_cv(cv, label, classifier=True)
    if isinstance(cv, StratifiedKFold) and min(len(X), len(Y)) < cv.n_splits:
        raise ValueError(
            f"X has {len(X)} rows and Y has {len(Y)}, too few for {cv.n_splits} folds: pass more "
            "rows, or a smaller cv."
        )
    aucs = cross_val_score(classifier, rows, label, cv=cv, scoring="roc_auc", error_score="raise")
    return float(aucs.mean())
