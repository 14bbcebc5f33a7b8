"""The flow space: what it takes away, and that it is taken back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal

from skflow._space import FlowSpace, symmetric_root, weighted_moments

TYPES = ["spherical", "diag", "full"]
every_type = pytest.mark.parametrize("covariance_type", TYPES)


def draw(n_rows=60, width=3, seed=0):
    """Correlated columns, in units that differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, width)) @ (np.eye(width) + 0.3 * np.ones((width, width)))
    return (X + rng.normal(size=width)) * 10.0 ** (np.arange(width) - 1)


@pytest.mark.parametrize("weights", [None, np.arange(60) % 4, np.arange(60) + 0.5])
def test_moments(weights):
    X = draw()
    mean, covariance = weighted_moments(X, weights)
    w = np.ones(60) if weights is None else weights
    expected = sum(v * x for v, x in zip(w, X, strict=True)) / w.sum()
    assert_allclose(mean, expected)
    outer = [v * np.outer(x - expected, x - expected) for v, x in zip(w, X, strict=True)]
    assert_allclose(covariance, sum(outer) / w.sum())
    assert_allclose(weighted_moments(X.astype(np.float32), weights)[0], mean, rtol=1e-5)


@pytest.mark.parametrize("power", [0.5, -0.5])
def test_symmetric_root(power):
    covariance = weighted_moments(draw())[1]
    root = symmetric_root(covariance, power)
    expected = covariance if power > 0 else np.linalg.inv(covariance)
    assert_allclose(root, root.T, rtol=1e-12)
    assert_allclose(root @ root, expected, rtol=1e-8)
    for v in np.random.default_rng(0).normal(size=(20, 6)):  # eigenvalues that are but rounding
        expected = np.outer(v, v) / (v @ v) * (v @ v) ** power
        assert_allclose(symmetric_root(np.outer(v, v), power), expected, atol=1e-12)


@every_type
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 9999))
def test_there_and_back(covariance_type, width, seed):
    X = draw(width=width, seed=seed)
    space = FlowSpace(covariance_type).fit(X)
    scale = 1e-9 * np.abs(X).max()
    assert_allclose(space.from_flow(space.to_flow(X)), X, atol=scale)
    assert_allclose(space.to_flow(space.from_flow(X)), X, atol=scale)
    assert_allclose(space.to_flow(X).mean(axis=0), 0, atol=scale)
    # the volume of the image of a unit cube
    corner, *edges = space.from_flow(np.vstack([np.zeros(width), np.eye(width)]))
    _, log_volume = np.linalg.slogdet(np.array(edges) - corner)
    assert_allclose(space.log_determinant_, log_volume, atol=1e-6)


def test_what_is_scaled_away():
    X = draw()
    flow = {name: FlowSpace(name).fit(X).to_flow(X) for name in TYPES}
    assert_allclose(flow["spherical"], X - X.mean(axis=0))
    assert_allclose(flow["diag"], (X - X.mean(axis=0)) / X.std(axis=0))
    assert_allclose(np.cov(flow["full"].T, bias=True), np.eye(3), atol=1e-12)
    # the symmetric root of the correlation stays closest to the standardised columns
    correlation = np.corrcoef(X.T)
    assert_allclose(flow["full"] @ symmetric_root(correlation), flow["diag"], atol=1e-10)


@pytest.mark.parametrize("covariance_type", ["diag", "full"])
def test_units_do_not_matter(covariance_type):
    X, units, shift = draw(), np.array([1e-3, 7.0, -1e4]), np.array([5.0, -1e3, 0.0])
    first, second = FlowSpace(covariance_type).fit(X), FlowSpace(covariance_type).fit(X * units)
    sign = np.sign(units)
    assert_allclose(second.to_flow(X * units), first.to_flow(X) * sign, atol=1e-9)
    shifted = FlowSpace(covariance_type).fit(X + shift)
    assert_allclose(shifted.to_flow(X + shift), first.to_flow(X), atol=1e-9)


@every_type
def test_weights_are_repeats(covariance_type):
    X, weights = draw(), np.arange(60) % 4
    weighted = FlowSpace(covariance_type).fit(X, weights)
    repeated = FlowSpace(covariance_type).fit(np.repeat(X, weights, axis=0))
    assert_allclose(weighted.to_flow(X), repeated.to_flow(X), atol=1e-10)
    assert_allclose(weighted.log_determinant_, repeated.log_determinant_, atol=1e-12)


@every_type
def test_float32_stays(covariance_type):
    X = draw()
    space = FlowSpace(covariance_type).fit(X.astype(np.float32))
    flow = space.to_flow(X.astype(np.float32))
    assert flow.dtype == space.from_flow(flow).dtype == np.float32
    assert flow.flags.c_contiguous
    expected = FlowSpace(covariance_type).fit(X).to_flow(X)
    assert_allclose(flow, expected, rtol=1e-4, atol=1e-4)


# 0.1 is not a binary fraction: the sum of many of them, divided by their number, is not 0.1.
@pytest.mark.parametrize("value", [0.0, 0.1, -1e9, 1e-9])
@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 1, 3000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", ["spherical", "diag"])
def test_constant_columns_stay_in_their_units(covariance_type, dtype, weights, value):
    X = draw(3000).astype(dtype)
    X[:, 1] = value
    space = FlowSpace(covariance_type).fit(X, weights)
    assert space.scale_[1] == 1
    assert_array_equal(space.to_flow(X)[:, 1], np.zeros(3000, dtype))
    moved = X + np.array([0, 1, 0], dtype)
    expected = moved[:, 1].astype(float) - X[:, 1]
    assert_allclose(space.to_flow(moved)[:, 1], expected, rtol=1e-6)


@every_type
def test_log_density_is_that_of_a_mixture_in_units_of_the_data(covariance_type):
    X = draw()
    space = FlowSpace(covariance_type).fit(X)
    particles, sigma = space.to_flow(X[:20]), 0.7
    found = space.log_density(space.to_flow(X), particles, sigma)
    axes = space.direction_from_flow(sigma * np.eye(3))
    kernels = [multivariate_normal(x, axes.T @ axes).pdf(X) for x in X[:20]]
    assert_allclose(found, np.log(np.mean(kernels, axis=0)), rtol=1e-9)


def constant(X):
    return [2], np.full(len(X), 0.1)


def duplicate(X):
    return [0, 2], X[:, 0]


def rescaled(X):
    return [0, 2], 5 - 3e4 * X[:, 0]


def dependent(X):
    return [0, 1, 2], X[:, 0] / X[:, 0].std() - 2 * X[:, 1] / X[:, 1].std()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("trouble", [constant, duplicate, rescaled, dependent])
@pytest.mark.parametrize("names", [None, np.array(["age", "width", "height", "weight"], object)])
def test_full_names_the_columns_it_cannot_use(names, trouble, dtype):
    X = draw(width=4)
    involved, X[:, 2] = trouble(X)
    shown = ", ".join(str(name) for name in (np.arange(4) if names is None else names)[involved])
    with pytest.raises(ValueError, match=rf"combinations of each other: {shown}\. Drop"):
        FlowSpace("full").fit(X.astype(dtype), None, names)
    FlowSpace("diag").fit(X.astype(dtype), None, names)


def test_full_needs_more_rows_than_columns():
    with pytest.raises(ValueError, match=r"in the 4 rows .*: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\."):
        FlowSpace("full").fit(np.random.default_rng(0).normal(size=(4, 12)))


@pytest.mark.parametrize("covariance_type", ["diag", "full"])
@pytest.mark.parametrize(
    ("dtype", "power"),
    [
        *((np.float64, power) for power in (1000, 530, -560, -1000)),
        *((np.float32, power) for power in (115, -115)),
    ],
)
def test_numbers_whose_squares_overflow_or_vanish(dtype, power, covariance_type):
    X = draw().astype(dtype)
    expected = FlowSpace(covariance_type).fit(X)
    unit = 2.0**power
    scaled = (X * unit).astype(dtype)
    space = FlowSpace(covariance_type).fit(scaled)
    assert_array_equal(space.to_flow(scaled), expected.to_flow(X))
    back = space.from_flow(space.to_flow(scaled)).astype(float) / unit
    assert_array_equal(back, expected.from_flow(expected.to_flow(X)))
    log_unit = power * np.log(2) * X.shape[1]
    assert_allclose(space.log_determinant_, expected.log_determinant_ + log_unit)
    # one column for itself, too
    mixed = X.astype(float) * np.array([unit, 1.0, 1.0])
    found = FlowSpace(covariance_type).fit(mixed).to_flow(mixed)
    assert_allclose(found, expected.to_flow(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [(np.float64, 1e160), (np.float64, 1e-170), (np.float32, 1e19), (np.float32, 1e-25)],
)
def test_spherical_tells_of_squares_that_overflow_or_vanish(dtype, unit):
    X = (draw() * unit).astype(dtype)
    with pytest.raises(ValueError, match=r"vanish in float.* Divide X by .*e[+-]\d+, or pass cov"):
        FlowSpace("spherical").fit(X)
    FlowSpace("spherical").fit((X.astype(float) / unit).astype(dtype))
    FlowSpace("spherical").fit(np.full_like(X, X[0, 0]))  # told of by the samplers
