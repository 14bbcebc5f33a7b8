"""What weights mean: as many rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skflow._weights import (
    systematic_places,
    systematic_rows,
    weights_as_rows,
    weights_to_score,
)


def test_weights_are_scaled_up_to_the_rows_that_they_are_worth():
    rng = np.random.default_rng(0)
    integers, uneven = rng.integers(1, 9, 100), rng.exponential(size=100)
    for weights in (integers, np.r_[1.0, integers, 0.5], np.r_[0.5, 1.5], np.full(9, 3.3)):
        assert_array_equal(weights_as_rows(weights), weights)
    worth = uneven.sum() ** 2 / np.square(uneven).sum()
    for scale_ in (1e-200, 1e-3, 0.4):
        assert_allclose(weights_as_rows(uneven * scale_).sum(), worth)
    assert_allclose(weights_as_rows(uneven) / uneven.mean(), uneven / uneven.mean(), rtol=1e-15)
    assert_array_equal(weights_as_rows(np.full(150, 1 / 150)), np.ones(150))


@pytest.mark.parametrize(
    "weights",
    [
        lambda h: np.full(100, 1 + h),
        lambda h: np.r_[np.full(50, 1 + h), np.full(50, 0.2)],
        lambda h: np.r_[np.ones(10), np.full(90, abs(h))],  # to be absent at 0
    ],
    ids=["equal", "largest", "vanishing"],
)
def test_no_small_change_of_weights_is_a_large_one(weights):
    here = weights(0.0)
    expected = weights_as_rows(here[here > 0])
    for h in (-1e-9, 1e-9):
        assert_allclose(weights_as_rows(weights(h))[here > 0], expected, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 100), st.integers(0, 9999), st.booleans())
def test_each_row_is_taken_as_often_as_its_weight_has_it(n_weights, n_rows, seed, fixed):
    rng = np.random.default_rng(seed)
    weights = rng.exponential(size=n_weights)
    offset = {} if fixed else {"offset": rng.random()}
    places = systematic_places(weights, n_rows, **offset)
    assert_array_equal(places, np.sort(places))
    times = np.bincount(places, minlength=n_weights)
    assert times.sum() == n_rows
    assert np.abs(times - n_rows * weights / weights.sum()).max() < 1 + 1e-9


def test_a_systematic_sample_knows_no_order_and_no_repeats():
    rng = np.random.default_rng(0)
    X, weights = rng.integers(3, size=(50, 2)).astype(float), rng.integers(1, 4, 50)
    expected = systematic_rows(X, weights, 20)
    repeated = np.repeat(X, weights, axis=0)
    shuffled = rng.permutation(len(repeated))
    assert_array_equal(systematic_rows(repeated[shuffled], np.ones(len(repeated)), 20), expected)
    once = systematic_rows(repeated, np.ones(len(repeated)), len(repeated))
    assert_array_equal(once, repeated[np.lexsort(repeated.T[::-1])])


def test_rows_without_weight_are_not_scored():
    assert weights_to_score(None, np.zeros((3, 1))) == (slice(None), None)
    used, weights = weights_to_score([0.5, 0.0, 2.0], np.zeros((3, 1)))
    assert_array_equal(used, [True, False, True])
    assert_array_equal(weights, [0.5, 2.0])
    with pytest.raises(ValueError, match="Negative values"):
        weights_to_score([1.0, -1.0, 1.0], np.zeros((3, 1)))
