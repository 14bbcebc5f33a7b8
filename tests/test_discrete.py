"""Columns of few values: which they are, and that samples have their values."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LinearRegression

from skflow import (
    ClasswiseSampler,
    DiffusionSampler,
    MMDFlowSampler,
    SDFlowGenerator,
    SDFlowSampler,
    SVGDSampler,
)
from skflow._discrete import DiscreteFeatures, check_discrete_features

ESTIMATORS = {
    "sd": SDFlowSampler(n_steps=5, n_particles=50),
    "mmd": MMDFlowSampler(n_steps=5, n_particles=50),
    "svgd": SVGDSampler(n_steps=5, n_particles=50),
    "diffusion": DiffusionSampler(n_steps=5, n_particles=50),
    "generator": SDFlowGenerator(LinearRegression(), n_steps=5, batch_size=50),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(n_rows=40, seed=0):
    """A column of real numbers, one of grades, one that is constant, one of two values."""
    rng = np.random.default_rng(seed)
    grades = np.array([1.0, 2.0, 5.0])[rng.integers(3, size=n_rows)]
    flags = rng.integers(2, size=n_rows)
    return np.column_stack([rng.normal(size=n_rows), grades, np.full(n_rows, 7.0), flags])


def naive_snap(rows, X, columns):
    snapped = rows.copy()
    for i, j in np.ndindex(rows.shape):
        if j in columns:
            values = sorted(set(X[:, j].tolist()))
            snapped[i, j] = min(values, key=lambda value: abs(value - rows[i, j]))
    return snapped


@every_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_have_the_values_of_discrete_columns(estimator, dtype):
    X = draw().astype(dtype)
    fitted = clone(estimator).set_params(random_state=0).fit(X)
    assert_array_equal(fitted.is_discrete_, [False, True, True, True])
    samples = fitted.sample(200, random_state=1)
    assert samples.dtype == dtype
    for j in (1, 2, 3):
        assert np.isin(samples[:, j], X[:, j]).all()
    assert len(np.unique(samples[:, 0])) == 200
    left = clone(fitted).set_params(discrete_features=False).fit(X)
    assert_array_equal(naive_snap(left.sample(200, random_state=1), X, {1, 2, 3}), samples)
    assert_array_equal(left.particles_, fitted.particles_)
    rows = fitted.particles_[:5]
    assert_array_equal(left.transform(rows), fitted.transform(rows))


def test_a_row_takes_the_nearest_value():
    X = draw()
    rows = np.random.default_rng(1).normal(3, 3, size=(100, 4))
    before = rows.copy()
    snapped = DiscreteFeatures(X).snap(rows)
    assert_array_equal(snapped, naive_snap(rows, X, {1, 2, 3}))
    assert_array_equal(rows, before)


def test_which_columns_are_discrete():
    n = 20
    halves, more = np.arange(n) // 2, np.append(np.arange(n - 8), np.zeros(8))
    unique = np.arange(n) + 0.5
    X = np.column_stack([halves, more, unique, np.zeros(n)]).astype(float)
    assert_array_equal(DiscreteFeatures(X).mask_, [True, False, False, True])
    # What is there twice counts once: as many columns are discrete as in the rows themselves.
    twice = np.concatenate([X, X])
    assert_array_equal(DiscreteFeatures(twice).mask_, [True, False, False, True])


@pytest.mark.parametrize(
    ("given", "mask"),
    [
        (True, [1, 1, 1]),
        (False, [0, 0, 0]),
        (np.True_, [1, 1, 1]),
        ([True, False, True], [1, 0, 1]),
        ([0, 2], [1, 0, 1]),
        (np.array([-1]), [0, 0, 1]),
        (["b"], [0, 1, 0]),
        ([], [0, 0, 0]),
    ],
)
def test_columns_by_mask_place_or_name(given, mask):
    names = np.array(["a", "b", "c"], dtype=object)
    assert_array_equal(check_discrete_features(given, 3, names), np.array(mask, dtype=bool))


@every_estimator
@pytest.mark.parametrize("given", [[4], [-5], ["grade"], [True, False], [0.5], [[0, 1]]])
def test_columns_that_are_not_there(estimator, given):
    wrong = clone(estimator).set_params(discrete_features=given)
    with pytest.raises(ValueError, match=r"discrete_features has the entry .*4 columns wide"):
        wrong.fit(draw())
    assert not hasattr(wrong, "particles_")


def test_columns_by_name():
    frame = load_iris(as_frame=True).data
    name = "petal width (cm)"
    sampler = SDFlowSampler(discrete_features=[name], n_steps=5).fit(frame)
    samples = sampler.set_output(transform="pandas").sample(100, random_state=0)
    assert set(samples[name]) <= set(frame[name])
    assert len(set(samples["sepal width (cm)"])) == 100
    with pytest.raises(ValueError, match="X has the columns sepal length"):
        clone(sampler).set_params(discrete_features=["petal"]).fit(frame)


def test_part_of_the_way_nothing_snaps():
    X = draw()
    sampler = SDFlowSampler(n_steps=5, random_state=0, t_stop=0.5).fit(X)
    assert len(np.unique(sampler.sample(100, random_state=0)[:, 1])) == 100
    sampler.set_params(t_stop=1.0)
    assert set(sampler.sample(100, random_state=0)[:, 1]) <= {1.0, 2.0, 5.0}


def test_weights_are_as_many_rows():
    X, rng = draw(), np.random.default_rng(2)
    weights = rng.integers(0, 4, size=len(X))
    weighted = SDFlowSampler(n_steps=5, random_state=0).fit(X, sample_weight=weights)
    repeated = SDFlowSampler(n_steps=5, random_state=0).fit(np.repeat(X, weights, axis=0))
    assert_array_equal(weighted.is_discrete_, repeated.is_discrete_)
    without = X[weights > 0]
    assert set(weighted.sample(100, random_state=0)[:, 1]) <= set(without[:, 1])


def test_later_rows_add_values():
    first, later = draw(seed=0), draw(seed=1)
    later[:, 1] += 10
    generator = SDFlowGenerator(n_steps=5, random_state=0).partial_fit(first).partial_fit(later)
    assert_array_equal(generator.is_discrete_, [False, True, True, True])
    known = {1.0, 2.0, 5.0, 11.0, 12.0, 15.0}
    assert set(generator._setup.discrete.snap(np.full((1, 4), 11.6))[0]) == {11.6, 12.0, 7.0, 1.0}
    assert set(generator.sample(100, random_state=0)[:, 1]) <= known


def test_each_class_has_its_own_values():
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 2][:100], y[y < 2][:100]
    template = SDFlowSampler(n_steps=5, n_particles=50)
    drawn = ClasswiseSampler(template, random_state=0).fit(X, y).sample(30, 0, y=np.repeat(1, 30))
    for j in range(X.shape[1]):
        assert np.isin(drawn[:, j], X[y == 1, j]).all()


def test_pickled():
    sampler = SDFlowSampler(n_steps=5, random_state=0).fit(draw())
    again = pickle.loads(pickle.dumps(sampler))
    assert_array_equal(sampler.sample(20, random_state=0), again.sample(20, random_state=0))
