"""The ways to sum kernels against summing all of them: what is passed over, and what it costs."""

import importlib.util

import numpy as np
import pytest

from skflow._kernels import Points, algorithms, blocks, fourier, kernel_mean, sorting
from skflow._kernels.blocks import Sketch, Tiles, share_of_blocks
from skflow._kernels.builder import GROUP
from skflow._kernels.scans import BUNDLE
from skflow._kernels.sorting import sorted_into_tiles

finufft = pytest.mark.skipif(
    importlib.util.find_spec("finufft") is None, reason="needs the package finufft"
)
TOLERANCES = [0.3, 1e-2, 1e-6, 1e-12]


def clusters(width, n_points, seed=0):
    """Clusters of very different sizes, with duplicates."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(7, width)) * 5
    rows = centers[rng.integers(7, size=n_points)] ** 2 / 5
    rows += rng.normal(size=rows.shape) * rng.choice([0.0, 0.1, 1.0], size=(n_points, 1))
    return rows


def queries_of(X, sigma, n_queries=60, seed=1):
    """Noised points, places anywhere between them, and some far outside."""
    rng = np.random.default_rng(seed)
    near = X[rng.integers(len(X), size=n_queries)] + sigma * rng.normal(
        size=(n_queries, X.shape[1])
    )
    between = rng.uniform(X.min(axis=0), X.max(axis=0), size=near.shape)
    return np.concatenate([near, between, 30 * between])


def errors(results, exact, X):
    """Of the kernel sum as a share of it, and of the mean in diameters of the points."""
    diameter = np.linalg.norm(np.ptp(X, axis=0))
    share = -np.expm1(results[1] - exact[1])
    return share, np.linalg.norm(results[0] - exact[0], axis=1) / diameter


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_blocks_leave_out_no_more_than_the_tolerance(tolerance, width, dtype, weighted):
    X = clusters(width, 3000).astype(dtype)
    weights = np.random.default_rng(2).exponential(size=3000) ** 4 if weighted else None
    for sigma in (0.02, 0.3, 3.0):
        Z = queries_of(X, sigma).astype(dtype)
        exact = kernel_mean(Z.astype(float), X, sigma, weights=weights, algorithm="dense")
        found = kernel_mean(Z, X, sigma, weights=weights, algorithm="blocks", tolerance=tolerance)
        _, of_mean = errors(found, exact, X)
        # Two roundings of the logits, whose size is that of squared lengths in bandwidths.
        lengths = np.linalg.norm(Z, axis=1) + np.linalg.norm(X, axis=1).max()
        rounding = 2 * np.finfo(float).eps * np.square(lengths / sigma) + 1e-13
        if dtype == np.float32:  # and one of the result
            rounding += 1e-5 + np.finfo(dtype).eps * np.abs(exact[1])
        left_out = exact[1] - found[1]
        assert np.all(left_out <= -np.log1p(-tolerance) + rounding)
        assert np.all(left_out >= -rounding)
        assert np.all(of_mean <= tolerance + np.minimum(rounding, 1e-5))
        if tolerance == 0.3 and sigma == 0.3 and width < 20 and not weighted:
            assert left_out.max() > 100 * rounding.min()  # something was left out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_pass_over_most_points(dtype):
    """Points of tiles that cannot count may hold anything, and so may their boxes, most of them."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(20_000, 2)).astype(dtype)
    Z = X[:500] * dtype(0.2)  # all in one corner
    points = Points(X)
    expected = kernel_mean(Z, points, 0.01, algorithm="blocks")
    tiles = points.once(blocks.Tiles, dtype)
    (lower, upper, _), (lower_of_bundles, *_) = tiles.boxes
    edge = 0.35 - tiles.layout.origin[:, None]
    far = (lower > edge).any(axis=0)
    panels = tiles.layout.panels.reshape(-1, tiles.panels, *tiles.layout.panels.shape[1:])
    panels[far[: len(panels)]] = np.nan
    in_far_bundles = np.repeat((lower_of_bundles > edge).any(axis=0), BUNDLE)[: lower.shape[1]]
    assert far.mean() > 0.6 and in_far_bundles.mean() > 0.4
    lower[:, in_far_bundles], upper[:, in_far_bundles] = -np.inf, np.inf
    found = kernel_mean(Z, points, 0.01, algorithm="blocks")
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_pass_over_points_of_little_weight(dtype):
    X = np.random.default_rng(0).uniform(size=(5000, 2)).astype(dtype)
    points = Points(X, weights=np.where(X[:, 0] < 0.5, 1.0, 1e-40))
    Z = X[X[:, 0] < 0.5]
    expected = kernel_mean(Z, points, 0.2, algorithm="blocks")
    tiles = points.once(blocks.Tiles, dtype)
    (_, _, heaviest), _ = tiles.boxes
    panels = tiles.layout.panels.reshape(-1, tiles.panels, *tiles.layout.panels.shape[1:])
    light = heaviest[: len(panels)] < -100
    assert light.mean() > 0.4
    panels[light] = np.nan
    found = kernel_mean(Z, points, 0.2, algorithm="blocks")
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_bundles_of_tiles_are_tiles_themselves():
    X = np.random.default_rng(0).standard_normal((5000, 3))
    order, of_bundles = sorted_into_tiles(X, 10, BUNDLE), sorted_into_tiles(X, 10 * BUNDLE)
    assert np.array_equal(np.sort(order), np.arange(5000))
    for first in range(0, 5000, 10 * BUNDLE):
        part = slice(first, first + 10 * BUNDLE)
        assert set(order[part]) == set(of_bundles[part])


@pytest.mark.parametrize("shape", [(1, 2), (9, 1), (3001, 2), (40_000, 5)])
def test_rows_are_sorted_in_any_number_of_threads(shape, monkeypatch):
    X = np.random.default_rng(0).integers(7, size=shape).astype(float)  # with many equal ones
    orders = []
    for number in (1, 2, 5):
        monkeypatch.setattr(sorting, "n_threads", lambda _, number=number: number)
        orders.append(sorted_into_tiles(X, 8, 4))
    assert all(np.array_equal(orders[0], order) for order in orders[1:])


@pytest.mark.parametrize("algorithm", ["auto", "blocks"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [2, 5, 17])
def test_a_query_has_the_same_bits_in_any_company(width, dtype, algorithm):
    X = clusters(width, 5000).astype(dtype)
    for sigma in (0.05, 0.5, 20.0):
        Z = queries_of(X, sigma).astype(dtype)
        everything = kernel_mean(Z, X, sigma, algorithm=algorithm)
        for rows in (slice(None, None, -1), slice(3, 4), slice(50, 77), [9, 120, 4]):
            some = kernel_mean(Z[rows], X, sigma, algorithm=algorithm)
            assert all(np.array_equal(a, b[rows]) for a, b in zip(some, everything, strict=True))


def test_auto_is_the_faster_of_both():
    X = np.random.default_rng(0).uniform(size=(8000, 3))
    points, Z = Points(X), X[:300]
    for sigma, faster, slower in ((0.01, "blocks", "dense"), (0.5, "dense", "blocks")):
        by = {name: kernel_mean(Z, points, sigma, algorithm=name)[0] for name in (faster, slower)}
        assert not np.array_equal(by[faster], by[slower])  # they round in their own ways
        assert np.array_equal(kernel_mean(Z, points, sigma)[0], by[faster])
    assert share_of_blocks(points, 0.01, 1e-16) < 0.1
    assert share_of_blocks(points, 0.5, 1e-16) == 1.0
    assert share_of_blocks(Points(X[:4000]), 0.01, 1e-16) == 1.0  # too few to be worth it


def share_of_tiles(X, Z, sigma, n_groups=60):
    """Share of the tiles of X that hold a kernel that counts for some query of a group of Z."""
    tiles = Points(X).once(Tiles, np.float64)
    (lower, upper, _), _ = tiles.boxes
    cut = 53 + np.log2(len(X))
    rows = Z[sorted_into_tiles(Z, GROUP)]
    needed = []
    for first in range(0, len(rows) - GROUP, len(rows) // n_groups // GROUP * GROUP):
        group = rows[first : first + GROUP, :, None]
        offsets = group - tiles.layout.origin[:, None]
        gaps = np.maximum(np.maximum(lower - offsets, offsets - upper), 0)
        highest = np.square(group - X.T).sum(axis=1).min(axis=1, keepdims=True)
        further = np.square(gaps).sum(axis=1) - highest
        needed.append((further < 2 * sigma**2 * np.log(2) * cut).any(axis=0).mean())
    return np.mean(needed)


@pytest.mark.parametrize("width", [2, 5, 8, 12])
@pytest.mark.parametrize("shape", ["uniform", "standard_normal"])
def test_a_sketch_tells_how_many_tiles_count(shape, width):
    rng = np.random.default_rng(width)
    X = getattr(rng, shape)(size=(10_000, width))
    for share in (0.05, 0.1, 0.2):
        sigma = share * X.std()
        exact = share_of_tiles(X, X + sigma * rng.standard_normal(X.shape), sigma)
        # measured: 0.77 to 1.29 of it
        assert 0.7 < share_of_blocks(Points(X), sigma, 2.0**-53) / exact < 1.45


def test_where_most_pairs_are_near_no_sketch_is_made():
    X = np.random.default_rng(0).uniform(size=(10_000, 3))
    for sigma, is_made in ((0.02, True), (0.08, False)):
        points = Points(X)
        kernel_mean(X[:10], points, sigma)
        assert any(isinstance(found, Sketch) for found in points._prepared.values()) == is_made


def test_to_choose_all_pairs_nothing_is_sorted():
    X = np.random.default_rng(0).uniform(size=(10_000, 3))
    for sigma, is_sorted in ((0.01, True), (0.1, False)):
        points = Points(X)
        kernel_mean(X, points, sigma)
        assert any(isinstance(found, Tiles) for found in points._prepared.values()) == is_sorted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_queries_that_are_no_numbers_harm_no_others(dtype):
    X = np.random.default_rng(0).standard_normal((500, 2)).astype(dtype)
    Z = X[:60].copy()
    expected = kernel_mean(Z, X, 0.1, algorithm="blocks")
    good = np.arange(60) % 3 > 0
    Z[~good] = np.nan
    found = kernel_mean(Z, X, 0.1, algorithm="blocks")
    assert all(np.array_equal(a[good], b[good]) for a, b in zip(found, expected, strict=True))
    assert all(np.isnan(a[~good]).all() for a in found)


@pytest.mark.parametrize("n_queries", [1, GROUP - 1, GROUP, 3 * GROUP + 2])
@pytest.mark.parametrize("width", [1, 3, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_of_the_queries_of_a_group(dtype, width, n_queries):
    """A group that is not full has what was in its place before."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, width)).astype(dtype)
    Z = (X[:n_queries] + 0.1 * rng.standard_normal((n_queries, width))).astype(dtype)
    blocks = kernel_mean(Z, X, 0.1, algorithm="blocks")
    dense = kernel_mean(Z, X, 0.1, algorithm="dense")
    for found, expected in zip(blocks, dense, strict=True):
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-12
        )


@pytest.mark.parametrize("tile", [8, 96])
@pytest.mark.parametrize("n_rows", [0, 1, 7, 8, 9, 95, 96, 97, 1000])
def test_tiles_are_of_neighbours(n_rows, tile):
    X = np.random.default_rng(0).uniform(size=(n_rows, 2))
    some_nan, two_values = X.copy(), np.sign(X - 0.5)
    some_nan[::2], some_nan[::3] = np.nan, np.inf
    none, pairs = np.full_like(X, np.nan), np.repeat(X[: n_rows // 2], 2, axis=0)
    for rows in (X, X[X[:, 0].argsort()], np.zeros_like(X), two_values, pairs, some_nan, none):
        order = sorted_into_tiles(rows, tile)
        assert sorted(order) == list(range(len(rows)))
    if n_rows == 1000:
        order = sorted_into_tiles(X, tile)
        areas = [np.ptp(X[order[i : i + tile]], axis=0).prod() for i in range(0, 1000, tile)]
        assert np.sum(areas) < 1  # no two overlap


# --- the Fourier series -------------------------------------------------------------------------


@finufft
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_nufft_errs_by_no_more_than_the_tolerance(width, tolerance):
    X = clusters(width, 2000)
    weights = np.random.default_rng(2).exponential(size=2000)
    for sigma in (1.0, 10.0):
        Z = queries_of(X, sigma)
        exact = kernel_mean(Z, X, sigma, weights=weights, algorithm="dense")
        found = kernel_mean(Z, X, sigma, weights=weights, algorithm="nufft", tolerance=tolerance)
        share, of_mean = errors(found, exact, X)
        assert np.abs(share).max() <= tolerance and of_mean.max() <= tolerance
        far = np.any(np.abs(Z - X.mean(axis=0)) > np.ptp(X, axis=0) + 3 * sigma, axis=1)
        assert far.sum() > 10  # and computed exactly
        assert all(
            np.allclose(a[far], b[far], rtol=1e-12) for a, b in zip(found, exact, strict=True)
        )


@finufft
def test_a_series_of_too_many_terms_is_not_begun(monkeypatch):
    X = clusters(3, 2000)
    sigma = 1e-4 * np.ptp(X)  # 10^11 terms
    Z = queries_of(X, sigma)
    monkeypatch.setattr(algorithms, "fourier_mean", None)
    found = kernel_mean(Z, X, sigma, algorithm="nufft", tolerance=1e-6)
    exact = kernel_mean(Z, X, sigma, algorithm="blocks", tolerance=1e-6)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_array_equal(one, other)


@finufft
@pytest.mark.parametrize("n_values", [1, 2, 5])
def test_nufft_averages_other_values(n_values):
    X = clusters(2, 500)
    values = 100 + np.random.default_rng(3).normal(size=(500, n_values))
    results = [
        kernel_mean(X, X, 2.0, values=values, algorithm=name, tolerance=1e-9)
        for name in ("nufft", "dense")
    ]
    assert not np.array_equal(results[0][0], results[1][0])
    assert np.allclose(results[0][0], results[1][0], rtol=0, atol=1e-8)


@finufft
@pytest.mark.parametrize("error", [1e-12, 1e-8, 1e-4, 1.0])
def test_an_inaccurate_series_is_noticed(error, monkeypatch):
    right = fourier.Series.sums
    wrong = lambda self, rows: right(self, rows) + error * np.sin(1e3 * rows[:, :1])  # noqa: E731
    monkeypatch.setattr(fourier.Series, "sums", wrong)
    X = clusters(2, 2000)
    Z = queries_of(X, 3.0)
    exact = kernel_mean(Z, X, 3.0, algorithm="dense")
    found = kernel_mean(Z, X, 3.0, algorithm="nufft", tolerance=1e-6)
    assert max(np.abs(part).max() for part in errors(found, exact, X)) <= 1e-6
    certain = fourier.fourier_mean(Points(X), Z, 3.0, 1e-6)[2]
    assert certain[:60].mean() > 0.9 if error == 1e-12 else not certain.all()
    assert error < 1e-4 or not certain.any()


@finufft
def test_auto_takes_the_series_where_it_pays_and_is_allowed(monkeypatch):
    calls = []

    def spy(*arguments):
        calls.append(arguments)
        return fourier.fourier_mean(*arguments)

    monkeypatch.setattr(algorithms, "fourier_mean", spy)
    X = np.random.default_rng(0).normal(size=(20_000, 2))
    for sigma, tolerance, n_queries, expected in (
        (0.5, None, 20_000, 0),  # not allowed
        (0.5, 1e-12, 20_000, 0),  # not that accurate
        (0.5, 1e-6, 10, 0),  # not worth it
        (0.5, 1e-6, 20_000, 1),
    ):
        calls.clear()
        kernel_mean(X[:n_queries], X, sigma, tolerance=tolerance)
        assert len(calls) == expected
    calls.clear()
    monkeypatch.setattr(fourier, "find_spec", lambda name: None)
    kernel_mean(X, X, 0.5, tolerance=1e-6)
    assert not calls


@finufft
def test_nobody_asks_how_many_points_count_where_a_series_is_cheaper_in_any_case(monkeypatch):
    X = np.random.default_rng(0).normal(size=(20_000, 1))
    expected = kernel_mean(X, X, 0.5, tolerance=1e-6)
    monkeypatch.setattr(algorithms, "share_of_blocks", None)
    found = kernel_mean(X, X, 0.5, tolerance=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@finufft
@pytest.mark.parametrize(
    ("n_queries", "sigma", "rest"),
    [(9000, 0.01, "blocks"), (9000, 1.0, "dense"), (9, 0.01, "dense")],
)
def test_rows_that_a_series_leaves_are_summed_by_what_is_fastest(
    n_queries, sigma, rest, monkeypatch
):
    X = np.random.default_rng(0).uniform(size=(9000, 2))
    nothing = np.zeros(n_queries), np.zeros((n_queries, 2)), np.zeros(n_queries, dtype=bool)
    monkeypatch.setattr(algorithms, "fourier_mean", lambda *arguments: nothing)
    found = kernel_mean(X[:n_queries], X, sigma, algorithm="nufft", tolerance=1e-6)
    expected = kernel_mean(X[:n_queries], X, sigma, algorithm=rest, tolerance=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "options", "message"),
    [
        (2, {"algorithm": "kd_tree"}, "algorithm must be one of auto, dense, blocks, nufft"),
        *[(2, {"tolerance": t}, "tolerance must be None or between") for t in (0, -1, 1, np.nan)],
        (4, {"algorithm": "nufft", "tolerance": 1e-6}, "at most 3 dimensions, got 4"),
        (2, {"algorithm": "nufft"}, "needs a tolerance of at least 1e-10"),
        (2, {"algorithm": "nufft", "tolerance": 1e-14}, "needs a tolerance of at least 1e-10"),
    ],
)
def test_errors_say_what_to_do(width, options, message):
    X = clusters(width, 10)
    with pytest.raises(ValueError, match=message):
        kernel_mean(X, X, 1.0, **options)


def test_a_missing_finufft_is_named(monkeypatch):
    monkeypatch.setattr(algorithms, "find_spec", lambda name: None)
    X = clusters(2, 10)
    with pytest.raises(ImportError, match=r"pip install 'skflow\[nufft\]'"):
        kernel_mean(X, X, 1.0, algorithm="nufft", tolerance=1e-6)
