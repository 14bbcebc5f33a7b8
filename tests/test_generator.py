"""SDFlowGenerator: Algorithm 2 to the letter, any regressor, any velocity, any inputs."""

import pickle
import re
import warnings

import naive
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_moons
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDRegressor
from sklearn.mixture import GaussianMixture
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import skflow
from skflow import ClasswiseSampler, SDFlowGenerator
from skflow._flow import NOISE, TARGET_ORDER, ParticleFlow
from skflow.denoisers import KernelDenoiser, RegressorDenoiser
from skflow.metrics import (
    characteristic_function_distance,
    characteristic_function_threshold,
    energy_distance,
)
from skflow.velocities import MMD, DensityRatio, ScoreDifference, Stein

X = np.random.default_rng(0).normal([4, -3], [1, 0.5], size=(80, 2))
BASE = np.random.default_rng(1).normal(size=(70, 2))
NETWORK = MLPRegressor(hidden_layer_sizes=(16,), learning_rate_init=0.01, max_iter=100)


class Tiny(RegressorMixin, BaseEstimator):
    """``[1, xi] theta`` or its sine; `partial_fit` is one gradient step on equation 26."""

    start = np.cos(np.arange(6)).reshape(3, 2)  # what it generates before it has learned

    def __init__(self, rate=0.0005, link="linear"):
        self.rate = rate
        self.link = link

    def fit(self, features, y):
        self.theta_ = np.linalg.lstsq(_with_ones(features), y, rcond=None)[0]
        return self

    def partial_fit(self, features, y):
        theta, rows = getattr(self, "theta_", self.start), _with_ones(features)
        slope = 1.0 if self.link == "linear" else np.cos(rows @ theta)
        self.theta_ = theta - self.rate * rows.T @ (slope * (self.predict(features) - y))
        self.shown_ = [*getattr(self, "shown_", []), features]
        return self

    def predict(self, features):
        values = _with_ones(features) @ getattr(self, "theta_", self.start)
        return values if self.link == "linear" else np.sin(values)


def _with_ones(features):
    return np.column_stack([np.ones(len(features)), features])


class Watched(BaseEstimator):
    """A velocity that learns to count, and writes down what happens to it."""

    log = []

    def fit(self, X, sample_weight=None):
        return self

    def learn(self, X, Y, sigma, sample_weight=None, learned=None):
        learned = 1 if learned is None else learned + 1
        self.log.append(("learn", learned, sigma, Y))
        return learned

    def __call__(self, Z, X, Y, sigma, sample_weight=None, own=None, learned=None):
        self.log.append(("call", learned, sigma, Y))
        return 0.1 - 0.0 * Z


@pytest.fixture
def log():
    Watched.log.clear()
    return Watched.log


def generator(regressor=None, **params):
    regressor = LinearRegression() if regressor is None else regressor
    params = {"bandwidth": 1.0, "n_steps": 5, "batch_size": 100, **params}
    return SDFlowGenerator(regressor, random_state=0).set_params(**params)


def raw(regressor=None, **params):
    """In the units of the data but for the origin, which is the mean of the target."""
    return generator(regressor, **{"covariance_type": "spherical", "init": "random", **params})


# --- Algorithm 2 and section 5.1 -----------------------------------------------------------------


@pytest.mark.parametrize("noise_scale", [0.0, 0.7])
@pytest.mark.parametrize("batch_size", [100, 30], ids=["all", "mini-batches"])
@pytest.mark.parametrize("X_base", [None, BASE], ids=["normal", "rows"])
def test_algorithm_2(noise_scale, batch_size, X_base, monkeypatch):
    def eta(t):
        return 0.5 - 0.3 * t

    flows, init = [], ParticleFlow.init
    monkeypatch.setattr(
        ParticleFlow, "init", lambda f, *a, **k: flows.append(f) or init(f, *a, **k)
    )
    params = {"schedule": "cosine", "step_size": eta, "bandwidth": 0.8}
    g = raw(Tiny(), noise_scale=noise_scale, batch_size=batch_size, **params).fit(X, X_base=X_base)
    inputs, times = g.regressor_.shown_, np.linspace(0, 1, 5)
    n_rows = min(batch_size, 100 if X_base is None else len(X_base))
    assert [rows.shape for rows in inputs] == [(n_rows, 2)] * 5
    batches = [(X - X.mean(axis=0))[flows[0]._batch(len(X), k, TARGET_ORDER)] for k in range(5)]
    assert all(len(rows) <= batch_size for rows in batches)
    noises = [noise_scale * flows[0].rng(k, NOISE).standard_normal((n_rows, 2)) for k in range(5)]
    sigmas = 0.8 * naive.cosine_sigma(times, 4.0, 1.0)
    start = Tiny.start
    expected = naive.model_optimization(
        batches, inputs, start, sigmas, eta(times), Tiny().rate, noises
    )
    assert np.abs(expected - start).max() > 0.01
    assert_allclose(g.regressor_.theta_, expected, rtol=1e-9)


def test_moving_and_regressing_is_one_gradient_step_on_the_loss():
    def loss(theta, xi, sigma):
        """n / 2 times the squared MMD: minus equation 47 is its gradient by a generated row."""
        y = np.sin(_with_ones(xi) @ theta)
        own, cross, _ = (
            naive.kernel(a[:, None], b[None], sigma).mean()
            for a, b in [(y, y), (y, target), (target, target)]
        )
        return len(xi) / 2 * (own - 2 * cross)

    target, sigma, lambda_1, lambda_2 = X - X.mean(axis=0), 1.5, 0.3, 0.05
    params = {"step_size": lambda_1, "noise_scale": 0, "bandwidth": sigma}
    g = raw(Tiny(lambda_2, link="sin"), velocity=MMD(), **params)
    theta = Tiny.start
    for _ in range(3):
        g.partial_fit(X, X_base=BASE)
        xi = g.regressor_.shown_[-1]
        gradient = np.zeros_like(theta)
        for index in np.ndindex(*theta.shape):  # by a step into the complex plane: no rounding
            shifted = theta.astype(complex)
            shifted[index] += 1e-200j
            gradient[index] = loss(shifted, xi, sigma).imag / 1e-200
        step = g.regressor_.theta_ - theta
        assert np.abs(step).max() > 1e-3
        assert_allclose(step, -lambda_1 * lambda_2 * gradient, rtol=0, atol=1e-14)
        theta = g.regressor_.theta_


# --- regressors ----------------------------------------------------------------------------------

# How many times closer to the target than the base the generated rows are, at least. Measured:
# 4.3 and 12 for the network, 2.7 and 2.0 for it after a scaler, 14 to 1400 for the others.
REGRESSORS = {
    "network": (NETWORK, 2),
    "linear": (LinearRegression(), 10),
    "single output": (SGDRegressor(), 5),
    "columns": (MultiOutputRegressor(SGDRegressor()), 5),
    "trees": (ExtraTreesRegressor(10), 10),
    "kernel ridge": (KernelRidge(alpha=0.01, kernel="rbf"), 10),
    "pipeline": (make_pipeline(StandardScaler(), NETWORK), 1.5),
    "pipeline of a single output": (make_pipeline(StandardScaler(), SGDRegressor()), 5),
}


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_any_regressor(name, d):
    regressor, factor = REGRESSORS[name]
    before = pickle.dumps(regressor)
    rows, base = X[:, :d], BASE[:, :d]
    g = generator(regressor, n_steps=40).fit(rows, X_base=base)
    assert pickle.dumps(regressor) == before and g.regressor_ is not regressor
    assert g.particles_.shape == (70, d) and g.sample(3).shape == (3, d)
    assert energy_distance(g.particles_, rows) < energy_distance(base, rows) / factor
    assert_allclose(g.transform(base), g.particles_, rtol=0, atol=1e-9)
    assert_array_equal(clone(g).fit(rows, X_base=base).particles_, g.particles_)


@pytest.mark.parametrize(
    "regressor", [SGDRegressor(), clone(NETWORK).set_params(early_stopping=True)]
)
def test_a_random_start_of_regressors_that_cannot_say(regressor):
    assert generator(regressor, init="random").fit(X).particles_.shape == (100, 2)


BAD = {
    "classifier": ({"regressor": LogisticRegression()}, {}, "LogisticRegression is none"),
    "class": ({"regressor": LinearRegression}, {}, "regressor is the class LinearRegression"),
    "not an estimator": ({"regressor": 3}, {}, "implementing 'fit'.* or None"),
    "latent and X_base": ({"n_latent": 2}, {"X_base": BASE}, "X_base for rows.*leave one out"),
    "latent and base": ({"n_latent": 2, "base": BASE}, {}, "base for rows.*leave one out"),
    "random": ({"init": "random"}, {}, 'needs a regressor with partial_fit.*Use init="base"'),
    "init": ({"init": "zero"}, {}, "among {'.*', '.*'}"),
    "n_latent": ({"n_latent": 0}, {}, r"an int in the range \[1, inf\) or None"),
    "batch_size": ({"batch_size": None}, {}, r"an int in the range \[1, inf\)"),
    "warm_start": ({"warm_start": "yes"}, {}, "an instance of 'bool'"),
    "divergence": ({"step_size": 1e9}, {}, "diverged at step .*smaller step_size"),
}


def everything(g):
    return [g.sample(5, 0), g.transform(BASE), g.score_samples(X), g.particles_, g.history_]


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("bad", BAD)
def test_errors_leave_what_was_fitted(bad, warm_start):
    params, arguments, words = BAD[bad]
    g = generator(KernelRidge()).fit(X)
    before = everything(g)
    g.set_params(warm_start=warm_start).set_params(**params)
    with pytest.raises((ValueError, FloatingPointError), match=f"(?s){words}"):
        g.fit(X, **arguments)
    assert_same(everything(g), before)


# --- velocities ----------------------------------------------------------------------------------

VELOCITIES = {
    "MMD": (MMD(scaled=True), 20),
    "Stein": (Stein(), 2),
    "score": (Stein(target_score=lambda Y: -(Y - [4, -3]) / [1, 0.25]), 2),
    "denoisers": (ScoreDifference(target=KernelDenoiser(), source=KernelDenoiser()), 5),
    "classifier": (DensityRatio(QuadraticDiscriminantAnalysis(solver="eigen")), 5),
}


@pytest.mark.parametrize("name", VELOCITIES)
def test_any_velocity(name):
    velocity, factor = VELOCITIES[name]
    g = generator(velocity=velocity, n_steps=60, bandwidth=4.0).fit(X, X_base=BASE)
    assert energy_distance(g.particles_, X) < energy_distance(BASE, X) / factor
    assert g.velocity is velocity and not any(name.endswith("_") for name in vars(velocity))


@pytest.mark.parametrize("regressor", [LinearRegression(), Tiny()], ids=["rounds", "partial_fit"])
def test_a_velocity_learns_on_from_step_to_step(regressor, log):
    generator(regressor, velocity=Watched(), n_steps=25).fit(X)
    assert [entry[:2] for entry in log] == [(w, k) for k in range(1, 26) for w in ("learn", "call")]
    for learned, called in zip(log[::2], log[1::2], strict=True):  # of the rows that it then moves
        assert_array_equal(learned[3], called[3])


# --- inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_latent", [1, 2, 5])
def test_latents_begin_as_principal_components(n_latent):
    g = generator(n_latent=n_latent, n_steps=1, step_size=1e-12).fit(X)
    eye = np.eye(n_latent)
    origin, axes = g.generate(0 * eye[:1]), g.generate(eye) - g.generate(0 * eye)
    values, vectors = np.linalg.eigh(np.corrcoef(X.T))  # of standardised columns, as by default
    kept = (vectors * values)[:, -n_latent:] @ vectors[:, -n_latent:].T
    assert_allclose(origin[0], X.mean(axis=0), atol=1e-9)
    assert_allclose(axes.T @ axes, kept * np.outer(X.std(axis=0), X.std(axis=0)), atol=1e-9)
    assert g.sample(9).shape == (9, 2) and g.particles_.shape == (100, 2)
    with pytest.raises(ValueError, match=rf"Z has 3 columns.*n_latent={n_latent}"):
        g.generate(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="Z contains NaN"):
        g.generate(np.full((4, n_latent), np.nan))


@pytest.mark.parametrize(
    "batch_size",
    [100, 50],
)
def test_row_i_of_the_particles_is_made_of_row_i_of_the_base(batch_size):
    params = {"noise_scale": 0, "n_steps": 20, "batch_size": batch_size}
    g = generator(**params).fit(X, X_base=BASE)
    assert_array_equal(generator(**params, base=BASE).fit(X).particles_, g.particles_)
    assert_allclose(g.transform(BASE), g.particles_, rtol=0, atol=1e-9)
    if batch_size == 100:  # all of them in each step
        turned = generator(**params).fit(X, X_base=BASE[::-1])
        assert_allclose(turned.particles_[::-1], g.particles_, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match=r"X has 1 features.*expecting 2"):
        g.transform(BASE[:, :1])


BASES = {
    "scipy": multivariate_normal([9, 9], [[1, 0.5], [0.5, 1]]),
    "mixture": GaussianMixture(2, random_state=0),
    "frozen": FrozenEstimator(GaussianMixture(random_state=0).fit(BASE)),
}


@pytest.mark.parametrize("name", BASES)
def test_bases_that_are_sampled(name):
    g = generator(base=BASES[name], n_steps=1, step_size=1e-12).fit(X)  # still at the base
    rows = g.sample(2000, random_state=0)
    mean = {"scipy": [9, 9], "mixture": X.mean(axis=0), "frozen": BASE.mean(axis=0)}[name]
    # A mean of 2000 rows errs by std / 45.
    assert_allclose(rows.mean(axis=0), mean, rtol=0, atol=4 / np.sqrt(2000))
    assert len(np.unique(rows[:, 0])) == 2000 and not set(rows[:, 0]) & set(g.sample(9)[:, 0])


# --- the law -------------------------------------------------------------------------------------


def test_samples_have_the_law_of_the_particles():
    n, frequencies = 400, np.random.default_rng(0).normal(size=(64, 2))
    g = generator(NETWORK, n_steps=60, batch_size=n).fit(make_moons(200, random_state=0)[0])
    threshold = characteristic_function_threshold(
        g.sample, n, n_trials=100, frequencies=frequencies, random_state=0
    )

    def distance(rows):
        return characteristic_function_distance(rows, g.particles_, frequencies=frequencies)

    rng = np.random.RandomState(1)
    singles = np.concatenate([g.sample(1, rng) for _ in range(n)])
    assert distance(g.sample(n, rng)) < threshold
    assert distance(singles) < threshold
    assert distance(g.particles_.mean(axis=0) + 0.7 * (singles - singles.mean(axis=0))) > threshold
    assert_array_equal(g.sample(5, 1), g.sample(5, 1))
    assert not set(g.sample(5)[:, 0]) & set(g.sample(5)[:, 0])
    moved = g.transform(singles)
    assert_array_equal(g.transform(singles), moved)
    alone = np.concatenate([g.transform(row[None]) for row in singles[:9]])
    assert_allclose(alone, moved[:9], rtol=0, atol=1e-12)
    other = clone(g).set_params(random_state=1).fit(make_moons(200, random_state=0)[0])
    assert not np.array_equal(other.particles_, g.particles_)


def test_samples_come_close_to_moons():
    moons, fresh = (make_moons(400, noise=0.05, random_state=seed)[0] for seed in (0, 1))
    base = multivariate_normal(moons.mean(axis=0), np.cov(moons.T)).rvs(400, random_state=0)
    g = generator(KernelRidge(alpha=0.01, kernel="rbf"), n_steps=200, bandwidth=0.3, batch_size=400)
    rows = g.fit(moons).sample(400, random_state=0)
    assert energy_distance(rows, fresh) < energy_distance(base, fresh) / 3  # 5.4 was measured


@pytest.mark.parametrize("regressor", [LinearRegression(), ExtraTreesRegressor(20)])
def test_rows_that_were_not_there_are_carried_along(regressor):
    g = generator(regressor, n_steps=40).fit(X[::2], X_base=BASE[::2])
    before, after = (
        energy_distance(rows, X[1::2]) for rows in (BASE[1::2], g.transform(BASE[1::2]))
    )
    assert after < before / 30
    assert g.history_[-1] < g.history_[0] / 100


# --- partial_fit and warm_start ------------------------------------------------------------------


def test_calls_of_partial_fit_are_steps_of_fit():
    params = {"noise_scale": 0, "schedule": "linear", "n_steps": 4}
    whole = generator(Tiny(), **params).fit(X, X_base=BASE)
    g = generator(Tiny(), **params)
    for k in range(4):
        g.partial_fit(X, X_base=BASE if k == 0 else None)
        assert g.n_steps_ == len(g.history_) == k + 1
    assert_array_equal(g.regressor_.theta_, whole.regressor_.theta_)
    assert_array_equal(g.particles_, whole.particles_)
    assert_array_equal(g.history_, whole.history_)
    whole.partial_fit(X[:40] + 1)  # after fit, with other rows
    assert whole.n_steps_ == len(whole.history_) == 5
    assert not np.array_equal(whole.regressor_.theta_, g.regressor_.theta_)
    assert_allclose(whole.transform(BASE), whole.particles_)
    later = g.partial_fit(X, X_base=2 * BASE[:9])
    assert_allclose(later.particles_, later.transform(2 * BASE[:9]))
    assert set(np.round(later.sample(30, 0)[:, 0], 9)) <= set(np.round(later.particles_[:, 0], 9))


def test_partial_fit_stays_at_the_end_of_the_schedule_and_learns_on(log):
    g = generator(Tiny(), velocity=Watched(), bandwidth=2.0, schedule=lambda t: 3 - t, n_steps=3)
    for _ in range(5):
        g.partial_fit(X)
    assert [entry[2] for entry in log if entry[0] == "call"] == [6, 5, 4, 4, 4]
    assert [entry[1] for entry in log if entry[0] == "call"] == [1, 2, 3, 4, 5]


def test_partial_fit_keeps_the_schedule_of_the_first_call(log):
    """Each call has rows of another scale, by which "auto" would take another."""
    g = generator(Tiny(), velocity=Watched(), schedule="auto", n_steps=5)
    for scale in (1, 1, 3, 0.3, 1):
        g.partial_fit(scale * X)
    sigmas = [entry[2] for entry in log if entry[0] == "call"]
    whole = generator(Tiny(), velocity=Watched(), schedule="auto", n_steps=5).fit(X)
    assert whole.bandwidth_ == g.bandwidth_
    assert_allclose(sigmas, [entry[2] for entry in log if entry[0] == "call"][5:])


def test_partial_fit_errors():
    for regressor in (LinearRegression(), KernelRidge(), make_pipeline(StandardScaler(), NETWORK)):
        assert not hasattr(generator(regressor), "partial_fit")
    assert all(hasattr(g, "partial_fit") for g in (SDFlowGenerator(), generator(Tiny())))
    g = generator(Tiny()).partial_fit(X)
    before = everything(g)
    with pytest.raises(ValueError, match=r"X has 1 features.*expecting 2"):
        g.partial_fit(X[:, :1])
    with pytest.raises(FloatingPointError, match="diverged"):
        g.set_params(step_size=1e9).partial_fit(X)
    with pytest.raises(FloatingPointError, match="step 3 of 5"):  # when it has learned already
        g.set_params(step_size=lambda t: 0.5 if t < 0.5 else 1e9, warm_start=True).fit(X)
    assert_same(everything(g), before)


@pytest.mark.parametrize("regressor", [Tiny(), LinearRegression()], ids=["partial_fit", "anew"])
def test_warm_start(regressor):
    g = generator(regressor, n_steps=100, warm_start=True).fit(X, X_base=BASE)
    first, moved = g.history_, g.transform(BASE)
    g.set_params(n_steps=1, step_size=1e-12).fit(3 * X, X_base=BASE)  # another space, were it new
    assert_allclose(g.transform(BASE), moved, rtol=1e-9)
    assert g.n_steps_ == len(g.history_) == 1
    g.set_params(n_steps=10, step_size=0.5).fit(X, X_base=BASE)
    assert g.history_[0] < first[0] / 30  # 74 was measured
    anew = g.set_params(warm_start=False).fit(X, X_base=BASE)
    fresh = generator(regressor, n_steps=10).fit(X, X_base=BASE)
    assert_same(everything(anew), everything(fresh))


# --- the rest of the contract --------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["spherical", "diag"])
def test_the_density_integrates_to_one(covariance_type):
    g = generator(covariance_type=covariance_type, schedule="linear").fit(5 * X[:, :1])
    sigma = g.bandwidth_ * (1.0 if covariance_type == "spherical" else 5 * X[:, 0].std())
    expected = naive.log_density(X[:, :1], g.particles_, sigma)
    assert_allclose(g.score_samples(X[:, :1]), expected, rtol=1e-9)
    grid = np.linspace(-100, 150, 5001)[:, None]
    assert_allclose(np.trapezoid(np.exp(g.score_samples(grid)), grid[:, 0]), 1, rtol=1e-9)
    assert g.score(X[:, :1]) == np.mean(g.score_samples(X[:, :1]))


@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full"])
def test_weights_are_repeats(covariance_type):
    weights = np.arange(len(X)) % 4
    params = {"covariance_type": covariance_type, "batch_size": 500, "n_steps": 20}
    weighted = generator(**params).fit(X, X_base=BASE, sample_weight=weights)
    repeated = generator(**params).fit(np.repeat(X, weights, axis=0), X_base=BASE)
    assert_allclose(weighted.particles_, repeated.particles_, rtol=0, atol=1e-9)
    assert (
        np.abs(weighted.particles_ - generator(**params).fit(X, X_base=BASE).particles_).max()
        > 0.01
    )


def test_base_rows_are_routed_to_both_ways_to_learn():
    requests = generator().get_metadata_routing()
    for method in (requests.fit, requests.partial_fit):
        assert method.requests["X_base"] is True


@pytest.mark.parametrize("n_latent", [None, 3])
@pytest.mark.parametrize("regressor", [NETWORK, LinearRegression()], ids=["network", "linear"])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_frames_dtypes_and_copies(n_latent, regressor):
    frame = pd.DataFrame(X, columns=["malt", "tin"])
    g = generator(regressor, n_latent=n_latent).fit(frame)
    inputs = frame if n_latent is None else np.ones((80, 3))
    plain = g.generate(inputs), g.sample(5, 0)
    copied = pickle.loads(pickle.dumps(g))
    framed = clone(g).set_output(transform="pandas").fit(frame)
    frames = framed.generate(inputs), framed.sample(5, 0)
    assert all(list(frame.columns) == ["malt", "tin"] for frame in frames)
    assert_same([frame.to_numpy() for frame in frames], plain)
    assert_same([copied.generate(inputs), copied.sample(5, 0)], plain)
    single = clone(g).fit(X.astype(np.float32))
    for rows in (
        single.particles_,
        single.sample(3, 0),
        single.generate(np.asarray(inputs, "f4")),
    ):
        assert rows.dtype == np.float32
    assert_allclose(single.sample(5, 0), plain[1], rtol=0, atol=0.05)


@pytest.mark.parametrize(("verbose", "n_lines"), [(0, 0), (1, 10), (2, 20)])
def test_verbose(verbose, n_lines, capsys):
    generator(n_steps=20, verbose=verbose).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == n_lines
    assert all(line.startswith("[SDFlowGenerator] step ") for line in lines)


def test_a_regressor_that_diverges_says_so():
    with pytest.raises(FloatingPointError):
        assert np.abs(raw(Tiny(rate=1.0)).fit(X, X_base=BASE).particles_).max() < 1e6


def test_rows_far_from_the_inputs_warn():
    g = generator().fit(X, X_base=BASE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g.transform(BASE)
    for method in (g.transform, g.generate):
        with pytest.warns(UserWarning, match="3 of 3 rows lie far outside the base") as caught:
            method(BASE[:3] + 1000)
        assert caught[0].filename == __file__


@pytest.mark.parametrize("n_latent", [1, 2, 30])
def test_what_is_no_draw_of_a_gaussian_warns(n_latent):
    g = generator(n_latent=n_latent).fit(X)
    draws = np.random.default_rng(0).standard_normal((100_000, n_latent))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g.generate(draws)
    with pytest.warns(UserWarning, match="3 of 100000 rows of Z are too far from 0") as caught:
        g.generate(np.r_[draws[3:], 2 * draws[:3] + 7])
    assert caught[0].filename == __file__


# --- what it is for scikit-learn -----------------------------------------------------------------


@pytest.mark.parametrize("n_latent", [None, 2])
def test_a_sample_is_generated_from_fresh_inputs(n_latent):
    g = generator(NETWORK, n_latent=n_latent, discrete_features=False, n_steps=1).fit(X)
    inputs = g._setup.source.draw(9, g._check_draw(9, 0))
    inputs = inputs if n_latent else g._space.from_flow(inputs)
    assert_allclose(g.generate(inputs), g.sample(9, 0), rtol=1e-9)
    alone = np.concatenate([g.generate(row[None]) for row in inputs])
    assert_allclose(alone, g.generate(inputs), rtol=1e-12)
    if n_latent is None:
        assert_array_equal(g.generate(BASE), g.transform(BASE))


def test_a_sample_after_rows_of_a_base_is_of_no_more_rows_than_it_has():
    g = generator(n_steps=1, discrete_features=False).fit(X, X_base=BASE[:9])
    assert len(np.unique(g.sample(200, random_state=0), axis=0)) <= 9


def test_without_latents_an_error_of_generate_says_what_its_inputs_are():
    g = generator(n_steps=1).fit(X)
    with pytest.raises(ValueError, match="is expecting") as raised:
        g.generate(np.zeros((3, X.shape[1] + 1)))
    assert re.search("without n_latent.*rows of the base", raised.value.__notes__[-1])


def test_with_latents_it_is_no_transformer():
    """Not even where these are as many as columns, so that rows would pass for them."""
    for g in (generator(n_latent=2), generator(n_latent=2).fit(X)):
        assert not hasattr(g, "transform") and not hasattr(g, "fit_transform")
        assert get_tags(g).transformer_tags is None
        with pytest.raises(AttributeError, match="no attribute 'transform'") as raised:
            g.transform(X)
        assert re.search(r"n_latent=2.*generate\(Z\).*sample\(n\)", str(raised.value.__cause__))
    for g in (generator(), generator().fit(X)):
        assert hasattr(g, "transform") and hasattr(g, "fit_transform")
        assert get_tags(g).transformer_tags.preserves_dtype == ["float64", "float32"]


def test_what_was_fitted_says_whether_it_is_a_transformer():
    g = generator(n_latent=2).fit(X).set_params(n_latent=None)
    assert not hasattr(g, "transform") and g.generate([[0, 0]]).shape == (1, 2)
    g.fit(X).set_params(n_latent=2)
    assert_array_equal(g.transform(X), g.generate(X))
    assert hasattr(clone(g.set_params(n_latent=None)), "transform")


@pytest.mark.parametrize(
    "whole",
    [
        lambda step: make_pipeline(StandardScaler(), step, StandardScaler()),
        lambda step: make_union(StandardScaler(), step),
        lambda step: ColumnTransformer([("latent", step, [0, 1])]),
    ],
    ids=["pipeline", "union", "columns"],
)
def test_with_latents_it_is_refused_as_a_step_that_transforms(whole):
    whole(generator()).fit(X)
    with pytest.raises(TypeError, match=r"(?s)should (be transformers and )?implement.*n_latent=2"):
        whole(generator(n_latent=2)).fit(X)


def test_with_latents_it_is_the_last_step_of_a_pipeline():
    frame = pd.DataFrame(X, columns=["malt", "tin"])
    pipeline = make_pipeline(StandardScaler(), generator(n_latent=2, n_steps=20))
    pipeline.set_output(transform="pandas").fit(frame)
    assert not hasattr(pipeline, "transform")
    drawn = skflow.sample(pipeline, 500, random_state=0)
    assert list(drawn.columns) == ["malt", "tin"]
    assert energy_distance(drawn, frame) < energy_distance(frame + 0.5, frame) / 3
    assert not hasattr(ClasswiseSampler(pipeline[-1]), "carry")
    assert hasattr(ClasswiseSampler(generator()), "carry")


def test_rows_of_the_data_are_no_latents():
    frame = pd.DataFrame(X, columns=["malt", "tin"])
    g = generator(n_latent=2).fit(frame)
    with pytest.raises(ValueError, match=r"columns of X, such as 'malt'.*n_latent=2.*sample"):
        g.generate(frame)
    latents = pd.DataFrame([[0.0, 1.0], [1.0, 0.0]], columns=["u", "v"], index=[7, 8])
    assert_array_equal(g.generate(latents), g.generate(latents.to_numpy()))
    assert list(g.set_output(transform="pandas").generate(latents).index) == [7, 8]


@pytest.mark.parametrize("target", [LinearRegression(), RegressorDenoiser, "kernel"])
def test_a_denoiser_that_is_none(target):
    for velocity in (ScoreDifference(target=target), ScoreDifference(source=target)):
        with pytest.raises(ValueError, match=r"must be a denoiser.*RegressorDenoiser"):
            velocity.fit(X)
    with pytest.raises(ValueError, match="velocity is the class MMD: pass an instance"):
        generator(velocity=MMD).fit(X)
