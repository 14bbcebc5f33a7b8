"""The kernel denoiser against the paper; the trained denoiser against optima that are known."""

import pickle
from copy import deepcopy

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from skflow._kernels import kernel_mean
from skflow.denoisers import KernelDenoiser, RegressorDenoiser


def draw(dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 3)).astype(dtype) for n in (20, 70)]


@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_denoise_is_the_paper(sigma):
    Z, X = draw()
    denoiser = KernelDenoiser().fit(X)
    result = denoiser.denoise(Z, sigma)
    assert_allclose(result, naive.kernel_mean(Z, X, sigma)[0].astype(float), atol=1e-13)
    # Tweedie: the score is what denoising moves, over sigma^2 (equation 13)
    assert_allclose((result - Z) / sigma**2, naive.score(Z, X, sigma), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 5.0])
def test_weights_are_repeats(sigma):
    Z, X = draw()
    weights = np.arange(len(X)) % 3
    weighted = KernelDenoiser().fit(X, sample_weight=weights).denoise(Z, sigma)
    repeated = KernelDenoiser().fit(np.repeat(X, weights, axis=0)).denoise(Z, sigma)
    assert_allclose(weighted, repeated, atol=1e-13)
    assert not np.allclose(weighted, KernelDenoiser().fit(X).denoise(Z, sigma), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    Z, X = draw(dtype)
    result = KernelDenoiser().fit(X).denoise(Z, 1.0)
    assert result.dtype == dtype
    assert_array_equal(result, kernel_mean(Z, X, 1.0)[0])


def test_one_row_is_the_only_answer_and_refitting_forgets():
    Z, X = draw()
    denoiser = KernelDenoiser().fit(X, sample_weight=np.ones(len(X))).fit(X[:1])
    assert_array_equal(denoiser.denoise(100 * Z, 0.1), np.repeat(X[:1], len(Z), axis=0))
    with pytest.raises(NotFittedError):
        clone(denoiser).denoise(Z, 1.0)


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks in several threads are tens of times slower where cores are busy."""
    with threadpool_limits(1):
        yield


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what it was fitted on, and predicts a constant or, if asked to, the noise level."""

    def __init__(self, echo=False, random_state=None):
        self.echo = echo
        self.random_state = random_state

    def fit(self, X, y):
        self.features_, self.targets_ = X, y
        return self

    def predict(self, X):
        result = np.zeros((len(X), X.shape[1] - 1))
        return result + X[:, -1:] if self.echo else result


CENTERS = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
STD = 0.3


def draw_mixture(n_rows, seed):
    rng = np.random.default_rng(seed)
    return CENTERS[rng.integers(3, size=n_rows)] + STD * rng.normal(size=(n_rows, 2))


def optimum(Z, sigma):
    """E[x | z] of the mixture: a pull towards the centers, which noise finds blurred by STD."""
    variance = STD**2 + sigma**2
    centers = naive.kernel_mean(Z, CENTERS, np.sqrt(variance))[0].astype(float)
    return (sigma**2 * centers + STD**2 * Z) / variance


def denoising_loss(denoise, sigma, X):
    """Equation 39, on given clean rows."""
    Z = X + sigma * np.random.default_rng(99).normal(size=X.shape)
    return np.mean(np.sum((denoise(Z, sigma) - X) ** 2, axis=1))


def mean_loss(denoise, sigmas=(0.2, 0.6, 1.8)):
    """Denoising loss in units of that of the optimum, over new rows of the mixture and levels."""
    X = draw_mixture(1000, seed=98)
    ratios = [denoising_loss(denoise, s, X) / denoising_loss(optimum, s, X) for s in sigmas]
    return np.mean(ratios)


def edm(X, sigma):
    """c_skip, c_out and c_in of Karras et al., table 1, and the mean of the rows."""
    mean = X.mean(axis=0)
    sd = np.sqrt(((X - mean) ** 2).mean())
    total = np.sqrt(sigma**2 + sd**2)
    return sd**2 / total**2, sigma * sd / total, 1 / total, mean


@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0])
def test_a_regressor_of_zero_leaves_the_optimum_of_a_spherical_gaussian(sigma):
    X, Z = draw_mixture(50, 0), draw_mixture(20, 1)
    denoiser = RegressorDenoiser(Recorder()).fit(X, sigmas=[0.1, 30.0])
    c_skip, _, _, mean = edm(X, sigma)
    assert_allclose(denoiser.denoise(Z, sigma), mean + c_skip * (Z - mean), atol=1e-13)


def test_the_preconditioning_is_that_of_karras():
    X = draw_mixture(50, 0) + 4
    denoiser = RegressorDenoiser(Recorder(), random_state=0).fit(X, sigmas=[0.1, 10.0])
    features, targets = denoiser.regressor_.features_, denoiser.regressor_.targets_
    assert_allclose(denoiser.sigma_range_, [0.1 / 1.1, 11.0])
    sigmas = np.exp(features[:, -1:]) * np.sqrt(np.prod(denoiser.sigma_range_))
    c_skip, c_out, c_in, mean = edm(X, sigmas)
    Z = features[:, :-1] / c_in
    # what was noised and what the perfect answer gives back: 20 times each row, in their order
    assert_allclose(mean + c_skip * Z + c_out * targets, np.repeat(X, 20, axis=0), atol=1e-12)
    noise = (Z + mean - np.repeat(X, 20, axis=0)) / sigmas
    for columns, tolerance in [(noise, 0.1), (targets, 0.1), (features[:, :-1], 0.1)]:
        assert_allclose(columns.mean(axis=0), 0, atol=tolerance)
        assert_allclose(np.mean(columns**2), 1, atol=tolerance)
    assert abs(np.corrcoef(noise[:, 0], np.log(sigmas[:, 0]))[0, 1]) < 0.1
    levels = np.sort(np.log(sigmas[:, 0] / denoiser.sigma_range_[0]) / np.log(121))
    assert_allclose(levels, (np.arange(1000) + 0.5) / 1000, atol=0.5e-3 + 1e-9)  # log-uniform


def test_a_perfect_regressor_is_a_perfect_denoiser():
    X = draw_mixture(50, 0)
    denoiser = RegressorDenoiser(KNeighborsRegressor(1), random_state=0).fit(X, sigmas=[0.1, 10.0])
    # a Recorder without a seed would draw one, and see other noise
    twin = RegressorDenoiser(Recorder(random_state=0), random_state=0).fit(X, sigmas=[0.1, 10.0])
    features = twin.regressor_.features_[::50]
    sigmas = np.exp(features[:, -1]) * np.sqrt(np.prod(denoiser.sigma_range_))
    for i, sigma in enumerate(sigmas):
        _, _, c_in, mean = edm(X, sigma)
        result = denoiser.denoise(mean + features[[i], :-1] / c_in, sigma)
        assert_allclose(result, X[[i * 50 // 20]], atol=1e-12)


def test_levels_beyond_the_range_are_told_as_its_ends():
    X = draw_mixture(50, 0)
    denoiser = RegressorDenoiser(Recorder(echo=True), sigma_range=(0.5, 2.0)).fit(X)
    for sigma, told in [(0.01, 0.5), (0.5, 0.5), (0.8, 0.8), (2.0, 2.0), (70.0, 2.0)]:
        _, c_out, _, mean = edm(X, sigma)
        result = denoiser.denoise(mean[None], sigma)
        assert_allclose(result, mean[None] + c_out * np.log(told), atol=1e-13)


def test_ranges():
    X = draw_mixture(50, 0)
    sd = np.sqrt(X.var(axis=0).mean())
    denoiser = RegressorDenoiser(Recorder()).fit(X)
    assert_allclose(denoiser.sigma_data_, sd)
    assert_allclose(denoiser.sigma_range_, [sd / 20, 4 * np.sqrt(2) * sd])
    denoiser.partial_fit(3 * X, sigmas=0.7)
    assert_allclose(denoiser.sigma_data_, 3 * sd)
    assert_allclose(denoiser.sigma_range_, [0.7 / 1.1, 0.7 * 1.1])
    denoiser.partial_fit(X)
    assert_allclose(denoiser.sigma_range_, [0.7 / 1.1, 0.7 * 1.1])


def test_a_linear_regressor_learns_the_optimum_of_a_gaussian():
    rng = np.random.default_rng(0)
    root = np.array([[2.0, 0.0, 0.0], [0.5, 0.7, 0.0], [0.0, 0.3, 0.4]])
    X, Z = rng.normal(size=(4000, 3)) @ root.T + 1, rng.normal(size=(200, 3)) @ root.T + 1
    for sigma in (0.3, 1.0, 3.0):
        denoiser = RegressorDenoiser(LinearRegression(), random_state=0).fit(X, sigmas=sigma)
        S = np.cov(X.T)
        best = X.mean(axis=0) + (Z - X.mean(axis=0)) @ np.linalg.solve(S + sigma**2 * np.eye(3), S)
        result = denoiser.denoise(Z, sigma)
        assert np.std(result - best) < 0.02 * np.std(best)


def test_the_network_comes_close_to_the_optimum_of_a_mixture():
    X = draw_mixture(400, 0)
    denoiser = RegressorDenoiser(random_state=0).fit(X)
    spherical = RegressorDenoiser(Recorder()).fit(X)
    assert mean_loss(denoiser.denoise) < 1.1
    assert mean_loss(spherical.denoise) > 1.5
    # With this few rows, the kernel's own optimum for low noise is to return the rows.
    assert mean_loss(denoiser.denoise, [0.2]) < mean_loss(KernelDenoiser().fit(X).denoise, [0.2])


def network(**parameters):
    parameters = {"learning_rate_init": 0.01, "max_iter": 60, **parameters}
    return MLPRegressor(hidden_layer_sizes=(32,), **parameters)


REGRESSORS = {
    "trees": ExtraTreesRegressor(20, min_samples_leaf=5),
    "kernel ridge": KernelRidge(kernel="rbf", gamma=0.5),
    "neighbors": KNeighborsRegressor(20),
    "network": network(),
    "network, lbfgs": network(solver="lbfgs"),
    "network, early": network(early_stopping=True),
    "network, scaled": make_pipeline(StandardScaler(), network()),
    "boosting": GradientBoostingRegressor(n_estimators=30),
    "support vectors": SVR(),
}
UNCONVERGED = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@UNCONVERGED
@pytest.mark.parametrize("name", REGRESSORS)
def test_any_regressor_learns_and_learns_on_when_the_rows_have_moved(name):
    X = draw_mixture(300, 0)
    denoiser = RegressorDenoiser(REGRESSORS[name], n_draws=4, random_state=0)
    denoiser.fit(np.random.default_rng(1).normal(size=X.shape), sigmas=[0.2, 1.8])
    for _ in range(4):
        denoiser.partial_fit(X)
    fresh = clone(denoiser).fit(X, sigmas=[0.2, 1.8])
    zero = RegressorDenoiser(Recorder()).fit(X)  # knows where the rows are, and their spread
    assert mean_loss(fresh.denoise) < 1.3
    assert mean_loss(denoiser.denoise) < 1.3
    assert mean_loss(zero.denoise) > 1.6


def test_the_network_follows_rows_that_move():
    start, X = np.random.default_rng(1).normal(size=(300, 2)), draw_mixture(300, 0)
    denoiser = RegressorDenoiser(random_state=0).fit(start, sigmas=[0.2, 1.8])
    Z = start[:20]
    before = denoiser.denoise(Z, 1.0)
    denoiser.partial_fit(start + 3)
    assert_allclose(denoiser.denoise(Z + 3, 1.0), before + 3, atol=0.2)
    losses = []
    for _ in range(8):
        losses.append(mean_loss(denoiser.partial_fit(X).denoise))
    assert losses[0] > losses[-1]
    # eight times ten passes of 1000 rows; a fit has 21 of 6000
    fresh = clone(denoiser).fit(X, sigmas=[0.2, 1.8])
    assert losses[-1] < 1.05 * mean_loss(fresh.denoise)


@UNCONVERGED
def test_training_lowers_the_denoising_loss():
    X = draw_mixture(300, 0)
    slow = network(learning_rate_init=0.001, max_iter=1)
    denoiser = RegressorDenoiser(slow, n_draws=4, random_state=0)
    losses = [mean_loss(denoiser.partial_fit(X, sigmas=[0.2, 1.8]).denoise) for _ in range(8)]
    assert np.all(np.diff(losses) < 0)
    assert losses[-1] < 0.75 * losses[0]


@UNCONVERGED
@pytest.mark.parametrize("scaled", [False, True])
def test_a_warm_start_goes_on_from_its_coefficients(scaled):
    X = draw_mixture(300, 0)
    regressor = network(solver="lbfgs", max_iter=5)
    regressor = make_pipeline(StandardScaler(), regressor) if scaled else regressor
    denoiser = RegressorDenoiser(regressor, n_draws=4, random_state=0).fit(X, sigmas=[0.2, 1.8])
    start = mean_loss(denoiser.denoise)
    for _ in range(8):
        denoiser.partial_fit(X)
    assert mean_loss(denoiser.denoise) - 1 < 0.5 * (start - 1)


def test_one_column_at_a_time():
    X = draw_mixture(300, 0)
    regressor = SGDRegressor()
    denoiser = RegressorDenoiser(regressor, random_state=0).fit(X, sigmas=[0.5])
    wrapped = RegressorDenoiser(MultiOutputRegressor(regressor), random_state=0)
    wrapped.fit(X, sigmas=[0.5])
    for _ in range(2):
        assert isinstance(denoiser.regressor_, MultiOutputRegressor)
        result = denoiser.denoise(X, 0.5)
        assert_array_equal(result, wrapped.denoise(X, 0.5))
        for one in (denoiser, wrapped):
            seen = one.regressor_.estimators_[0].t_
            one.partial_fit(X[:200])
            assert one.regressor_.estimators_[0].t_ == seen + 10 * 1000
    assert not hasattr(regressor, "coef_")


@UNCONVERGED
@pytest.mark.parametrize("name", [*REGRESSORS, "default"])
def test_one_feature(name):
    X = draw_mixture(200, 0)[:, :1]  # at -2, 0 and 2
    denoiser = RegressorDenoiser(REGRESSORS.get(name), n_draws=2, random_state=0)
    denoiser.fit(X, sigmas=0.5).partial_fit(X)
    result = denoiser.denoise(np.array([[-2.5], [2.5]]), 0.5)
    assert_allclose(result, [[-2.1], [2.1]], atol=0.25)


def test_weighted_rows_are_repeated_rows():
    X = draw_mixture(60, 0)
    weights = np.arange(60) % 4
    repeated = np.repeat(X, weights, axis=0)
    denoisers = [
        RegressorDenoiser(Recorder(), n_draws=30, random_state=0).fit(X, sample_weight=weights / 7),
        RegressorDenoiser(Recorder(), n_draws=15, random_state=0).fit(repeated),
    ]
    Z = draw_mixture(20, 1)
    a, b = denoisers
    assert_allclose(a.mean_, b.mean_, rtol=1e-12)
    assert_allclose(a.sigma_data_, b.sigma_data_, rtol=1e-12)
    assert len(a.regressor_.features_) == len(b.regressor_.features_) == 15 * 90
    assert_allclose(a.regressor_.features_, b.regressor_.features_, atol=1e-12)
    assert_allclose(a.regressor_.targets_, b.regressor_.targets_, atol=1e-12)
    assert_allclose(a.denoise(Z, 0.5), b.denoise(Z, 0.5), atol=1e-12)
    a.partial_fit(X[:3], sample_weight=[0.0, 2.0, 0.0])
    assert_allclose(a.denoise(Z, 0.5), np.repeat(X[1:2], 20, axis=0))


def test_place_and_unit_do_not_matter():
    X, Z = draw_mixture(100, 0), draw_mixture(20, 1)
    denoiser = RegressorDenoiser(LinearRegression(), random_state=0)
    moved = clone(denoiser).fit(100 * X + 7, sigmas=[50.0])
    denoiser.fit(X, sigmas=[0.5])
    for _ in range(2):
        expected = 100 * denoiser.denoise(Z, 0.5) + 7
        assert_allclose(moved.denoise(100 * Z + 7, 50.0), expected, rtol=1e-9)
        denoiser.partial_fit(X[:50])
        moved.partial_fit(100 * X[:50] + 7)


@pytest.mark.parametrize("sigmas", [None, 1.0])
def test_one_row_is_the_only_answer(sigmas):
    X = np.array([[0.1, 0.7]])
    denoiser = RegressorDenoiser(Recorder(echo=True)).fit(X, sigmas=sigmas)
    assert_array_equal(denoiser.denoise(np.eye(2), 3.0), np.repeat(X, 2, axis=0))


@UNCONVERGED
@pytest.mark.parametrize("name", ["default", "network", "trees", "network, scaled"])
def test_the_seed_decides(name):
    X, Z = draw_mixture(100, 0), draw_mixture(20, 1)
    denoiser = RegressorDenoiser(REGRESSORS.get(name), n_draws=1, random_state=3)
    a, b = (clone(denoiser).fit(X, sigmas=[0.2, 2.0]) for _ in range(2))
    assert_array_equal(a.denoise(Z, 0.5), b.denoise(Z, 0.5))
    other = clone(denoiser).set_params(random_state=4).fit(X, sigmas=[0.2, 2.0])
    assert not np.allclose(a.denoise(Z, 0.5), other.denoise(Z, 0.5), atol=1e-6)

    copies = [deepcopy(a), pickle.loads(pickle.dumps(a)), b]
    before = a.denoise(Z, 0.5)
    results = [copy.partial_fit(X + 1).denoise(Z, 0.5) for copy in copies]
    assert_array_equal(a.denoise(Z, 0.5), before)
    a.partial_fit(X + 1)
    for result in results:
        assert_array_equal(result, a.denoise(Z, 0.5))
    if denoiser.regressor is not None:
        assert all(
            value is None
            for key, value in denoiser.regressor.get_params().items()
            if key.endswith("random_state")
        )


def test_each_pass_sees_new_noise():
    X = draw_mixture(100, 0)
    denoiser = RegressorDenoiser(Recorder(), random_state=np.random.RandomState(0)).fit(X)
    seen = [denoiser.regressor_.features_]
    seen.append(denoiser.partial_fit(X).regressor_.features_)
    seen.append(denoiser.fit(X).regressor_.features_)  # the state of the generator has moved on
    for i, j in [(0, 1), (1, 2), (0, 2)]:
        assert not np.any(seen[i] == seen[j])
    assert denoiser.regressor_.random_state is not None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_trained_denoiser_keeps_the_dtype(dtype):
    X, Z = (draw_mixture(n, n).astype(dtype) for n in (50, 20))
    denoiser = RegressorDenoiser(Recorder(), random_state=0).fit(X)
    assert denoiser.regressor_.features_.dtype == denoiser.regressor_.targets_.dtype == dtype
    assert denoiser.denoise(Z, 1.0).dtype == dtype
    assert denoiser.denoise(Z.astype(np.float64), 1.0).dtype == np.float64
    default = RegressorDenoiser(n_draws=1, random_state=0).fit(X).denoise(Z, 1.0)
    assert default.dtype == dtype


def test_few_rows_are_copied_more_often():
    denoiser = RegressorDenoiser(Recorder(), n_draws=2).fit(draw_mixture(7, 0))
    assert len(denoiser.regressor_.features_) == 1000
    denoiser.fit(draw_mixture(700, 0))
    assert len(denoiser.regressor_.features_) == 1400


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"regressor": KNeighborsClassifier()}, {}, "KNeighborsClassifier is none"),
        ({"regressor": StandardScaler()}, {}, "regressor"),
        ({"regressor": SVR}, {}, "pass an instance"),
        ({"n_draws": 0}, {}, "n_draws"),
        ({"n_passes": 0}, {}, "n_passes"),
        ({"sigma_range": (2.0, 1.0)}, {}, "sigma_range must be a pair"),
        ({"sigma_range": (0.0, 1.0)}, {}, "sigma_range must be a pair"),
        ({"sigma_range": (0.5, 1.0, 2.0)}, {}, "sigma_range must be a pair"),
        ({"sigma_range": 1.0}, {}, "sigma_range"),
        ({}, {"sigmas": []}, "sigmas must be positive"),
        ({}, {"sigmas": [1.0, -1.0]}, "sigmas must be positive"),
        ({}, {"sigmas": [1.0, np.nan]}, "sigmas must be positive"),
        ({}, {"sample_weight": np.zeros(20)}, "at least one non-zero"),
        ({}, {"sample_weight": -np.ones(20)}, "[Nn]egative"),
        ({}, {"X": [[np.nan, 0.0]]}, "NaN"),
    ],
)
def test_fit_says_what_is_wrong(parameters, arguments, message):
    denoiser = RegressorDenoiser(**{"regressor": Recorder(), **parameters})
    with pytest.raises(ValueError, match=message):
        denoiser.fit(**{"X": draw_mixture(20, 0), **arguments})
    with pytest.raises(ValueError, match=message):
        denoiser.partial_fit(**{"X": draw_mixture(20, 0), **arguments})


def test_what_is_wrong_in_a_refit_changes_nothing():
    X, Z = draw_mixture(20, 0), draw_mixture(5, 1)
    denoiser = RegressorDenoiser(LinearRegression(), random_state=0).fit(X)
    before = denoiser.denoise(Z, 1.0)
    for arguments in ({"X": X[:, :1]}, {"X": X + 1, "sigmas": [0.0]}):
        with pytest.raises(ValueError, match=r"features|sigmas"):
            denoiser.partial_fit(**arguments)
    assert_array_equal(denoiser.denoise(Z, 1.0), before)


def test_denoise_says_what_is_wrong():
    X = draw_mixture(20, 0)
    with pytest.raises(NotFittedError):
        RegressorDenoiser().denoise(X, 1.0)
    denoiser = RegressorDenoiser(Recorder()).fit(X)
    for sigma in (0, -1.0, np.nan, np.inf, "1", [1.0]):
        with pytest.raises(ValueError, match="sigma must be a positive"):
            denoiser.denoise(X, sigma)
    with pytest.raises(ValueError, match="features"):
        denoiser.denoise(X[:, :1], 1.0)
