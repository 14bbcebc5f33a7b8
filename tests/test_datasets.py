import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skflow.datasets import make_gaussian_grid, make_low_rank_gaussian, make_question_mark
from skflow.metrics import (
    characteristic_function_distance,
    characteristic_function_threshold,
    nearest_neighbor_distances,
)

MIXTURES = [make_gaussian_grid, make_question_mark]
ALL = [*MIXTURES, make_low_rank_gaussian]


@pytest.mark.parametrize("make", ALL)
def test_random_state(make):
    first, again, other = (make(50, random_state=seed)[0] for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.isin(first, other).any()
    rng = np.random.RandomState(0)
    assert not np.isin(make(50, random_state=rng)[0], make(50, random_state=rng)[0]).any()
    assert first.dtype == np.float64
    assert len(make(1, random_state=0)[0]) == 1


@pytest.mark.parametrize("make", ALL)
def test_seeds_give_copies_of_one_law(make):
    def sampler(n_samples, random_state):
        return make(n_samples, random_state=random_state)[0]

    # The low-rank law is an order of magnitude wider than the mixtures.
    scale = 0.05 if make is make_low_rank_gaussian else 0.5
    threshold = characteristic_function_threshold(
        sampler, 300, n_trials=100, frequency_scale=scale, random_state=0
    )
    samples = [make(300, random_state=seed)[0] for seed in range(1, 11)]
    # The median of five pairs: one pair in a hundred is beyond the largest of a hundred.
    near, far = (
        np.median(
            [
                characteristic_function_distance(
                    X, stretch * Y, frequency_scale=scale, random_state=0
                )
                for X, Y in zip(samples[::2], samples[1::2], strict=True)
            ]
        )
        for stretch in (1, 1.5)
    )
    assert near < threshold < far


@pytest.mark.parametrize("make, n_components", [(make_gaussian_grid, 25), (make_question_mark, 30)])
def test_labels_are_drawn_with_equal_weights(make, n_components):
    _, y = make(20_000, random_state=0)
    counts = np.bincount(y)
    assert len(counts) == n_components
    # Allotted labels would fit too well, unequal weights badly.
    assert 0.001 < stats.chisquare(counts).pvalue < 0.999
    assert stats.spearmanr(np.arange(len(y)), y).pvalue > 0.001


@pytest.mark.parametrize("make", MIXTURES)
def test_each_label_is_a_spherical_gaussian(make):
    X, y = make(30_000, std=0.03, random_state=0)
    centers, exact = make(30_000, std=0, random_state=0)
    assert_array_equal(y, exact)
    standardised = (X - centers) / 0.03
    assert stats.kstest(standardised.ravel(), "norm").pvalue > 0.001
    errors = np.corrcoef(standardised.T)[np.triu_indices(X.shape[1], 1)] * np.sqrt(len(X))
    assert np.all(abs(errors) < stats.norm.isf(0.0005))


def test_grid_geometry():
    X, y = make_gaussian_grid(2000, n_side=3, spacing=2.0, std=0, random_state=0)
    centers = np.array([X[y == label][0] for label in range(9)])
    expected = [[x, height] for height in (2, 0, -2) for x in (-2, 0, 2)]
    assert_allclose(centers, expected)
    assert_allclose(make_gaussian_grid(3, n_side=1, std=0)[0], 0)


@pytest.mark.parametrize("n_components", [2, 10, 30, 60])
def test_question_mark_geometry(n_components):
    X, y = make_question_mark(5000, n_components=n_components, std=0, random_state=0)
    centers = np.array([X[y == label][0] for label in range(n_components)])
    assert_allclose(centers.mean(axis=0), 0, atol=1e-12)
    n_dot = max(1, n_components // 10)
    stroke, dot = centers[:-n_dot], centers[-n_dot:]
    assert dot[:, 1].max() < stroke[:, 1].min()
    if n_components >= 10:
        steps = np.linalg.norm(np.diff(stroke[:, :2], axis=0), axis=1)
        assert steps.max() < 1.2 * steps.min()
        # It opens to the left: the hook's tip and the belly are on either side of the foot.
        assert stroke[0, 0] < stroke[-1, 0] < stroke[:, 0].max()
        assert np.linalg.matrix_rank(centers, tol=0.5) == 3


def test_question_mark_extent():
    centers, _ = make_question_mark(5000, std=0, random_state=0)
    assert_allclose(np.ptp(centers, axis=0), [2.5, 5, 1.0], rtol=0.05)
    assert nearest_neighbor_distances(np.unique(centers, axis=0)).min() > 0.15


def test_low_rank_law():
    X, mean, covariance = make_low_rank_gaussian(5000, n_features=20, rank=5, random_state=0)
    _, mean_again, covariance_again = make_low_rank_gaussian(3, n_features=20, rank=5)
    assert_array_equal(mean, mean_again)
    assert_array_equal(covariance, covariance_again)
    assert np.linalg.matrix_rank(covariance) == np.linalg.matrix_rank(X - mean) == 5

    # Scores in the subspace are standard normal and independent.
    value, vector = np.linalg.eigh(covariance)
    scores = (X - mean) @ vector[:, -5:] / np.sqrt(value[-5:])
    assert stats.kstest(scores.ravel(), "norm").pvalue > 0.001
    errors = np.corrcoef(scores.T)[np.triu_indices(5, 1)] * np.sqrt(len(X))
    assert np.all(abs(errors) < stats.norm.isf(0.0005))


def test_low_rank_law_is_drawn_as_in_the_paper():
    laws = [make_low_rank_gaussian(1, law_random_state=seed)[1:] for seed in range(40)]
    means = np.concatenate([mean for mean, _ in laws])
    assert stats.kstest(means - 10, "norm").pvalue > 0.001
    # A variance is the sum of 25 squares of N(0, 0.25).
    variances = np.concatenate([np.diag(covariance) for _, covariance in laws])
    assert stats.kstest(variances / 0.25, "chi2", args=(25,)).pvalue > 0.001


def test_rows_are_not_a_function_of_the_law_when_seeds_are_equal():
    X, mean, covariance = make_low_rank_gaussian(
        50, n_features=25, rank=25, law_random_state=7, random_state=7
    )
    # Drawn from one stream, row i would be B B_i / 0.5, a multiple of the covariance's row.
    related = np.corrcoef((X - mean)[:25].ravel(), covariance.ravel())[0, 1]
    assert abs(related) < 0.5


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(
    "arguments",
    [
        {"n_samples": 0},
        {"n_samples": 2.5},
        {"random_state": "seed"},
        {"std": -1.0},
        {"spacing": 0},
        {"n_side": 0},
        {"n_components": 1},
        {"rank": 0},
        {"rank": 51},
        {"n_features": 0},
        {"law_random_state": -1.5},
    ],
    ids=str,
)
def test_bad_arguments(make, arguments):
    (name,) = arguments
    # A name that this dataset does not have is an error as well.
    with pytest.raises((ValueError, TypeError), match=name):
        make(**arguments)
