"""Schedules against their formulas, bandwidth rules against the paper and scikit-learn."""

import itertools

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from skflow.schedules import (
    BANDWIDTH_RULES,
    SCHEDULES,
    Constant,
    Cosine,
    Geometric,
    Linear,
    auto_schedule,
    median_squared_distance,
    neighbor_distance,
)

FORMULAS = {
    Cosine: naive.cosine_sigma,
    Geometric: lambda t, first, last: np.exp((1 - t) * np.log(first) + t * np.log(last)),
    Linear: lambda t, first, last: first + t * (last - first),
}
every_schedule = pytest.mark.parametrize("schedule", FORMULAS)


def draw(n_rows, width=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, width))


@every_schedule
@settings(deadline=None)
@given(last=st.floats(1e-3, 1e2), ratio=st.floats(1.01, 50), t=st.floats(0, 1))
def test_schedule_is_its_formula(schedule, last, ratio, t):
    sigma = schedule(sigma_max=last * ratio, sigma_min=last)
    # The cosine loses as many digits as the square of the ratio has.
    assert_allclose(sigma(t), FORMULAS[schedule](t, last * ratio, last), rtol=1e-13 * ratio**2)
    assert_allclose([sigma(0.0), sigma(1.0)], [last * ratio, last], rtol=1e-13 * ratio**2)
    path = [sigma(t) for t in np.linspace(0, 1, 33)]
    assert all(type(value) is float and value > 0 for value in path)
    assert all(after < before for before, after in itertools.pairwise(path))


@every_schedule
def test_equal_ends_are_constant(schedule):
    assert_allclose([schedule(2.0, 2.0)(t) for t in (0.0, 0.3, 1.0)], 2.0, rtol=1e-15)
    assert [Constant(2)(t) for t in (0.0, 0.3, 1.0)] == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_estimators(name):
    schedule = SCHEDULES[name]()
    changed = clone(schedule).set_params(**{key: 3.0 for key in schedule.get_params()})
    assert set(clone(changed).get_params().values()) == {3.0}
    assert clone(changed)(0.5) == pytest.approx(3.0) and schedule(0.5) != pytest.approx(3.0)
    # In an estimator, the last bandwidth is the one that was asked for.
    assert schedule(1.0) == pytest.approx(1.0, rel=1e-15)


# --- the median distance --------------------------------------------------------------------------


def literal_median(X, weights):
    """The smallest value that half of the mass of all pairs does not exceed."""
    rows = list(zip(X, weights, strict=True))
    pairs = [(np.sum((x - y) ** 2), v * w) for x, v in rows for y, w in rows]
    half, seen = np.sum(weights) ** 2 / 2, 0
    for squared, mass in sorted(pairs):
        seen += mass
        if seen >= half:
            return squared


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.booleans(), st.integers(0, 9999))
def test_median_is_over_all_pairs_and_weights_are_repeats(n_rows, width, ties, seed):
    X = draw(n_rows, width, seed)
    X = np.round(X) if ties else X
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, size=n_rows)
    weights[rng.integers(n_rows)] += 1
    result = median_squared_distance(X, sample_weight=weights)
    assert_allclose(result, literal_median(X, weights), rtol=1e-12)
    assert result == median_squared_distance(np.repeat(X, weights, axis=0))
    order = rng.permutation(n_rows)
    assert_allclose(median_squared_distance(X[order], weights[order]), result, rtol=1e-12)
    if n_rows % 2:  # else numpy averages two values
        assert_allclose(median_squared_distance(X), np.median(naive.squared_distances(X)))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_weights_of_any_size_have_a_median(scale):
    X, weights = draw(20, 2, 0), np.random.default_rng(0).integers(1, 4, size=20)
    assert median_squared_distance(X, weights * scale) == median_squared_distance(X, weights)


@pytest.mark.parametrize("seed", range(3))
def test_median_of_many_rows(seed):
    X = draw(3000, seed=seed) * [1, 2, 3]
    result = median_squared_distance(X)
    full = np.median(pdist(X, "sqeuclidean"))
    assert result == pytest.approx(full, rel=0.1)  # measured over 30 seeds: 7 % at most, 2.5 % rms
    order = np.random.default_rng(seed).permutation(len(X))
    assert median_squared_distance(X[order]) == result
    weights = np.random.default_rng(seed).integers(0, 5, size=len(X))
    repeated = np.repeat(X, weights, axis=0)
    assert median_squared_distance(X, weights) == median_squared_distance(repeated)
    # 1024 rows whose repeats are more than 1024, on either side of the same limit
    few, counts = X[:1024], weights[:1024] + 1
    few_repeated = median_squared_distance(np.repeat(few, counts, axis=0))
    assert few_repeated == pytest.approx(median_squared_distance(few, counts), rel=0.1)


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [3, 101])
def test_median_rules_are_the_papers(n_rows):
    X, Y = draw(50), 2 * draw(n_rows, seed=1)
    assert_allclose(BANDWIDTH_RULES["paper"](X, None, Y), naive.paper_bandwidth(Y))
    assert_allclose(BANDWIDTH_RULES["liu-wang"](X, None, Y), naive.liu_wang_bandwidth(Y))


@pytest.mark.parametrize("n_rows", [5, 21, 40, 101])
def test_auto_is_the_distance_to_the_tenth_neighbour(n_rows):
    X = draw(n_rows)
    distances = np.sqrt(naive.squared_distances(X))
    tenth = np.sort(distances, axis=1)[:, min(10, n_rows // 2)]  # the row itself comes first
    expected = np.sort(tenth)[(n_rows - 1) // 2]  # of an even number, the lower one
    assert_allclose(BANDWIDTH_RULES["auto"](X, None, 7 * X), expected)
    assert_allclose(BANDWIDTH_RULES["auto"](7 * X, None, X), 7 * expected)


@pytest.mark.parametrize("seed", range(3))
def test_neighbors_of_many_rows_are_those_of_a_sample_of_them(seed):
    X = draw(3000, seed=seed) * [1, 2, 3]
    tenth = np.sqrt(np.sort(naive.squared_distances(X), axis=1)[:, 10])
    result = neighbor_distance(X)
    # The spread of the single distances over the root of 256 is 3 %.
    assert result == pytest.approx(np.median(tenth), rel=0.1)
    order = np.random.default_rng(seed).permutation(len(X))
    assert neighbor_distance(X[order]) == result
    weights = np.random.default_rng(seed).integers(0, 5, size=len(X))
    repeated = np.repeat(X, weights, axis=0)
    assert neighbor_distance(X, sample_weight=weights) == neighbor_distance(repeated)


def literal_neighbor_distance(X, weights, n_neighbors):
    """The weighted median, over the rows, of how far as much weight as they want reaches."""

    def reach(squared, weights, wanted):
        order = np.argsort(squared, kind="stable")
        return squared[order[np.searchsorted(np.cumsum(weights[order]), wanted)]]

    wanted = min(n_neighbors + 1, weights.sum() / 2) * (1 - 1e-9)
    reached = [reach(row, weights, wanted) for row in naive.squared_distances(X)]
    return np.sqrt(reach(np.array(reached), weights, weights.sum() / 2 * (1 - 1e-9)))


@pytest.mark.parametrize("decades", [0, 1, 4])
@pytest.mark.parametrize("n_rows", [5, 60, 700])
def test_neighbors_by_weight(n_rows, decades):
    """Of small weights many are wanted, more than are looked at first; and many rows are equal."""
    rng = np.random.default_rng(0)
    X, weights = np.round(draw(n_rows), 1), 10 ** -rng.uniform(0, decades, size=n_rows)
    for n_neighbors in (1, 10):
        result = neighbor_distance(X, weights, n_neighbors)
        assert_allclose(result, literal_neighbor_distance(X, weights, n_neighbors), rtol=1e-12)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
@pytest.mark.parametrize("width", [1, 5])
def test_rules_of_thumb_are_those_of_scikit_learn(rule, width):
    X = StandardScaler().fit_transform(draw(200, width))
    expected = KernelDensity(bandwidth=rule).fit(X).bandwidth_
    assert_allclose(BANDWIDTH_RULES[rule](X, None, X[:3]), expected)
    assert_allclose(BANDWIDTH_RULES[rule](7 * X, None, X[:3]), 7 * expected)
    # a weight counts as that many rows
    tripled = np.repeat(X, 3, axis=0)
    weighted = BANDWIDTH_RULES[rule](X, sample_weight=np.full(200, 3.0), Y=X)
    assert_allclose(weighted, BANDWIDTH_RULES[rule](tripled, None, X))


@pytest.mark.parametrize("rule", ["auto", "paper", "liu-wang"])
def test_distance_rules_take_weights_for_repeats(rule):
    X, weights = draw(60), np.arange(60) % 3
    repeated = BANDWIDTH_RULES[rule](np.repeat(X, weights, axis=0), None, X)
    assert BANDWIDTH_RULES[rule](X, sample_weight=weights, Y=X) == repeated


def test_auto_where_most_pairs_coincide():
    few = np.concatenate([np.zeros((60, 2)), draw(40, 2)])  # most rows have ten at no distance
    assert neighbor_distance(few) == 0 < median_squared_distance(few)
    expected = np.sqrt(median_squared_distance(few) / 4)
    assert_allclose(BANDWIDTH_RULES["auto"](few, None, few), expected)
    X = np.concatenate([np.zeros((80, 2)), draw(20, 2)])
    assert median_squared_distance(X) == 0
    mean = naive.squared_distances(X).mean()
    assert_allclose(BANDWIDTH_RULES["auto"](X, None, X), np.sqrt(mean / 4))
    rows, weights = X[79:], np.append(80, np.ones(20))
    assert_allclose(BANDWIDTH_RULES["auto"](rows, weights, X), np.sqrt(mean / 4))


def test_the_auto_schedule_runs_down_from_half_a_typical_distance():
    X = draw(300)
    wide = np.sqrt(median_squared_distance(X) / 4)
    schedule = auto_schedule(X, sample_weight=None, bandwidth=wide / 5)
    assert_allclose([schedule(0), schedule(0.5), schedule(1)], [5, np.sqrt(5), 1])
    for bandwidth in (wide, 3 * wide):
        assert auto_schedule(X, None, bandwidth)(0) == auto_schedule(X, None, bandwidth)(1) == 1
