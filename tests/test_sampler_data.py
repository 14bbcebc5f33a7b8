"""What goes in and out: data frames, pipelines, searches, copies of a sampler, bases."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal, norm
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, cross_validate
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skflow import MMDFlowSampler, SDFlowGenerator, SDFlowSampler
from skflow.metrics import energy_distance
from skflow.schedules import median_squared_distance, neighbor_distance

WINE, CULTIVAR = load_wine(return_X_y=True)
FRAME = load_wine(as_frame=True).data
INDEX = [f"wine {i}" for i in range(len(WINE))]


def sampler(**params):
    return SDFlowSampler(**{"n_particles": 200, "n_steps": 20, "random_state": 0, **params})


# --- frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("given", ["pandas", "polars", "array"])
def test_set_output(library, given):
    convert = {"pandas": lambda X: X.set_axis(INDEX), "polars": pl.from_pandas, "array": np.asarray}
    X = convert[given](FRAME)
    flow = sampler().fit(X)
    plain = [
        flow.transform(X),
        flow.sample(7, random_state=0),
        flow.interpolate(X, 0.5),
        *flow.staged_transform(X),
    ]
    assert all(type(rows) is np.ndarray for rows in plain)
    flow.set_output(transform=library)
    framed = [
        flow.transform(X),
        flow.sample(7, random_state=0),
        flow.interpolate(X, 0.5),
        *flow.staged_transform(X),
    ]
    frame_type = pd.DataFrame if library == "pandas" else pl.DataFrame
    names = list(FRAME.columns) if given != "array" else [f"x{i}" for i in range(13)]
    for rows, expected in zip(framed, plain, strict=True):
        assert isinstance(rows, frame_type)
        assert list(rows.columns) == names
        assert_array_equal(rows.to_numpy(), expected)
        if library == "pandas" and given == "pandas" and len(rows) == len(X):
            assert list(rows.index) == INDEX
    assert_array_equal(
        flow.sample(3, random_state=0).to_numpy(),
        flow.set_output(transform="default").sample(3, random_state=0),
    )


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_column_names_are_kept_and_compared(convert):
    X = convert(FRAME)
    flow = sampler().fit(X, X_base=X)
    assert list(flow.feature_names_in_) == list(flow.get_feature_names_out()) == list(FRAME)
    turned = convert(FRAME[FRAME.columns[::-1]])
    for use in (flow.transform, flow.score_samples, flow.inverse_transform):
        with pytest.raises(ValueError, match="same order"):
            use(turned)
    with pytest.raises(ValueError, match=r"(?s)feature names.*unseen at fit.*flavour"):
        flow.transform(convert(FRAME.rename(columns={"ash": "flavour"})))


# --- copies of a sampler -----------------------------------------------------------------------


def reload_skops(flow):
    data = skops.io.dumps(flow)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


def reload_joblib(flow, path):
    joblib.dump(flow, path)
    return joblib.load(path)


COPIES = {
    "clone": lambda flow, path: clone(flow).fit(FRAME),
    "pickle": lambda flow, path: pickle.loads(pickle.dumps(flow)),
    "joblib": reload_joblib,
    "skops": lambda flow, path: reload_skops(flow),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"schedule": "cosine", "optimizer": "adagrad", "batch_size": 50},
        {"base": GaussianMixture(2, random_state=0), "covariance_type": "full"},
        {"base": WINE[:50], "noise_scale": 0},
    ],
    ids=["default", "cosine-adagrad", "mixture-full", "rows"],
)
def test_a_copy_gives_the_same_rows(how, params, tmp_path):
    flow = sampler(**params).fit(FRAME)
    copy = COPIES[how](flow, tmp_path / "flow")
    assert_array_equal(copy.sample(9, random_state=3), flow.sample(9, random_state=3))
    assert_array_equal(copy.transform(FRAME), flow.transform(FRAME))
    assert copy.score(FRAME) == flow.score(FRAME)
    assert_array_equal(copy.feature_names_in_, flow.feature_names_in_)


# --- model selection ---------------------------------------------------------------------------

GRID = {"bandwidth": np.geomspace(0.25, 4, 7)}  # in standard deviations; wine is in raw units


def test_searches_pick_an_interior_bandwidth():
    folds = KFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(sampler(), GRID, cv=folds).fit(WINE)
    best = search.best_params_["bandwidth"]
    assert GRID["bandwidth"][0] < best < GRID["bandwidth"][-1]
    scores = search.cv_results_["mean_test_score"]
    assert scores.max() > max(scores[0], scores[-1]) + 1  # nats: not a tie with an end
    for other in (
        GridSearchCV(sampler(), GRID, cv=folds, n_jobs=2),
        RandomizedSearchCV(sampler(), GRID, n_iter=7, cv=folds, random_state=0),
    ):
        other.fit(WINE)
        assert other.best_params_ == search.best_params_
        assert_array_equal(np.sort(other.cv_results_["mean_test_score"]), np.sort(scores))


def test_cross_validate():
    weights = np.ones(len(WINE))
    for params in (None, {"sample_weight": weights}):
        result = cross_validate(sampler(), WINE, cv=3, params=params, return_estimator=True)
        assert np.isfinite(result["test_score"]).all()
        parts = np.array_split(np.arange(len(WINE)), 3)
        for flow, rows, score in zip(result["estimator"], parts, result["test_score"], strict=True):
            assert flow.score(WINE[rows]) == score


# --- pipelines ---------------------------------------------------------------------------------


def test_weights_of_a_score_are_repeats_and_zeros_are_absent():
    fitted, weights = sampler().fit(WINE), np.arange(len(WINE)) % 3
    expected = fitted.score(np.repeat(WINE, weights, axis=0))
    assert_allclose(fitted.score(WINE, sample_weight=weights), expected, rtol=1e-12)
    assert_allclose(fitted.score(WINE, sample_weight=weights / 7), expected, rtol=1e-12)
    assert abs(fitted.score(WINE) - expected) > 1e-3


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(len(WINE), -1.0), "Negative values"),
        (np.full(len(WINE), np.nan), "NaN"),
        (np.ones(len(WINE) - 1), "shape"),
        (np.zeros(len(WINE)), "at least one non-zero"),
    ],
)
def test_bad_weights_of_a_score(weights, message):
    with pytest.raises(ValueError, match=message):
        sampler().fit(WINE).score(WINE, sample_weight=weights)


UNITS = np.array([1000.0, 1.0, 1e-3])


def two_clouds(n_rows=150):
    """A target in two clumps that only its small columns tell apart; a source, twice."""
    rng = np.random.default_rng(0)
    side = rng.choice([-1.0, 1.0], size=n_rows)
    target = rng.normal(scale=[1.0, 0.3, 0.3], size=(n_rows, 3)) + side[:, None] * [0, 1, 1]
    source, fresh = rng.normal(loc=[3.0, 0.0, 0.0], size=(2, n_rows, 3))
    return target * UNITS, source * UNITS, fresh * UNITS


def distance(rows, target):
    return energy_distance(rows / UNITS, target / UNITS)


def spherical():
    return sampler(covariance_type="spherical", noise_scale=0, n_steps=100)


def steps():
    return [("scale", StandardScaler()), ("flow", spherical())]


def test_a_scaler_before_the_sampler():
    target, _, _ = two_clouds()
    scaled = make_pipeline(StandardScaler(), spherical()).fit(target)
    samples = scaled[0].inverse_transform(scaled[-1].sample(200, random_state=0))
    raw = spherical().fit(target).sample(200, random_state=0)
    # Unscaled, the kernel is a thousand times wider than the columns in which the clumps differ.
    assert distance(samples, target) < 0.5 * distance(raw, target)
    assert_allclose(scaled.inverse_transform(scaled.transform(target)), target, atol=1e-6)
    # In scaled space the paper's kernel is what "diag" is in raw units.
    diag = sampler(noise_scale=0, n_steps=100).fit(target)
    assert_allclose(
        scaled.transform(target), scaled[0].transform(diag.transform(target)), atol=1e-9
    )


def test_a_pipeline_carries_one_data_set_onto_another_in_scaled_space():
    target, source, fresh = two_clouds()
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(steps(), transform_input=["X_base"]).fit(target, X_base=source)
        with pytest.warns(UserWarning, match="see that X_base goes through the same steps as X"):
            unscaled_base = Pipeline(steps()).fit(target, X_base=source)
    moved = pipeline[0].inverse_transform(pipeline.transform(fresh))
    without_scaler = spherical().fit(target, X_base=source).transform(fresh)
    assert distance(moved, target) < 0.1 * distance(fresh, target)
    assert distance(moved, target) < 0.25 * distance(without_scaler, target)
    # Without `transform_input` the base does not go through the scaler, and stays behind.
    assert_allclose(pipeline.transform(source), pipeline[-1].particles_, rtol=0, atol=1e-9)
    left_behind = unscaled_base[0].inverse_transform(unscaled_base[-1].particles_)
    assert distance(left_behind, target) > 10 * distance(moved, target)


def test_weights_reach_the_sampler_through_a_pipeline():
    weights = np.where(CULTIVAR == 0, 1.0, 0.0)
    scaler = StandardScaler().fit(WINE)
    expected = sampler().fit(scaler.transform(WINE), sample_weight=weights).sample(5, 0)
    plain = make_pipeline(FrozenEstimator(scaler), sampler())
    plain.fit(WINE, sdflowsampler__sample_weight=weights)
    assert_array_equal(plain[-1].sample(5, 0), expected)
    with config_context(enable_metadata_routing=True):
        asking = sampler().set_fit_request(sample_weight=True)
        routed = make_pipeline(FrozenEstimator(scaler), asking).fit(WINE, sample_weight=weights)
        assert_array_equal(routed[-1].sample(5, 0), expected)


# --- bases -------------------------------------------------------------------------------------


class Uniform:
    """Not an estimator; scipy-like objects have `rvs`, this has `sample`."""

    def sample(self, n_samples, random_state):
        return WINE.mean(axis=0) + WINE.std(axis=0) * random_state.uniform(-2, 2, (n_samples, 13))


class Replaying(BaseEstimator):
    """Keeps its seed and takes none, as GaussianMixture does."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def sample(self, n_samples=1):
        rng = np.random.RandomState(self.random_state)
        return rng.normal(size=(n_samples, 13)) * WINE.std(axis=0) + WINE.mean(axis=0), None


COVARIANCE = np.cov(WINE.T)
BASES = {
    "normal": "normal",
    "mixture": "mixture",
    "array": WINE[::2],
    "list": WINE[::2].tolist(),
    "pandas": FRAME[::2],
    "polars": pl.from_pandas(FRAME[::2]),
    "KernelDensity": KernelDensity(bandwidth=0.5),
    "GaussianMixture": GaussianMixture(2, random_state=0),
    "frozen": FrozenEstimator(GaussianMixture(2, random_state=0).fit(WINE)),
    "scipy": multivariate_normal(WINE.mean(axis=0), COVARIANCE, allow_singular=True),
    "object": Uniform(),
    "replaying": Replaying(random_state=0),
}


@pytest.mark.parametrize("name", BASES)
def test_every_kind_of_base(name):
    base = BASES[name]
    X = FRAME if name in ("pandas", "polars") else WINE
    before = getattr(base, "__dict__", {}).copy()
    flow = sampler(base=base, noise_scale=0).fit(X)
    assert getattr(base, "__dict__", {}) == before  # cloned, not fitted
    n_given = {"array": 89, "list": 89, "pandas": 89, "polars": 89}
    assert flow.particles_.shape == (n_given.get(name, 200), 13)
    rng = np.random.RandomState(0)
    first, second = flow.sample(100, rng), flow.sample(100, rng)
    assert np.isfinite(first).all()
    if name not in n_given:  # also where the base itself would repeat its rows
        assert not set(first[:, 0]) & set(second[:, 0])
    assert_array_equal(flow.sample(100, 0), first)
    assert flow.sample(1, random_state=0).shape == (1, 13)
    spread = np.abs(first.mean(axis=0) - WINE.mean(axis=0)) / WINE.std(axis=0)
    assert spread.max() < 0.8


def test_given_rows_are_as_a_base_what_they_are_as_X_base():
    by_constructor = sampler(base=WINE[::2]).fit(WINE)
    by_fit = sampler().fit(WINE, X_base=FRAME[::2].to_numpy())
    assert_array_equal(by_constructor.particles_, by_fit.particles_)
    assert_array_equal(by_constructor.sample(20, 0), by_fit.sample(20, 0))


def test_a_single_column_and_a_single_row_of_a_scipy_base():
    flow = sampler(base=norm(5, 2)).fit(WINE[:, :1])
    assert flow.sample(1, 0).shape == (1, 1)
    assert flow.sample(3, 0).shape == (3, 1)


def test_the_density_is_that_of_the_rows_at_t_stop():
    flow = sampler().fit(WINE[CULTIVAR == 1], X_base=WINE[CULTIVAR == 0])
    start, end = (flow.set_params(t_stop=t).score(WINE[CULTIVAR == 0]) for t in (0.0, 1.0))
    half = flow.set_params(t_stop=0.5).score(WINE[CULTIVAR == 0])
    assert start > half > end


def test_an_unseeded_base_is_fitted_with_the_samplers_seed():
    base = GaussianMixture(3, init_params="random_from_data")
    first, second = (sampler(base=base).fit(WINE).particles_ for _ in range(2))
    assert_array_equal(first, second)
    assert base.random_state is None


@pytest.mark.parametrize("estimator", [SDFlowSampler, MMDFlowSampler, SDFlowGenerator])
def test_the_bandwidth_falls_by_default_where_the_target_is_dense(estimator, monkeypatch):
    # It asks for the velocity once more.
    monkeypatch.setattr("skflow._samplers.base.warn_of_pace", lambda *_, **__: None)
    dense = np.random.default_rng(0).normal(size=(300, 2))
    seen = []

    def note(flow, Z, X, Y, sigma, **unused):
        seen.append(sigma)
        return 0 * Z

    fitted = estimator(n_steps=5, velocity=Noting(note), random_state=0).fit(dense)
    wide = np.sqrt(median_squared_distance(dense / dense.std(axis=0)) / 4)
    assert fitted.bandwidth_ < 0.7 * wide
    assert_allclose(seen, np.geomspace(wide, fitted.bandwidth_, 5))
    seen.clear()
    fitted = estimator(n_steps=5, velocity=Noting(note), random_state=0).fit(WINE)
    assert_allclose(seen, 5 * [fitted.bandwidth_])  # wide enough as it is


@pytest.mark.parametrize("estimator", [SDFlowSampler, MMDFlowSampler, SDFlowGenerator])
def test_drawn_rows_are_to_be_new(estimator):
    short = {"n_steps": 2, "random_state": 0}
    carried = estimator(**short).fit(WINE, X_base=WINE + 1).bandwidth_
    assert carried == pytest.approx(neighbor_distance(scale(WINE)))
    wider = 1 + 4 * 13 / 178
    assert estimator(**short).fit(WINE).bandwidth_ == pytest.approx(wider * carried)
    assert estimator(**short, base=WINE[:50]).fit(WINE).bandwidth_ == carried
    few, weights = WINE[::2], np.full(89, 2.0)
    fitted = estimator(**short).fit(few)  # fewer than ten rows to a column
    assert fitted.bandwidth_ == pytest.approx(1.4 * neighbor_distance(scale(few)))
    fitted = estimator(**short).fit(few, sample_weight=weights)  # a weight is as many rows
    twice = neighbor_distance(scale(few), weights)
    assert fitted.bandwidth_ == pytest.approx(wider * twice)


class Noting:
    """A velocity that calls a function, and is not cloned but kept."""

    def __init__(self, function):
        self.function = function

    def __deepcopy__(self, memo):
        return self

    def fit(self, X, sample_weight=None):
        return self

    def __call__(self, *rows, **options):
        return self.function(self, *rows, **options)


@pytest.mark.parametrize("power", [1000, 530, -560, -1000])
@pytest.mark.parametrize("estimator", [SDFlowSampler, MMDFlowSampler, SDFlowGenerator])
def test_numbers_whose_squares_overflow_or_vanish(estimator, power):
    X, unit = WINE[:, :3], 2.0**power
    flow = estimator(n_steps=10, random_state=0).fit(X)
    far = clone(flow).fit(X * unit)
    assert_array_equal(far.sample(20, random_state=1), flow.sample(20, random_state=1) * unit)
    log_unit = 3 * power * np.log(2)
    assert_allclose(far.score_samples(X * unit), flow.score_samples(X) - log_unit, rtol=1e-9)
