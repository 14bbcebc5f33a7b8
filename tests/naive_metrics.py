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


def sliced_wasserstein_distance(X, Y, directions, p):
    """With as many copies of each row as make both samples one size."""
    total = 0.0
    for w in directions:
        u = w / np.sqrt(np.sum(w**2))
        x = np.sort([np.dot(u, row) for row in X for _ in Y])
        y = np.sort([np.dot(u, row) for row in Y for _ in X])
        total += np.mean(np.abs(x - y) ** p)
    return (total / len(directions)) ** (1 / p)


def median_distance(rows):
    """Between rows that differ; 1 if none do."""
    D = distance_matrix(rows, rows)[np.triu_indices(len(rows), 1)]
    return np.median(D[D > 0]) if np.any(D > 0) else 1.0


def squared_mean_discrepancy(X, Y, sigma):
    def mean_kernel(A, B):
        return np.mean(np.exp(-(distance_matrix(A, B) ** 2) / (2 * sigma**2)))

    return mean_kernel(X, X) + mean_kernel(Y, Y) - 2 * mean_kernel(X, Y)


def permutation_pvalue(X, Y, sigma, deals):
    """Each deal is an order of the rows of both samples, of which the first make X."""
    rows, observed = np.concatenate([X, Y]), squared_mean_discrepancy(X, Y, sigma)
    n_farther = 1
    for deal in deals:
        dealt = squared_mean_discrepancy(rows[deal[: len(X)]], rows[deal[len(X) :]], sigma)
        n_farther += dealt >= observed - 1e-12
    return n_farther / (1 + len(deals))


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


def adjusted_closer_to_train_share(samples, train, heldout):
    n_all = len(train) + len(heldout)
    to_heldout = 1 - closer_to_train_share(samples, train, heldout)
    return 1 - 0.5 * to_heldout / (len(heldout) / n_all)


def nearest_neighbor_adversarial_accuracy(X, Y):
    accuracy = 0.0
    for own, other in [(X, Y), (Y, X)]:
        for i, row in enumerate(own):
            to_own = min(np.sqrt(np.sum((row - x) ** 2)) for x in np.delete(own, i, axis=0))
            to_other = min(np.sqrt(np.sum((row - y) ** 2)) for y in other)
            told = 1.0 if to_own < to_other else 0.5 if to_own == to_other else 0.0
            accuracy += told / len(own) / 2
    return accuracy


def privacy_loss(samples, train, heldout):
    of_heldout = nearest_neighbor_adversarial_accuracy(samples, heldout)
    return of_heldout - nearest_neighbor_adversarial_accuracy(samples, train)


def fidelity_without_copying(samples, train, heldout, penalty):
    D = distance_matrix(heldout, heldout)
    between_rows = np.mean([D[i, j] for i in range(len(D)) for j in range(len(D)) if i != j])
    noise = between_rows * (1 / len(samples) + 1 / len(heldout))
    share = adjusted_closer_to_train_share(samples, train, heldout)
    energy = energy_distance(samples, heldout)
    return -np.log2(energy / noise) - penalty * max(0, 2 * share - 1)


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


def mean_log_density(rows, particles, sigma, weights=None):
    """Of rows, under Gaussians of width sigma around the particles."""
    total, mass = 0.0, 0.0
    for i, row in enumerate(rows):
        kernels = [np.exp(-np.sum((row - y) ** 2) / (2 * sigma**2)) for y in particles]
        density = np.mean(kernels) / (np.sqrt(2 * np.pi) * sigma) ** rows.shape[1]
        weight = 1.0 if weights is None else weights[i]
        total += weight * np.log(density)
        mass += weight
    return total / mass


def energy_score(rows, samples, weights=None):
    """Mean over the rows of the score of Gneiting and Raftery 2007, by different samples."""
    n_samples = len(samples)
    among = sum(np.linalg.norm(one - other) for one in samples for other in samples)
    among /= n_samples * (n_samples - 1)
    scores = [among / 2 - np.mean([np.linalg.norm(row - y) for y in samples]) for row in rows]
    return np.average(scores, weights=weights)
