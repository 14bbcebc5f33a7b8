"""The metrics written out literally, slow and with whole matrices: the oracle of skflow.metrics."""

import numpy as np


def distance_matrix(X, Y):
    D = np.empty((len(X), len(Y)))
    for i, x in enumerate(X):
        for j, y in enumerate(Y):
            D[i, j] = np.sqrt(np.sum((x - y) ** 2))
    return D


def characteristic_function_distance(X, Y, frequencies):
    total = 0.0
    for w in frequencies:
        phi_X = np.mean([np.exp(1j * np.dot(w, x)) for x in X])
        phi_Y = np.mean([np.exp(1j * np.dot(w, y)) for y in Y])
        total += abs(phi_X - phi_Y)
    return total / len(frequencies)


def characteristic_function_threshold(sampler, n_samples, frequencies, n_trials, quantile, rng):
    distances = []
    for _ in range(n_trials):
        X = sampler(n_samples, rng)
        Y = sampler(n_samples, rng)
        distances.append(characteristic_function_distance(X, Y, frequencies))
    return np.quantile(distances, quantile)


def energy_distance(X, Y):
    between = distance_matrix(X, Y).mean()
    return 2 * between - distance_matrix(X, X).mean() - distance_matrix(Y, Y).mean()


def nearest_neighbor_distances(X, Y=None):
    if Y is not None:
        return distance_matrix(X, Y).min(axis=1)
    D = distance_matrix(X, X)
    np.fill_diagonal(D, np.inf)
    return D.min(axis=1)


def closer_to_train_share(samples, train, heldout):
    share = 0.0
    for x in samples:
        to_train = min(np.sqrt(np.sum((x - row) ** 2)) for row in train)
        to_heldout = min(np.sqrt(np.sum((x - row) ** 2)) for row in heldout)
        if to_train < to_heldout:
            share += 1.0
        elif to_train == to_heldout:
            share += 0.5
    return share / len(samples)


def nearest_distance_ratio(samples, train, heldout):
    to_train = np.median(distance_matrix(samples, train).min(axis=1))
    return to_train / np.median(distance_matrix(heldout, train).min(axis=1))


def auc(score, label):
    """Share of (0, 1) pairs that the score puts in order; ties count half."""
    wins = 0.0
    for low in score[label == 0]:
        for high in score[label == 1]:
            wins += 1.0 if low < high else 0.5 if low == high else 0.0
    return wins / (np.sum(label == 0) * np.sum(label == 1))


def classifier_two_sample_auc(rows, label, splits, classifier):
    aucs = []
    for train, test in splits:
        classifier.fit(rows[train], label[train])
        aucs.append(auc(classifier.predict_proba(rows[test])[:, 1], label[test]))
    return np.mean(aucs)
