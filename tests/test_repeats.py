"""Equal points as one: the same sums from fewer points."""

import naive
import numpy as np
import pytest

from skflow._kernels import Points, kernel_mean
from skflow._kernels.blocks import share_of_blocks
from skflow._kernels.repeats import merged, number_rows, share_of_distinct

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(n_rows, n_distinct, width, dtype=np.float64, seed=0):
    """Rows of which many are equal, in any order, some of them but for one coordinate."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_distinct, width))
    rows[1::2, :-1] = rows[: 2 * (n_distinct // 2) : 2, :-1]
    return rows[rng.integers(n_distinct, size=n_rows)].astype(dtype)


@every_dtype
@pytest.mark.parametrize("width", [1, 2, 7])
@pytest.mark.parametrize("n_distinct", [1, 2, 50, 999])
def test_equal_rows_have_the_same_number(n_distinct, width, dtype):
    rows = draw(1000, n_distinct, width, dtype)
    numbers = np.empty(1000, np.intp)
    n_found = number_rows(rows.view(np.uint32 if dtype == np.float32 else np.uint64), numbers)
    _, firsts, expected = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    assert n_found == len(firsts)
    in_order = np.argsort(np.argsort(firsts))  # they are numbered as they come
    np.testing.assert_array_equal(numbers, in_order[expected.reshape(-1)])


@every_dtype
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_values", [None, 3])
def test_merged_points_have_the_same_sums(n_values, weighted, dtype):
    X = draw(1000, 60, 2, dtype)
    rng = np.random.default_rng(1)
    values = None if n_values is None else rng.normal(size=(1000, n_values)).astype(dtype)
    weights = rng.exponential(size=1000) if weighted else None
    points = merged(Points(X, values, weights))
    assert len(points.X) == 60 and points.X.dtype == dtype
    Z = X[:20] + dtype(0.1)
    found = kernel_mean(Z, points, 0.3, algorithm="dense")
    expected = naive.kernel_mean(Z, X, 0.3, values=values, weights=weights)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@every_dtype
@pytest.mark.parametrize("sigma", [0.02, 0.5, 20.0])
@pytest.mark.parametrize("algorithm", ["blocks", "auto"])
def test_blocks_of_points_that_are_equal(algorithm, sigma, dtype):
    X = draw(6000, 300, 2, dtype) + dtype(10)
    weights = np.random.default_rng(1).exponential(size=6000)
    for offset in (0.01, 100 * sigma):
        Z = X[:40] + dtype(offset)
        found = kernel_mean(Z, X, sigma, weights=weights, algorithm=algorithm)
        expected = naive.kernel_mean(Z, X, sigma, weights=weights)
        tolerance = 1e-5 * max(sigma, 1) if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=tolerance)


def test_few_equal_points_are_left_alone():
    X = np.random.default_rng(0).normal(size=(5000, 2))
    X[:400] = X[400:800]
    points = Points(X)
    assert merged(points) is points and share_of_distinct(points) == 1.0


@every_dtype
@pytest.mark.parametrize("column", [0, 15, 16, 99])
def test_rows_of_many_columns_that_differ_in_any(column, dtype):
    rng = np.random.default_rng(0)
    X = np.zeros((5000, 100), dtype)
    X[:, column] = rng.normal(size=5000)
    assert share_of_distinct(Points(X)) == 1.0
    X[:, column] = rng.integers(10, size=5000)
    assert share_of_distinct(Points(X)) == 10 / 5000


def test_few_distinct_points_are_worth_merging_under_a_wide_kernel():
    """Where every point counts, so that there are no tiles to pass over."""
    X = draw(6000, 300, 2)
    points, Z = Points(X), X[:50] + 0.1
    assert share_of_blocks(points, 20.0, 1e-16) == 300 / 6000
    by = {name: kernel_mean(Z, points, 20.0, algorithm=name)[0] for name in ("dense", "blocks")}
    assert not np.array_equal(by["dense"], by["blocks"])  # they round in their own ways
    np.testing.assert_array_equal(kernel_mean(Z, points, 20.0)[0], by["blocks"])
