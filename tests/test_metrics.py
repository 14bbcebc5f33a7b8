import warnings

import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow.metrics import (
    _distances,
    _mean_discrepancy,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
    privacy_loss,
)
from skflow.metrics import characteristic_function_distance as cfd
from skflow.metrics import characteristic_function_threshold as cfd_threshold
from skflow.metrics import classifier_two_sample_auc as c2st
from skflow.metrics import maximum_mean_discrepancy as mmd
from skflow.metrics import maximum_mean_discrepancy_test as mmd_test
from skflow.metrics import nearest_neighbor_adversarial_accuracy as nn_accuracy
from skflow.metrics import nearest_neighbor_distances as nn_distances
from skflow.metrics import sliced_wasserstein_distance as swd

MEMORISATION = [closer_to_train_share, nearest_distance_ratio, privacy_loss]
# What each says of honest samples and of copies.
HONEST = {closer_to_train_share: 0.5, nearest_distance_ratio: 1, privacy_loss: 0}

# Sizes are small and unequal on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:.*random subset of the larger")


def draw(n_samples, n_features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_features))


def sampler(n_samples, random_state):
    return random_state.normal(size=(n_samples, 2))


# More than 15 features: the nearest-neighbour search leaves its tree for the expanded square.
@settings(max_examples=15, deadline=None)
@given(
    sizes=st.tuples(st.integers(2, 25), st.integers(2, 25)),
    d=st.sampled_from([1, 2, 5, 20]),
    offset=st.sampled_from([0.0, 1e5]),
    rounded=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_metrics_equal_their_definitions(sizes, d, offset, rounded, seed):
    X, Y, Z = (draw(n, d, seed + i) + offset for i, n in enumerate([*sizes, sizes[1]]))
    if rounded:  # brings ties and copies
        X, Y, Z = np.round(X), np.round(Y), np.round(Z)
    w = draw(7, d, seed + 3)
    # Phases of 1e5 leave the naive version eleven digits.
    expected = naive.characteristic_function_distance(X, Y, w)
    assert_allclose(cfd(X, Y, frequencies=w), expected, rtol=0, atol=1e-9)
    assert_allclose(energy_distance(X, Y), naive.energy_distance(X, Y), rtol=0, atol=1e-6)
    if d == 1:
        expected = stats.energy_distance(X[:, 0], Y[:, 0]) ** 2
        assert_allclose(energy_distance(X, Y), expected, rtol=0, atol=1e-6)
    for p in (1, 2):
        result = swd(X, Y, p=p, projections=w)
        assert_allclose(result, naive.sliced_wasserstein_distance(X, Y, w, p), rtol=1e-9, atol=1e-9)
    if d == 1:
        expected = stats.wasserstein_distance(X[:, 0], Y[:, 0])
        assert_allclose(swd(X, Y, p=1), expected, rtol=1e-9, atol=1e-9)
    for bandwidth in ("median", 0.7):
        sigma = naive.median_distance(np.concatenate([X, Y])) if bandwidth == "median" else 0.7
        # Far from the origin the median distance has lost digits in the naive version, too.
        expected = naive.squared_mean_discrepancy(X, Y, sigma)
        assert_allclose(mmd(X, Y, bandwidth=bandwidth) ** 2, expected, rtol=0, atol=1e-9)
    for rows in [(X, Y), (X,)]:
        expected = naive.nearest_neighbor_distances(*rows)
        assert_allclose(nn_distances(*rows), expected, rtol=1e-12)
    assert closer_to_train_share(X, Y, Z) == naive.closer_to_train_share(X, Y, Z)
    assert_allclose(nn_accuracy(X, Y), naive.nearest_neighbor_adversarial_accuracy(X, Y))
    assert_allclose(privacy_loss(Z, X, Y), naive.privacy_loss(Z, X, Y), atol=1e-12)
    expected = naive.adjusted_closer_to_train_share(Z, X, Y)
    assert_allclose(closer_to_train_share(Z, X, Y, adjusted=True), expected, atol=1e-12)
    if np.median(naive.nearest_neighbor_distances(Z, Y)) > 0:
        expected = naive.nearest_distance_ratio(X, Y, Z)
        assert_allclose(nearest_distance_ratio(X, Y, Z), expected, rtol=1e-12)


def test_threshold_and_auc_equal_their_definitions():
    w, rng = draw(5, 2), np.random.RandomState(3)
    expected = naive.characteristic_function_threshold(sampler, 20, w, 10, 0.7, rng)
    result = cfd_threshold(sampler, 20, n_trials=10, quantile=0.7, frequencies=w, random_state=3)
    assert_allclose(result, expected, rtol=1e-12)

    X, Y, classifier = draw(30), draw(40, seed=1) + 0.5, LogisticRegression(random_state=0)
    order = np.random.RandomState(0).permutation(70)
    rows, label = np.concatenate([X, Y])[order], np.repeat([0, 1], [30, 40])[order]
    splits = StratifiedKFold(3).split(rows, label)
    expected = naive.classifier_two_sample_auc(rows, label, splits, classifier)
    assert_allclose(c2st(X, Y, classifier=classifier, cv=3, random_state=0), expected, rtol=1e-12)


def test_pvalue_equals_its_definition():
    for seed, (n, m) in enumerate([(7, 12), (10, 10), (2, 3)]):
        X, Y = np.round(draw(n, 2, seed)), np.round(draw(m, 2, seed + 9) + 0.5)  # brings ties
        rng, indices = np.random.RandomState(seed), np.arange(n + m)
        deals = [rng.permutation(indices) for _ in range(50)]
        result = mmd_test(X, Y, bandwidth=0.8, n_permutations=50, random_state=seed)
        assert result.pvalue == naive.permutation_pvalue(X, Y, 0.8, [np.argsort(d) for d in deals])
        assert_allclose(result.statistic, mmd(X, Y, bandwidth=0.8), rtol=1e-9)


def test_pvalues_are_uniform_on_copies_and_small_on_other_laws():
    def pvalues(shift, n_X=15, n_Y=25):
        samples = [(draw(n_X, 2, i), draw(n_Y, 2, i + 1000) + shift) for i in range(200)]
        tests = [
            mmd_test(*pair, n_permutations=99, random_state=i) for i, pair in enumerate(samples)
        ]
        return np.array([test.pvalue for test in tests])

    null = pvalues(0)
    # The p-values are multiples of 1/100; the test against the continuous law errs on its side.
    assert stats.kstest(null - 0.005, "uniform").pvalue > 0.01
    assert np.median(pvalues(1)) < 0.02
    X = draw(60)
    assert mmd_test(X, X[::-1], random_state=0).pvalue == 1
    assert mmd_test(X, X + 9, n_permutations=19, random_state=0).pvalue == 0.05


def test_wasserstein_is_the_cheapest_matching():
    X, Y = draw(30, 1), draw(30, 1, 1) + 0.5
    for p in (1, 2, 3):
        cost = np.abs(X - Y.T) ** p
        rows, columns = optimize.linear_sum_assignment(cost)
        assert_allclose(swd(X, Y, p=p), cost[rows, columns].mean() ** (1 / p))


@pytest.mark.parametrize("offset", [0, 1e6])
def test_equal_samples_are_at_zero(offset):
    X = draw(200, 20) + offset
    Y = X[::-1].copy()
    assert_allclose(cfd(X, Y), 0, atol=1e-9)
    assert_allclose(energy_distance(X, Y), 0, atol=1e-7)
    assert_allclose(mmd(X, Y), 0, atol=1e-7)
    assert_allclose(swd(X, np.repeat(Y, 2, axis=0)), 0, atol=1e-9)
    assert nn_accuracy(X, Y) == 0
    assert_array_equal(nn_distances(X, Y), 0)
    assert_array_equal(nn_distances(np.concatenate([X, Y])), 0)


def test_units_rotation_translation_order_and_roles():
    X, Y, Z, w = draw(60), draw(50, seed=1) + 0.3, draw(50, seed=2), draw(10, seed=3)
    rotation = np.linalg.qr(draw(3, seed=4))[0]
    A, B, C = (4 * S[::-1] @ rotation + 7 for S in (X, Y, Z))
    assert_allclose(cfd(B, A, frequencies=w @ rotation / 4), cfd(X, Y, frequencies=w))
    assert_allclose(energy_distance(B, A), 4 * energy_distance(X, Y))
    assert_allclose(swd(B, A, projections=w @ rotation), 4 * swd(X, Y, projections=w))
    assert_allclose(mmd(B, A), mmd(X, Y))
    assert_allclose(mmd(B, A, bandwidth=2.0), mmd(X, Y, bandwidth=0.5))
    assert_allclose(nn_distances(A, B), 4 * nn_distances(X, Y)[::-1])
    assert_allclose(nn_accuracy(B, A), nn_accuracy(X, Y))
    for metric in MEMORISATION:
        assert_allclose(metric(A, B, C), metric(X, Y, Z))
    # Powers of two leave every split of a tree where it was.
    units = [0.25, 1.0, 64.0]
    assert c2st(X * units, Y * units, cv=2, random_state=0) == c2st(X, Y, cv=2, random_state=0)


@pytest.mark.parametrize("n_features", [2, 20])
def test_chunks_do_not_matter(n_features, monkeypatch):
    X, Y, w = draw(150, n_features), draw(130, n_features, 1), draw(9, n_features, 2)

    def results():
        test = mmd_test(X, Y, n_permutations=50, random_state=0)
        distances = cfd(X, Y, frequencies=w), energy_distance(X, Y), swd(X, Y, projections=w)
        return *distances, *test, nn_distances(X, Y)

    whole, blocks = results(), []
    monkeypatch.setattr(
        _distances, "_sum_rows", lambda D, _: blocks.append(len(D)) or D.sum(axis=1)
    )
    with config_context(working_memory=0.004):
        chunked = results()
    assert max(blocks) <= 4
    assert_allclose(np.hstack(whole), np.hstack(chunked), rtol=1e-10)


def test_median_bandwidth_of_some_of_the_rows(monkeypatch):
    X, Y = draw(150), draw(150, seed=1) + 1
    whole = mmd(X, Y)
    monkeypatch.setattr(_mean_discrepancy, "_MEDIAN_ROWS", 200)
    some = [mmd(X, Y, random_state=seed) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2]
    assert_allclose(some, whole, rtol=0.05)
    assert mmd([[1.0]], [[1.0]]) == 0


def test_threshold_separates_laws():
    threshold = cfd_threshold(sampler, 200, n_trials=200, random_state=0)
    assert cfd_threshold(sampler, 200, n_trials=200, quantile=0.5, random_state=0) < threshold
    for seed in range(10):
        X, Y = draw(200, 2, seed), draw(200, 2, seed + 100)
        assert cfd(X, Y, random_state=seed) < threshold < cfd(X, Y + 0.5, random_state=seed)
    with pytest.warns(UserWarning, match="must draw from the random_state"):
        assert cfd_threshold(lambda n, rng: X, 200, n_trials=2) == 0


@pytest.mark.parametrize("metric", MEMORISATION)
@pytest.mark.parametrize("d", [2, 20])
def test_memorisation_tells_copies_from_fresh_rows(metric, d):
    null = [metric(*(draw(200, d, 3 * i + j) for j in range(3))) for i in range(20)]
    assert min(null) < HONEST[metric] < max(null)
    train, heldout = draw(200, d, 1000), draw(200, d, 1001)
    copies = metric(train, train, heldout)
    if metric is privacy_loss:
        assert copies == nn_accuracy(train, heldout)
    else:
        assert copies == (1 if metric is closer_to_train_share else 0)
    near_copies = metric(train + 0.02 * draw(200, d, 1002), train, heldout)
    is_ratio = metric is nearest_distance_ratio
    assert near_copies < min(null) if is_ratio else near_copies > max(null)


def test_adversarial_accuracy_tells_laws_apart():
    null = [nn_accuracy(draw(100, 3, i), draw(100, 3, i + 50)) for i in range(20)]
    assert min(null) < 0.5 < max(null)
    for seed in range(5):
        X = draw(100, 3, seed)
        assert nn_accuracy(X, X + 0.01 * draw(100, 3, seed + 50)) < min(null)
        assert nn_accuracy(X, draw(100, 3, seed + 50) + 1) > max(null)


@pytest.mark.parametrize("n_train, n_heldout", [(400, 100), (100, 400)])
def test_adjusted_share_does_not_depend_on_sizes(n_train, n_heldout):
    def share(samples, train, heldout):
        return closer_to_train_share(samples, train, heldout, adjusted=True)

    sizes = 300, n_train, n_heldout
    null = [share(*(draw(n, 3, 3 * i + j) for j, n in enumerate(sizes))) for i in range(40)]
    assert abs(np.mean(null) - 0.5) < 3 * np.std(null) / np.sqrt(40)
    plain = [
        closer_to_train_share(*(draw(n, 3, 3 * i + j) for j, n in enumerate(sizes)))
        for i in range(40)
    ]
    assert abs(np.mean(plain) - 0.5) > 10 * np.std(plain) / np.sqrt(40)  # it has to be adjusted
    train, heldout = draw(n_train, 3, 1000), draw(n_heldout, 3, 1001)
    assert share(train, train, heldout) == 1


def test_ties_count_half_and_unequal_sizes_warn():
    X = draw(100)
    assert closer_to_train_share(X, X, X[:90]) == 0.5 + 0.5 * 10 / 100
    assert closer_to_train_share([[0.0]], [[-1.0]], [[1.0]]) == 0.5
    with pytest.warns(UserWarning, match="random subset of the larger") as record:
        closer_to_train_share(X, X, X[:89])
        nn_accuracy(X, X[:89])
        privacy_loss(X, X, X[:89])
    assert [warning.filename for warning in record] == [__file__] * 3
    ideals = [str(w.message).split(" samples is not ")[1].split(" Pass")[0] for w in record]
    assert ideals == ["0.5.", "0.5.", "0."]
    with warnings.catch_warnings(action="error"):
        closer_to_train_share(X, X, X[:10], adjusted=True)


@pytest.mark.parametrize("classifier", [RandomForestClassifier(10), KNeighborsClassifier(15)])
def test_auc_tells_laws_apart_whatever_the_order_of_rows(classifier):
    def auc(X, Y, seed=0):
        return c2st(X, Y, classifier=classifier, random_state=seed)

    (X, Y), *copies = [(draw(120, 2, i), draw(120, 2, i + 50)) for i in range(13)]
    null = [auc(*copy) for copy in copies]
    assert min(null) < 0.5 < max(null) < auc(X, Y + 1)
    # Unshuffled folds would hold out one end of the data.
    shuffles = [auc(X, Y + 1, seed) for seed in range(1, 13)]
    assert min(shuffles) < auc(*[A[np.argsort(A[:, 0])] for A in (X, Y + 1)]) < max(shuffles)


def test_auc_is_reproducible_and_leaves_the_classifier_alone():
    X, Y = draw(60), draw(60, seed=1)
    assert c2st(X, X, cv=2, random_state=0) < 0.3  # a row judged by its twin
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    aucs = [c2st(X, Y, classifier=pipeline, random_state=seed) for seed in (0, 0, 1)]
    assert aucs[0] == aucs[1] != aucs[2]
    assert pipeline[-1].random_state is None and not hasattr(pipeline[-1], "estimators_")


TWO_SAMPLES = [cfd, energy_distance, swd, mmd, mmd_test, c2st, nn_distances, nn_accuracy]


@pytest.mark.parametrize("metric", [*TWO_SAMPLES, *MEMORISATION])
def test_bad_samples(metric):
    X = pd.DataFrame(draw(20), columns=["a", "b", "c"])
    before = [X, X] if metric in MEMORISATION else [X]
    for bad, message in [
        (X.mask(X > 1), "contains NaN"),
        (X["a"], "Expected a 2-dimensional"),
        (X[:0], "0 sample"),
        (X.to_numpy()[:, :2], "features but"),
        (X[["b", "a", "c"]], "differ in name or order"),
    ]:
        for arguments in ([*before, bad], [bad, *before]):
            with pytest.raises(ValueError, match=message):
                metric(*arguments)


BAD = [
    (lambda X: cfd(X, "rows"), "'Y' parameter"),
    (lambda X: cfd(X, X, frequencies=[[1.0, 2.0]]), r"shape \(n_frequencies, n_features\)"),
    (lambda X: cfd(X, X, n_frequencies=0), "n_frequencies"),
    (lambda X: cfd_threshold(sampler, 5, quantile=1.1), "quantile"),
    (lambda X: cfd_threshold(lambda n, rng: X, 5), "asked for 5 rows and returned 20"),
    (lambda X: swd(X, X, projections=[[1.0, 2.0]]), r"shape \(n_projections, n_features\)"),
    (lambda X: swd(X, X, projections=[[0.0, 0.0, 0.0]]), "no direction"),
    (lambda X: swd(X, X, p=0.5), "'p' parameter"),
    (lambda X: mmd(X, X, bandwidth=0), "bandwidth"),
    (lambda X: mmd_test(X, X, n_permutations=0), "n_permutations"),
    (lambda X: nn_accuracy(X, X[:1]), "Y has a single row"),
    (lambda X: privacy_loss(X, X[:1], X), "train has a single row"),
    (lambda X: nn_distances(X[:1]), "single row"),
    (lambda X: nearest_distance_ratio(X, X, X[:5]), "more than half of the held-out"),
    (lambda X: c2st(X, X[:4]), "too few for 5 folds"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(draw(20))
