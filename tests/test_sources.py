"""Where a flow starts: draws have the law they should, are fresh, and come from one generator."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from threadpoolctl import threadpool_limits

from skflow._sources import (
    MixtureSource,
    NormalSource,
    RowSource,
    SamplerSource,
    make_source,
    spread_rows,
)
from skflow._space import FlowSpace


def draw_target(width=2):
    """Two columns, correlated, in different units."""
    X = np.random.default_rng(0).normal(size=(300, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    return (X * [1.0, 100.0] + [5.0, -300.0])[:, :width]


def source_of(base, X=None, weights=None, covariance_type="diag"):
    X = draw_target() if X is None else X
    space = FlowSpace(covariance_type).fit(X, weights)
    return make_source(base, space, X, space.to_flow(X), weights, np.random.RandomState(0)), space


def draw(source, n_samples, seed=0):
    return source.draw(n_samples, np.random.RandomState(seed))


class Sampler:
    """Has `sample(n)` and nothing else."""

    def __init__(self, shape=lambda n: (n, 2), value=1.0):
        self.shape = shape
        self.value = value

    def sample(self, n):
        return np.full(self.shape(n), self.value)


# --- the Gaussian with the target's moments -------------------------------------------------------


def furthest(rows, mean, covariance):
    """How far the moments of rows are off, in their own units."""
    errors = [rows.mean(axis=0) - mean, (np.cov(rows.T, bias=True) - covariance).ravel()]
    return np.abs(np.concatenate(errors)).max()


@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full"])
@pytest.mark.parametrize("weights", [None, np.arange(300) % 5 + 0.5])
def test_normal_draws_have_the_moments_of_the_target(weights, covariance_type):
    X = draw_target() / [1, 100]
    source, space = source_of("normal", X, weights, covariance_type)
    assert isinstance(source, NormalSource)
    mean, covariance = np.average(X, axis=0, weights=weights), np.cov(X.T, aweights=weights, ddof=0)
    rng = np.random.default_rng(0)
    independent = [rng.multivariate_normal(mean, covariance, size=2000) for _ in range(200)]
    threshold = max(furthest(rows, mean, covariance) for rows in independent)
    rows = space.from_flow(draw(source, 2000))
    assert furthest(rows, mean, covariance) < threshold
    # and they are normal
    white = (rows - mean) @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    assert all(scipy.stats.kstest(column, "norm").pvalue > 0.001 for column in white.T)


def test_normal_draws_stay_where_the_target_is():
    X = draw_target() @ [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0]] / 100  # a plane, the third column 0
    source, space = source_of("normal", X, covariance_type="spherical")
    normal = np.linalg.svd(X - X.mean(axis=0))[2][-1]
    rows = space.from_flow(draw(source, 500))
    assert_allclose((rows - X.mean(axis=0)) @ normal, 0, atol=1e-10)
    assert np.linalg.matrix_rank(rows - X.mean(axis=0), tol=1e-8) == 2
    few = draw_target()[:2]  # fewer rows than columns + 1: a line
    source, space = source_of("normal", few, covariance_type="spherical")
    rows = space.from_flow(draw(source, 500)) - few.mean(axis=0)
    assert np.linalg.matrix_rank(rows, tol=1e-6 * np.abs(rows).max()) == 1


# --- the best mixture -----------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full"])
def test_the_mixture_has_the_components_of_the_target(covariance_type):
    """Also in columns of very different scale."""
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [8, 0], [0, 8]])
    X = (centers[rng.integers(3, size=600)] + rng.standard_normal((600, 2))) * [1e-3, 1e3] + 5
    source, space = source_of("mixture", X, covariance_type=covariance_type)
    assert isinstance(source, MixtureSource)
    assert source.mixture_.n_components == 3
    rows = (space.from_flow(draw(source, 3000)) - 5) / [1e-3, 1e3]
    distances = np.linalg.norm(rows[:, None] - centers, axis=2)
    shares = np.bincount(distances.argmin(axis=1)) / len(rows)
    assert_allclose(shares, 1 / 3, atol=0.06)
    assert np.mean(distances.min(axis=1) < 4) > 0.99
    # shuffled: components do not come one after the other
    nearest = distances.argmin(axis=1)
    assert np.mean(nearest[1:] == nearest[:-1]) < 0.5


def test_the_mixture_heeds_weights_and_the_seed():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((300, 1)), rng.standard_normal((300, 1)) + 20])
    weights = np.repeat([1.0, 3.0], 300)
    source, space = source_of("mixture", X, weights)
    first, second = (draw(source, 2000, seed) for seed in (0, 1))
    assert abs(np.mean(space.from_flow(first) > 10) - 0.75) < 0.05
    assert_array_equal(first, draw(source, 2000, 0))
    assert not np.allclose(first, second)


def test_to_the_mixture_a_weight_is_as_many_rows_in_any_order():
    X, rng = draw_target(), np.random.default_rng(0)
    weights = rng.integers(1, 4, size=len(X)).astype(float)
    weighted, _ = source_of("mixture", X, weights)
    repeated, _ = source_of("mixture", rng.permutation(np.repeat(X, weights.astype(int), axis=0)))
    assert_allclose(draw(weighted, 50), draw(repeated, 50), atol=1e-6)


def test_the_mixture_does_not_depend_on_the_number_of_threads():
    X = load_digits().data
    drawn = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            source, _ = source_of("mixture", X)
            drawn.append(draw(source, 50))
    assert_array_equal(*drawn)


def test_of_a_large_target_the_mixture_sees_a_systematic_sample(monkeypatch):
    monkeypatch.setattr(MixtureSource, "most_rows", 100)
    X = np.random.default_rng(0).standard_normal((1000, 1))
    source, _ = source_of("mixture", X, covariance_type="spherical")
    assert source.mean_ == pytest.approx(0, abs=0.02)  # flow space begins at the mean
    assert source.scale_ == pytest.approx(X.std(), abs=0.02)


@pytest.mark.parametrize("rows", [[[0.0], [1.0]], [[0.0, 3.0], [1.0, 3.0], [1.0, 3.0], [2.0, 3.0]]])
def test_a_mixture_of_very_few_rows(rows):
    source, _ = source_of("mixture", np.array(rows), covariance_type="spherical")
    drawn = draw(source, 50)
    assert np.isfinite(drawn).all()
    assert np.abs(drawn).max() < 10


# --- where particles start ------------------------------------------------------------------------


def test_particles_have_the_law_of_draws():
    """Each of them, on its own: the first of many scrambled sequences, and all of one."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-3, 1, (200, 1)), rng.normal(4, 2, (400, 1))])
    for base in ("normal", "mixture"):
        source, _ = source_of(base, X)
        drawn, seeds = draw(source, 4000)[:, 0], np.random.RandomState(0)
        first = [spread_rows(source, 3, seeds)[0, 0] for _ in range(1000)]
        for rows in (first, spread_rows(source, 1000, seeds)[:, 0]):
            assert scipy.stats.ks_2samp(rows, drawn).pvalue > 0.001


@pytest.mark.parametrize("base", ["normal", "mixture"])
def test_particles_are_spread_more_evenly_than_draws(base):
    source, _ = source_of(base)
    exact = draw(source, 200_000).mean(axis=0)
    off = {}
    for make in (spread_rows, lambda source, n, rng: source.draw(n, rng)):
        means = [make(source, 1000, np.random.RandomState(s)).mean(axis=0) for s in range(20)]
        off[make] = np.sqrt(np.mean(np.square(means - exact)))
    spread, drawn = off.values()
    assert spread < drawn / 4


@pytest.mark.parametrize("n_samples", [1, 2, 7, 64])
def test_any_number_of_particles(n_samples):
    source, _ = source_of("mixture")
    rows = spread_rows(source, n_samples, np.random.RandomState(0))
    assert rows.shape == (n_samples, 2) and np.isfinite(rows).all()
    assert_array_equal(rows, spread_rows(source, n_samples, np.random.RandomState(0)))
    assert not np.isin(rows, spread_rows(source, n_samples, np.random.RandomState(1))).any()


def test_particles_are_in_no_order():
    """Mini-batches take them as they come: neighbours of a sequence fill each other's gaps."""
    source, _ = source_of("normal", draw_target(1))
    halves = [spread_rows(source, 1024, np.random.RandomState(s))[:512].mean() for s in range(50)]
    expected = np.sqrt(1 / 512 - 1 / 1024)  # half of the rows, without replacement
    assert 0.6 < np.std(halves) / expected < 1.5


def test_where_the_sequence_is_not_known_particles_are_drawn(monkeypatch):
    monkeypatch.setattr(scipy.stats.qmc.Sobol, "MAXDIM", 1)
    source, _ = source_of("normal")
    rows = spread_rows(source, 500, np.random.RandomState(0))
    assert np.abs(rows.mean(axis=0) - source.mean_).max() < 0.2


def test_other_bases_are_drawn_from():
    source, _ = source_of(draw_target()[:7])
    assert_array_equal(spread_rows(source, 9, np.random.RandomState(0)), draw(source, 9))


# --- given rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("as_given", [np.asarray, list, pd.DataFrame])
def test_rows_are_drawn_with_replacement(as_given):
    rows = draw_target()[:7] + 1
    source, space = source_of(as_given(rows))
    assert isinstance(source, RowSource)
    assert_array_equal(source.rows_, space.to_flow(rows))
    drawn = draw(source, 500)
    values, counts = np.unique(drawn, axis=0, return_counts=True)
    assert_array_equal(values, np.unique(source.rows_, axis=0))
    assert scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (np.zeros((5, 3)), "base has 3 features, but X has 2"),
        (np.full((5, 2), np.nan), "base contains NaN"),
        (np.zeros(5), "2D array"),
    ],
)
def test_wrong_rows(base, message):
    with pytest.raises(ValueError, match=message):
        source_of(base)


# --- anything that can be sampled -----------------------------------------------------------------

MIXTURE = GaussianMixture(2, random_state=0, means_init=[[-40.0, 0.0], [60.0, 9.0]])
FAR = np.random.default_rng(1).normal(size=(200, 2)) * 3 + [[60.0, 9.0]]
SAMPLERS = {
    "kernel density": KernelDensity(),
    "mixture": GaussianMixture(2, random_state=0),
    "mixture, frozen": FrozenEstimator(GaussianMixture(2, random_state=0).fit(FAR)),
    "kernel density, frozen": FrozenEstimator(KernelDensity().fit(FAR)),
    "scipy": scipy.stats.multivariate_normal([60.0, 9.0], seed=np.random.RandomState(7)),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_are_fresh_and_come_from_the_generator(name):
    base = SAMPLERS[name]
    before = pickle.dumps(base)
    source, _ = source_of(base)
    assert isinstance(source, SamplerSource)
    rng = np.random.RandomState(0)
    first, second = source.draw(50, rng), source.draw(50, rng)
    assert first.shape == (50, 2)
    assert not np.isin(first, second).any()
    assert_array_equal(draw(source, 50), first)
    np.random.seed(3)  # noqa: NPY002 - the global generator plays no part
    assert_array_equal(draw(source_of(base)[0], 50), first)
    assert not np.isin(draw(source, 50, seed=1), first).any()
    assert pickle.dumps(base) == before
    assert draw(source, 1).shape == (1, 2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_estimators_are_fitted_on_the_target_unless_frozen(name):
    source, space = source_of(SAMPLERS[name])
    rows = space.from_flow(draw(source, 400))
    expected = FAR if "frozen" in name or name == "scipy" else draw_target()
    error = np.abs(rows.mean(axis=0) - expected.mean(axis=0)) / expected.std(axis=0)
    assert error.max() < 5 * np.sqrt(1 / 400 + 1 / 200)


def test_weights_reach_estimators_that_take_them():
    X, weights = draw_target(), np.append(np.ones(10), np.full(290, 1e-12))
    source, space = source_of(KernelDensity(bandwidth=1e-6), X, weights)
    distances = np.abs(space.from_flow(draw(source, 50))[:, None] - X[:10]).max(axis=2)
    assert distances.min(axis=1).max() < 1e-3
    source_of(MIXTURE, X, weights)  # takes none


def test_rows_are_not_grouped_by_component():
    base = GaussianMixture(2, random_state=0).fit(np.concatenate([FAR, -FAR]))
    source, space = source_of(FrozenEstimator(base))
    labels = base.predict(space.from_flow(draw(source, 400)))
    changes = (np.diff(labels) != 0).sum()
    assert abs(changes - 200) < 5 * 10  # of 400 independent coins: 200, standard deviation 10


def test_scipy_in_one_dimension_and_one_draw():
    X = draw_target(1)
    for base in (scipy.stats.multivariate_normal([5.0]), scipy.stats.norm(5.0)):
        for n_samples in (1, 4):
            source, _ = source_of(base, X)
            assert draw(source, n_samples).shape == (n_samples, 1)
            assert_array_equal(draw(source, n_samples), draw(source, n_samples))
    generic, _ = source_of(scipy.stats.norm, X)  # has a `fit`, but is no estimator
    assert draw(generic, 4).shape == (4, 1)


def test_a_sampler_needs_no_more_than_sample():
    source, space = source_of(Sampler())
    assert_array_equal(draw(source, 3), space.to_flow(np.ones((3, 2))))


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (Sampler(lambda n: (n, 3)), r"base's sample .* shape \(5, 2\).* got shape \(5, 3\)"),
        (Sampler(lambda n: (n + 1, 2)), r"got shape \(6, 2\)"),
        (Sampler(lambda n: (2, n)), r"got shape \(2, 5\)"),
        (Sampler(lambda n: (2 * n,)), r"got shape \(10,\)"),
        (Sampler(lambda n: (n, 2, 1)), r"got shape \(5, 2, 1\)"),
        (Sampler(lambda n: (0, 2)), r"got shape \(0, 2\)"),
        (Sampler(value=np.nan), "with NaN or infinity"),
        (Sampler(value=np.inf), "with NaN or infinity"),
        (scipy.stats.multivariate_normal(np.zeros(3)), r"base's rvs .* got shape \(5, 3\)"),
    ],
)
def test_wrong_draws(base, message):
    source, _ = source_of(base)
    with pytest.raises(ValueError, match=message):
        draw(source, 5)
