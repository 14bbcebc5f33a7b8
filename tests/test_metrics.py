import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow.metrics import (
    _distances,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
)
from skflow.metrics import characteristic_function_distance as cfd
from skflow.metrics import characteristic_function_threshold as cfd_threshold
from skflow.metrics import classifier_two_sample_auc as c2st
from skflow.metrics import nearest_neighbor_distances as nn_distances

MEMORISATION = [closer_to_train_share, nearest_distance_ratio]


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
    for rows in [(X, Y), (X,)]:
        expected = naive.nearest_neighbor_distances(*rows)
        assert_allclose(nn_distances(*rows), expected, rtol=1e-12)
    assert closer_to_train_share(X, Y, Z) == naive.closer_to_train_share(X, Y, Z)
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


@pytest.mark.parametrize("offset", [0, 1e6])
def test_equal_samples_are_at_zero(offset):
    X = draw(200, 20) + offset
    Y = X[::-1].copy()
    assert_allclose(cfd(X, Y), 0, atol=1e-9)
    assert_allclose(energy_distance(X, Y), 0, atol=1e-7)
    assert_array_equal(nn_distances(X, Y), 0)
    assert_array_equal(nn_distances(np.concatenate([X, Y])), 0)


def test_units_rotation_translation_order_and_roles():
    X, Y, Z, w = draw(60), draw(50, seed=1) + 0.3, draw(50, seed=2), draw(10, seed=3)
    rotation = np.linalg.qr(draw(3, seed=4))[0]
    A, B, C = (4 * S[::-1] @ rotation + 7 for S in (X, Y, Z))
    assert_allclose(cfd(B, A, frequencies=w @ rotation / 4), cfd(X, Y, frequencies=w))
    assert_allclose(energy_distance(B, A), 4 * energy_distance(X, Y))
    assert_allclose(nn_distances(A, B), 4 * nn_distances(X, Y)[::-1])
    for metric in MEMORISATION:
        assert_allclose(metric(A, B, C), metric(X, Y, Z))
    # Powers of two leave every split of a tree where it was.
    units = [0.25, 1.0, 64.0]
    assert c2st(X * units, Y * units, cv=2, random_state=0) == c2st(X, Y, cv=2, random_state=0)


@pytest.mark.parametrize("n_features", [2, 20])
def test_chunks_do_not_matter(n_features, monkeypatch):
    X, Y, w = draw(150, n_features), draw(130, n_features, 1), draw(9, n_features, 2)
    whole = cfd(X, Y, frequencies=w), energy_distance(X, Y), nn_distances(X, Y)
    blocks = []
    monkeypatch.setattr(
        _distances, "_sum_rows", lambda D, _: blocks.append(len(D)) or D.sum(axis=1)
    )
    with config_context(working_memory=0.004):
        chunked = cfd(X, Y, frequencies=w), energy_distance(X, Y), nn_distances(X, Y)
    assert max(blocks) <= 4
    assert_allclose(np.hstack(whole), np.hstack(chunked), rtol=1e-10)


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
    is_share = metric is closer_to_train_share
    null = [metric(*(draw(200, d, 3 * i + j) for j in range(3))) for i in range(20)]
    assert min(null) < (0.5 if is_share else 1) < max(null)
    train, heldout = draw(200, d, 1000), draw(200, d, 1001)
    assert metric(train, train, heldout) == (1 if is_share else 0)
    near_copies = metric(train + 0.02 * draw(200, d, 1002), train, heldout)
    assert near_copies > max(null) if is_share else near_copies < min(null)


def test_ties_count_half_and_unequal_sizes_warn():
    X = draw(100)
    assert closer_to_train_share(X, X, X[:90]) == 0.5 + 0.5 * 10 / 100
    assert closer_to_train_share([[0.0]], [[-1.0]], [[1.0]]) == 0.5
    with pytest.warns(UserWarning, match="random subset of the larger") as record:
        closer_to_train_share(X, X, X[:89])
    assert record[0].filename == __file__


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


@pytest.mark.parametrize("metric", [cfd, energy_distance, nn_distances, c2st, *MEMORISATION])
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
    (lambda X: nn_distances(X[:1]), "single row"),
    (lambda X: nearest_distance_ratio(X, X, X[:5]), "more than half of the held-out"),
    (lambda X: c2st(X, X[:4]), "too few for 5 folds"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(draw(20))
