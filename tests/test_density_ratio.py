"""The classifier's velocity against the others, and what it carries from step to step."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import skflow.velocities._density_ratio as module
from skflow.velocities import ScoreDifference
from skflow.velocities._density_ratio import DensityRatio
from skflow.velocities._log_odds import log_odds, log_odds_gradient

MLP = MLPClassifier((10,), max_iter=4)
LR = LogisticRegression()
QDA = QuadraticDiscriminantAnalysis()
SHRUNK = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto")
QUADRATIC = make_pipeline(
    StandardScaler(), PolynomialFeatures(2, include_bias=False), LogisticRegression(max_iter=1000)
)


def draw(n=200, width=2, seed=0, dtype=np.float64):
    """Particles at a distance from a target of another shape."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, width)) * np.linspace(0.5, 1, width)
    return X.astype(dtype), (rng.normal(size=(n, width)) * 1.2 + 1).astype(dtype)


def ready(classifier=QUADRATIC, random_state=0, **kwargs):
    velocity = DensityRatio(classifier, random_state=random_state, **kwargs)
    return clone(velocity).fit(draw()[0])


def same(first, second):
    """Whether two learned things are the same, bit for bit."""
    Z = draw(50, seed=3)[0]
    return np.array_equal(log_odds(first.classifier, Z), log_odds(second.classifier, Z))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    ("classifier", "width"),
    [(QUADRATIC, 2), (SHRUNK, 25), (QDA, 2), (LogisticRegression(C=np.inf), 2)],
)
def test_two_gaussians(classifier, width, smooth):
    X, Y = draw(20_000, width)
    sigma, shape_x, shape_y = 0.8, np.linspace(0.5, 1, width), 1.2
    if type(classifier) is LogisticRegression:  # it sees a shift only
        Y, shape_y = (Y - 1) / 1.2 * shape_x + 1, shape_x
    Z = draw(100, width, seed=1)[1]
    noise = smooth * sigma**2
    exact = sigma**2 * (-Z / (shape_x**2 + noise) + (Z - 1) / (shape_y**2 + noise))
    error = ready(classifier, smooth=smooth).fit(X)(Z, X, Y, sigma) - exact
    # Slopes of 20000 rows err by 1 / sqrt(20000) = 0.7 % or so; each is a sum of one per column.
    assert np.linalg.norm(error) < 0.01 * (2 + np.sqrt(width)) * np.linalg.norm(exact)


def test_smoothed_it_approximates_the_kernel_velocity():
    X, Y = draw(1000)
    expected = ScoreDifference().fit(X)(Y, X, Y, 2.0)
    result = ready()(Y, X, Y, 2.0)
    assert np.corrcoef(result.ravel(), expected.ravel())[0, 1] > 0.9
    assert np.linalg.norm(result - expected) < 0.2 * np.linalg.norm(expected)
    # Without the noise it is far from it: the smoothed distributions are wider, and more alike.
    sharp = ready(smooth=False)(Y, X, Y, 2.0)
    assert np.linalg.norm(sharp - expected) > 2 * np.linalg.norm(expected)


def test_where_the_rows_are_the_same_there_is_no_velocity():
    X, _ = draw()
    for classifier in (QUADRATIC, QDA, LR):
        assert_allclose(ready(classifier)(X, X, X.copy(), 1.0), 0, atol=1e-10)


def test_non_saturating_is_slower_by_one_minus_f():
    X, Y = draw()
    learned = ready().learn(X, Y, 1.0)
    plain = ready()(Y, X, Y, 1.0, learned=learned)
    slower = ready(loss="non-saturating")(Y, X, Y, 1.0, learned=learned)
    one_minus_f = learned.classifier.predict_proba(Y)[:, :1]
    assert one_minus_f.min() < 0.5 < one_minus_f.max()
    assert_allclose(slower, plain * one_minus_f, rtol=1e-6)
    assert_allclose(plain, log_odds_gradient(learned.classifier, Y), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_interface(dtype):
    X, Y = draw(dtype=dtype)
    weights = np.arange(len(X)) % 3
    velocity = ready()
    result = velocity(Y[:7], X, Y, 0.5, sample_weight=weights, own=object())
    learned = velocity.learn(X, Y, 0.5, sample_weight=weights)
    assert result.dtype == dtype and result.shape == (7, 2)
    assert_array_equal(velocity(Y[:7], X, Y, 0.5, learned=learned), result)
    assert same(pickle.loads(pickle.dumps(learned)), learned)
    unseeded = [DensityRatio().fit(X).seed_ for _ in range(3)]
    assert len(set(unseeded)) > 1


@pytest.mark.parametrize(
    ("classifier", "tolerance"),
    [
        (LogisticRegression(C=np.inf), 1e-3),  # to the tolerance of its search
        (make_pipeline(make_pipeline(GaussianNB())), 1e-7),
        # They take no weights: 2000 rows are drawn instead of all, an error of 1 / sqrt(2000).
        (QDA, 0.08),
        (GridSearchCV(make_pipeline(QDA), {}, cv=2), 0.08),
    ],
)
def test_weights_repeat_rows(classifier, tolerance):
    X, Y = draw(2000)
    Z, velocity = draw(50, seed=2)[0], ready(classifier, smooth=False)
    weights = np.where(X[:, 0] > 0.2, 3, 1)
    expected = velocity(Z, np.repeat(X, weights, axis=0), Y, 0.5)
    size = np.abs(expected).max()
    weighted = velocity(Z, X, Y, 0.5, sample_weight=weights)
    assert_allclose(weighted, expected, rtol=0, atol=tolerance * size)
    assert np.abs(velocity(Z, X, Y, 0.5) - expected).max() > 0.2 * size
    noised = ready(classifier)(Z, X, Y, 0.1, sample_weight=weights) / 0.1**2 * 0.5**2
    assert_allclose(noised, expected, rtol=0, atol=0.2 * size)


@pytest.mark.parametrize("classifier", [LogisticRegression(C=np.inf), QDA])
def test_both_sides_count_the_same(classifier):
    X, Y = draw(2000)
    velocity = ready(classifier, smooth=False)
    all_of_both = velocity.learn(X, Y, 1.0).classifier
    lopsided = velocity.learn(X, Y[:100], 1.0, sample_weight=np.full(len(X), 7.0)).classifier
    change = log_odds(lopsided, Y) - log_odds(all_of_both, Y)
    assert abs(np.median(change)) < 0.5  # rather than log(20) = 3


def test_few_rows_are_noised_several_times():
    X, weights = np.array([[0.0, 10.0], [5.0, 5.0]]), np.array([1.0, 2.0])
    rows, repeated = module._smoothed(X, weights, 0.1, 0)
    assert len(rows) == len(repeated) == 2000
    assert_allclose(rows.reshape(-1, 2, 2).mean(axis=0), X, atol=1e-12)
    assert_allclose((rows.reshape(-1, 2, 2) - X).std(axis=0), 0.1, rtol=0.1)
    assert_array_equal(repeated[:4], [1, 2, 1, 2])
    assert len(module._smoothed(np.zeros((2001, 1)), None, 0.1, 0)[0]) == 2001


NETWORK = make_pipeline(StandardScaler(), MLP)
STOPPER = MLPClassifier((10,), max_iter=5, early_stopping=True)


@pytest.mark.parametrize(
    "classifier",
    [
        None,
        QUADRATIC,
        MLP,
        NETWORK,
        STOPPER,
        MLPClassifier((5,), solver="lbfgs", max_iter=20),
        SGDClassifier(loss="log_loss", alpha=0.1),
        make_pipeline(StandardScaler(), Nystroem(n_components=20), LR),
        make_pipeline(RBFSampler(), StandardScaler(), SGDClassifier(loss="log_loss", alpha=0.1)),
        BaggingClassifier(LR, 3),
        QDA,
    ],
    ids=lambda classifier: repr(classifier)[:40],
)
def test_learning_goes_on_from_what_was_learned(classifier):
    X, Y = draw()
    velocity = ready(classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = velocity.learn(X, Y, 1.0)
        before = pickle.dumps(first)
        warm = velocity.learn(X, Y - 0.1, 1.0, learned=first)
    assert same(velocity.learn(X, Y, 1.0), first)
    assert same(velocity.learn(X, Y - 0.1, 1.0, learned=first), warm)
    assert same(velocity.learn(X, Y - 0.1, 1.0, learned=pickle.loads(before)), warm)
    assert same(first, pickle.loads(before)) and (first.times, warm.times) == (1, 2)
    assert (
        first.classifier.get_params().keys() == pickle.loads(before).classifier.get_params().keys()
    )
    assert not same(warm, first)
    assert not same(velocity.learn(X, Y, 1.0, learned=first), first)  # new noise, if nothing else
    if classifier is not None:
        assert not hasattr(velocity.classifier, "classes_")
    if classifier is not QDA:
        assert not same(ready(classifier, random_state=1).learn(X, Y, 1.0), first)


def test_a_network_keeps_its_features_and_learns_more():
    X, Y = draw()
    velocity = ready(NETWORK)
    first = learned = velocity.learn(X, Y, 1.0)
    for _ in range(5):
        learned = velocity.learn(X, Y + 1, 1.0, learned=learned)
    assert_array_equal(learned.classifier[0].mean_, first.classifier[0].mean_)
    assert learned.classifier[-1].t_ == 14 / 4 * first.classifier[-1].t_  # 4, and 2 at each step
    scores = [c.classifier.score(*module._halves(X, Y + 1, None)[:2]) for c in (first, learned)]
    assert scores[1] > scores[0] + 0.05
    # One best answer, found from wherever it starts; its features are those of these rows.
    convex = ready(make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8)), smooth=False)
    warm = convex.learn(X, Y + 1, 1.0, learned=convex.learn(X, Y, 1.0)).classifier
    cold = convex.learn(X, Y + 1, 1.0).classifier
    assert_allclose(log_odds(warm, X), log_odds(cold, X), rtol=1e-5, atol=1e-5)
    assert warm[-1].n_iter_[0] > 0 and not np.array_equal(warm[-1].coef_, cold[-1].coef_)


def test_a_warm_start_is_cheaper():
    X, Y = draw(2000)
    velocity = ready(LogisticRegression(C=np.inf, tol=1e-6), smooth=False)
    first = velocity.learn(X, Y, 1.0)
    again = velocity.learn(X, Y, 1.0, learned=first)
    assert again.classifier.n_iter_[0] < first.classifier.n_iter_[0]


def test_the_default_sees_more_than_means_and_covariances():
    X, _ = make_moons(500, noise=0.05, random_state=0)
    Y = np.random.default_rng(0).multivariate_normal(X.mean(axis=0), np.cov(X.T), size=500)
    expected = ScoreDifference().fit(X)(Y, X, Y, 0.3)
    correlations = [
        np.corrcoef(ready(classifier)(Y, X, Y, 0.3).ravel(), expected.ravel())[0, 1]
        for classifier in (None, QUADRATIC)
    ]
    assert correlations[0] > 0.7 > 0.3 > correlations[1]


def test_errors():
    X, Y = draw()
    for parameters, match in [
        ({"classifier": DecisionTreeClassifier()}, "piecewise constant"),
        ({"classifier": make_pipeline(StandardScaler(), LinearSVC())}, "CalibratedClassifierCV"),
    ]:
        with pytest.raises(ValueError, match=match):
            DensityRatio(**parameters).fit(X)
    with pytest.raises(TypeError, match="should be a scikit-learn classifier"):
        DensityRatio(StandardScaler()).fit(X)
    for use in (DensityRatio().learn, lambda *rows: DensityRatio()(X, *rows)):
        with pytest.raises(NotFittedError):
            use(X, Y, 1.0)
