"""Columns of few values: which they are, and that samples have their values."""

import itertools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
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


def naive_round(rows, X, generated, columns):
    """Every entry by itself, with the edges between the values written out."""
    rounded = rows.copy()
    for j in columns:
        values = sorted(set(X[:, j].tolist()))
        edges = []
        for low, high in itertools.pairwise(values):
            edge = (low + high) / 2
            found = sum(generated[:, j] < edge) / len(generated)
            wanted = sum(X[:, j] <= low) / len(X)
            error = np.sqrt(wanted * (1 - wanted) * (1 / len(X) + 1 / len(generated)))
            if abs(found - wanted) > error:
                side = 1 if found > wanted else -1
                edge = np.quantile(generated[:, j], np.clip(wanted + side * error, 0, 1))
            edges.append(max([edge, *edges[-1:]]))
        for i in range(len(rows)):
            rounded[i, j] = values[sum(edge < rows[i, j] for edge in edges)]
    return rounded


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
    real = left.sample(200, random_state=1)
    assert_array_equal(naive_round(real, X, left.particles_, {1, 2, 3}), samples)
    assert_array_equal(left.particles_, fitted.particles_)
    rows = fitted.particles_[:5]
    assert_array_equal(left.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize("shift", [0.0, 0.3, -2.0])
@pytest.mark.parametrize("n_generated", [1, 30, 500])
def test_rounding_against_the_definition(shift, n_generated):
    X, rng = draw(), np.random.default_rng(1)
    generated = X[rng.integers(len(X), size=n_generated)] + rng.normal(shift, 1, (n_generated, 4))
    rows = rng.normal(3, 3, size=(100, 4))
    before = rows.copy()
    rounded = DiscreteFeatures(X).rounding(generated).round(rows)
    assert_array_equal(rounded, naive_round(rows, X, generated, {1, 2, 3}))
    assert_array_equal(rows, before)


def test_values_that_generated_rows_meet_are_the_nearest():
    X = draw()
    rows = X + np.random.default_rng(1).uniform(-0.4, 0.4, X.shape)
    rounded = DiscreteFeatures(X).rounding(rows).round(rows)
    assert_array_equal(rounded[:, 1:], X[:, 1:])


def test_values_come_as_often_as_in_the_target():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((2000, 1)) < 0.9, 0.0, rng.integers(1, 17, size=(2000, 1)))
    smooth = X + rng.normal(0, 3, size=X.shape)  # half of the zeros would be ones and more
    rounded = DiscreteFeatures(X).rounding(smooth).round(smooth)
    assert abs(np.mean(rounded == 0) - np.mean(X == 0)) < 0.02
    assert set(rounded.ravel()) <= set(X.ravel())


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
    rows = np.random.default_rng(3).normal(3, 3, size=(100, 4))
    assert_array_equal(weighted._rounding.round(rows), repeated._rounding.round(rows))
    without = X[weights > 0]
    assert set(weighted.sample(100, random_state=0)[:, 1]) <= set(without[:, 1])


def test_a_column_by_itself():
    counts = np.random.default_rng(0).poisson(3.0, size=(100, 1)).astype(float)
    assert DiscreteFeatures(counts).mask_.all()
    assert DiscreteFeatures(np.pad(counts, ((0, 0), (0, 2)))).mask_.all()
    values, weights = np.unique(counts, return_counts=True)
    assert DiscreteFeatures(values[:, None], weights).mask_.all()
    assert not DiscreteFeatures(values[:, None]).mask_.any()


def draw_amounts(share, n_rows=300, seed=0):
    """A normal column, and one of zeros and of amounts that go with it."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=n_rows)
    amounts = np.exp(0.5 * normal + 0.5 * rng.normal(size=n_rows))
    return np.column_stack([normal, np.where(rng.random(n_rows) < share, 0.0, amounts)])


@every_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_zeros_come_back_and_amounts_are_new(estimator, share, dtype):
    X = draw_amounts(share).astype(dtype)
    fitted = clone(estimator).set_params(random_state=0).fit(X)
    assert_array_equal(fitted.is_discrete_, [False, False])
    samples, real = (
        clone(fitted).set_params(discrete_features=given).fit(X).sample(2000, random_state=1)
        for given in ("auto", False)
    )
    assert samples.dtype == dtype
    assert_array_equal(samples[:, 0], real[:, 0])
    assert (real[:, 1] != 0).all()
    zero = samples[:, 1] == 0
    generated = fitted.particles_
    rounded = DiscreteFeatures(X).rounding(generated).round(generated)
    found, wanted = np.mean(rounded[:, 1] == 0), np.mean(X[:, 1] == 0)
    error = np.sqrt(wanted * (1 - wanted) * (1 / len(X) + 1 / len(generated)))
    assert abs(found - wanted) <= error + 1 / len(generated)
    amounts = samples[~zero, 1]
    assert (amounts > 0).all()
    assert not np.isin(amounts, X[:, 1]).any()
    order = np.argsort(real[:, 1], kind="stable")
    assert (np.diff(samples[order, 1]) >= 0).all()
    every = clone(fitted).set_params(discrete_features=[1]).fit(X).sample(2000, random_state=1)
    assert np.isin(every[:, 1], X[:, 1]).all()
    assert_array_equal(every[:, 1] == 0, zero)


def test_numbers_beside_an_atom_stay_where_edges_do():
    X = draw_amounts(0.5)
    X[:150, 1] -= 10 * (X[:150, 1] > 0)  # on both sides of zero
    rows = X + np.random.default_rng(1).uniform(-1e-9, 1e-9, X.shape)
    rounded = DiscreteFeatures(X).rounding(rows).round(rows)
    zero = X[:, 1] == 0
    assert_array_equal(rounded[zero, 1], 0)
    assert_allclose(rounded[~zero], rows[~zero], atol=1e-12)
    far = np.array([[0.0, -100.0], [0.0, 100.0]])
    assert_allclose(DiscreteFeatures(X).rounding(rows).round(far), far, atol=1e-6)


def test_which_columns_have_atoms():
    rng, n = np.random.default_rng(0), 400
    real, heavy = rng.normal(size=n), rng.random(n)
    X = np.column_stack(
        [
            *(real, np.where(heavy < 0.05, 0, real)),
            *(np.where(heavy < 0.5, 0, real), np.where(heavy < 0.3, -9, np.fmin(real, 1))),
            *(np.where(heavy < 0.5, 0, np.rint(100 * real)), np.where(heavy < 0.5, 0, 1)),
            *(rng.geometric(0.3, n), rng.poisson(4, n) * (heavy < 0.5)),
        ]
    )
    expected = np.isin(np.arange(8), [2, 3])
    weights = rng.integers(1, 4, size=n)
    for found in (
        DiscreteFeatures(X),
        DiscreteFeatures(X, np.full(n, 100)),
        DiscreteFeatures(X, weights),
        DiscreteFeatures(np.repeat(X, weights, axis=0)),
        DiscreteFeatures(X).join(X[:10]),
    ):
        assert_array_equal(found.has_atoms_, expected)
        assert_array_equal(found.mask_, np.arange(8) > 3)
    for j in range(8):
        alone = DiscreteFeatures(X[:, j : j + 1], np.full(n, 100))
        assert_array_equal(alone.has_atoms_, expected[j : j + 1])
    for given in (np.ones(8, bool), np.zeros(8, bool)):
        assert not DiscreteFeatures(X, mask=given).has_atoms_.any()


def test_atoms_with_weights_are_as_many_rows():
    X, rng = draw_amounts(0.5), np.random.default_rng(2)
    weights = rng.integers(1, 4, size=len(X))
    weighted, repeated = DiscreteFeatures(X, weights), DiscreteFeatures(np.repeat(X, weights, 0))
    generated = X + rng.normal(0, 0.3, X.shape)
    rounded = [d.rounding(generated).round(generated) for d in (weighted, repeated)]
    assert_array_equal(*rounded)
    assert (rounded[0][:, 1] == 0).any()
    # Rows that come later have amounts of their own, and the same atoms.
    joined = DiscreteFeatures(X[:200]).join(X[200:])
    for found, expected in zip(
        joined.rounding(generated)._columns[1],
        DiscreteFeatures(X).rounding(generated)._columns[1],
        strict=True,
    ):
        assert_array_equal(found, expected)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("weight", [2, 100, 2.5])
def test_equal_weights_make_no_column_discrete(weight, width):
    X = np.zeros((60, 3))
    X[:, :width] = np.random.default_rng(0).normal(size=(60, width))
    weights = np.full(60, weight)
    expected = np.arange(3) >= width  # of one value
    assert_array_equal(DiscreteFeatures(X, weights).mask_, expected)
    assert_array_equal(DiscreteFeatures(X[:, :1], weights).mask_, [False])
    assert_array_equal(DiscreteFeatures(np.repeat(X, 100, axis=0)).mask_, expected)
    assert_array_equal(
        SDFlowSampler(n_steps=1).fit(X, sample_weight=weights).is_discrete_, expected
    )
    # Ties are as many as they were, and columns of few values stay what they are.
    X[:20, 0], weights = X[20:40, 0], np.full(60, np.ceil(weight))
    assert_array_equal(DiscreteFeatures(X, weights).mask_, expected)
    X[:, 0] = np.arange(60) % 2
    assert DiscreteFeatures(X[:, :1], weights).mask_.all()
    X[:, 0] = np.arange(60) // 11 * np.arange(60)
    assert_array_equal(DiscreteFeatures(X[:, :1], weights).mask_, [False])
    counts = np.random.default_rng(0).poisson(30.0, size=(100, 1)).astype(float)
    assert DiscreteFeatures(counts).mask_.all()
    assert DiscreteFeatures(counts, np.full(100, 100)).mask_.all()


def test_later_rows_add_values():
    first, later = draw(seed=0), draw(seed=1)
    later[:, 1] += 10
    generator = SDFlowGenerator(n_steps=5, random_state=0).partial_fit(first).partial_fit(later)
    assert_array_equal(generator.is_discrete_, [False, True, True, True])
    known = {1.0, 2.0, 5.0, 11.0, 12.0, 15.0}
    samples = generator.sample(500, random_state=0)
    assert set(samples[:, 1]) <= known
    assert not set(samples[:, 1]) <= {1.0, 2.0, 5.0}


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
