"""The streaming kernel mean against the paper in plain numpy, and the laws it keeps."""

import hashlib
import itertools
import multiprocessing
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding
import naive
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skflow._kernels import (
    Points,
    alone,
    builder,
    compiled,
    dense,
    finalize,
    kernel_mean,
    mean_square,
    merge,
    partial,
    vectors,
)
from skflow._kernels.algorithms import _FLOAT32_REACH
from skflow._kernels.points import corners

UNIT = {np.float32: 2.0**-24, np.float64: 2.0**-53}
every_dtype = pytest.mark.parametrize("dtype", UNIT)
every_width = pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 50, 200])


def draw(width, dtype, n_queries=37, n_points=300, seed=0):
    rng = np.random.default_rng(seed)
    Z, X = rng.normal(size=(n_queries, width)), rng.normal(size=(n_points, width))
    return Z.astype(dtype), X.astype(dtype)


def same_bits(first, second):
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def within(first, second, limits):
    return all(np.all(np.abs(a - b) <= c) for a, b, c in zip(first, second, limits, strict=True))


def bounds(Z, X, sigma, values=None, weights=None):
    """What rounding allows in the mean and in the log-density of each query.

    A logit errs by a few units in the last place of |z| |x| / sigma^2 (norms about the centre),
    the mean by that times the spread of the values, and both are rounded to the output.
    """
    single = Z.dtype == X.dtype == np.float32
    values = X if values is None else values
    center, value_center = X.mean(axis=0, dtype=float), values.mean(axis=0, dtype=float)
    lengths = np.linalg.norm(Z - center, axis=1)
    reach = np.linalg.norm(X - center, axis=1).max()
    spread = np.abs(values - value_center).max()
    ratio = (lengths + reach) * reach / sigma**2
    logit = UNIT[np.float64] * (1 + ratio)
    in_single = single & (ratio <= _FLOAT32_REACH)
    logit *= np.where(in_single, 2.0**29, 3.0)  # numpy's own sums differ by version, too
    if weights is not None:
        logit += UNIT[np.float64] * np.abs(np.log(weights[weights > 0])).max()
    out = UNIT[np.float32 if single else np.float64]
    mean = logit * spread + 3 * out * (np.abs(value_center).max() + spread)
    far = (3 + Z.shape[1] / 100) * (1 + lengths**2 / sigma**2) + np.log(len(X))
    return mean[:, None], 3 * logit + out * far


def assert_is_the_paper(Z, X, sigma, algorithm="auto", **kwargs):
    results = kernel_mean(Z, X, sigma, **kwargs, algorithm=algorithm)
    expected = naive.kernel_mean(Z, X, sigma, **kwargs)
    assert within(results, expected, bounds(Z, X, sigma, **kwargs))


def near_and_far(Z, X, s):
    return (Z.T * np.geomspace(0.1, 100, len(Z), dtype=Z.dtype)).T, X, s


def offset(Z, X, s):
    shift = 4096 if Z.dtype == np.float32 else 2**20
    Z, X = (np.round(A * 1024) / 1024 for A in (Z, X))  # so that shifting them is exact
    assert same_bits([(Z + shift) - shift, (X + shift) - shift], [Z + 0, X + 0])
    return Z + shift, X + shift, s


def edge_of_float32(Z, X, s):
    """The smallest sigma at which no row needs float64."""
    lengths, reach = (np.linalg.norm(A - X.mean(axis=0), axis=1).max() for A in (Z, X))
    return Z, X, 1.001 * np.sqrt((lengths + reach) * reach / _FLOAT32_REACH)


CASES = {
    "in distribution": lambda Z, X, s: (Z, X, s),
    "100 sigmas away": lambda Z, X, s: (Z + Z.dtype.type(100 * s), X, s),
    "1e4 sigmas away": lambda Z, X, s: (Z + Z.dtype.type(1e4 * s), X, s),
    "small sigma": lambda Z, X, s: (Z, X, 0.05),
    "edge of float32": edge_of_float32,
    "near and far": near_and_far,
    "offset": offset,
    "duplicates": lambda Z, X, s: (X[[0, 0, 1]], np.repeat(X[:3], 99, axis=0), s),
    "one query": lambda Z, X, s: (Z[:1], X, s),
    "one point": lambda Z, X, s: (Z, X[:1], s),
    **{f"{n} points": lambda Z, X, s, n=n: (Z, X[:n], s) for n in (255, 256, 257, 512, 513)},
}


# Of the error of the mean in sigmas, float32 and float64: two to five times that of nine seeds.
LIMITS = {
    "in distribution": (1.5e-6, 5e-15),
    "100 sigmas away": (4e-7, 5e-14),
    "edge of float32": (5e-6, 1e-14),
}


@every_width
@every_dtype
@pytest.mark.parametrize("algorithm", ["dense", "blocks"])
@pytest.mark.parametrize("case", CASES)
def test_kernel_mean_is_the_paper(case, algorithm, dtype, width):
    Z, X, sigma = CASES[case](*draw(width, dtype, n_points=513), 0.5 * np.sqrt(width))
    results = kernel_mean(Z, X, sigma, algorithm=algorithm)
    expected = naive.kernel_mean(Z, X, sigma)
    assert all(result.dtype == dtype for result in results)
    assert [result.shape for result in results] == [Z.shape, Z.shape[:1]]
    assert within(results, expected, bounds(Z, X, sigma))
    if case in LIMITS:
        limit = LIMITS[case][dtype == np.float64] * sigma
        assert within(results[:1], expected[:1], [limit])


@every_dtype
@pytest.mark.parametrize("algorithm", ["dense", "blocks"])
@pytest.mark.parametrize("width", [2, 7, 40])
def test_many_blocks_of_queries_and_many_subtotals(width, algorithm, dtype):
    """One thread, so that blocks follow each other in the same memory."""
    Z, X = draw(width, dtype, n_queries=700, n_points=5000)
    sigma = np.sqrt(width)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        result = kernel_mean(Z, X, sigma, algorithm=algorithm)
    finally:
        numba.set_num_threads(before)
    assert within(result, naive.kernel_mean(Z, X, sigma), bounds(Z, X, sigma))


@pytest.mark.parametrize("dtypes", [("f4", "f8"), ("f8", "f4"), ("i4", "i8"), ("f4", "i8")])
def test_other_dtypes_are_computed_in_float64(dtypes):
    Z, X = ((4 * A).astype(dtype) for A, dtype in zip(draw(3, float), dtypes, strict=True))
    assert same_bits(kernel_mean(Z, X, 2.0), kernel_mean(Z.astype(float), X.astype(float), 2.0))
    assert_is_the_paper(Z, X, 2.0)


@every_dtype
@pytest.mark.parametrize("n_values", [1, 2, 3, 5, 15, 16, 17])
def test_values_other_than_the_points(n_values, dtype):
    Z, X = draw(3, dtype)
    values = 1e3 + 10 * draw(n_values, dtype, seed=1)[1]
    for algorithm in ("dense", "blocks"):
        assert_is_the_paper(Z, X, 0.7, algorithm, values=values)
        assert_is_the_paper(Z, X, 0.7, algorithm, values=values, weights=np.arange(300) % 5)
    log_densities = (kernel_mean(Z, X, 0.7, values=v)[1:] for v in (None, values))
    assert within(*log_densities, bounds(Z, X, 0.7)[1:])


@pytest.mark.parametrize("sigma", [1e-100, 1e-20, 1e-16, 1e-6])
def test_tiny_sigma_gives_the_nearest_point(sigma):
    X = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, 1.5], [0.0, -2.0]])  # the centre is a query
    mean, log_density = kernel_mean(np.zeros((1, 2)), X, sigma)
    np.testing.assert_allclose(mean, X[:1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(log_density, -0.5 / sigma**2, rtol=1e-9)


@every_dtype
@pytest.mark.parametrize("decades", [1, 30, 300])
def test_weights(decades, dtype):
    weights = 10 ** np.random.default_rng(1).uniform(-decades, decades, 300)
    for sigma in (0.1, 0.7):
        assert_is_the_paper(*draw(3, dtype), sigma, weights=weights)


@every_dtype
def test_only_ratios_of_weights_matter(dtype):
    weights = np.random.default_rng(1).uniform(1, 9, 300)
    scaled = [weights * 2.0**exponent for exponent in (-900, 0, 900)]
    low, mid, high = (kernel_mean(*draw(3, dtype), 1.0, weights=w) for w in scaled)
    limits = [(4 * UNIT[dtype] + 1e3 * UNIT[np.float64]) * (1 + np.abs(a)) for a in mid]
    assert within(low, mid, limits) and within(high, mid, limits)


@every_width
@every_dtype
def test_weights_are_repeats_and_zero_is_absence(dtype, width):
    Z, X = draw(width, dtype)
    X[::4] = 1e3  # neither the centre nor the choice of precision may feel them
    weights, values, sigma = np.arange(300) % 4, X[:, :1] + 1, 0.5 * np.sqrt(width)
    results, used = kernel_mean(Z, X, sigma, values, weights), weights > 0
    X, values, weights = X[used], values[used], weights[used]
    assert same_bits(results, kernel_mean(Z, X, sigma, values, weights))
    repeated = np.repeat(X, weights, axis=0), sigma, np.repeat(values, weights, axis=0)
    assert within(results, kernel_mean(Z, *repeated), bounds(Z, X, sigma, values))


@every_dtype
@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize(
    "lay_out",
    [
        lambda A: np.frombuffer(A.tobytes(), A.dtype).reshape(A.shape),  # read-only
        np.asfortranarray,
        lambda A: np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3],
    ],
    ids=["read-only", "Fortran", "strided"],
)
def test_memory_layout_does_not_matter_and_input_stays(lay_out, width, dtype):
    Z, X = draw(width, dtype)
    arrays = [Z, X, X[:, :2] ** 2]
    originals, laid_out = [a.copy() for a in arrays], [lay_out(a) for a in arrays]
    results = [kernel_mean(Z, X, 0.7, values) for Z, X, values in (arrays, laid_out)]
    assert same_bits(*results)
    assert same_bits(laid_out, originals) and same_bits(arrays, originals)


@every_width
@every_dtype
@pytest.mark.parametrize("order", ["C", "F"])
def test_splits_of_the_queries_give_the_same_bits(order, dtype, width):
    Z, X, sigma = near_and_far(*draw(width, dtype), 0.8 * np.sqrt(width))
    Z = np.asarray(Z, order=order)
    whole = kernel_mean(Z, X, sigma)
    singles = [slice(i, i + 1) for i in range(37)]
    for rows in [*singles, slice(0), slice(2), slice(2, 19), slice(19, None)]:
        assert same_bits(kernel_mean(Z[rows], X, sigma), [result[rows] for result in whole])


@pytest.fixture
def set_num_threads():
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def digest(_=None):
    """A checksum of results of all compiled variants, with enough work for threads."""
    cases = [draw(width, dtype, 203, 1000) for width in (2, 3, 9, 16) for dtype in UNIT]
    results = [kernel_mean(Z, X, sigma) for Z, X in cases for sigma in (1.0, 2.0)]
    results = [result.tobytes() for pair in results for result in pair]
    return hashlib.sha256(b"".join(results)).hexdigest()


def test_any_number_of_threads_and_callers_gives_the_same_bits(set_num_threads):
    expected = digest()
    for number in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        set_num_threads(number)
        assert digest() == expected
        assert numba.get_num_threads() == number
    with ThreadPoolExecutor(8) as callers:
        assert set(callers.map(digest, range(32))) == {expected}


# Below a regular file no directory can be made, not even by root.
@pytest.mark.parametrize("setting", [{"NUMBA_NUM_THREADS": "5"}, {"NUMBA_CACHE_DIR": __file__}])
def test_another_process_gives_the_same_bits(setting):
    code = "import conftest, numba\nfrom test_kernels import digest\n"
    code += "print(numba.get_num_threads(), digest())"
    path = os.pathsep.join(str(folder) for folder in Path(__file__).parents[:2])
    environment = {**os.environ, "PYTHONPATH": path, **setting}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    n_threads, checksum = output.split()
    assert checksum == digest()
    assert n_threads == setting.get("NUMBA_NUM_THREADS", n_threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_computes_the_same():
    expected = digest()
    with multiprocessing.get_context("fork").Pool(1) as child:
        assert child.apply_async(digest).get(timeout=30) == expected


@every_dtype
@pytest.mark.parametrize("sigma", [0.1, 1.5])
def test_merged_chunks_are_the_whole(sigma, dtype):
    Z, X = draw(3, dtype)
    weights = np.random.default_rng(1).uniform(1, 2, 300)
    chunks = [slice(7), slice(7, 290), slice(290, 300)]
    a, b, c = (partial(Z, X[rows], sigma, weights=weights[rows]) for rows in chunks)
    whole = finalize(partial(Z, X, sigma, weights=weights))
    rounded = [result.astype(dtype) for result in whole]
    assert same_bits(rounded, kernel_mean(Z, X, sigma, weights=weights))
    orders = [merge(merge(*order[:2]), order[2]) for order in itertools.permutations((a, b, c))]
    for state in [*orders, merge(a, merge(b, c))]:
        assert within(finalize(state), whole, bounds(Z, X, sigma))
        # A merge is in float64, whatever the chunks were computed in.
        limits = 5e-15 * (1 + np.abs(state.log_sum)), 5e-15, 1e-12
        assert within(state, orders[0], limits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Z": np.ones((2, 4))}, r"2-D arrays of the same width.*\(2, 4\).*\(5, 3\)"),
        *[({name: np.ones(3)}, "2-D array") for name in "ZX"],
        ({"X": np.ones((0, 3))}, "X has no rows"),
        *[({"sigma": s}, "sigma must be a positive") for s in (0, -1.0, np.nan, np.inf)],
        *[({"weights": [1, 1, w, 1, 1]}, "5 finite non-neg") for w in (-1, np.nan, np.inf)],
        *[({"weights": np.ones(s)}, "5 finite non-neg") for s in (4, (5, 1))],
        ({"weights": np.zeros(5)}, "All weights are zero"),
        *[({"values": np.ones(s)}, "each of the 5 rows") for s in (5, (4, 2))],
    ],
)
def test_errors_are_clear_and_leave_the_threads_alone(change, message, set_num_threads):
    set_num_threads(1)
    with pytest.raises(ValueError, match=message):
        kernel_mean(**{"Z": np.ones((2, 3)), "X": np.ones((5, 3)), "sigma": 1.0, **change})
    assert numba.get_num_threads() == 1


@pytest.mark.parametrize("width", [1, 3, 20])
@every_dtype
def test_arrays_of_vectors_start_where_a_vector_does(dtype, width):
    """Other arrays of numpy start there now and then."""
    points = Points(draw(width, dtype)[1])
    for _ in range(8):
        layout = dense.Layout(points, dtype)
        for array in (layout.panels, layout.values, layout.biases(1.0)):
            assert array.ctypes.data % vectors.VECTOR_BYTES == 0
    room = [compiled.zero_vectors(15 * width, layout.panels) for _ in range(24)]
    assert {array.ctypes.data % vectors.VECTOR_BYTES for array in room} == {0}
    assert all(array.shape == (15 * width,) and not array.any() for array in room)


@builder.inner_loop
def fill_exp2(code, signature):
    """results = 2^t, for arrays (t, results) of a whole number of vectors."""
    t, results, n_vectors = code.arguments
    with code.loop(code.number(0), n_vectors) as i:
        place = code.times(i.index, code.lanes)
        [power] = code.exp2([code.load(t, place)])
        code.store(power, results, place)


@numba.njit
def compiled_exp2(t, results, n_vectors):
    fill_exp2((t, results, n_vectors))


def exp2(t):
    lanes = vectors.lanes(t.dtype)
    padded = np.pad(t, (0, -len(t) % lanes))
    results = np.empty_like(padded)
    compiled_exp2(padded, results, len(padded) // lanes)
    return results[: len(t)]


# Relative errors in machine epsilons. Measured: 1.49 and 1.50 with AVX-512, 1.33 and 1.84 without.
MOST = {np.float32: 1.5, np.float64: 1.9}


@every_dtype
def test_exp2(dtype):
    lowest = np.finfo(dtype).minexp
    t = np.append(np.linspace(lowest, 0, 1_000_001)[1:], np.linspace(-2, 0, 500_001)).astype(dtype)
    exact = np.exp2(t.astype(np.longdouble))
    errors = np.abs(exp2(t) / exact - 1)
    assert errors.max() / np.finfo(dtype).eps <= MOST[dtype]
    below = exp2(np.array([lowest, lowest - 0.5, 2 * lowest, -1e30], dtype))
    assert below[0] == 2.0**lowest
    assert np.all((below >= 0) & (below <= 2.0**lowest))
    assert np.array_equal(exp2(np.array([0.0, -0.0, -1.0, -10.0], dtype)), [1, 1, 0.5, 2.0**-10])


@every_dtype
@pytest.mark.parametrize("width", [1, 3, 10, 100])
@pytest.mark.parametrize("n_rows", [1, 7, 8, 9, 1000])
def test_centres_and_mean_squares(n_rows, width, dtype):
    X = (5 + draw(width, dtype, n_points=n_rows)[1]).astype(dtype)
    for rows in (X, np.asfortranarray(X)):
        exact = rows.astype(np.longdouble)
        points = Points(rows)
        assert np.abs(points.center - exact.mean(axis=0)).max() <= 1e-15 * 10
        squared = np.square(exact).sum(axis=1).mean()
        assert abs(mean_square(rows) - squared) <= 1e-15 * 10 * squared


@every_dtype
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("n_rows", [1, 63, 64, 65, 1000])
def test_corners(n_rows, width, dtype):
    X = (5 + draw(width, dtype, n_points=n_rows)[1]).astype(dtype)
    points = Points(X)
    lower, upper = corners(points)
    centered = X.astype(np.float64) - points.center
    np.testing.assert_array_equal(lower, centered.min(axis=0))
    np.testing.assert_array_equal(upper, centered.max(axis=0))


@pytest.mark.parametrize("width", [2, 5, 10, 20, 40])
def test_float32_where_products_of_coordinates_lose_digits(width):
    """Clusters as wide as a small kernel: the mean there is not that of a single point."""
    rng, sigma = np.random.default_rng(0), 0.05
    centers = rng.standard_normal((50, width))
    X = centers[rng.integers(50, size=500)] + sigma * rng.standard_normal((500, width))
    Z = X + sigma * rng.standard_normal(X.shape)
    Z, X = Z.astype(np.float32), X.astype(np.float32)
    expected, _ = naive.kernel_mean(Z.astype(float), X.astype(float), sigma)
    points = Points(X)
    errors = np.abs(kernel_mean(Z, points, sigma)[0] - expected) / sigma
    assert errors.max() <= 1e-5  # measured: 6e-6 in 10 dimensions
    assert points.radius**2 > _FLOAT32_REACH * sigma**2  # or products would do
    if dense.suits_differences(points):
        _, by_differences, certain = alone(dense.differences_mean(points, Z, sigma))
        assert certain.mean() > 0.9
        assert (np.abs(by_differences - expected)[certain] / sigma).max() <= 1e-5


@pytest.mark.parametrize("width", [3, 10, 40])
@pytest.mark.parametrize("sigma", [0.3, 3.0])
def test_means_in_float32_are_those_in_float64_rounded(sigma, width):
    """Also of queries that are computed again in float64, or from the start."""
    Z, X = draw(width, np.float32)
    Z[::3] += 50
    mean = partial(Z, X, sigma).mean
    assert mean.dtype == np.float64 and not np.array_equal(mean, mean.astype(np.float32))
    assert same_bits([kernel_mean(Z, X, sigma)[0]], [mean.astype(np.float32)])


@pytest.mark.parametrize("width", [5, 40])
@pytest.mark.parametrize("why", ["values", "weights"])
def test_float32_sums_that_products_cannot_hold(why, width):
    """Kernels times 2^88 and values of 1e30, or times 2^-90 because only a far point has weight."""
    rng = np.random.default_rng(0)
    X = 1e-3 * rng.standard_normal((4001, width))
    X[:, 0] += np.repeat([1.0, -1.0], [2000, 2001])
    Z = 1e-3 * rng.standard_normal((20, width))
    Z[:, 0] += 62
    Z, X = Z.astype(np.float32), X.astype(np.float32)
    options = {"values": (1e30 * rng.standard_normal((len(X), 2))).astype(np.float32)}
    if why == "weights":
        options = {"weights": np.where(np.arange(len(X)) < len(X) - 1, 1e-60, 1.0)}
    for extra, is_certain in (({}, True), (options, False)):
        points = Points(X, **extra)
        squared = dense.squared_lengths(points, Z)
        certain = alone(dense.products_mean(points, Z, 1.0, squared))[2]
        assert (certain == is_certain).all()
        found = kernel_mean(Z, points, 1.0, algorithm="dense")
        wide = {name: values.astype(float) for name, values in extra.items()}
        expected = naive.kernel_mean(Z.astype(float), X.astype(float), 1.0, **wide)
        scale = 1e30 if "values" in extra else 1.0
        assert np.abs(found[0] - expected[0]).max() <= 1e-5 * scale
        assert np.abs(found[1] / expected[1] - 1).max() <= 1e-6


def test_loops_without_a_cache_and_their_assembly(monkeypatch):
    njit, expected = numba.njit, digest()

    def njit_without_locator(*args, cache=False, **kwargs):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*args, **kwargs)

    monkeypatch.setattr(numba, "njit", njit_without_locator)
    monkeypatch.setattr(dense, "stream", compiled.njit()(compiled.stream.py_func))
    assert digest() == expected
    # Values by row and by column, of products in either dtype and of differences.
    assert len(dense.stream.signatures) == 6
    for signature, text in dense.stream.inspect_asm().items():
        assert not re.findall(r"\b_*(?:exp|exp2|exp10|pow|ldexp)f?\b|\w*svml\w*", text)
        if llvmlite.binding.get_host_cpu_features().get("fma"):  # x86 only
            suffix = "s" if signature[3].types[0].dtype == numba.float32 else "d"
            register = "[yz]mm" if vectors.VECTOR_BYTES < 64 else "zmm"
            vector_fma = rf"\bvfn?m(?:add|sub)\d+p{suffix}\b.*%{register}"
            assert len(re.findall(vector_fma, text)) >= 4 * (2 + 2 + 6)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86's features")
@pytest.mark.parametrize(("n_bytes", "features"), [(32, "+avx2,+avx,+fma"), (16, "+sse2,+fma")])
def test_narrower_vectors(n_bytes, features):
    """Without instructions for the exponential; as many registers as processors with AVX2 have."""
    code = "import sys, pytest; from skflow._kernels.vectors import VECTOR_BYTES\n"
    code += f"assert VECTOR_BYTES == {n_bytes}\n"
    chosen = [__file__, str(Path(__file__).with_name("test_stand_in.py")), "-k"]
    chosen.append("exp2 or tiny or lose_digits or values_other or nearest or search")
    code += f"sys.exit(pytest.main(['-q', *{chosen!r}]))"
    environment = {**os.environ, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


sizes = st.integers(1, 9)


@settings(max_examples=200, deadline=None)
@given(sizes, sizes, sizes, st.integers(0, 999), st.sampled_from(list(UNIT)), st.floats(0.05, 20))
def test_mean_stays_in_the_box_and_moves_along(n_queries, n_points, width, seed, dtype, sigma):
    Z, X = (np.round(A * 1024) / 1024 for A in draw(width, dtype, n_queries, n_points, seed))
    weights = np.random.default_rng(seed).exponential(size=n_points)
    mean, log_density = kernel_mean(Z, X, sigma, weights=weights)
    slack = 2 * UNIT[dtype] * np.abs(X).max()
    assert np.all(mean >= X.min(axis=0) - slack) and np.all(mean <= X.max(axis=0) + slack)

    shift = dtype(seed - 500)  # exact, as all are multiples of 1 / 1024
    Z, X = Z + shift, X + shift
    limits = [2 * bound for bound in bounds(Z, X, sigma, weights=weights)]
    assert within(kernel_mean(Z, X, sigma, weights=weights), (mean + shift, log_density), limits)


@pytest.mark.parametrize("width", [2, 10, 40])
@pytest.mark.parametrize("power", [-120, -80, -60, 60, 65, 80, 120])
def test_float32_whose_squares_overflow_or_vanish(power, width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, width)).astype(np.float32)
    Z, unit = np.concatenate([X[:10], X[:20] + np.float32(0.5)]), np.float32(2.0**power)
    for sigma in (0.05, 1.0, 5.0):
        expected, log_density = kernel_mean(Z.astype(float), X.astype(float), sigma)
        mean, found = kernel_mean(Z * unit, X * unit, sigma * float(unit))
        assert mean.dtype == found.dtype == np.float32
        np.testing.assert_allclose(mean / unit, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found, log_density, rtol=1e-5, atol=1e-5)


def test_squares_that_float64_cannot_hold():
    X = np.array([[0.0], [1.0]])
    for sigma in (1e160, 1e-160):
        with pytest.raises(ValueError, match="its square overflows or vanishes in float64: divide"):
            kernel_mean(X, X, sigma)
    with pytest.raises(ValueError, match="squared distances overflow in float64: divide X"):
        kernel_mean(X, X * 1e160, 1.0)
