"""Gradients of log-odds against differences of probabilities, and what has no gradient."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import ensemble, neighbors
from sklearn import linear_model as lm
from sklearn import preprocessing as pre
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis as QDA
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression as LR
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import skflow.velocities._log_odds as module
from skflow.velocities._log_odds import check_differentiable, log_odds, log_odds_gradient

COLUMNS = np.array([1.0, 0.1, 20.0])  # their scales


def draw(n=150, seed=0):
    """Rows of two overlapping classes, in columns of different scales, and the classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    rows = rng.normal(size=(n, 3)) * (1 + 0.5 * y[:, None]) + 0.7 * y[:, None]
    return (rows + 1) * COLUMNS, y


def fitted(classifier, dtype=np.float64):
    rows, y = draw()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network need not have converged
        return classifier.fit(rows.astype(dtype), y)


def naive_gradient(classifier, Z, step=1e-3):
    """Differences of fourth order of the probabilities' log-odds, in units of the columns."""

    def h(k, e):
        p = classifier.predict_proba(Z + k * step * e * COLUMNS)
        return np.log(p[:, 1]) - np.log(p[:, 0])

    def slope(e):
        near, far = (h(k, e) - h(-k, e) for k in (1, 2))
        return (8 * near - far) / (12 * step)

    return np.transpose([slope(e) for e in np.eye(3)])


def network(activation, *layers, **kwargs):
    last = MLPClassifier(layers, activation=activation, max_iter=5, random_state=0, **kwargs)
    return make_pipeline(StandardScaler(), last)


def after_scaling(*steps):
    return make_pipeline(StandardScaler(), *steps)


ANALYTIC = {
    "logistic": LR(),
    "logistic-cv": lm.LogisticRegressionCV(
        Cs=2, cv=2, scoring="accuracy", use_legacy_attributes=False
    ),
    "lda": LinearDiscriminantAnalysis(),
    "sgd": after_scaling(lm.SGDClassifier(loss="log_loss", alpha=0.1, random_state=0)),
    "qda": QDA(reg_param=0.1),
    "naive": GaussianNB(),
    "identity": network("identity", 6, 4),
    "logistic-network": network("logistic", 20, 10, learning_rate_init=0.1),
    "tanh": network("tanh", 6, 4, 5),
    "relu": network("relu", 6, 4),
    "scalers": make_pipeline(pre.MinMaxScaler(), pre.MaxAbsScaler(), pre.RobustScaler(), LR()),
    "frames": make_pipeline(StandardScaler(), PCA(), network("tanh", 4)).set_output(
        transform="pandas"
    ),
    "unscaled": make_pipeline(StandardScaler(with_std=False), LR()),
    "pca": after_scaling(PCA(2), PolynomialFeatures(2), LR()),
    "whitened": make_pipeline(PCA(whiten=True), QDA()),
    "cubic": after_scaling(PolynomialFeatures(3), LR(max_iter=1000)),
    "interactions": after_scaling(
        PolynomialFeatures((2, 3), interaction_only=True, include_bias=False), LR()
    ),
    "nystroem": after_scaling(Nystroem(n_components=30, random_state=0), LR(C=9)),
    "nystroem-gamma": after_scaling(
        Nystroem(kernel_params={"gamma": 0.2}, n_components=10, random_state=0), LR()
    ),
    "cosines": after_scaling(RBFSampler(gamma=0.3, random_state=0), LR()),
    "nested": make_pipeline(after_scaling("passthrough"), None, network("tanh", 7)),
    "frozen": after_scaling(FrozenEstimator(LR().fit(*draw()))),
    "search": GridSearchCV(network("tanh", 3), {"mlpclassifier__alpha": [0.1, 1]}, cv=2),
}


@pytest.mark.parametrize("name", ANALYTIC)
@pytest.mark.filterwarnings("error")
def test_analytic_gradients(name, monkeypatch):
    classifier, Z = fitted(ANALYTIC[name]), draw(20, seed=1)[0]
    p = classifier.predict_proba(Z)
    assert_allclose(log_odds(classifier, Z), np.log(p[:, 1] / p[:, 0]), rtol=1e-8, atol=1e-10)
    numerical = module._central_differences(module._steps(classifier), Z, None)
    monkeypatch.delattr(module, "_central_differences")  # so that it is analytic indeed
    result = log_odds_gradient(classifier, Z)
    assert np.abs(result * COLUMNS).max() > 0.01
    kinks = 2 if name == "relu" else 0  # entries whose differences may step over one
    for expected in (naive_gradient(classifier, Z), numerical * COLUMNS):
        assert (~np.isclose(result * COLUMNS, expected, rtol=1e-6, atol=1e-6)).sum() <= kinks
    monkeypatch.setattr(module, "_ENTRIES", 20)
    assert_allclose(log_odds_gradient(classifier, Z), result, rtol=1e-9, atol=1e-12)  # in turns


class Odds(ClassifierMixin, BaseEstimator):
    """Has probabilities, but no logarithms of them."""

    def fit(self, X, y):
        self.model_ = LR().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


class Steeper(LR):
    """A subclass may compute anything: what is known of its parent is not to be relied on."""

    def decision_function(self, X):
        return super().decision_function(X) ** 3


NUMERICAL = {
    "unknown-step": after_scaling(pre.SplineTransformer(sparse_output=True), LR()),
    "unknown-kernel": after_scaling(Nystroem(kernel="poly", n_components=5, random_state=0), LR()),
    "clipped": make_pipeline(pre.MinMaxScaler((-9, 9), clip=True), LR()),
    "calibrated": after_scaling(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "bagging": ensemble.BaggingClassifier(GaussianNB(), 3, random_state=0),
    "probabilities-only": after_scaling(Odds()),
    "subclass": after_scaling(Steeper()),
}


@pytest.mark.parametrize("name", NUMERICAL)
def test_central_differences(name):
    classifier, Z = fitted(NUMERICAL[name]), draw(20, seed=1)[0]
    expected = naive_gradient(classifier, Z)
    assert np.abs(expected).max() > 0.01
    assert_allclose(log_odds_gradient(classifier, Z) * COLUMNS, expected, rtol=1e-5, atol=1e-6)
    one = log_odds_gradient(classifier, Z[:1], scale=COLUMNS)
    assert_allclose(one * COLUMNS, expected[:1], rtol=1e-5, atol=1e-6)
    single = log_odds_gradient(classifier, Z[:1].astype(np.float32))
    assert_allclose(single * COLUMNS, expected[:1], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["logistic", "qda", "tanh", "cubic", "nystroem", "cosines"])
def test_float32(name):
    classifier = fitted(ANALYTIC[name], np.float32)
    Z = draw(20, seed=1)[0].astype(np.float32)
    expected = naive_gradient(classifier, Z.astype(float))
    assert_allclose(log_odds_gradient(classifier, Z) * COLUMNS, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 9999))
def test_polynomials_of_any_degree(width, degree, interaction_only, bias, seed):
    features = PolynomialFeatures(
        degree, interaction_only=interaction_only, include_bias=bias or degree == 0
    )
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, size=(6, width)).astype(float)  # zeros among them
    gradient = rng.normal(size=features.fit_transform(rows).shape)
    result = module._through_polynomial(features, rows, gradient)
    for j, e in enumerate(np.eye(width, dtype=int)):
        lowered = np.prod(rows[:, None] ** np.maximum(features.powers_ - e, 0), axis=2)
        expected = (features.powers_[:, j] * lowered * gradient).sum(axis=1)
        assert_allclose(result[:, j], expected, atol=1e-10)


def test_far_rows_do_not_saturate():
    classifier, certain = fitted(after_scaling(LR())), fitted(Odds())
    Z = 1e3 * COLUMNS * np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 0.0]])
    slope = classifier[-1].coef_ / classifier[0].scale_
    assert_allclose(log_odds_gradient(classifier, Z), np.tile(slope, (2, 1)), rtol=1e-14)
    assert_allclose(np.diff(log_odds(classifier, Z)), slope @ (Z[1] - Z[0]), rtol=1e-12)
    assert np.abs(log_odds(classifier, Z)).min() > 100
    certain.model_.coef_ = np.array([[5.0, 0.0, 0.0]])
    assert np.isfinite(log_odds(certain, Z)).all()


GAUSSIANS = (np.zeros(2), np.diag([0.8, 1.5])), (np.array([1, -0.5]), [[1, 0.3], [0.3, 0.5]])


def score_difference(Z):
    scores = [(mean - Z) @ np.linalg.inv(C) for mean, C in GAUSSIANS]
    return scores[1] - scores[0]


def two_gaussians(n, seed=0):
    rng = np.random.default_rng(seed)
    rows = [rng.multivariate_normal(mean, C, n) for mean, C in GAUSSIANS]
    return np.concatenate(rows), np.repeat([0, 1], n)


quadratic = after_scaling(PolynomialFeatures(2), LR(C=np.inf, max_iter=500))


@pytest.mark.parametrize("classifier", [QDA(), quadratic])
def test_the_gradient_is_the_score_difference(classifier):
    Z = two_gaussians(200, seed=99)[0]

    def error(n):
        """Root mean square, of eight samples of n rows from each Gaussian."""
        models = (classifier.fit(*two_gaussians(n, seed)) for seed in range(8))
        errors = [log_odds_gradient(model, Z) - score_difference(Z) for model in models]
        return np.sqrt(np.square(errors).mean())

    few, many = error(500), error(16 * 500)
    # The model has the answer in it: errors fall as 1 / sqrt(n), by 4. Each mean square is that of
    # 8 samples with five slopes, some 40 degrees of freedom: 4 is good to within a third or so.
    assert 2.5 < few / many < 6.4
    # 5 slopes, each to about 1 / sqrt(n) for columns and Fisher information of order 1.
    assert many < 3 * np.sqrt(5 / 8000)


def test_known_gaussians_exactly():
    Z, y = two_gaussians(50)
    classifier = QDA().fit(Z, y)
    for k, (mean, C) in enumerate(GAUSSIANS):
        classifier.means_[k] = mean
        classifier.scalings_[k], classifier.rotations_[k] = np.linalg.eigh(C)
    assert_allclose(log_odds_gradient(classifier, Z), score_difference(Z), atol=1e-12)


tree = DecisionTreeClassifier()
PIECEWISE_CONSTANT = [
    tree,
    ensemble.RandomForestClassifier(),
    ensemble.ExtraTreesClassifier(),
    ensemble.GradientBoostingClassifier(),
    ensemble.HistGradientBoostingClassifier(),
    ensemble.AdaBoostClassifier(LR()),
    ensemble.BaggingClassifier(),
    ensemble.VotingClassifier([("a", tree), ("b", tree)], voting="soft"),
    ensemble.StackingClassifier([("a", LR())], final_estimator=tree),
    neighbors.KNeighborsClassifier(),
    neighbors.RadiusNeighborsClassifier(),
    DummyClassifier(),
    after_scaling(make_pipeline(tree)),
    make_pipeline(pre.KBinsDiscretizer(), LR()),
    GridSearchCV(make_pipeline(tree), {}),
    CalibratedClassifierCV(tree),
    CalibratedClassifierCV(LinearSVC(), method="isotonic"),
]
SMOOTH = [
    ensemble.BaggingClassifier(LR()),
    ensemble.VotingClassifier([("a", tree), ("b", LR())], voting="soft"),
    make_pipeline(SelectFromModel(tree), LR()),
    CalibratedClassifierCV(),
]


@pytest.mark.parametrize("classifier", PIECEWISE_CONSTANT, ids=str)
def test_piecewise_constant_classifiers_are_refused(classifier):
    with pytest.raises(ValueError, match=r"piecewise constant.*PolynomialFeatures.*MLPClassifier"):
        check_differentiable(classifier)


def test_refusals():
    for classifier in (*SMOOTH, *ANALYTIC.values(), *NUMERICAL.values()):
        check_differentiable(classifier)
    for last in (LinearSVC(), lm.RidgeClassifier(), lm.SGDClassifier(), lm.Perceptron()):
        for classifier in (last, after_scaling(last)):
            with pytest.raises(ValueError, match=f"{type(last).__name__}.*wrap it in Calibrated"):
                check_differentiable(classifier)
    for thing in (LR, StandardScaler(), "logistic", None, after_scaling(PCA())):
        with pytest.raises(TypeError, match="should be a scikit-learn classifier"):
            check_differentiable(thing)
    rows, y = draw()
    for labels in (y + 1, np.array(["q", "p"])[y], y + (rows[:, 0] > 1)):
        with pytest.raises(ValueError, match="zeros and ones"):
            log_odds_gradient(after_scaling(LR()).fit(rows, labels), rows)
    assert_array_equal(log_odds_gradient(fitted(tree), rows[:2]), 0)  # too few to tell
    with pytest.raises(ValueError, match="piecewise constant, or probabilities have saturated"):
        log_odds_gradient(fitted(make_pipeline(tree)), rows + 1e-3)
