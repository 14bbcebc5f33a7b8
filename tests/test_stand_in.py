"""Which particles a carried row takes the place of."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skflow._kernels import KernelState, Search, exchange, nearest, partial
from skflow._stand_in import StandIn, stand_in


def draw(n_rows, n_points, n_features, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_features)), rng.normal(size=(n_points, n_features))


@pytest.mark.parametrize("n_points", [1, 2, 9, 300])
@pytest.mark.parametrize("n_features", [1, 3, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_are_the_nearest(dtype, n_features, n_points):
    rows, points = (A.astype(dtype) for A in draw(37, n_points, n_features))
    k = min(5, n_points)
    neighbors, distances = nearest(rows, points, k)
    differences = rows[:, None].astype(float) - points.astype(float)
    expected = np.sqrt(np.square(differences).sum(axis=2))
    assert_allclose(distances, np.sort(expected, axis=1)[:, :k], rtol=1e-13)
    assert_allclose(np.take_along_axis(expected, neighbors, axis=1), distances, rtol=1e-13)


def test_nearest_of_a_row_does_not_depend_on_the_others_or_on_threads():
    rows, points = draw(203, 500, 4)
    whole = nearest(rows, points, 9)
    alone = [nearest(rows[i : i + 1], points, 9) for i in range(len(rows))]
    for part in range(2):
        assert_array_equal(whole[part], np.concatenate([one[part] for one in alone]))
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        single = nearest(rows, points, 9)
    finally:
        numba.set_num_threads(before)
    assert_array_equal(whole[0], single[0])
    assert_array_equal(whole[1], single[1])


def test_nearest_is_exact_far_from_the_origin():
    points = np.arange(50.0)[:, None] + 1e12
    neighbors, distances = nearest(points, points, 1)
    assert_array_equal(neighbors[:, 0], np.arange(50))
    assert_array_equal(distances, 0)


@pytest.mark.parametrize("n_features", [1, 2, 12])
def test_a_search_finds_the_same_wherever_it_begins(n_features):
    """Also after leaps, among duplicates, and when there are other rows or points."""
    rng = np.random.default_rng(0)
    search = Search()
    rows, points = draw(60, 300, n_features)
    points[150:200] = points[:50]
    rows[:20] = points[:20]
    for leap in [0.0, 0.01, 10.0, 0.0, 1e100]:
        rows, points = (A + leap * rng.normal(size=A.shape) for A in (rows, points))
        for found, expected in zip(search(rows, points, 9), nearest(rows, points, 9), strict=True):
            assert_array_equal(found, expected)
    for some_rows, some_points in [(rows[:7], points), (rows[:7], points[:20]), (rows[:7], points)]:
        found, _ = search(some_rows, some_points, 9)
        assert_array_equal(found, nearest(some_rows, some_points, 9)[0])


@pytest.mark.parametrize("n_features", [1, 3])
def test_of_equally_near_points_those_of_the_lowest_indices(n_features):
    """Also where points were sorted some calls ago, and in any number of them."""
    rng = np.random.default_rng(0)
    search = Search()
    points = rng.integers(8, size=(700, n_features)).astype(float)
    rows = points[:90].copy()
    for _ in range(40):
        differences = rows[:, None] - points
        expected = np.argsort(np.square(differences).sum(axis=2), axis=1, kind="stable")[:, :9]
        assert_array_equal(search(rows, points, 9)[0], expected)
        assert_array_equal(nearest(rows, points, 9)[0], expected)
        rows += rng.integers(-1, 2, size=rows.shape)
        points += rng.integers(-1, 2, size=points.shape)


@pytest.mark.parametrize("n_points", [1, 2, 8, 9, 10, 200])
def test_shares_sum_to_one_and_all_leave_where_a_particle_is(n_points):
    rows, Y = draw(50, n_points, 3)
    own = stand_in(rows, Y)
    assert np.all(own.shares >= 0)
    assert_allclose(own.shares.sum(axis=1), 1, rtol=1e-12)
    own = stand_in(Y, Y)
    assert_array_equal(own.neighbors[:, 0], np.arange(n_points))
    assert_allclose(own.shares[:, 0], 1, rtol=1e-12)


@pytest.mark.parametrize("n_points", [2, 5, 9, 100])
def test_shares_are_continuous(n_points):
    """Along a line, no particle's share jumps, also where neighbours change."""
    _, Y = draw(1, n_points, 2)
    t = np.linspace(-2, 2, 20001)[:, None]
    own = stand_in(np.hstack([t, 0.3 * t]), Y)
    shares = np.zeros((len(t), n_points))
    np.put_along_axis(shares, own.neighbors, own.shares, axis=1)
    assert np.abs(np.diff(shares, axis=0)).max() < 0.02


def test_duplicate_particles_share():
    Y = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    own = stand_in(np.array([[0.0, 0.0]]), Y)
    assert_allclose(own.shares, [[0.5, 0.5, 0.0]], atol=1e-12)


def test_equidistant_particles_have_shares():
    """Who is nearest is a matter of rounding here; the shares are finite all the same."""
    angles = 2 * np.pi * np.arange(9) / 9
    own = stand_in(np.zeros((1, 2)), np.column_stack([np.cos(angles), np.sin(angles)]))
    assert np.all(own.shares >= 0)
    assert_allclose(own.shares.sum(), 1)


# What the particles' sums become when a row takes their place


@pytest.mark.parametrize("n_features", [1, 2, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_exchange_is_the_sum_with_those_that_make_way(dtype, n_features):
    rows, Y = (A.astype(dtype) for A in draw(75, 40, n_features))
    Z = rows + dtype(0.3)
    own = stand_in(rows, Y)
    state = exchange(partial(Z, Y, 1.5), Z, Y, 1.5, own)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for i, (z, row) in enumerate(zip(Z, rows, strict=True)):
        weights = np.ones(len(Y) + 1)
        weights[own.neighbors[i]] -= own.shares[i]
        points = np.concatenate([Y, row[None]]).astype(float)
        kernels = weights * np.exp(-np.square(z - points).sum(axis=1) / (2 * 1.5**2))
        assert_allclose(state.log_sum[i], np.log(kernels.sum()), rtol=tolerance, atol=tolerance)
        expected = kernels @ points / kernels.sum()
        assert_allclose(state.mean[i], expected, rtol=tolerance, atol=tolerance)


def test_where_all_leaves_the_row_alone_is_left():
    """However far away it is, and whatever the mean of nothing was."""
    Y, Z, row = np.array([[0.0], [1e4]]), np.zeros((1, 1)), np.array([[60.0]])
    own = StandIn(row, np.array([[0]]), np.array([[1.0]]))
    nothing = KernelState(np.array([-np.inf]), np.array([[np.nan]]), 2.0)
    for state in (partial(Z, Y, 1.0), nothing):
        new = exchange(state, Z, Y, 1.0, own)
        assert_array_equal(new.mean, row)
        assert_allclose(new.log_sum, -(60.0**2) / 2, rtol=1e-14)
